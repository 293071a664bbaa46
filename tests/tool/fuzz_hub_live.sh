#!/bin/bash
# A minute of the live-host fuzzer (T_FUZZ_SECONDS) finds nothing.
# time limit: 600
set -u
[ -z "${SAN:-}" ] || { echo "skipped: the fuzzers have sanitizers of their own"; exit 77; }
cc=${FUZZ_CC:-clang}
echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p && n < 0; }' >"$TMPDIR/a.c"
if ! $cc -fsanitize=fuzzer,address -o "$TMPDIR/a" "$TMPDIR/a.c" 2>/dev/null; then
	rm -f "$TMPDIR"/a*
	echo "skipped: no clang with libFuzzer (packages clang, libclang-rt-14-dev)"
	exit 77
fi
rm -f "$TMPDIR"/a*
make -s B="$B" build/fuzz/hub_live >"$TMPDIR/log" 2>&1 || { cat "$TMPDIR/log"; rm -f "$TMPDIR/log"; exit 1; }
rm -f "$TMPDIR/log"
scripts/fuzz hub_live "${T_FUZZ_SECONDS:-60}"
