#!/bin/bash
# A hub under full load with a lost bell: dumps of host and peers prove it and do not heal it.
# time limit: 120
. tests/sigdump_lib.sh
if [ -n "$runtime" ]; then
	echo "skipped: hubdemo preloads the library in front of the sanitizer's runtime"
	exit 77
fi

mkfifo "$TMPDIR/out"
"$B/bin/hubdemo" --hub "$TMPDIR/demo.hub" --fault lost-bell --peers 6 --preload --feed "$FEED" --seconds 60 \
	>"$TMPDIR/out" 2>&1 &
demo=$!
exec {from}<"$TMPDIR/out"
read_line
pid=$(sed -n 's/^ready host=\([0-9]*\) .*/\1/p' <<<"$line")
ok test -n "$pid"
read_line
id=$(sed -n 's/^injected lost-bell peer=//p' <<<"$line")
ok test -n "$id"

ring='select(.t=="ring" and .peer=='$id' and .dir=="recv")'
for i in 1 2 3; do
	kill -USR1 "$pid"
	await_dumps "$pid" $i
done
feed=$(feed_of "$pid")
# the message waits, the peer sleeps, the bell is silent, in both looks of all three dumps
equal "$(select_records "$ring | [.waiting > 0, .bell, .look]" "$feed" | sort | uniq -c | awk '{ print $1 $2 }' | tr '\n' ' ')" \
	'3[true,0,1] 3[true,0,2] ' "host's looks at the ring"
equal "$(select_records "$ring | [.head,.tail]" "$feed" | sort -u | wc -l)" 1 "nothing moved"
equal "$(select_records 'select(.t=="child") | .told' "$feed" | sort | uniq -c | awk '{ print $1 $2 }')" 18true "peers are told"
equal "$(select_records 'select(.t=="thread" and .own==false and .stack==null) | [.state,.reason]' "$feed" | sort -u)" "" "threads without a stack"

# the peer itself, asked with everybody else as one family
"$SIGDUMP" dump -q -H "$TMPDIR/demo.hub" -f ndjson -o "$TMPDIR/all" || fail "dump -H"
equal "$(select_records 'select(.t=="dump") | .family' "$TMPDIR/all" | sort | uniq -c | awk '{ print $1 }')" 7 "one family, each once"
peer=$(jq -r 'select(.t=="peer" and .peer=='$id') | .pid' "$feed" | head -n 1)
await_dumps "$peer" 4
mine=$(feed_of "$peer")
equal "$(select_records 'select(.t=="thread" and .own==false) | [.captured,.disturbed]' "$mine" | sort -u)" '["peek",false]' "the peer sleeps"
equal "$(select_records "$ring | [.waiting > 0, .bell]" "$mine" | sort -u)" '[true,0]' "the peer's own look"
equal "$(select_records 'select(.t=="hub") | .role' "$mine" | sort -u)" '"peer"' "its role"
valid_feeds

kill -TERM "$pid"
rest=$(timeout 30 cat <&"$from")
exec {from}<&-
wait $demo
equal $? 0 "hubdemo: $rest"
equal "$(grep -c 'eintr=0$' <<<"$rest")" 7 "nobody was interrupted: $rest"
equal "$(sed -n 's/^messages [0-9]* //p' <<<"$rest")" "lost 0 duplicated 0 corrupt 0" "traffic"
pid=
cleanup
