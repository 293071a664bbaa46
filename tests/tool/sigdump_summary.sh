#!/bin/bash
# Programs of others that hang for an everyday reason: one sentence says it, with the name of what
# is waited for, and nobody was disturbed.
. tests/sigdump_lib.sh

says() { # what hangs, PID, the sentence without its stack
	local i text
	for ((i = 0; i < 40; i++)); do
		text=$("$SIGDUMP" dump -q -A -p "$2" 2>&1 | awk '/^SUMMARY/ { on = 1 } /^STACKS/ { on = 0 } on' | tr -s ' \n' ' ')
		grep -qE -- "$3" <<<"$text" && return
		sleep 0.05
	done
	fail "$1: \"$text\" instead of \"$3\""
}
children=
end() { kill $children 2>/dev/null; wait 2>/dev/null; children=; }

# a script waits for a command that does not come back
bash -c 'sleep 100; echo' & script=$!
until [ -n "$(pgrep -P $script -x sleep)" ]; do sleep 0.02; done
children="$(pgrep -P $script -x sleep) $script"
says "a script" $script '^SUMMARY no finding; 1 thread idle in wait4 for a child: pid [0-9]+ \(sleep\) \(S1\)'
end

# a lock file that another process has; and one that was left to a child by who took it
flock "$TMPDIR/lock" sleep 100 & holder=$!
until [ -n "$(pgrep -P $holder -x sleep)" ]; do sleep 0.02; done
flock "$TMPDIR/lock" true & children="$! $holder $(pgrep -P $holder -x sleep)"
says "a lock file" ${children%% *} "blocked in flock on $TMPDIR/lock \(fd 3\) held by pid $holder \(flock\) \(S1\)"
end
exec 8>"$TMPDIR/lock"
flock 8
flock "$TMPDIR/lock" true 8>&- & children=$!
says "a lock that was left" $children "held by pid [0-9]+, which has ended and left it to who has that file open: pid [0-9]+ \\([a-z_]+\\)"
exec 8>&-
end

# a pipe that nobody reads, though somebody could
yes | (sleep 100; true) &
until [ -n "$(pgrep -P $$ -x yes)" ] && [ -n "$(pgrep -x sleep -P $!)" ]; do sleep 0.02; done
reader=$! sleeper=$(pgrep -P $! -x sleep) children="$! $(pgrep -P $! -x sleep) $(pgrep -P $$ -x yes)"
says "a pipe" "${children##* }" 'blocked in write to pipe:\[[0-9]+\] \(other end: [a-z_]+, pid '$reader' and 1 more\) \(fd 1\) \(S1\)'
"$SIGDUMP" dump -q -A -p "${children##* }" >"$TMPDIR/text"
grep -q "^ *sleep, pid $sleeper: idle in clock_nanosleep" "$TMPDIR/text" || fail "a pipe: $(cat "$TMPDIR/text")"
end

# fifos that everybody opens to write first
mkfifo "$TMPDIR/fifo"
bash -c 'exec echo x >"$1"' - "$TMPDIR/fifo" & children=$!
says "a fifo" $children "blocked in open $TMPDIR/fifo to write, until somebody opens it to read \(S1\)"
end

# a server that does not answer, and a queue that stays empty
if command -v python3 >/dev/null; then
	python3 -c '
import queue, socket, threading
server = socket.create_server(("127.0.0.1", 0))
q = queue.Queue()
for i in range(4):
    threading.Thread(target=q.get, daemon=True).start()
socket.create_connection(server.getsockname()).recv(1)' & children=$!
	says "a server" $children 'blocked in recv from tcp 127\.0\.0\.1:[0-9]+ \(fd [0-9]+\) \(S1\), 0 running, 4 idle'
	end
fi

# two that wait for each other: a child that writes more than its parent reads before it waits; in
# a session of their own, where nobody is who may not be looked at
if command -v python3 >/dev/null; then
	setsid python3 -c '
import subprocess
subprocess.Popen(["head", "-c", "200000", "/dev/zero"], stdout=subprocess.PIPE).wait()' & children=$!
	until [ -n "$(pgrep -P $children -x head)" ]; do sleep 0.02; done
	children="$children $(pgrep -P $children -x head)"
	"$SIGDUMP" dump -q -A -p ${children%% *} | tr -s ' \n' ' ' >"$TMPDIR/text"
	grep -q "DEADLOCK 2 threads wait for each other since .* waits for the end of its child ${children##* } .* waits for room in pipe:.* read until its end of file, then wait" "$TMPDIR/text" ||
		fail "a child: $(cat "$TMPDIR/text")"
	end

	# locks without an owner: nobody is left to wake anybody
	python3 -c '
import threading
a, b, both = threading.Lock(), threading.Lock(), threading.Barrier(2)
def take(x, y):
    with x:
        both.wait()
        with y: pass
for x, y in (a, b), (b, a): threading.Thread(target=take, args=(x, y)).start()' & children=$!
	until [ "$(cat /proc/"$children"/task/*/stat | grep -c ') S ')" = 3 ]; do sleep 0.02; done
	"$SIGDUMP" dump -q -A -p "$children" | tr -s ' \n' ' ' >"$TMPDIR/text"
	grep -q "DEADLOCK all 3 threads wait for wake-ups that only they could give since .* (suspected) .* waits for semaphore .* py-spy dump -p $children" "$TMPDIR/text" ||
		fail "locks of Python: $(cat "$TMPDIR/text")"
	end

	# the only thread of a fork, and a lock that it shares with nobody
	python3 -c '
import os, threading
lock = threading.Lock()
lock.acquire()
if os.fork() == 0: lock.acquire()
os.wait()' & children=$!
	until [ -n "$(pgrep -P $children -x python3)" ]; do sleep 0.02; done
	children="$children $(pgrep -P $children -x python3)"
	says "a fork" ${children##* } 'idle in sem_wait on 0x[0-9a-f]+ \(S1\), 0 running; it has no other thread that could wake it'
	end

	# a database that somebody else has locked: nobody waits for a lock, each naps and tries again
	python3 -c '
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("create table t (x)")
db.execute("begin immediate")
time.sleep(100)' "$TMPDIR/db" & holder=$!
	until [ -e "$TMPDIR/db-journal" ] || grep -q ": POSIX .* $holder " /proc/locks; do sleep 0.02; done
	sleep 0.2
	python3 -c '
import sqlite3, sys
sqlite3.connect(sys.argv[1], timeout=100, isolation_level=None).execute("begin immediate")' "$TMPDIR/db" & children="$! $holder"
	says "a database" ${children%% *} "in clock_nanosleep [0-9.]+ (m|u)?s; meanwhile pid $holder \(python3\) holds a lock on $TMPDIR/db, which this process has open without a lock \(S1\)"
	end
fi

# a loop
bash -c 'while :; do :; done' & children=$!
says "a loop" $children '1 thread running in '
end
cleanup
