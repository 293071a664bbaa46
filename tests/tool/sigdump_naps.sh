#!/bin/bash
# Threads that fall asleep just when a dump asks them: no wait ends with EINTR or before its time,
# however the dump is asked for. T_LENGTH=N: N times as many dumps.
# time limit: 120
. tests/sigdump_lib.sh
N=${T_LENGTH:-1}

undisturbed() { # HOW: the fixture's figures
	equal "$(wc -l <<<"$rest")" 17 "$1: a line per kind"
	equal "$(grep -v ' eintr 0 early 0$' <<<"$rest")" "" "$1: disturbed"
	equal "$(awk '$3 < 10' <<<"$rest")" "" "$1: kinds that hardly began"
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
undisturbed SIGUSR1

start naps 1
await_ready
for _ in $(seq $((10 * N))); do
	"$SIGDUMP" dump -q -f ndjson -p "$pid" >>"$TMPDIR/dumps" || fail "dump"
done
asked "sigdump dump" signal "$TMPDIR/dumps"
rm "$TMPDIR/dumps"
finish
undisturbed "sigdump dump"

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
undisturbed "from outside"
cleanup
