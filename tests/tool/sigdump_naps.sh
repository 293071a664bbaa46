#!/bin/bash
# Threads that fall asleep just when a dump asks them: no wait ends with EINTR or before its time,
# however the dump is asked for. T_LENGTH=N: N times as many dumps. A process that nobody looks at
# naps beside: where that is disturbed (SIGSTOP, a freezer) nothing can be told.
# time limit: 120
. tests/sigdump_lib.sh
N=${T_LENGTH:-1}

mkfifo "$TMPDIR/in"
"$FIXTURE/naps" 1 <"$TMPDIR/in" >"$TMPDIR/control" &
child=$!
exec {hold}>"$TMPDIR/in"
rm "$TMPDIR/in"

undisturbed() { # HOW FIGURES: those that the fixture printed
	equal "$(wc -l <<<"$2")" 17 "$1: a line per kind"
	equal "$(grep -v ' eintr 0 early 0$' <<<"$2")" "" "$1: disturbed"
	equal "$(awk '$3 < 10' <<<"$2")" "" "$1: kinds that hardly began"
}
asked() { # HOW CAPTURED FILE: some were asked while they ran, or nothing was tried here
	local n
	n=$(count_records "select(.t==\"thread\" and .captured==\"$2\")" "$3")
	[ "$n" -gt "$N" ] || fail "$1: only $n threads were asked"
}

start naps 1
await_ready
usr1 $((60 * N))
asked SIGUSR1 signal "$(feed_of "$pid")"
finish
by_usr1=$rest

start naps 1
await_ready
for _ in $(seq $((10 * N))); do
	"$SIGDUMP" dump -q -f ndjson -p "$pid" >>"$TMPDIR/dumps" || fail "dump"
done
asked "sigdump dump" signal "$TMPDIR/dumps"
rm "$TMPDIR/dumps"
finish
by_dump=$rest

# without the library: ptrace
mkfifo "$TMPDIR/in" "$TMPDIR/out"
LD_PRELOAD=$runtime "$FIXTURE/naps" 1 <"$TMPDIR/in" >"$TMPDIR/out" &
pid=$!
exec {to}>"$TMPDIR/in" {from}<"$TMPDIR/out"
await_ready
for _ in $(seq $((10 * N))); do
	"$SIGDUMP" dump -q -f ndjson -p "$pid" >>"$TMPDIR/dumps" || fail "dump"
done
asked "from outside" ptrace "$TMPDIR/dumps"
finish
by_ptrace=$rest

exec {hold}>&-
wait $child
child=
if grep -q 'waits.* eintr [1-9]' "$TMPDIR/control"; then
	echo "skipped: somebody else interrupts processes here"
	cleanup
	exit 77
fi
undisturbed SIGUSR1 "$by_usr1"
undisturbed "sigdump dump" "$by_dump"
undisturbed "from outside" "$by_ptrace"
cleanup
