#!/bin/bash
# A program that handles, ignores, waits for or polls SIGUSR1 itself keeps it, whenever it says
# so; dumps are then asked for through the control page.
. tests/sigdump_lib.sh

for how in early late sigwait signalfd; do
	start owner $how
	await_ready
	for i in 1 2 3; do
		kill -USR1 "$pid"
		read_line
		equal "$line" got "$how, signal $i"
	done
	"$SIGDUMP" dump -q -p "$pid" >/dev/null || fail "$how: no dump through the control page"
	# the first signal may have come before the first sigwait(): then it made a dump as well
	ok test "$(dumps_of "$pid")" -ge 1 -a "$(dumps_of "$pid")" -le 2
	equal "$("$SIGDUMP" status --json -p "$pid" | jq -r '.processes[0].signal_owner')" program "$how"
	finish
	equal "$status" 0 "$how: exit status"
done

# ignored: nothing happens, and nobody is killed
start owner ignore
await_ready
kill -USR1 "$pid"
"$SIGDUMP" dump -q -p "$pid" >/dev/null || fail "ignore: no dump"
equal "$(dumps_of "$pid")" 1 "ignore: only the dump that was asked for"
finish
equal "$status" 0 "ignore"

# started with it ignored: stays so
trap '' USR1
start waits 1
trap - USR1
await_ready
kill -USR1 "$pid"
"$SIGDUMP" dump -q -p "$pid" >/dev/null || fail "inherited ignore: no dump"
equal "$(dumps_of "$pid")" 1 "inherited ignore"
finish

# a handler that is installed late interrupts a thread of the program
start owner kick
await_ready
echo >&"$to"
finish
equal "$(grep -c interrupted <<<"$rest")" 1 "pthread_kill with a late handler: $rest"

# what the program sees of masks and dispositions
start owner view
await_ready
finish
equal "$rest $status" " 0" "view"
# and in the contexts of its handlers: the same as without us
"$FIXTURE/owner" context </dev/null >"$TMPDIR/bare" || fail "context, bare: $?"
ok test "$(grep -c . "$TMPDIR/bare")" = 1
start owner context
await_ready
usr1 1
finish
equal "$rest $status" " 0" "context"
rm "$TMPDIR/bare"

# sent to one of its own threads it is a question like any other, not one that waits for ever
start owner direct
await_ready
for n in 1 2 3; do
	echo >&"$to"
	await_dumps "$pid" $n
	equal "$(grep -h '^SigPnd:' /proc/"$pid"/task/*/status | sort -u | tr -d '\n')" $'SigPnd:\t0000000000000000' "direct, $n"
done
finish
equal "$rest $status" " 0" "direct"
valid_feeds
cleanup
