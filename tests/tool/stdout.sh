#!/bin/bash
# Output that cannot be written is an error that is told, in every tool; a reader that has enough
# of it is not.
set -u
failed=0
check() { # WHAT STATUS WANTED
	[ "$2" = "$3" ] && return
	echo "$1: status $2, wanted $3: $(cat "$TMPDIR/err")" >&2
	failed=1
}
told() { # WHAT TOOL
	[[ $(head -n 1 "$TMPDIR/err") == "$2: error: "*"cannot be written ("* ]] && return
	echo "$1: said: $(cat "$TMPDIR/err")" >&2
	failed=1
}
sleep 100 &
pid=$!
for command in "sigdump --help" "sigdump --version" "sigdump list" "sigdump status --help" \
	"sigdump dump -q -p $pid" "shmtop --help" "shmtop -b -n 1 -p $pid" "shminspect --version" \
	"shminspect --explain list"; do
	tool=${command%% *}
	timeout 20 "$B"/bin/$command >/dev/full 2>"$TMPDIR/err" </dev/null
	check "$command >/dev/full" $? 3
	told "$command >/dev/full" "$tool"
	timeout 20 "$B"/bin/$command >&- 2>"$TMPDIR/err" </dev/null
	check "$command >&-" $? 3
	told "$command >&-" "$tool"
	timeout 20 "$B"/bin/$command 2>"$TMPDIR/err" </dev/null | true
	status=${PIPESTATUS[0]}
	[ "$status" = 141 ] || check "$command | true" "$status" 0
	[ ! -s "$TMPDIR/err" ] || { echo "$command | true: $(cat "$TMPDIR/err")" >&2; failed=1; }
done
# what is started finds its descriptors as they were
"$B/bin/sigdump" run -- sh -c 'ls -l "/proc/$$/fd" >&2' 2>"$TMPDIR/err" >&-
grep -q "1 -> /dev/null" "$TMPDIR/err" && { echo "run >&-: $(cat "$TMPDIR/err")" >&2; failed=1; }
kill $pid
rm -f "$TMPDIR/err"
exit $failed
