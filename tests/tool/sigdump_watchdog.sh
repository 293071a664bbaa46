#!/bin/bash
# The watchdog: a heartbeat, a ring or a call that goes on no more is dumped once, and what goes
# on again is said; a process that was stopped for a while is no incident.
# time limit: 120
. tests/sigdump_lib.sh
export SHMSCOPE_WATCHDOG=300ms

order() { # LETTER
	echo "$1" >&"$to"
	read_line
	equal "$line" "$1" "answer"
}
incidents() { select_records 'select(.t=="incident") | [.n,.state]' "$feed" | tr '\n' ' '; }

start watched
await_ready
order g
order s
await_record "$pid" '.t=="incident" and .n==1'
feed=$(feed_of "$pid")
order g
await_record "$pid" '.t=="incident" and .n==1 and .state=="progress"'
equal "$(select_records 'select(.t=="dump") | [.d,.why,.sender]' "$feed")" '[1,"watchdog",null]' "one dump"
equal "$(select_records 'select(.t=="incident" and .state=="stalled") | [.what,.name,.d,.at > 0,.stuck_ms >= 300]' "$feed")" \
	'["beat","loop",1,true,true]' "what stood still"
grep -q "beat_loop" <<<"$(frames_of "$feed")" || fail "no stack of the loop"

# time that passes while the process is stopped does not count: the next incident is the second
kill -STOP "$pid"
sleep 1
kill -CONT "$pid"
order g
order r
sleep 0.5 # at rest, nothing is due
order s
await_record "$pid" '.t=="incident" and .n==2'
equal "$(incidents)" '[1,"stalled"] [1,"progress"] [2,"stalled"] ' "no incident in between"
order r
await_record "$pid" '.t=="incident" and .n==2 and .state=="progress"'
equal "$(dumps_of "$pid")" 2 "one dump for each incident"

# a registration that ends while it stands still
order s
await_record "$pid" '.t=="incident" and .n==3'
finish
equal "$status" 0 "calls that failed"
valid_feeds

# off
rm -r "$FEED"
run_options="--watchdog off"
start watched
await_ready
equal "$("$SIGDUMP" status -p "$pid" --json | jq -c ".processes[0].watchdog_ms")" 0 "status"
order s
sleep 0.5
ok test -z "$(feed_of "$pid")"
finish
run_options=

# an option that is no time
"$SIGDUMP" run --watchdog never -- true 2>"$TMPDIR/err"
equal $? 2 "--watchdog never"
grep -q -- '--watchdog' "$TMPDIR/err" || fail "says nothing of --watchdog: $(cat "$TMPDIR/err")"

# a lost bell: the peer sleeps, its own watchdog sees the message; the host's sees its call
export SHMSCOPE_WATCHDOG=1s
mkfifo "$TMPDIR/out"
"$B/bin/hubdemo" --hub "$TMPDIR/demo.hub" --fault lost-bell --peers 4 --preload --feed "$FEED" --seconds 60 \
	>"$TMPDIR/out" 2>&1 &
demo=$!
exec {from}<"$TMPDIR/out"
read_line
pid=$(sed -n 's/^ready host=\([0-9]*\) .*/\1/p' <<<"$line")
read_line
id=$(sed -n 's/^injected lost-bell peer=//p' <<<"$line")
await_record "$pid" '.t=="incident" and .what=="ring" and .dir=="recv" and .peer=='"$id"
await_record "$pid" '.t=="incident" and .what=="call" and .peer=='"$id"
feed=$(feed_of "$pid")
peer=$(jq -r 'select(.t=="peer" and .peer=='"$id"') | .pid' "$feed" | head -n 1)
await_record "$peer" '.t=="incident" and .what=="ring" and .waiting>0 and .peer=='"$id"
equal "$(select_records 'select(.t=="incident") | .peer' "$feed" | sort -u)" "$id" "nobody else"
ok test "$(count_records 'select(.t=="dump" and .why=="watchdog")' "$feed")" -le 2
valid_feeds
kill -TERM "$pid"
timeout 30 cat <&"$from" >/dev/null
exec {from}<&-
wait $demo
pid=
cleanup
