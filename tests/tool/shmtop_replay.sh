#!/bin/bash
# time limit: 120
# Feeds that were written while a hub hung are replayed after everybody is dead: the same screens,
# the finding at its time, names for the frames of the stack.
. tests/tool/hubdemo.inc
top=$B/bin/shmtop
export LC_ALL=C
demo_start --load idle --fault lost-bell --inject-after 0.2 --preload --feed "$feeds"
demo_says injected 10
dumps() { cat "$feeds"/hubdemo-"$host"-*.ndjson 2>/dev/null | grep -c '"t":"done"'; }
for n in 1 2 3; do
	kill -USR1 "$host"
	for ((i = 0; i < 200; i++)); do
		[ "$(dumps)" -ge $n ] && break
		sleep 0.05
	done
	[ "$(dumps)" -ge $n ] || failed "no dump $n"
	sleep 1.2 # the dwell of the finding is 2 s
done
demo_end 0
[ ! -e "$hub" ] || failed "the hub is still there"

show() { timeout 60 "$top" --script "$1" "${@:2}" "$feeds" 2>&1 || failed "--script $1"; }
show "" >"$TMPDIR/end"
grep -Eq '^shmtop  REPLAY [0-9:]{8} ' "$TMPDIR/end" || failed "title: $(cat "$TMPDIR/end")"
grep -Eq '^!! search \(peer 3, pid [0-9]+\) hangs: asleep for ' "$TMPDIR/end" || failed "verdict: $(cat "$TMPDIR/end")"
grep -Eq '^[0-9:]+ \|[-!]*\^\| [0-9:]+  REPLAY [0-9:]{8} \(0.0 s before end\)$' "$TMPDIR/end" || failed "time bar: $(cat "$TMPDIR/end")"
show "Tstart<Enter>" | grep -Eq '^[0-9:]+ \|\^[-!]*\| [0-9:]+  REPLAY [0-9:]{8} \(.* before end\)$' || failed "start"
show "Tstart<Enter>[" | grep -q 'this is the oldest sample that is kept' || failed "before the start"
show "5" >"$TMPDIR/threads"
grep -Eq '^>(!!|  ) S[0-9]+ +1 idle ' "$TMPDIR/threads" || failed "threads: $(cat "$TMPDIR/threads")"
grep -Eq '#1 +.* sut_peer.c:[0-9]+ ' "$TMPDIR/threads" || failed "names: $(cat "$TMPDIR/threads")"

# as text and JSON, from the beginning, sample by sample
timeout 60 "$top" -b "$feeds" >"$TMPDIR/frames"
[ $? = 1 ] || failed "exit status of -b"
[ "$(grep -c '^shmtop  REPLAY' "$TMPDIR/frames")" -ge 3 ] || failed "frames"
timeout 60 "$top" -bj -n 2 "$feeds" | jq -es 'length == 2 and .[0].kind == "report"' >/dev/null || failed "-bj"
until=$(sed -nE '1s/^shmtop  REPLAY ([0-9:]{8}).*/\1/p' "$TMPDIR/frames")
timeout 60 "$top" -b --until "$until" "$feeds" >"$TMPDIR/first"
[ "$(grep -c '^shmtop  REPLAY' "$TMPDIR/first")" -lt "$(grep -c '^shmtop  REPLAY' "$TMPDIR/frames")" ] || failed "--until"
