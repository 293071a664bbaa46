#!/bin/bash
# Over 40 kinds of blocking calls: a dump makes none of them return, however it was asked for.
# time limit: 300
. tests/sigdump_lib.sh

. tests/calls_lib.sh
kinds=$calls_kinds
ok test "$(wc -l <<<"$kinds")" -ge 40
disturbed=
end_all() { # HOW: collects the kinds that returned
	local kind
	for kind in $kinds; do
		! calls_returned "$kind" || disturbed+="$1: $kind $(calls_says "$kind"); "
	done
	calls_end
	rm -r "$FEED" 2>/dev/null
}

# with a dumper, by SIGUSR1: nobody is disturbed, and no thread is marked so
calls_start thread
for round in 1 2; do
	for kind in $kinds; do kill -USR1 "${calls_pid[$kind]}"; done
	for kind in $kinds; do await_dumps "${calls_pid[$kind]}" $round; done
done
for kind in $kinds; do
	feed=$(feed_of "${calls_pid[$kind]}")
	marked=$(select_records 'select(.t=="thread" and .disturbed)' "$feed")
	[ -z "$marked" ] || disturbed+="marked: $kind $marked; "
done
end_all "SIGUSR1 with a dumper"

# plain, by sigdump dump: looked at from outside
calls_start ""
for kind in $kinds; do
	[ $kind = join ] && continue # it has a thread, and so a dumper
	"$SIGDUMP" dump -q -f ndjson -p "${calls_pid[$kind]}" >"$TMPDIR/text" || fail "$kind: dump"
	[ "$(select_records 'select(.t=="thread") | [.captured,.disturbed]' "$TMPDIR/text")" = '["peek",false]' ] ||
		disturbed+="outside: $kind; "
done
rm -f "$TMPDIR/text"
end_all "sigdump dump of a plain process"

# plain, by a raw SIGUSR1: the handler begins the call again, and the dump says so
calls_start ""
for round in 1 2; do
	for kind in $kinds; do
		p=${calls_pid[$kind]}
		kill -USR1 "$p" 2>/dev/null || continue
		while kill -0 "$p" 2>/dev/null && [ "$(dumps_of "$p")" -lt $round ]; do sleep 0.01; done
	done
done
end_all "SIGUSR1 to a plain process"
# this one begins again, and finds what it had slept over
want='SIGUSR1 to a plain process: lost_futex returned 0 Resource temporarily unavailable; '
equal "$disturbed" "$want" "disturbed calls"
cleanup
