#!/bin/bash
# A process that enters seccomp is not killed by a system call of ours: the signal does nothing,
# and dumps are taken from outside.
. tests/sigdump_lib.sh

for how in prctl syscall; do
	for thread in "" thread; do
		start sandbox $how $thread
		await_ready
		for i in 1 2 3; do kill -USR1 "$pid"; done
		"$SIGDUMP" dump -q -f ndjson -p "$pid" -o "$TMPDIR/records" || fail "$how $thread: dump"
		equal "$(select_records 'select(.t=="dump") | .why' "$TMPDIR/records")" '"outside"' "$how $thread"
		equal "$(select_records 'select(.t=="thread" and .stack==null)' "$TMPDIR/records")" "" "$how $thread: all have stacks"
		equal "$(ls /proc/"$pid"/task | wc -l)" $((1 + ${#thread} / 6)) "$how $thread: no thread of ours"
		finish
		equal "$rest $status" " 0" "$how $thread"
		rm "$TMPDIR/records"
	done
done
cleanup
