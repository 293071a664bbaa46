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
valid_feeds
cleanup
