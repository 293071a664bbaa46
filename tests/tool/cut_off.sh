#!/bin/bash
# A hub file and a feed that were cut off anywhere: a report of what is there, or one error in the
# documented form with its status; never a crash, from shminspect or shmtop.
# time limit: 120
. tests/tool/hubdemo.inc
demo_start --load idle --peers 2 --preload --feed "$feeds"
"$B/bin/sigdump" dump -q -p "$host" >/dev/null || failed "no dump"
cp --sparse=always "$hub" "$TMPDIR/whole.hub"
whole=$(ls "$feeds"/hubdemo-*.ndjson)
cp "$whole" "$TMPDIR/whole.ndjson"
demo_end any

try() { # file
	local tool status wrong=
	for tool in "shminspect --no-pager" "shmtop -b -j -n 1" "shminspect --strict -j"; do
		timeout 20 "$B"/bin/$tool "$1" >"$TMPDIR/out" 2>"$TMPDIR/err"
		status=$?
		case $status in
		0 | 1) [ -s "$TMPDIR/out" ] || wrong="no report" ;;
		4) [ -s "$TMPDIR/out" ] || [ "$(grep -c ': error: ' "$TMPDIR/err")" = 1 ] || wrong="not one error"
			! grep -qv -e '^[a-z]*: error: ' -e '^[a-z]*: warning: ' -e '^  next: ' "$TMPDIR/err" ||
				wrong="another form" ;;
		*) wrong="exit status $status" ;;
		esac
		[ -z "$wrong" ] || failed "$tool, cut at $size of $(basename "$1"): $wrong: $(head -n 4 "$TMPDIR/err")"
	done
}
cut() { # file, sizes
	local file=$1
	shift
	for size in "$@"; do
		cp --sparse=always "$file" "$TMPDIR/cut.${file##*.}"
		truncate -s "$size" "$TMPDIR/cut.${file##*.}"
		try "$TMPDIR/cut.${file##*.}"
	done
}
n=$(stat -c %s "$TMPDIR/whole.hub")
cut "$TMPDIR/whole.hub" 1 8 63 511 4096 8192 65536 $((n / 100)) $((n - 1))
n=$(stat -c %s "$TMPDIR/whole.ndjson")
cut "$TMPDIR/whole.ndjson" 1 20 $(for ((i = 1; i < 10; i++)); do echo $((n * i / 10)); done) $((n - 2)) $((n - 1))
