#!/bin/bash
# The command from the outside: output, errors, exit codes.
. tests/sigdump_lib.sh

expect() { # CODE "first line of stderr" ARGS...
	local code=$1 text=$2 got
	shift 2
	"$SIGDUMP" "$@" >"$TMPDIR/stdout" 2>"$TMPDIR/stderr" </dev/null
	got=$?
	equal "$got" "$code" "exit code of sigdump $*"
	equal "$(head -n 1 "$TMPDIR/stderr")" "$text" "sigdump $*"
	ok test "$(wc -l <"$TMPDIR/stderr")" -le 3
	ok test ! -s "$TMPDIR/stdout"
}
expect 2 "sigdump: error: no command given"
expect 2 "sigdump: error: dmp: no such command" dmp
expect 2 "sigdump: error: 4112: no such command" 4112
ok grep -qx '  next: sigdump dump -p 4112' "$TMPDIR/stderr"
expect 2 "sigdump: error: -p: unknown option" -p 4112
ok grep -qx '  next: sigdump dump -p ...' "$TMPDIR/stderr"
expect 2 "sigdump: error: ./server: no such command" ./server
ok grep -qx '  next: sigdump run -- ./server ...' "$TMPDIR/stderr"
expect 2 "sigdump: error: --tiemout: unknown option (did you mean --timeout?)" dump --tiemout 3
expect 2 "sigdump: error: no target given" dump
expect 2 "sigdump: error: no command given" run
expect 2 "sigdump: error: --feed /bin/sh: not a directory" run --feed /bin/sh -- true
expect 2 "sigdump: error: --signal KILL: not a signal that can be caught" run --signal KILL -- true
expect 3 "sigdump: error: pid 4194303: no such process" dump -p 4194303
expect 3 "sigdump: error: $TMPDIR/no.hub: cannot be opened (No such file or directory)" dump -H "$TMPDIR/no.hub"
expect 4 "sigdump: error: /bin/sh: not a hub file" dump -H /bin/sh
expect 4 "sigdump: error: $TMPDIR: not a hub file" dump -H "$TMPDIR"
expect 127 "sigdump: error: no-such-program: not found" run -- no-such-program
expect 126 "sigdump: error: /etc: a directory, not a program" run -- /etc
expect 126 "sigdump: error: /etc/passwd: cannot be executed (permission denied)" run -- /etc/passwd
${CC:-gcc} -static -o "$TMPDIR/tool" -x c - <<<'int main(void) { return 0; }' || fail "cannot link statically"
expect 126 "sigdump: error: $TMPDIR/tool: statically linked: nothing can be preloaded; not started" run -- "$TMPDIR/tool"
if [ "$(id -u)" = 0 ]; then
	cp /bin/true "$TMPDIR/ping" && chown 65534 "$TMPDIR/ping" && chmod 4755 "$TMPDIR/ping"
	expect 126 "sigdump: error: $TMPDIR/ping: set-user-ID or file capabilities: the loader would ignore LD_PRELOAD; not started" run -- "$TMPDIR/ping"
fi
# who is not root: whose it is and who sigdump is; a HOME of somebody else's stops no program
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp -r "$B/bin" "$B/lib" "$TMPDIR/" && mkdir "$TMPDIR/conf" && chmod 700 "$TMPDIR/conf" && chmod 755 "$TMPDIR" ||
		fail "no copy for others"
	other() { setpriv --reuid=65534 --clear-groups env "$@"; }
	other "$TMPDIR/bin/sigdump" dump -p $$ >"$TMPDIR/stdout" 2>"$TMPDIR/stderr"
	equal "$?:$(sed 's/ as nobody$/ as UID 65534/' "$TMPDIR/stderr")" "3:sigdump: error: pid $$ (sigdump_command): not allowed to look at it: it runs as root, sigdump as UID 65534
  next: run sigdump as root" "a process of root"
	other XDG_CONFIG_HOME="$TMPDIR/conf" SHMSCOPE_FEED=/tmp "$TMPDIR/bin/sigdump" run -- echo yes >"$TMPDIR/stdout" 2>"$TMPDIR/stderr"
	equal "$?:$(cat "$TMPDIR/stdout"):$(head -n 1 "$TMPDIR/stderr")" \
		"0:yes:sigdump: warning: $TMPDIR/conf/shmscope/sigdump.conf: cannot be read (Permission denied)" "settings that may not be read"
	other XDG_CONFIG_HOME=/nowhere SHMSCOPE_FEED="$TMPDIR/conf/a/b" "$TMPDIR/bin/sigdump" run -- echo yes >"$TMPDIR/stdout" 2>"$TMPDIR/stderr"
	equal "$?:$(cat "$TMPDIR/stdout"):$(head -n 1 "$TMPDIR/stderr")" \
		"0:yes:sigdump: warning: $TMPDIR/conf/a/b: feeds cannot be written there ($TMPDIR/conf: Permission denied): no signal will make a dump" "a feed directory that may not be made"
	rm -rf "$TMPDIR/bin" "$TMPDIR/lib" "$TMPDIR/conf" "$TMPDIR/stdout" "$TMPDIR/stderr"
fi
SHMSCOPE_LIB=$TMPDIR/nowhere expect 126 "sigdump: error: $TMPDIR/nowhere: cannot be read (No such file or directory)" run -- true

# COMMAND's own status
"$SIGDUMP" run -- sh -c 'exit 7'
equal $? 7 "status of the command"
"$SIGDUMP" run -- sh -c 'kill -TERM $$' 2>/dev/null
equal $? 143 "a command that a signal ends"

# list and status
start waits 3
await_ready
equal "$("$SIGDUMP" list --json | jq -r --argjson p "$pid" '.processes[] | select(.pid==$p) | [.mode,.signal,.signal_owner,.dumps] | @csv')" \
	'"dumper","SIGUSR1","library",0' "list --json"
ok grep -q "^ *$pid  waits  .*dumper  *SIGUSR1  *library" <("$SIGDUMP" list)
"$SIGDUMP" dump -p "$pid" >"$TMPDIR/text" || fail "dump"
head -n 1 "$TMPDIR/text" | grep -q "^sigdump [0-9.]*   waits pid $pid   .*   4 threads, 2 stacks   0 of 4 disturbed" ||
	fail "$(head -n 3 "$TMPDIR/text")"
ok grep -q "wait_outermost .*waits.c:" "$TMPDIR/text"
ok grep -q "feed $(feed_of "$pid")" "$TMPDIR/text"
equal "$("$SIGDUMP" dump -j -p "$pid" | jq -r '.kind, (.processes[0].threads | length)' | tr '\n' ' ')" "report 5 " "json"
# what is printed as records stands alone, although the dictionary was written for an earlier dump
"$SIGDUMP" dump -f ndjson -p "$pid" -o "$TMPDIR/records" || fail "ndjson"
scripts/check-feed "$TMPDIR/records" >/dev/null || fail "records against the schema"
equal "$(select_records 'select(.t=="dump" or .t=="done") | .d' "$TMPDIR/records" | tr '\n' ' ')" "3 3 " "one dump"
equal "$(grep -c "wait_outermost" <(frames_of "$TMPDIR/records"))" 3 "the dictionary is there"
"$SIGDUMP" dump -f ndjson -p "$pid" -o "$TMPDIR/records" 2>/dev/null
equal $? 2 "an existing file"
equal "$(dumps_of "$pid")" 3 "refused before anybody was asked"
# two that ask at once each get a dump, also where one dump has answered both
for _ in 1 2 3 4 5 6; do
	"$SIGDUMP" dump -q -p "$pid" >"$TMPDIR/first" & a=$!
	"$SIGDUMP" dump -q -p "$pid" >"$TMPDIR/second" & b=$!
	wait $a || fail "the first of two that ask"
	wait $b || fail "the second of two that ask"
	ok grep -q '^S1 ' "$TMPDIR/first"
	ok grep -q '^S1 ' "$TMPDIR/second"
done
rm "$TMPDIR/first" "$TMPDIR/second"

# stopped: its dumper cannot run, it is looked at from outside at once
kill -STOP "$pid"
"$SIGDUMP" dump -f ndjson -p "$pid" >"$TMPDIR/outside" 2>"$TMPDIR/note" || fail "stopped"
kill -CONT "$pid"
ok grep -q "note: pid $pid (waits): stopped" "$TMPDIR/note"
equal "$(count_records 'select(.t=="thread" and .own==false and .captured=="peek")' "$TMPDIR/outside")" 4 "stopped"
finish
# (stopping and continuing may have disturbed it, also without us)
equal "$status" 0 "asked, listed and stopped"

# children that have no dumper are looked at from here: no page without a stack
if command -v python3 >/dev/null; then
	start_program python3 -c '
import os, sys, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
r, w = os.pipe()
if os.fork() == 0:
    os.close(w)
    os.read(r, 1)
    os._exit(0)
print("ready", flush=True)
sys.stdin.read()'
	await_ready
	"$SIGDUMP" dump -p "$pid" >"$TMPDIR/family" 2>"$TMPDIR/note" || fail "a family"
	equal "$(grep -c '^sigdump .* pid' "$TMPDIR/family")" 2 "pages of a family"
	equal "$(grep -c '0 threads' "$TMPDIR/family")" 0 "pages without threads"
	ok grep -q 'looked at from outside, not by a dumper of its own' "$TMPDIR/family"
	ok grep -q 'blocked in read from pipe' "$TMPDIR/family"
	ok test ! -s "$TMPDIR/note"
	finish
fi

# a process that has ended; one without any program
mkfifo "$TMPDIR/zombie"
bash -c 'sleep 0.5 & echo $! >"$1"; exec sleep 60' - "$TMPDIR/zombie" & pid=$!
read -r child <"$TMPDIR/zombie"
for _ in $(seq 200); do
	grep -q "^State:.*Z" "/proc/$child/status" && break
	sleep 0.05
done
rm "$TMPDIR/zombie"
expect 3 "sigdump: error: pid $child (sleep): has ended (a zombie), its parent has not waited for it" dump -p "$child"
kill "$pid"
wait "$pid" 2>/dev/null
pid=
if [ "$(cat /proc/2/comm 2>/dev/null)" = kthreadd ]; then
	expect 3 "sigdump: error: pid 2 (kthreadd): a thread of the kernel, not a program" dump -p 2
fi

# a process without the library: from outside, nobody interrupted
mkfifo "$TMPDIR/in" "$TMPDIR/out"
"$FIXTURE/waits" 20 1 <"$TMPDIR/in" >"$TMPDIR/out" & pid=$!
exec {to}>"$TMPDIR/in" {from}<"$TMPDIR/out"
await_ready
for _ in {1..1000}; do # all but the one that computes
	[ "$(cat /proc/"$pid"/task/*/stat | grep -c ') S ')" = 21 ] && break
	sleep 0.01
done
"$SIGDUMP" dump -f ndjson -p "$pid" >"$TMPDIR/outside" 2>"$TMPDIR/note" || fail "without the library"
ok grep -q "note: pid $pid (waits): the library is not loaded, SIGUSR1 would kill it; not sent, looked at from outside" "$TMPDIR/note"
equal "$(count_records 'select(.t=="thread" and .captured=="peek")' "$TMPDIR/outside")" 21 "by peek"
equal "$(count_records 'select(.t=="thread" and .captured=="ptrace" and .disturbed)' "$TMPDIR/outside")" 1 "by ptrace"
equal "$(grep -c "spin_here < spin_outermost" <(frames_of "$TMPDIR/outside"))" 1 "the running thread"
"$SIGDUMP" dump -q -R -f ndjson -p "$pid" >"$TMPDIR/readonly" || fail "read-only"
equal "$(select_records 'select(.t=="thread" and .captured=="proc") | .reason' "$TMPDIR/readonly")" \
	'"running; --read-only stops nobody"' "read-only"
"$SIGDUMP" dump -q --record -p "$pid" >/dev/null || fail "--record"
equal "$(dumps_of "$pid")" 1 "--record"
scripts/check-feed "$TMPDIR/outside" "$TMPDIR/readonly" >/dev/null || fail "records from outside"
finish
equal "$rest" "eintr=0" "looked at from outside"
valid_feeds
cleanup
