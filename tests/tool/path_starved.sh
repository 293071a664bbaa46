#!/bin/bash
# A healthy handler that gets no CPU is suspected of stalling, says that it may only wait for a
# CPU, and is never confirmed. One without end that shares its CPU with others is found all the
# same. Each thread in a feed has its times.
# time limit: 240
. tests/tool/hubdemo.inc

taskset -c 0 chrt --idle 0 true 2>/dev/null || { echo "skipped: no taskset or chrt, or not allowed here"; exit 77; }

burners=()
burn() { # so many endless loops on the first CPU
	while [ ${#burners[@]} -lt "$1" ]; do
		taskset -c 0 bash -c 'while :; do :; done' &
		burners+=($!)
		disown $!
	done
}
end_burners() {
	[ ${#burners[@]} = 0 ] || kill -KILL "${burners[@]}" 2>/dev/null
	burners=()
}
top=
trap 'end_burners; kill $top 2>/dev/null; demo_clean' EXIT

look_begin() {
	"$B/bin/shmtop" -b -j -i 0.5 --fail-on never "$hub" >"$TMPDIR/live.json" &
	top=$!
}
look_end() {
	kill "$top"
	wait "$top"
	top=
}
pid_of() { # peer
	"$B/bin/shmtop" -b -j -n 1 "$hub" | jq ".hubs[0].peers[] | select(.id == $1).pid"
}
confirmed() { # its reports: each confirmed critical or warning finding, once
	jq -r '.findings[] | select(.severity != "info" and .state == "confirmed") |
		"\(.name) \(.where.peer)"' "$1" | sort -u
}
no_cpu() { # its reports, milliseconds: it stood there for so long with hardly a CPU
	jq -e --argjson ms "$2" 'select(any(.findings[]; .name == "consumer-stalled" and
		.state == "suspected" and .evidence.watched_ms > $ms and .evidence.own_ms < 250))' \
		"$1" >/dev/null 2>&1
}

# ---- healthy, and starved: the least that a process can be given, beside six loops -------------
demo_start --load full --preload --feed "$feeds"
peer=$(pid_of 1)
burn 6
taskset -a -cp 0 "$peer" >/dev/null && chrt -a --idle -p 0 "$peer" || failed "cannot starve $peer"
look_begin
for ((i = 0; i < 90; i++)); do
	no_cpu "$TMPDIR/live.json" 5000 && break
	sleep 1
done
look_end
[ $i -lt 90 ] || { echo "skipped: the peer got on in spite of all loops"; exit 77; }
end_burners
found=$(confirmed "$TMPDIR/live.json")
[ -z "$found" ] || failed "live: found $found in a peer that gets no CPU"
"$B/bin/sigdump" dump -q -p "$host" >/dev/null || failed "no dump"
jq -e 'select(.t == "thread") | select(.ran_us == null or .queued_us == null)' "$feeds"/*.ndjson >/dev/null &&
	failed "a thread without its times"
kill -KILL "$host"
demo_ended any
rm -rf "$hub" "$feeds"

# ---- without end, and with a quarter of a CPU -----------------------------------------------------
demo_start --fault spinning-peer
demo_says injected 20
peer=${line##*peer=}
peer=${peer%% *}
burn 3
taskset -a -cp 0 "$(pid_of "$peer")" >/dev/null || failed "cannot share its CPU"
look_begin
found=
for ((i = 0; i < 90 && ${#found} == 0; i++)); do
	sleep 1
	found=$(confirmed "$TMPDIR/live.json" 2>/dev/null)
done
look_end
[ "$found" = "consumer-stalled $peer" ] || failed "a handler without end: found \"$found\""
end_burners
kill -KILL "$host"
demo_ended any
