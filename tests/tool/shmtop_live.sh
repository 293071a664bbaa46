#!/bin/bash
# time limit: 120
# A hub that hangs, live: the finding in the frame and in the JSON object, with its exit status;
# a healthy one stays silent; without any hub there is one sentence.
. tests/tool/hubdemo.inc
top=$B/bin/shmtop

said=$(HOME=$TMPDIR "$top" -H "$TMPDIR/none.hub" 2>&1)
[ $? = 3 ] || failed "a hub that is not there: $said"

# Hubs of others may exist: this user's are looked for in a place of its own.
demo_start --load idle --fault lost-bell --inject-after 0.2
demo_says injected 10

timeout 30 "$top" -b -n 4 -i 1 "$hub" >"$TMPDIR/frames"
[ $? = 1 ] || failed "exit status $? of a hung hub"
[ "$(grep -c '^shmtop  LIVE ' "$TMPDIR/frames")" = 4 ] || failed "not four frames"
[ "$(grep -c '^$' "$TMPDIR/frames")" -ge 3 ] || failed "no empty lines between frames"
grep -q $'\033' "$TMPDIR/frames" && failed "escape codes"
LC_ALL=C grep -q '[^ -~]' "$TMPDIR/frames" && failed "pictures beyond ASCII"
grep -Eq '^!! VERDICT  search \(peer 3, pid [0-9]+\) hangs: asleep for .* with [0-9]+ messages? waiting; nobody rang its bell\.$' \
	"$TMPDIR/frames" || failed "verdict: $(cat "$TMPDIR/frames")"
grep -Eq '^!! F1 missed-wakeup +confirmed search\(3\) recv ring ' "$TMPDIR/frames" || failed "finding"
grep -Eq '^  3 search +[0-9]+ ASLEEP ' "$TMPDIR/frames" || failed "row"

timeout 30 "$top" -bj -n 3 -i 1 -v "$hub" >"$TMPDIR/objects" 2>"$TMPDIR/verbose"
[ $? = 1 ] || failed "exit status of -bj"
[ "$(wc -l <"$TMPDIR/objects")" = 3 ] || failed "not one object a line"
[ "$(grep -c '^shmtop: sample: 1 hubs, 17 processes' "$TMPDIR/verbose")" = 3 ] || failed "-v: $(cat "$TMPDIR/verbose")"
tail -n 1 "$TMPDIR/objects" | jq -e '
	.v == 1 and .kind == "report" and
	(.findings | map(select(.state == "confirmed" and .severity != "info")) | length == 1 and
	 .[0].name == "missed-wakeup" and .[0].where.peer == 3 and .[0].where.ring == "recv") and
	(.hubs[0].peers | map(select(.id == 3))[0] | .recv.len >= 1 and .recv.waiting_flag == 1)' \
	>/dev/null || failed "object: $(tail -n 1 "$TMPDIR/objects" | jq .findings)"

timeout 30 "$top" -b -n 3 -i 1 --fail-on never "$hub" >/dev/null || failed "--fail-on never"
timeout 30 "$top" -b -n 1 -o "$TMPDIR/out" "$hub" || failed "one look confirms nothing"
grep -q '^ ? F1 missed-wakeup ' "$TMPDIR/out" || failed "-o: $(cat "$TMPDIR/out")"
timeout 30 "$top" -b -n 1 -F 'name=search' "$hub" | grep -q ' fonts ' && failed "-F shows others"
# a reader that has had enough is no error
timeout 30 "$top" -b -n 3 -i 0.1 "$hub" 2>"$TMPDIR/pipe" | head -n 1 >/dev/null
[ ! -s "$TMPDIR/pipe" ] || failed "SIGPIPE: $(cat "$TMPDIR/pipe")"
demo_end 0

demo_start --load full
timeout 30 "$top" -b -n 5 -i 0.5 "$hub" >"$TMPDIR/frames" || failed "health: $(cat "$TMPDIR/frames")"
tail -n 40 "$TMPDIR/frames" | grep -Eq '^   VERDICT  no findings in 2 s of 17 processes$' || failed "health: $(cat "$TMPDIR/frames")"
demo_end 0
