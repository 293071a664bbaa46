#!/bin/bash
# Healthy processes have no finding: in 20 s of full load, in 10 s of idling, from no source.
# time limit: 180
. tests/tool/hubdemo.inc

silent() { # what was looked at, its reports
	local found
	found=$(jq -r '.findings[] | select(.severity != "info" and .state == "confirmed") |
		"\(.name) \(.where.peer) \(.where.ring)"' "$2") || failed "$1: no report"
	[ -z "$found" ] || failed "$1: found $found"
	[ "$(jq -s length "$2")" -ge "$3" ] || failed "$1: fewer than $3 reports"
}

for load in full idle; do
	count=20
	[ $load = full ] || count=10
	demo_start --load $load --preload --feed "$feeds"
	"$B/bin/sigdump" dump -q -H "$hub" >/dev/null || failed "no dump"
	"$B/bin/shmtop" -b -j -i 1 -n $((count + 1)) "$hub" >"$TMPDIR/live.json" || failed "shmtop: $?"
	silent "live, $load" "$TMPDIR/live.json" $count
	"$B/bin/sigdump" dump -q -H "$hub" >/dev/null || failed "no dump"
	"$B/bin/shminspect" --json "$feeds" >"$TMPDIR/feed.json" || failed "shminspect of feeds: exit status $?"
	silent "feeds, $load" "$TMPDIR/feed.json" 1
	pids=$(pgrep -P "$host")
	kill -KILL "$host"
	demo_ended any
	until_gone $pids
	"$B/bin/shminspect" --json "$hub" >"$TMPDIR/hub.json" || failed "shminspect of the hub file: exit status $?"
	silent "hub file, $load" "$TMPDIR/hub.json" 1
	rm -rf "$hub" "$feeds"
done
