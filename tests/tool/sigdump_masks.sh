#!/bin/bash
# Programs that wait with an empty mask are neither killed nor let go early by SIGUSR1.
. tests/sigdump_lib.sh

for call in sigsuspend ppoll pselect epoll_pwait epoll_pwait2; do
	for thread in "" +thread; do
		start waits mask $call$thread
		await_ready
		usr1 3
		kill -ALRM "$pid"
		finish
		equal "$rest $status" "early=0 0" "$call$thread"
	done
done

# between exec and the start of the library the signal waits, and then makes its dump
is_held() {
	local key value
	while read -r key value; do
		[ "$key" != SigBlk: ] || return $((!(16#$value & 0x200)))
	done <"/proc/$pid/status"
	return 1
}
caught=0
for attempt in {1..200}; do
	start waits 0
	for poll in {1..5000}; do
		if is_held; then
			kill -USR1 "$pid"
			caught=1
			break
		fi
		[ "$(</proc/"$pid"/comm)" != waits ] || break
	done
	await_ready
	[ $caught = 0 ] || await_dumps "$pid" 1
	equal "$(grep SigBlk "/proc/$pid/status" | tr -d ' \t')" SigBlk:0000000000000000 "let through"
	finish
	equal "$rest $status" "eintr=0 0" "a signal at start-up"
	[ $caught = 0 ] || break
done
equal $caught 1 "a signal before the library had its handler"
valid_feeds
cleanup
