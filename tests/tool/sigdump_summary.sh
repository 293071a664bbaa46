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
says "a lock that was left" $children "held by pid [0-9]+, which has ended and left it to who has that file open"
exec 8>&-
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

# a loop
bash -c 'while :; do :; done' & children=$!
says "a loop" $children '1 thread running in '
end
cleanup
