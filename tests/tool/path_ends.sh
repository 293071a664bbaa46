#!/bin/bash
# What threads wait on beside locks of memory: epoll sets, poll, select, pipes, sockets, children and
# file locks. Who has the other end is told, by a dump of its own, by a look from outside, from the
# feed and live; who waits in a circle is found; who only looks like it is not.
# tests/fixture/ends.c says what each of them does.
# time limit: 240
. tests/sigdump_lib.sh
[ -z "${SAN:-}" ] || { echo "skipped: the plain build is what it is about"; exit 77; }

names() { jq -r '[.findings[] | select(.state == "confirmed" and .severity != "info") | .name] | unique | join(",")'; }
suspects() { jq -r '[.findings[] | select(.state != "cleared" and .severity != "info") | .name] | unique | join(",")'; }

# In a session of its own: for a user who may not look at everything, what is in the session of who
# started the tests may have their files, too.
begin() { # MODE [HOW]: $left, $right; HOW: "plain" is without the library
	mode=$1
	local run=("$SIGDUMP" run --)
	[ "${2:-}" != plain ] || run=()
	mkfifo "$TMPDIR/in.$$" "$TMPDIR/out.$$"
	setsid "${run[@]}" "$FIXTURE/ends" "$mode" "$TMPDIR" <"$TMPDIR/in.$$" >"$TMPDIR/out.$$" 2>&1 &
	pid=$!
	exec {to}>"$TMPDIR/in.$$" {from}<"$TMPDIR/out.$$"
	rm "$TMPDIR/in.$$" "$TMPDIR/out.$$"
	until read_line; [[ $line = left* ]]; do :; done
	left=${line#left }
	read_line
	right=${line#right }
	await_ready
}
end() {
	finish
	rm -rf "$FEED" "$TMPDIR/locked"
}
has() { # FILE TEXT WHAT
	grep -qF -e "$2" "$1" || fail "$mode, $3: no '$2' in: $(cat "$1")"
}
dump() { # [OPTION...]: as text, in long lines
	"$SIGDUMP" dump -q -A "$@" 2>"$TMPDIR/errors" | tr -s ' \n' ' ' >"$TMPDIR/text" || fail "$mode: sigdump dump: $(cat "$TMPDIR/errors")"
}
live() { # N PID,PID: samples until a finding is confirmed, at most N
	timeout 40 "$B/bin/shmtop" -b -j -i 0.4 -n "$1" -p "$2" | while read -r sample; do
		echo "$sample" >"$TMPDIR/live"
		[ -z "$(names <"$TMPDIR/live")" ] || break
	done
}

# ---- circles: confirmed by who can ask, and from the feeds of all of them
circle() { # MODE WORDS...: in the first finding's evidence
	local how word
	for how in plain library; do
		begin "$1" $how
		for _ in 1 2 3; do # a machine without a CPU for it has no time to ask everybody
			"$SIGDUMP" dump -q -j --timeout 30s -p "$left,$right" >"$TMPDIR/report" 2>"$TMPDIR/errors"
			[ $how = plain ] || "$B/bin/shminspect" --json "$FEED" >"$TMPDIR/stored"
			[ -z "$(names <"$TMPDIR/report")" ] && continue
			[ $how = plain ] || [ "$mode" = reap ] || [ -n "$(names <"$TMPDIR/stored")" ] || continue
			break
		done
		equal "$(names <"$TMPDIR/report")" deadlock "$mode, $how, sigdump dump ($(cat "$TMPDIR/errors"))"
		for word in "${@:2}"; do has "$TMPDIR/report" "$word" "$how"; done
		[ $how = plain ] || stored "${@:2}"
		end
	done
}
# Of a process that has no dumper (a fork child, or one without the library) a look from outside is kept.
stored() { # WORDS...
	local word child
	if [ "$mode" = reap ]; then
		child=$(cat "/proc/$left/task/$left/children")
		"$SIGDUMP" dump -q -j --record --feed "$FEED" -p "$left,${child% },$right" >/dev/null 2>"$TMPDIR/errors"
	fi
	"$B/bin/shminspect" --json "$FEED" >"$TMPDIR/report"
	equal "$(names <"$TMPDIR/report")" deadlock "$mode, feed ($(cat "$FEED"/* | grep -c '"t":"other"') others)"
	for word in "$@" 'nobody else has these files open'; do has "$TMPDIR/report" "$word" feed; done
	valid_feeds
}
circle full 'waits for room in pipe:[' 'whose other end has tid' 'each writes before it reads'
circle silent 'waits for data from socket:[' 'to speak first'
circle reap 'waits for the end of its child' 'whose other end has tid' 'then wait for it'
circle stuffed 'does not read what the other has filled'

begin full plain
live 30 "$left,$right"
equal "$(names <"$TMPDIR/live")" deadlock "$mode, shmtop"
# asked about one of them, it looks at the other by itself
dump -p "$left"
has "$TMPDIR/text" 'DEADLOCK 2 threads wait for each other since at least' "one of two"
has "$TMPDIR/text" "WAITS FOR right, pid $right: " "one of two"
# before its stacks: who waits for somebody else is not the one to look at
grep -q 'WAITS FOR .* STACKS' "$TMPDIR/text" || fail "$mode: whom it waits for stands behind: $(cat "$TMPDIR/text")"
end

# ---- none of these is one; between the two dumps lie more than 2 s
for m in rest worker timed third itself; do
	begin $m
	"$SIGDUMP" dump -q -j -p "$left,$right" >"$TMPDIR/report" 2>/dev/null
	equal "$(suspects <"$TMPDIR/report")" "" "$mode, sigdump dump"
	live 8 "$left,$right"
	equal "$(suspects <"$TMPDIR/live")" "" "$mode, shmtop"
	"$SIGDUMP" dump -q -j -p "$left,$right" >"$TMPDIR/report" 2>/dev/null
	equal "$(suspects <"$TMPDIR/report")" "" "$mode, sigdump dump again"
	"$B/bin/shminspect" --json "$FEED" >"$TMPDIR/report"
	equal "$(suspects <"$TMPDIR/report")" "" "$mode, feed"
	end
done

# ---- event loops: every file with who has its other end
loop_is_told() { # HOW
	local n
	for n in 6 2 1; do has "$TMPDIR/text" "watches $n fd" "$1"; done
	n=$(grep -o "(other end: right, pid $right)" "$TMPDIR/text" | wc -l)
	[ "$n" -ge "$2" ] || fail "$mode, $1: $n other ends instead of $2: $(cat "$TMPDIR/text")"
	has "$TMPDIR/text" ' timerfd' "$1"
	has "$TMPDIR/text" ' eventfd' "$1"
}
begin loop plain
for _ in 1 2 3; do
	dump -p "$left"
	grep -q 'there was no time' "$TMPDIR/text" || break
done
loop_is_told "from outside" 5
has "$TMPDIR/text" ' tcp listening on 127.0.0.1:' "from outside"
end
begin loop
dump -p "$left,$right"
loop_is_told "its own dump" 5
# the feeds alone know pipes and unix sockets; who has a connection is not in them
"$B/bin/shminspect" -v "$FEED" 2>/dev/null | tr -s ' \n' ' ' >"$TMPDIR/text"
loop_is_told "its feed" 3
"$B/bin/shminspect" --json "$FEED" |
	jq -e --argjson right "$right" '[.processes[].threads[] | select(.name == "left" and .waits_on_all == 6) |
		.waits_on[] | select(.other_end[].pid == $right) | .kind] | sort == ["pipe", "socket"]' >/dev/null ||
	fail "$mode: the other ends in the report of the feed"
valid_feeds
live 1 "$left,$right"
jq -e --argjson right "$right" '[.processes[].threads[] | select(.waits_on_all == 6) |
	.waits_on[] | select(.other_end[].pid == $right) | .kind] | sort == ["pipe", "socket", "socket"]' \
	"$TMPDIR/live" >/dev/null || fail "$mode: the other ends in shmtop"
end

# ---- very many files: some are listed, all are counted, and the dump stays short
begin many
dump -p "$left"
has "$TMPDIR/text" ' more #0' "very many"
grep -qE 'watches [0-9]{3,} fds: ' "$TMPDIR/text" || fail "$mode: $(cat "$TMPDIR/text")"
[ "$(wc -c <"$TMPDIR/text")" -lt 4000 ] || fail "$mode: the text has $(wc -c <"$TMPDIR/text") bytes"
select_records 'select(.t == "ends") | [.n, (.ends | length)]' "$(feed_of "$left")" | grep -qE '^\[[0-9]{3,},32\]$' ||
	fail "$mode: $(select_records 'select(.t == "ends")' "$(feed_of "$left")")"
valid_feeds
end

# ---- file locks: who holds them, also later
for m in flock posix ofd; do
	begin $m
	dump -p "$left"
	has "$TMPDIR/text" "$TMPDIR/locked (fd 3) held by pid $right (right)" "its own dump"
	end_of_text="held by pid $right (right)"
	[ $m != ofd ] || end_of_text='held through an open file description: no process is noted'
	feed=$(feed_of "$left")
	cp "$feed" "$TMPDIR/kept.ndjson"
	exec {to}>&-
	wait "$pid"
	exec {from}<&-
	pid=
	# nobody of them is there any more
	"$B/bin/shminspect" -v "$TMPDIR/kept.ndjson" 2>/dev/null | tr -s ' \n' ' ' >"$TMPDIR/text"
	has "$TMPDIR/text" "$TMPDIR/locked (fd 3) $end_of_text" "feed"
	rm -rf "$FEED" "$TMPDIR/locked" "$TMPDIR/kept.ndjson"
done

# ---- one that naps between its tries is never seen to wait: said is what can be known
begin busy plain
dump -p "$left"
has "$TMPDIR/text" "in clock_nanosleep 0.1 s; meanwhile pid $right (right) holds a lock on $TMPDIR/locked, which this process has open without a lock" "a nap"
dump -p "$right"
grep -q meanwhile "$TMPDIR/text" && fail "$mode: who has the lock: $(cat "$TMPDIR/text")"
end

# ---- rwlocks: the writer is known, readers only by their number
for m in readers writer; do
	mode=$m
	start locks $m
	await_ready
	dump -p "$pid"
	text='held by 2 readers; who they are is not recorded'
	[ $m = readers ] || text='"reload"'
	has "$TMPDIR/text" "$text" "its own dump"
	"$B/bin/shminspect" -v "$FEED" 2>/dev/null | tr -s ' \n' ' ' >"$TMPDIR/text"
	has "$TMPDIR/text" "$text" "its feed"
	finish
	rm -rf "$FEED"
done
cleanup
