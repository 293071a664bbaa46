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

all_sleep() { # PID
	! cat /proc/"$1"/task/*/syscall | grep -q running
}

# born under a filter, a container's say: what it refuses is done without, what it kills for is not
# done
for verdict in refuse kill; do
	for fixture in "waits 0" "waits 3"; do
		start_program "$FIXTURE/sandbox" $verdict "$FIXTURE/${fixture% *}" "${fixture#* }"
		await_ready
		# a thread that takes the signal while the kernel has ended another's call for it already
		# (here: one that is only being born) leaves that call ended, and no handler runs there
		for i in 1 2 3; do
			until all_sleep "$pid"; do :; done
			kill -USR1 "$pid"
		done
		"$SIGDUMP" dump -q -f ndjson -p "$pid" -o "$TMPDIR/records" || fail "born under $verdict: dump"
		equal "$(select_records 'select(.t=="thread" and .stack==null and .own==false)' "$TMPDIR/records")" "" \
			"born under $verdict, $fixture: all have stacks"
		rm "$TMPDIR/records"
		finish
		# where no system call may be made, a call cannot be begun again either
		[ $verdict = kill ] && rest=${rest/eintr=[123]/eintr=0}
		equal "$rest $status" "eintr=0 0" "born under $verdict, $fixture"
	done
done
cleanup
