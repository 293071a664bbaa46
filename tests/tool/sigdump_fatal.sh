#!/bin/bash
# Signals that end the process: the last dump is in the feed, and status and handlers are as
# without the library.
# time limit: 300
. tests/sigdump_lib.sh
ulimit -c 0

dies() { # SIGNAL STATUS DUMPS HOW...
	local signal=$1 want=$2 dumps=$3 feed
	shift 3
	"$FIXTURE/fatal" "$@" >/dev/null 2>&1
	equal $? "$want" "$* without the library"
	"$SIGDUMP" run -- "$FIXTURE/fatal" "$@" >/dev/null 2>&1
	equal $? "$want" "$* with it"
	feed=$(ls "$FEED"/fatal-*.ndjson 2>/dev/null)
	if [ "$dumps" = 0 ]; then
		equal "$feed" "" "$*: no dump"
		return
	fi
	equal "$(select_records 'select(.t=="dump") | .why' "$feed")" '"fatal"' "$*: one dump"
	equal "$(select_records 'select(.t=="fatal") | .signal' "$feed")" "$signal" "$*: the signal"
	equal "$(tail -n 1 "$feed" | jq -c '[.t,.why,.signal]')" '["end","signal",'"$signal]" "$*: the feed's end"
	frames_of "$feed" >"$TMPDIR/frames"
	grep -q die_here "$TMPDIR/frames" || [ "$1" = stack ] || fail "$*: where it was: $(cat "$TMPDIR/frames")"
	valid_feeds
	rm -r "$FEED" "$TMPDIR/frames"
}
for threads in "" threads; do
	dies 11 139 1 segv $threads
	dies 8 136 1 fpe $threads
	dies 4 132 1 ill $threads
	dies 6 134 1 abort $threads
	dies 7 135 1 raise $threads
	dies 10 138 1 usr1 $threads
	dies 10 138 1 usr1-again $threads
	dies 10 138 1 usr1-kill $threads
	dies 11 139 1 stack $threads
	dies 11 139 1 again $threads
	dies 0 5 0 own $threads
	dies 0 0 0 default $threads

	start fatal term $threads
	await_ready
	kill -TERM "$pid"
	wait "$pid"
	equal $? 143 "term $threads"
	feed=$(feed_of "$pid")
	equal "$(select_records 'select(.t=="fatal") | [.signal,.sender,.addr]' "$feed")" "[15,$$,null]" "term $threads: who sent it"
	pid=
	exec {to}>&- {from}<&-
	rm -r "$FEED"
done
cleanup
