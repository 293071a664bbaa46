#!/bin/bash
# time limit: 170
# A thousand threads (T_LENGTH=10: ten thousand), and threads that come and go meanwhile: all are
# there, alike stacks stand together, and nobody is lost silently.
. tests/sigdump_lib.sh
n=$((999 * ${T_LENGTH:-1}))

# All have said that they are about to sleep; until they do
await_sleepers() {
	while cat /proc/$pid/task/*/stat 2>/dev/null | grep -q ') R '; do sleep 0.05; done
}
# The text: three groups of n / 3, each with its wait; then the first thread.
check_text() { # FILE
	ok grep -q "^STACKS .*; \([0-9]*\) of \1 threads answered" "$1"
	equal "$(grep -cE "^S[0-9]+ +$((n / 3)) threads " "$1")" 3 "groups"
	for kind in sleep_in_cond sleep_in_epoll sleep_in_read; do
		equal "$(grep -c " $kind " "$1")" 1 "stacks of $kind"
	done
}
# The JSON: the same in numbers.
check_json() { # FILE
	equal "$(jq -c '[.processes[0].threads[] | select(.own | not) | .captured] | group_by(.) |
		map([.[0], length])' "$1")" "[[\"peek\",$((n + 1))]]" "captured"
	equal "$(jq '[.stacks[] | select(any(.frames[]; .function // "" | startswith("sleep_in"))) | .count] |
		unique | .[]' "$1")" "$((n / 3))" "counts of the stacks"
	equal "$(jq '[.stacks[].count] | add' "$1")" "$(jq '[.processes[].threads[] | select(.stack)] |
		length' "$1")" "sum of the counts"
}

# From outside, without the library; the tool's own memory is bounded
mkfifo "$TMPDIR/in"
"$FIXTURE/crowd" $n 0 <"$TMPDIR/in" >"$TMPDIR/said" &
pid=$!
exec {to}>"$TMPDIR/in"
until grep -q ready "$TMPDIR/said" 2>/dev/null; do sleep 0.05; done
await_sleepers
"$SIGDUMP" dump -q -p $pid >"$TMPDIR/text" || fail "sigdump dump: $?"
check_text "$TMPDIR/text"
"$SIGDUMP" dump -q -j -p $pid >"$TMPDIR/json" || fail "sigdump dump --json: $?"
check_json "$TMPDIR/json"
python3 - "$SIGDUMP" $pid $n <<'PY' || fail "memory"
import resource, subprocess, sys
subprocess.run([sys.argv[1], "dump", "-q", "-p", sys.argv[2]], stdout=subprocess.DEVNULL, check=True)
mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"    {sys.argv[3]} threads: sigdump took {mb:.0f} MB")
sys.exit(mb > 64 + int(sys.argv[3]) * 0.01)
PY
exec {to}>&-
wait $pid
pid=

# By its own dumper
start crowd $n 0
await_ready
await_sleepers
"$SIGDUMP" dump -q -p "$pid" >"$TMPDIR/text" || fail "sigdump dump: $?"
check_text "$TMPDIR/text"
"$SIGDUMP" dump -q -j -p "$pid" >"$TMPDIR/json" || fail "sigdump dump --json: $?"
check_json "$TMPDIR/json"
equal "$(select_records 'select(.t=="done") | [.disturbed, .timeout, has("left_out")]' \
	"$(feed_of "$pid")" | sort -u)" '[0,false,false]' "done"
finish

# While others come and go: those that stay are there each time, with their stacks
start crowd 300 1
await_ready
for i in $(seq 10); do
	"$SIGDUMP" dump -q -j -p "$pid" >"$TMPDIR/json" || fail "sigdump dump in a storm: $?"
	equal "$(jq -c '[.stacks[] | select(any(.frames[]; .function // "" | startswith("sleep_in"))) |
		.count] | sort' "$TMPDIR/json")" '[100,100,100]' "stacks in a storm, dump $i"
	equal "$(jq '[.processes[0].threads[] | select(.stack == null and .reason == null and (.own | not))] |
		length' "$TMPDIR/json")" 0 "threads without stack and reason"
done
finish
rm -rf "${TMPDIR:?}"/*
