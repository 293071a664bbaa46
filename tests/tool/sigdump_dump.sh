#!/bin/bash
# A dump by SIGUSR1: every thread, nobody disturbed, every line as the schema says.
. tests/sigdump_lib.sh

# ---- 100 threads and one that runs: 100 stacks with the right functions, 0 EINTR in epoll_wait
start waits 100 1 1
await_ready
usr1 3
feed=$(feed_of "$pid")
equal "$(count_records 'select(.t=="thread" and .d==3 and .own==false)' "$feed")" 103 "threads"
equal "$(count_records 'select(.t=="thread" and .d==3 and .captured=="peek")' "$feed")" 102 "by peek"
equal "$(count_records 'select(.t=="thread" and .d==3 and .captured=="signal" and .disturbed)' "$feed")" 1 "running"
equal "$(count_records 'select(.t=="thread" and .own)' "$feed")" 3 "own threads"
equal "$(select_records 'select(.t=="done" and .d==3) | [.threads,.captured,.disturbed,.timeout]' "$feed")" \
	'[103,103,1,false]' "done"
frames=$(frames_of "$feed")
want='wait_innermost < wait_middle < wait_middle < wait_middle < wait_middle < wait_outermost'
equal "$(grep -c "^3 $want$" <<<"$frames")" 100 "stacks of waiting threads"
equal "$(grep -c "^3 $want < masked_outermost$" <<<"$frames")" 1 "the stack of the masked thread"
equal "$(grep -c "^3 spin_here < spin_outermost$" <<<"$frames")" 1 "the stack of the running thread"
equal "$(grep -c "^3 count_in_epoll < main" <<<"$frames")" 1 "the stack of main"
finish
equal "$rest" "eintr=0" "epoll_wait of main"
equal "$status" 0 "exit status"
equal "$(tail -n 1 "$feed" | jq -r '.t+.why')" endexit "last record"

# ---- a plain process: the handler dumps, the call goes on, the dump says that it disturbed
start waits 0
await_ready
ok test "$(ls /proc/"$pid"/task | wc -l)" = 1
usr1 2
feed=$(feed_of "$pid")
equal "$(select_records 'select(.t=="thread") | [.captured,.disturbed,.own]' "$feed" | sort -u)" \
	'["signal",true,false]' "the only thread"
ok grep -q "^1 count_in_epoll < main" <(frames_of "$feed")
ok test "$(ls /proc/"$pid"/task | wc -l)" = 1
equal "$(ls -l /proc/"$pid"/fd | grep -c -e memfd -e "$FEED")" 0 "descriptors of ours in its table"
finish
equal "$rest" "eintr=0" "epoll_wait of a plain process"

# ---- a plain process that computes: the cost told is that of the dump, not of the program
start_program bash -c 'echo ready; for ((i = 0; i < 300000000; i++)); do :; done'
await_ready
while [ "$(awk '{ print $14 + $15 }' "/proc/$pid/stat")" -lt 100 ]; do sleep 0.1; done
usr1 1
"$SIGDUMP" status -p "$pid" >"$TMPDIR/status"
ok test "$(awk '/own cost/ { print int($3) }' "$TMPDIR/status")" -lt 500
rm "$TMPDIR/status"
kill "$pid"
finish

# ---- by option another signal; never dumped, no feed
run_options="--signal RTMIN+3"
start waits 1
await_ready
equal "$(grep -c SIGRTMIN+3 <("$SIGDUMP" status -p "$pid"))" 1 "status names the signal"
ok test -z "$(feed_of "$pid")"
kill -s RTMIN+3 "$pid"
await_dumps "$pid" 1
finish
run_options=
valid_feeds

# ---- 1000 threads, and as many again
start waits 1000
await_ready
usr1 2
feed=$(feed_of "$pid")
equal "$(select_records 'select(.t=="done" and .d==2) | [.threads,.captured,.disturbed]' "$feed")" \
	'[1001,1001,0]' "1000 threads"
equal "$(count_records 'select(.t=="thread" and .d==2 and .own==false) | .stack' "$feed" )" 1001 "1000 stacks"
equal "$(select_records 'select(.t=="thread" and .d==2 and .own==false) | .stack' "$feed" | sort -u | wc -l)" 2 \
	"one for all of them, one for main"
finish
equal "$rest" "eintr=0" "with 1000 threads"
cleanup
