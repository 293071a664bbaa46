#!/bin/bash
# Faults reach their findings from every source, and nothing else is found: some of them here, and
# with MATRIX_SEEDS=N all of them with so many seeds. MATRIX_SILENCE=S: health in all its states
# has no finding for S seconds each, and that beside the faults: their load is one more of health's
# states. MATRIX_PAIRS=1: any two of the twelve commonest at once.
# time limit: 3600
# tries again by itself
set -u
[ -z "${SAN:-}" ] || { echo "skipped: the plain build is what it is about"; exit 77; }
status=0 silence=
trap '[ -z "$silence" ] || kill "$silence"; rm -f "$TMPDIR/silence"' EXIT
if [ -n "${MATRIX_SILENCE:-}" ]; then
	scripts/matrix --jobs 1 --silence "$MATRIX_SILENCE" >"$TMPDIR/silence" 2>&1 &
	silence=$!
fi
if [ -n "${MATRIX_SEEDS:-}" ]; then
	scripts/matrix --jobs 3 --seeds "$MATRIX_SEEDS" || status=1
else
	scripts/matrix --faults quick || status=1
fi
if [ -n "$silence" ]; then
	wait "$silence" || status=1
	silence=
	cat "$TMPDIR/silence"
fi
[ -z "${MATRIX_PAIRS:-}" ] || scripts/matrix --pairs || status=1
exit $status
