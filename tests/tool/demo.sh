#!/bin/bash
# The demo says what it was asked to say, in four steps and under 10 s, and ends all it started.
# time limit: 120
set -u
[ -z "${SAN:-}" ] || { echo "skipped: the plain build is what it is about"; exit 77; }
out=$TMPDIR/out
failed() {
	echo "FAILED: $*"
	cat "$out"
	exit 1
}
clean() {
	sed -n 's,.*shmtop -r \(/tmp/shmscope-demo\.[A-Za-z0-9]*\)/feeds.*,\1,p' "$out" | xargs -r rm -rf
	rm -f "$out"
}
trap clean EXIT
demo() { # fault, exit status
	FAULT=$1 scripts/demo >"$out" 2>&1
	local status=$?
	[ $status -eq "$2" ] || failed "FAULT=$1: exit status $status"
}
says() {
	grep -Eq -- "$1" "$out" || failed "it does not say: $1"
}
alone() {
	local dir
	dir=$(sed -n 's,.*shmtop -r \(/tmp/shmscope-demo\.[A-Za-z0-9]*\)/feeds.*,\1,p' "$out")
	[ -s "$dir/report.txt" ] || failed "no report in $dir"
	! pgrep -f "$dir" >/dev/null || failed "left behind: $(pgrep -af "$dir")"
	rm -rf "$dir"
}

demo lost-bell 0
says '^ 1/4  start     hub demo.hub: 1 host, 16 peers \(fonts, images, search, \.\.\.\) +[0-9]\.[0-9] s$'
says '^ 2/4  inject    lost-bell: the host publishes to search and does not ring its bell +[0-9.]+ s$'
says '^ 3/4  watch     [0-9:]{8} suspected missed-wakeup search\(3\)   [0-9:]{8} confirmed +[0-9.]+ s$'
says '^ 4/4  report    shminspect demo.hub feeds/ +[0-9.]+ s$'
says '^VERDICT  search \(peer 3, pid [0-9]+\) hangs: asleep for [0-9.]+ s with 7 messages waiting'
says '^         Asked for missed-wakeup, found missed-wakeup at search\(3\): correct\. +[0-9.]+ s in all$'
alone

demo none 0
says '^VERDICT  no findings in 5 s of 17 processes$'
alone

demo no-such-fault 2
says 'FAULT=no-such-fault: no such fault'

# interrupted in the middle: nothing stays
FAULT=deaf-peer setsid scripts/demo >"$out" 2>&1 &
demo=$!
for ((i = 0; i < 500; i++)); do
	grep -q ' 2/4 ' "$out" && break
	sleep 0.02
done
host=$(pgrep -P $demo -x hubdemo) || failed "no hubdemo was started"
dir=$(tr '\0' '\n' <"/proc/$host/cmdline" | sed -n 's,/demo\.hub$,,p')
kill -TERM $demo
wait $demo
[ $? -eq 143 ] || failed "exit status of an interrupted demo"
! pgrep -f "$dir" >/dev/null || failed "left behind: $(pgrep -af "$dir")"
rm -rf "$dir"
