#!/bin/bash
# Three dumps of host and peer by SIGUSR1 after a lost bell: the message still waits, the peer
# still sleeps, and not one wait in 17 processes was interrupted. What the dumps wrote is as the
# schema says, and parses.
# time limit: 120
. tests/tool/hubdemo.inc

demo_start --load idle --inject-after 0.1s --fault lost-bell --preload --feed "$feeds"
demo_says 'injected lost-bell' 20
peer=$(peer_pid search)

dumps_of() { # pid: dumps that its feed holds to the end
	cat "$feeds"/*-"$1"-*.ndjson 2>/dev/null | grep -c '"t":"done"'
}
until_dumps() { # pid, how many
	local i
	for ((i = 0; i < 500; i++)); do
		[ "$(dumps_of "$1")" -ge "$2" ] && return
		sleep 0.02
	done
	failed "process $1 wrote $(dumps_of "$1") dumps instead of $2"
}
hang() { # what can be seen of it: the ring, the flag, and whether the peer's thread ever ran
	"$B/bin/shmtop" -b -j -n 1 "$hub" |
		jq -c '.hubs[0].peers[] | select(.id == 3) | .recv | [.head, .tail, .waiting_flag, .bell_pending]'
	cut -d' ' -f1 "/proc/$peer/syscall"
	sed -n 's/ctxt_switches//p' "/proc/$peer/task/$peer/status"
	cat "/proc/$peer/task/$peer/schedstat"
}
before=$(hang)
echo "$before" | grep -q '^232$' || failed "the peer is not in epoll_wait: $before"
for ((n = 1; n <= 3; n++)); do
	# the host passes it on to its children: a dump of each peer for each of the two signals
	kill -USR1 "$host"
	until_dumps "$host" $n
	until_dumps "$peer" $((2 * n - 1))
	kill -USR1 "$peer"
	until_dumps "$peer" $((2 * n))
	[ "$(hang)" = "$before" ] || failed "dump $n changed something: $before became $(hang)"
done
scripts/check-feed "$feeds"/*.ndjson || failed "a feed is not as the schema says"
jq -e . "$feeds"/*.ndjson >/dev/null || failed "a feed does not parse"
[ "$(ls "$feeds" | wc -l)" = 17 ] || failed "not 17 feeds"
demo_end 0
[ "$(grep -c '^peer=[0-9]* eintr=0$' "$TMPDIR/said")" = 17 ] || failed "a wait was interrupted"
