#!/bin/bash
# A finding is suspected, then confirmed, then cleared, in that order and once each: in a live
# view that goes on, and in feeds over time. What was cleared stays listed with its history.
# time limit: 120
. tests/tool/hubdemo.inc

live=$TMPDIR/live.json
states() { # of the finding in the live samples, one after the other, without repetitions
	jq -r '[.findings[] | select(.name == "peer-stopped" and .where.peer == 3) | .state] | first // "none"' \
		"$live" 2>/dev/null | uniq | paste -sd' '
}
last() { # sample that is whole: shmtop was ended while it wrote
	jq -c . "$live" 2>/dev/null | tail -n 1
}
until_live() { # the last state
	local i
	for ((i = 0; i < 300; i++)); do
		case $(states) in *"$1") return ;; esac
		sleep 0.1
	done
	failed "live: never $1: $(states)"
}

demo_start --load idle --preload --feed "$feeds" --inject-after 0 --fault stopped-peer
demo_says injected 20
"$B/bin/shmtop" -b -j -i 0.2 "$hub" >"$live" 2>"$TMPDIR/top.err" &
top=$!
until_live confirmed
"$B/bin/sigdump" dump -q -H "$hub" >/dev/null || failed "no dump"
kill -CONT "$(peer_pid search)"
until_live cleared
# the feeds hold one look at it: a second dump of the family shows it gone on
"$B/bin/sigdump" dump -q -H "$hub" >/dev/null || failed "no dump"
kill "$top"
wait "$top"
case $(states) in
"suspected confirmed cleared" | "none suspected confirmed cleared") ;;
*) failed "live: $(states)" ;;
esac
last | jq -e '.findings[] | select(.name == "peer-stopped") |
	.times == 1 and .longest_seconds >= 2 and .cleared != null' >/dev/null || failed "live: its history is lost"
last | jq -e '.verdict | startswith("no findings")' >/dev/null || failed "live: the verdict still tells it"

"$B/bin/shminspect" --json "$feeds" >"$TMPDIR/feed.json"
[ $? -eq 0 ] || failed "feeds: exit status $? although it was cleared"
[ "$(jq -r '.findings[] | select(.name == "peer-stopped") | .state' "$TMPDIR/feed.json")" = cleared ] ||
	failed "feeds: not cleared: $(jq -c '.findings' "$TMPDIR/feed.json")"
"$B/bin/shminspect" "$feeds" | grep -q 'peer-stopped.*cleared .*, 1 time, longest' || failed "feeds: no text of it"
demo_end 0
rm -rf "$feeds" "$TMPDIR"/*.json "$TMPDIR/top.err"
