#!/bin/bash
# Locks held in the C library, the loader, stdio; the first thread gone; all descriptors closed:
# the dump is complete, and the process behaves as without the library.
. tests/sigdump_lib.sh

cc=${CC:-gcc}
$cc -shared -fPIC -o "$TMPDIR/slow.so" -x c - <<'EOF' || fail "cannot build slow.so"
void hazard_block(void);
__attribute__((constructor)) static void slow_start(void) { hazard_block(); }
EOF

complete() { # NAME FUNCTION...: every thread has a stack, and these functions are in one of them
	local name=$1 feed frames f
	shift
	usr1 2
	feed=$(feed_of "$pid")
	equal "$(select_records 'select(.t=="done" and .d==2) | .threads == .captured and .disturbed == 0' "$feed")" \
		true "$name: complete"
	frames=$(frames_of "$feed")
	for f in "$@"; do
		grep -q "$f" <<<"$frames" || fail "$name: no $f in: $frames"
	done
	finish
	equal "$status" 0 "$name: exit status"
}

if [ -z "$runtime" ]; then # a sanitizer has a malloc of its own
	start hazards arena
	await_ready
	complete arena "hazard_block < on_fault < hold_arena" want_arena
fi

start hazards loader "$TMPDIR/slow.so"
await_ready
complete loader "hazard_block < hold_loader" want_loader

start hazards stdio
await_ready
complete stdio "hazard_block < hold_stdio" want_stdio

# the first thread has left: the process can be dumped, and ends with its last thread
start hazards mainexit
await_ready
usr1 2
feed=$(feed_of "$pid")
[ -n "$runtime" ] || grep -q "last_thread" <<<"$(frames_of "$feed")" || fail "mainexit: no stack of the last thread"
"$SIGDUMP" dump -q -p "$pid" >/dev/null || fail "mainexit: cannot be asked"
finish
equal "$status" 0 "mainexit: the process ends when its last thread does"

# the same without the library: what is a zombie by its first thread is looked at all the same
start_program env -u LD_PRELOAD "$FIXTURE/hazards" mainexit
await_ready
"$SIGDUMP" dump -q -p "$pid" >"$TMPDIR/dump" || fail "mainexit: cannot be looked at from outside"
grep -q last_thread "$TMPDIR/dump" || fail "mainexit from outside: $(cat "$TMPDIR/dump")"
rm "$TMPDIR/dump"
finish

# a stack with a page that never comes: nobody waits for it, the thread is told as far as it goes
if "$FIXTURE/hazards" uffd </dev/null 2>/dev/null; [ $? != 77 ]; then
	start hazards uffd
	await_ready
	usr1 2
	feed=$(feed_of "$pid")
	equal "$(select_records 'select(.t=="done" and .d==2) | .threads == .captured' "$feed")" true "uffd"
	grep -q "deep_block < deep_block" <<<"$(frames_of "$feed")" || fail "uffd: $(frames_of "$feed")"
	"$SIGDUMP" dump -q --no-symbols -f ndjson -p "$pid" -o "$TMPDIR/records" || fail "uffd: dump"
	equal "$(select_records 'select(.t=="stack" and .end=="unreadable") | .end' "$TMPDIR/records" | sort -u)" '"unreadable"' "uffd: said so"
	rm "$TMPDIR/records"
	finish
	equal "$status" 0 "uffd"
	start_program env -u LD_PRELOAD "$FIXTURE/hazards" uffd
	await_ready
	timeout -s KILL 20 "$SIGDUMP" dump -q -p "$pid" >"$TMPDIR/dump" || fail "uffd: cannot be looked at from outside"
	grep -q deep_block "$TMPDIR/dump" || fail "uffd from outside: $(cat "$TMPDIR/dump")"
	rm "$TMPDIR/dump"
	finish
fi

# a daemon that closes everything and takes every number
start hazards closeall "$TMPDIR/mine"
await_ready
usr1 2
kill -ALRM "$pid"
finish
equal "$(sort "$TMPDIR/mine" | uniq -c | tr -s ' ')" " 64 mine" "closeall: only its own lines"
equal "$status" 0 "closeall"

# a signal stack of minimal size
start hazards altstack
await_ready
usr1 2
finish
equal "$status" 0 "altstack"
valid_feeds
cleanup
