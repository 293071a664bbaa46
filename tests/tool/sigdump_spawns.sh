#!/bin/bash
# exec, fork, vfork, posix_spawn, system, popen; changes of uid.
. tests/sigdump_lib.sh

# whatever is started has the mask that the program believes in
start spawns masks
finish
equal "$(grep -c . <<<"$rest")" 5 "masks: $rest"
equal "$(grep -vc ' 0000000000000000$' <<<"$rest")" 0 "inherited masks: $rest"

# fork children: a plain one dumps in its handler, one with a thread has a dumper of its own
start spawns fork
await_ready
read -r _ _ plain threaded <<<"$line"
family=$("$SIGDUMP" dump -q -f ndjson -p "$pid" | jq -r 'select(.t=="dump") | .family' | sort | uniq -c)
equal "$(wc -l <<<"$family")" 1 "one family: $family"
equal "$(awk '{print $1}' <<<"$family")" 3 "parent, the child that has a dumper, the plain one from outside"
feed=$(feed_of "$pid")
equal "$(select_records 'select(.t=="child") | [.pid,.told]' "$feed" | sort)" \
	"$(printf '[%s,false]\n[%s,true]\n' "$plain" "$threaded" | sort)" "children"
kill -USR1 "$plain"
await_dumps "$plain" 1
equal "$(select_records 'select(.t=="thread") | .captured' "$(feed_of "$plain")")" '"signal"' "fork child"
equal "$(select_records 'select(.t=="done") | .threads' "$(feed_of "$threaded")")" 2 "its threads"
images=$(cat "$FEED"/*.ndjson | jq -r 'select(.t=="feed") | .image' | sort -u | wc -l)
equal "$images" 3 "an image id for each process"
finish
equal "$status" 0 "fork"

# exec: a new image under the same pid, with the signal usable at once
start spawns exec "$FIXTURE/waits" 0
await_ready
kill -USR1 "$pid"
await_dumps "$pid" 1
finish
equal "$rest" "eintr=0" "exec"

# --no-children: what it starts does not have the library
run_options=--no-children
start_program sh -c 'sed -n s/libsigdump/has/p /proc/self/maps; echo "ready $$"; read x'
await_ready
finish
run_options=

# every thread follows a change of uid, the dumper too
if [ "$(id -u)" = 0 ]; then
	mkdir -p "$FEED" && chmod 0777 "$FEED" "$TMPDIR"
	start spawns ids
	for i in 1 2 3 4; do
		read_line
		equal "$(tr -s '\t' ' ' <<<"$line")" "Uid: 65534 65534 65534 65534" "thread $i"
	done
	await_ready
	# it is hidden from itself now: the threads have to be asked, and their calls go on
	kill -USR1 "$pid"
	await_dumps "$pid" 1
	equal "$(select_records 'select(.t=="thread" and .own==false) | [.captured,.disturbed]' "$(feed_of "$pid")" | sort | uniq -c | awk '{ print $1 $2 }')" \
		'3["signal",true]' "a process that gave up root"
	equal "$(grep -c "until_eof" <(frames_of "$(feed_of "$pid")"))" 1 "its stack"
	# root can see it from outside, and interrupts nobody
	"$SIGDUMP" dump -q -f ndjson -p "$pid" -o "$TMPDIR/outside" || fail "ids: from outside"
	equal "$(select_records 'select(.t=="thread" and .own==false) | .captured' "$TMPDIR/outside" | sort | uniq -c | awk '{ print $1 $2 }')" \
		'3"peek"' "the same from outside"
	finish
	equal "$status" 0 "ids"
fi
valid_feeds
cleanup
