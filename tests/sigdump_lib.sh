# Functions for the tests of the library and of sigdump; sourced by tests/tool/sigdump_*.sh.
#
#	start waits 100          run a fixture under the library; $pid, its first line in $line
#	usr1 2                   send SIGUSR1 and wait until the feed holds that many dumps
#	finish                   close its stdin, collect the rest of its output in $rest, $status
#	ok COND...               go on, or fail naming the condition
set -u
FEED=$TMPDIR/feeds
export SHMSCOPE_FEED=$FEED
export SHMSCOPE_WATCHDOG=off # tests count dumps; those of the watchdog have their own
SIGDUMP=$B/bin/sigdump
FIXTURE=$B/fixture
unset LD_PRELOAD
# A sanitizer's runtime has to come first among what is preloaded into the fixtures, which are
# built with it; the programs that they stand for leak on purpose.
runtime=
case ${SAN:-} in
address | thread) runtime=$(${CC:-gcc} -print-file-name=lib${SAN:0:1}san.so) ;;
esac
export ASAN_OPTIONS=detect_leaks=0

fail() {
	echo "FAIL: $*" >&2
	[ -z "${pid:-}${child:-}" ] || kill -KILL ${pid:-} ${child:-} 2>/dev/null
	rm -rf "${TMPDIR:?}"/*
	exit 1
}
ok() { "$@" || fail "not true: $*"; }
equal() { [ "$1" = "$2" ] || fail "${3:-}: got '$1', want '$2'"; }

start() { # FIXTURE ARGS...
	start_program "$FIXTURE/$1" "${@:2}"
}
start_program() {
	mkfifo "$TMPDIR/in.$$" "$TMPDIR/out.$$"
	LD_PRELOAD=$runtime "$SIGDUMP" run ${run_options:-} -- "$@" <"$TMPDIR/in.$$" >"$TMPDIR/out.$$" 2>&1 &
	pid=$!
	exec {to}>"$TMPDIR/in.$$" {from}<"$TMPDIR/out.$$"
	rm "$TMPDIR/in.$$" "$TMPDIR/out.$$"
}
read_line() { # the next line of its output into $line
	line="hubdemo: note:"
	while [[ $line == "hubdemo: note:"* ]]; do # on its stderr, at any moment
		IFS= read -r -t 30 -u "$from" line || fail "no further line from process ${pid:-}"
	done
}
await_ready() {
	read_line
	case $line in ready*) ;; *) fail "instead of ready: $line" ;; esac
}
finish() {
	exec {to}>&-
	rest=$(timeout 30 cat <&"$from")
	exec {from}<&-
	wait "$pid"
	status=$?
	pid=
}
feed_of() { # PID: path of its feed
	ls "$FEED"/*-"$1"-*.ndjson 2>/dev/null | tail -n 1
}
dumps_of() { # PID: how many dumps its feed holds, complete ones
	local f
	f=$(feed_of "$1")
	if [ -n "$f" ]; then grep -c '^{"v":1,"t":"done"' "$f"; else echo 0; fi
}
await_dumps() { # PID N
	local n=0
	while [ "$(dumps_of "$1")" -lt "$2" ]; do
		n=$((n + 1))
		[ $n -lt 1000 ] || fail "process $1: $(dumps_of "$1") dumps instead of $2"
		sleep 0.01
	done
}
await_record() { # PID JQ-CONDITION: until its feed holds such a record
	local n=0
	until [ -n "$(jq -c "select($2)" "$(feed_of "$1")" /dev/null 2>/dev/null | head -n 1)" ]; do
		n=$((n + 1))
		[ $n -lt 1000 ] || fail "process $1: no record with $2"
		sleep 0.02
	done
}
usr1() { # N: until there are N
	local i
	for i in $(seq "$1"); do
		kill -USR1 "$pid" || fail "process $pid is gone"
		await_dumps "$pid" "$i"
	done
}
select_records() { # JQ-FILTER FILE
	jq -c "$1" "$2" || fail "$2: not JSON"
}
count_records() {
	select_records "$1" "$2" | wc -l
}
valid_feeds() {
	scripts/check-feed "$FEED"/*.ndjson >"$TMPDIR/valid.$$" 2>&1 || { cat "$TMPDIR/valid.$$" >&2; fail "feed against its schema"; }
	rm "$TMPDIR/valid.$$"
}
# Names of the functions in a stack, for the fixture's own code: from its symbol table.
frames_of() { # FEED STACK-FILTER: one line per thread, innermost first, fixture's functions only
	python3 - "$1" <<'EOF'
import json, subprocess, sys
modules, stacks, symbols = {}, {}, {}
def name(m, off, exact):
    path = modules[m]["path"]
    if path is None or "/fixture/" not in path:
        return None
    if path not in symbols:
        table = []
        for l in subprocess.run(["nm", "-S", "--defined-only", path], capture_output=True, text=True).stdout.splitlines():
            f = l.split()
            if len(f) == 4 and f[2] in "tT":
                table.append((int(f[0], 16), int(f[1], 16), f[3]))
        symbols[path] = table
    off -= not exact
    return next((n for a, s, n in symbols[path] if a <= off < a + s), None)
for l in open(sys.argv[1]):
    r = json.loads(l)
    if r["t"] == "module":
        modules[r["m"]] = r
    elif r["t"] == "stack":
        stacks[r["s"]] = r
    elif r["t"] == "thread" and r["stack"] is not None:
        names = [name(f[0], int(f[1], 16), "x" in (f[2] if len(f) > 2 else "")) for f in stacks[r["stack"]]["frames"] if f[0] >= 0]
        print(r["d"], " < ".join(n for n in names if n))
EOF
}
cleanup() {
	rm -rf "${TMPDIR:?}"/*
}
