#!/bin/bash
# Over 40 kinds of blocking calls: a dump makes none of them return, however it was asked for.
# time limit: 300
. tests/sigdump_lib.sh

kinds=$("$FIXTURE/calls")
ok test "$(wc -l <<<"$kinds")" -ge 40
declare -A pid_of
is_blocked() { # PID: its first thread sleeps in a call
	read -r nr _ <"/proc/$1/syscall" && [ "$nr" != running ]
}
start_all() { # MODE ("" or thread)
	local kind
	mkdir "$TMPDIR/out"
	for kind in $kinds; do
		LD_PRELOAD=$runtime "$SIGDUMP" run -- "$FIXTURE/calls" "$kind" $1 </dev/null >"$TMPDIR/out/$kind" 2>&1 &
		pid_of[$kind]=$!
	done
	for kind in $kinds; do
		n=0
		until grep -q ready "$TMPDIR/out/$kind" && is_blocked "${pid_of[$kind]}"; do
			n=$((n + 1))
			[ $n -lt 3000 ] || fail "$kind does not block: $(cat "$TMPDIR/out/$kind")"
			sleep 0.01
		done
	done
}
disturbed=
end_all() { # HOW: collects the kinds that returned
	local kind
	for kind in $kinds; do
		if grep -q returned "$TMPDIR/out/$kind" || ! kill -0 "${pid_of[$kind]}" 2>/dev/null; then
			disturbed+="$1: $kind $(sed -n 2p "$TMPDIR/out/$kind"); "
		fi
		kill -KILL "${pid_of[$kind]}" 2>/dev/null
		wait "${pid_of[$kind]}" 2>/dev/null
	done
	rm -r "$TMPDIR/out" "$FEED" 2>/dev/null
}

# with a dumper, by SIGUSR1: nobody is disturbed, and no thread is marked so
start_all thread
for round in 1 2; do
	for kind in $kinds; do kill -USR1 "${pid_of[$kind]}"; done
	for kind in $kinds; do await_dumps "${pid_of[$kind]}" $round; done
done
for kind in $kinds; do
	feed=$(feed_of "${pid_of[$kind]}")
	marked=$(select_records 'select(.t=="thread" and .disturbed)' "$feed")
	[ -z "$marked" ] || disturbed+="marked: $kind $marked; "
done
end_all "SIGUSR1 with a dumper"

# plain, by sigdump dump: looked at from outside
start_all ""
for kind in $kinds; do
	[ $kind = join ] && continue # it has a thread, and so a dumper
	"$SIGDUMP" dump -q -f ndjson -p "${pid_of[$kind]}" >"$TMPDIR/text" || fail "$kind: dump"
	[ "$(select_records 'select(.t=="thread") | [.captured,.disturbed]' "$TMPDIR/text")" = '["peek",false]' ] ||
		disturbed+="outside: $kind; "
done
rm -f "$TMPDIR/text"
end_all "sigdump dump of a plain process"

# plain, by a raw SIGUSR1: the handler begins the call again, and the dump says so
start_all ""
for round in 1 2; do
	for kind in $kinds; do
		p=${pid_of[$kind]}
		kill -USR1 "$p" 2>/dev/null || continue
		while kill -0 "$p" 2>/dev/null && [ "$(dumps_of "$p")" -lt $round ]; do sleep 0.01; done
	done
done
end_all "SIGUSR1 to a plain process"
# these two are made through syscall(2): its code does not name the number of the call, so that it
# cannot be begun again (sigdump(1), BUGS)
want='SIGUSR1 to a plain process: futex_timeout returned -1 Interrupted system call; '
want+='SIGUSR1 to a plain process: io_getevents returned -1 Interrupted system call; '
equal "$disturbed" "$want" "disturbed calls"
cleanup
