#!/bin/bash
# Programs of others under the library: they do their work, and they can be dumped.
. tests/sigdump_lib.sh

# python3: output, exit status, subprocesses, threads
code='
import os, subprocess, threading, signal, sys
assert subprocess.run(["sh", "-c", "exit 3"]).returncode == 3
assert os.system("true") == 0
t = [threading.Thread(target=lambda: sum(range(100000))) for _ in range(8)]
[x.start() for x in t]; [x.join() for x in t]
assert subprocess.check_output(["sed", "-n", "s/SigBlk:.//p", "/proc/self/status"]) == b"0000000000000000\n"
pid = os.fork()
if pid == 0:
    os._exit(5)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
assert signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, [])
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
print("ready", os.getpid(), flush=True)
threading.Thread(target=threading.Event().wait, daemon=True).start()
sys.stdin.read()
print("done")
'
start_program python3 -c "$code"
await_ready
usr1 2
equal "$(select_records 'select(.t=="done" and .d==2) | [.threads,.captured,.disturbed]' "$(feed_of "$pid")")" '[2,2,0]' "python3"
finish
equal "$rest $status" "done 0" "python3"

# redis-server: answers while it is dumped
if command -v redis-server >/dev/null; then
	# sysctl and the like are said to stdout; the socket is how its start is noticed
	start_program redis-server --port 0 --unixsocket "$TMPDIR/redis.sock" --save "" --daemonize no
	for i in $(seq 1000); do
		[ -S "$TMPDIR/redis.sock" ] && break
		sleep 0.01
	done
	redis() { redis-cli -s "$TMPDIR/redis.sock" "$@"; }
	for i in 1 2 3; do
		equal "$(redis set key$i $i)" OK "set"
		kill -USR1 "$pid"
		equal "$(redis get key$i)" $i "get"
	done
	await_dumps "$pid" 1
	"$SIGDUMP" dump -q -p "$pid" >/dev/null || fail "redis: dump"
	equal "$(redis --raw incr counter)" 1 "incr"
	feed=$(feed_of "$pid")
	equal "$(select_records 'select(.t=="done") | .threads == .captured' "$feed" | sort -u)" true "redis: complete"
	redis shutdown nosave
	finish
	equal "$status" 0 "redis"
fi
valid_feeds
cleanup
