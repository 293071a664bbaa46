#!/bin/bash
# Hub files of every layout version so far still open and say what they said when they were made;
# so does one that was just made. What was going on in them: tests/golden/hub_golden.c.
set -u
bad=0
want='layout 1
damage null
calls 1 of 16
peer alpha 1 incarnation 1 waiting 0 0 read 14 14
peer beta 2 incarnation 1 waiting 2 0 read 2 1
beat of beta handler 2
class 1024 in use 0 limit 8
class 65536 in use 2 limit 4
method 1 echo calls 15 failed 0 in the histogram 15
slot of 65536 allocated to_peer 1
slot of 65536 in_flight to_peer 2
message 0 call method 1 bytes 5 in a slot false waiting false
message 1 call method 2 bytes 1 in a slot false waiting false
message 2 notify method 3 bytes 5 in a slot false waiting true
message 3 notify method 3 bytes 5000 in a slot true waiting true
alpha: last 7 of 14, the newest 33 reply status 0'

look() { # FILE NAME
	"$B/bin/shminspect" --fail-on never --json --messages --slots "$1" >"$TMPDIR/json" 2>"$TMPDIR/err"
	local status=$?
	local got
	got=$(jq -r '.hubs[0] |
		"layout \(.layout)", "damage \(.damage)",
		"calls \(.calls_pending) of \(.calls_limit)",
		(.peers[] | "peer \(.name) \(.id) incarnation \(.incarnation) waiting \(.recv.waiting) \(.send.waiting) read \(.recv.read) \(.send.read)"),
		"beat of beta \(.peers[1].beat.state) \(.peers[1].beat.method)",
		(.classes[] | "class \(.size) in use \(.total - .free) limit \(.limit)"),
		(.methods[] | "method \(.method) \(.name) calls \(.calls) failed \(.failed) in the histogram \([.latency[].calls] | add)"),
		(.slots | sort_by(.peer)[] | "slot of \(.class) \(.state) \(.direction) \(.peer)"),
		(.peers[1].recv.messages[] | "message \(.cell) \(.kind) method \(.method) bytes \(.bytes) in a slot \(.slot != null) waiting \(.waiting)"),
		(.peers[0].send | "alpha: last \(.messages | length) of \(.written), the newest \(.messages[-1].cell) \(.messages[-1].kind) status \(.messages[-1].status)")
		' "$TMPDIR/json")
	if [ $status != 0 ] || [ "$(jq '.inputs[0].complete' "$TMPDIR/json")" != true ] || [ "$got" != "$want" ]; then
		echo "$2: exit $status, and (wanted <, got >)"
		cat "$TMPDIR/err"
		diff <(echo "$want") <(echo "$got")
		bad=1
	fi
}

# in words, too; and only when asked
text() { "$B/bin/shminspect" --fail-on never --no-pager "$@" 2>"$TMPDIR/err"; }
check_text() { # FILE
	local got
	got=$(text -v --messages --slots "$1")
	for line in '^METHODS +method +name +calls' '^ +1  echo +15 +0 +<' ': the last 4 of 4$' \
		'^ +3  notify +- +3  +64K +[0-9]+ +5000  waiting' '^SLOT LIST +class' \
		'^ +64K +[0-9]+  in_flight  to_peer +beta\(2\)'; do
		grep -qE "$line" <<<"$got" || { echo "no line \"$line\" in the text of $1:"; echo "$got"; bad=1; }
	done
	if text "$1" | grep -qE '^(METHODS|MESSAGES|SLOT LIST)'; then echo "details that nobody asked for"; bad=1; fi
}

newest=$(sed -n 's/^#define HUB_FORMAT_VERSION *//p' lib/hub/hub_format.h)
[ -f "tests/golden/layout-$newest.hub.gz" ] || { echo "layout $newest has no file in tests/golden/"; bad=1; }
for kept in tests/golden/layout-*.hub.gz; do
	gzip -dc "$kept" >"$TMPDIR/old.hub"
	look "$TMPDIR/old.hub" "$kept"
	check_text "$TMPDIR/old.hub"
done
"$B/golden/hub_golden" "$TMPDIR/new.hub" || { echo "hub_golden failed"; bad=1; }
look "$TMPDIR/new.hub" "a hub of today"
rm -f "$TMPDIR"/{old,new}.hub "$TMPDIR/json" "$TMPDIR/err"
exit $bad
