#!/bin/bash
# Where the names of a dump come from, seen from the outside: the process's own view of its files
# while it runs; afterwards what lies on disk, if it is the same build; the directories of
# --sysroot and --debug-dir; nothing with --no-symbols.
. tests/sigdump_lib.sh
work=$TMPDIR/work
mkdir "$work"
id_of() { readelf -n "$1" | sed -n 's/^ *Build ID: //p'; }
looked() { # ARGS...: the dump into $work/text, what is said beside it into $work/said
	"$SIGDUMP" dump "$@" >"$work/text" 2>"$work/said" || fail "sigdump dump $*: $(cat "$work/said")"
}
inspected() { # ARGS...: the feed into the same
	"$B/bin/shminspect" -v "$@" "$FEED" >"$work/text" 2>"$work/said"
	[ $? -le 1 ] || fail "shminspect $*: $(cat "$work/said")"
}
named() { ok grep -q "sleep_in_read .*$1" "$work/text"; }
unnamed() {
	ok grep -q 'crowd+0x[0-9a-f]' "$work/text"
	! grep -q 'sleep_in_read' "$work/text" || fail "named after all: $1"
}

cp "$FIXTURE/crowd" "$work/crowd"
id=$(id_of "$work/crowd")
start_program "$work/crowd" 3 0
await_ready
looked -p "$pid"
named 'crowd.c:[0-9]'
ok test ! -s "$work/said"

# an upgrade puts another file there: the process still has its own
cp "$FIXTURE/waits" "$work/new"
other=$(id_of "$work/new")
mv "$work/new" "$work/crowd"
looked -p "$pid"
named 'crowd.c:[0-9]'
looked -p "$pid" --no-symbols
unnamed "--no-symbols"

# lines of the C library's own functions only when asked for: that takes time where they are packed
libc_id=$(id_of /lib/x86_64-linux-gnu/libc.so.6)
libc_debug=/usr/lib/debug/.build-id/${libc_id:0:2}/${libc_id:2}.debug
looked -p "$pid"
ok grep -q ' __libc_start_main .*libc.so.6' "$work/text"
looked -p "$pid" --lines
if [ -e "$libc_debug" ] && readelf -SW "$libc_debug" | grep -q '\.debug_info .* C '; then
	ok grep -q ' __libc_start_main .*libc-start.c:[0-9]' "$work/text"
else
	ok grep -q ' __libc_start_main .*libc.so.6' "$work/text"
fi

# without the process only the disk is left, and that is another build
finish
inspected
unnamed "another build id"
ok grep -qF "crowd: build id ${other:0:4}.. on disk, ${id:0:4}.. in the feed: symbols not used" "$work/said"
ok grep -q "next: --debug-dir DIR with the matching file; frames are shown as crowd+0x" "$work/said"

# where the right file is, there are names; a stripped one has those that it exports
mkdir -p "$work/debug/.build-id/${id:0:2}" "$work/root/$work"
objcopy --only-keep-debug "$FIXTURE/crowd" "$work/debug/.build-id/${id:0:2}/${id:2}.debug"
inspected --debug-dir "$work/debug"
named 'crowd.c:[0-9]'
strip -o "$work/root/$work/crowd" "$FIXTURE/crowd"
inspected --sysroot "$work/root"
ok grep -q ' main  *crowd' "$work/text"
! grep -q sleep_in_read "$work/text" || fail "a stripped file has names of static functions"
inspected --sysroot "$work/root" --debug-dir "$work/debug"
named 'crowd.c:[0-9]'
rm -rf "${TMPDIR:?}"/*
