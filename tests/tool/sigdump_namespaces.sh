#!/bin/bash
# A process in a pid namespace of its own has other numbers inside than we see, and its feed may lie
# where only it has something mounted: it is asked and shown all the same.
# time limit: 60
. tests/sigdump_lib.sh
unshare -p -f -m true 2>/dev/null || { echo "skipped: no namespaces without root"; exit 77; }

inside() { # FIXTURE ARGS...: $outer is its number out here
	mkdir "$TMPDIR/own"
	start_program unshare -p -f -m sh -c \
		'mount -t tmpfs none "$1" && mount -t proc proc /proc && shift && exec "$@"' - "$TMPDIR/own" "$FIXTURE/$1" "${@:2}"
	await_ready
	equal "$line" "ready 1" "its number inside"
	outer=$(pgrep -P "$pid")
}
outside() {
	finish
	equal "$rest $status" "eintr=0 0" "disturbed"
	rmdir "$TMPDIR/own"
}

export SHMSCOPE_FEED=$TMPDIR/own/feeds
inside waits 3 1
ok grep -q "^ *$outer  waits  .*dumper" <("$SIGDUMP" list)
"$SIGDUMP" dump -q -f ndjson -p "$outer" -o "$TMPDIR/records" || fail "dump with a dumper"
equal "$(select_records 'select(.t=="dump") | .why' "$TMPDIR/records")" '"control"' "who wrote it"
equal "$(select_records 'select(.t=="done") | [.threads,.captured,.timeout]' "$TMPDIR/records")" '[5,5,false]' "complete"
equal "$(grep -c wait_outermost <(frames_of "$TMPDIR/records"))" 3 "stacks"
ok test ! -e "$SHMSCOPE_FEED"
kill -USR1 "$outer"
feed=/proc/$outer/root$SHMSCOPE_FEED
for _ in $(seq 500); do
	[ "$(cat "$feed"/*.ndjson | grep -c '"t":"done"')" = 2 ] && break
	sleep 0.01
done
equal "$(cat "$feed"/*.ndjson | grep -c '"t":"done"')" 2 "by SIGUSR1"
ok grep -q "thread [0-9]*, idle" <("$SIGDUMP" status -p "$outer")
rm "$TMPDIR/records"
outside

# without a dumper: by its outer number, from here
inside waits 0
"$SIGDUMP" dump -q -f ndjson -p "$outer" -o "$TMPDIR/records" || fail "dump from outside"
equal "$(select_records 'select(.t=="dump") | .why' "$TMPDIR/records")" '"outside"' "who wrote it"
equal "$(grep -c "count_in_epoll < main" <(frames_of "$TMPDIR/records"))" 1 "its stack"
rm "$TMPDIR/records"
outside

# its children: found by the numbers that they have out here, each once, as one family
mkdir "$TMPDIR/own"
start_program unshare -p -f -m sh -c \
	'mount -t tmpfs none "$1" && mount -t proc proc /proc && shift && exec "$@"' - "$TMPDIR/own" "$FIXTURE/spawns" fork
await_ready
equal "${line%% *} $(wc -w <<<"$line")" "ready 4" "three processes"
outer=$(pgrep -P "$pid")
"$SIGDUMP" dump -q -f ndjson -p "$outer" -o "$TMPDIR/records" || fail "dump of a family"
# one is plain, and looked at from here; the others have dumpers
equal "$(select_records 'select(.t=="dump") | .why' "$TMPDIR/records" | sort | tr '\n' ' ')" '"control" "control" "outside" ' "a family"
equal "$(select_records 'select(.t=="dump") | .family' "$TMPDIR/records" | sort -u | wc -l)" 1 "one family"
equal "$(select_records 'select(.t=="done") | .threads == .captured' "$TMPDIR/records" | sort -u)" true "complete"
text=$("$SIGDUMP" dump -q -p "$outer")
equal "$(grep -c '^sigdump ' <<<"$text")" 3 "three in one text"
for child in $(pgrep -P "$outer"); do
	"$SIGDUMP" dump -q -f ndjson -p "$child" -o "$TMPDIR/child" || fail "a child alone"
	rm "$TMPDIR/child"
done
rm "$TMPDIR/records"
finish
equal "$status" 0 "a family: exit status"
rmdir "$TMPDIR/own"
cleanup
