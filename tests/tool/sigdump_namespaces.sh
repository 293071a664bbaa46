#!/bin/bash
# A process in a pid namespace of its own has other numbers inside than we see, and its feed may lie
# where only it has something mounted: it is asked and shown all the same.
# time limit: 240
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

# what waits for what in there is told by the numbers that processes and threads have out here:
# by its own dumper, from outside, live, and from its feed while it lives
numbers_are_ours() { # JSON WHAT
	local told ours
	told=$(jq -c '.findings[] | select(.name == "deadlock" and .state == "confirmed") | [.where.pid] + [.edges[].tid] | unique' "$1")
	ours=$(cd "/proc/$outer/task" && echo * | tr ' ' '\n' | jq -sc .)
	jq -en --argjson told "$told" --argjson ours "$ours" --argjson pid "$outer" \
		'($told - $ours) == [] and ($told | length) == 3 and ($told | index($pid))' >/dev/null ||
		fail "$2: $told, it is pid $outer with threads $ours"
}
for how in library plain; do
	mkdir -p "$TMPDIR/own"
	run=
	[ $how = library ] || run="env -u LD_PRELOAD"
	start_program unshare -p -f -m sh -c \
		'mount -t tmpfs none "$1" && mount -t proc proc /proc && shift && exec "$@"' - "$TMPDIR/own" $run "$FIXTURE/locks" two
	await_ready
	outer=$(pgrep -P "$pid")
	"$SIGDUMP" dump -q -j -p "$outer" >"$TMPDIR/report" || fail "$how: dump"
	numbers_are_ours "$TMPDIR/report" "$how: sigdump dump"
	timeout 40 "$B/bin/shmtop" -b -j -i 0.3 -n 4 -p "$outer" | tail -n 1 >"$TMPDIR/report"
	numbers_are_ours "$TMPDIR/report" "$how: shmtop"
	if [ $how = library ]; then
		cp "/proc/$outer/root$SHMSCOPE_FEED"/*.ndjson "$TMPDIR/kept.ndjson"
		"$B/bin/shminspect" --json "$TMPDIR/kept.ndjson" >"$TMPDIR/report"
		numbers_are_ours "$TMPDIR/report" "shminspect"
	fi
	finish
done
# ... and is told as it was, when there is nobody any more
"$B/bin/shminspect" --json "$TMPDIR/kept.ndjson" >"$TMPDIR/report"
equal "$(jq -c '[.findings[] | .where.pid] | unique' "$TMPDIR/report")" '[1]' "shminspect, later"
rm "$TMPDIR/report" "$TMPDIR/kept.ndjson"
rmdir "$TMPDIR/own"

# where another program lies under that path out here: names come from the one that it has
cp "$FIXTURE/locks" "$TMPDIR/program"
mkdir "$TMPDIR/own"
start_program unshare -p -f -m sh -c 'mount -t tmpfs none "$1" && mount -t proc proc /proc &&
	mount --bind "$2" "$3" && shift 2 && exec "$@"' - "$TMPDIR/own" "$FIXTURE/waits" "$TMPDIR/program" 3 1
await_ready
outer=$(pgrep -P "$pid")
text=$("$SIGDUMP" dump -p "$outer" 2>"$TMPDIR/errors")
ok grep -q 'wait_outermost' <<<"$text"
ok test ! -s "$TMPDIR/errors"
rm "$TMPDIR/errors"
finish
rm "$TMPDIR/program"
rmdir "$TMPDIR/own"

# a hub in there: its file has the numbers of there, too
mkfifo "$TMPDIR/out"
unshare -p -f -m sh -c 'mount -t proc proc /proc && exec "$@"' - "$B/bin/hubdemo" --hub "$TMPDIR/x.hub" --peers 3 \
	--fault blocked-peer:in=read >"$TMPDIR/out" 2>/dev/null &
pid=$!
exec {from}<"$TMPDIR/out"
rm "$TMPDIR/out"
until read_line; [[ $line == injected* ]]; do :; done
child=$(pgrep -P "$pid")
timeout 40 "$B/bin/shmtop" -b -j -i 0.5 -n 60 "$TMPDIR/x.hub" | while read -r sample; do
	told=$(jq -r '.findings[] | select(.state == "confirmed" and .severity != "info") | "\(.name) \(.where.pid)"' <<<"$sample")
	[ -z "$told" ] || { echo "$told" >"$TMPDIR/told"; break; }
done
read -r name peer <"$TMPDIR/told"
equal "$name" consumer-stalled "the finding"
equal "$(cut -d' ' -f4 "/proc/$peer/stat")" "$child" "the parent of the process that it names"
kill "$child"
exec {from}<&-
wait "$pid"
pid= child=
cleanup
