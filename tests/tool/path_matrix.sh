#!/bin/bash
# Faults reach their findings from every source, and nothing else is found: some of them here, and
# with MATRIX_SEEDS=N all of them with so many seeds. MATRIX_SILENCE=S: health in all its states
# has no finding for S seconds each. MATRIX_PAIRS=1: any two of the twelve commonest at once.
# time limit: 3600
# tries again by itself
set -u
[ -z "${SAN:-}" ] || { echo "skipped: the plain build is what it is about"; exit 77; }
status=0
if [ -n "${MATRIX_SEEDS:-}" ]; then
	scripts/matrix --seeds "$MATRIX_SEEDS" || status=1
else
	scripts/matrix --faults quick || status=1
fi
[ -z "${MATRIX_SILENCE:-}" ] || scripts/matrix --jobs 1 --silence "$MATRIX_SILENCE" || status=1
[ -z "${MATRIX_PAIRS:-}" ] || scripts/matrix --pairs || status=1
exit $status
