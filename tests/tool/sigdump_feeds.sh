#!/bin/bash
# Feeds that cannot be written: said by whoever asked, who gets a look from outside instead, and the
# program goes on as if nothing had been.
# time limit: 120
. tests/sigdump_lib.sh

asks() { # TEXT: it gives a dump, with that on its stderr
	"$SIGDUMP" dump -p "$pid" >"$TMPDIR/text" 2>"$TMPDIR/err"
	equal $? 0 "exit code ($(cat "$TMPDIR/err"))"
	[ -z "$1" ] || grep -q "$1" "$TMPDIR/err" || fail "no '$1' in: $(cat "$TMPDIR/err")"
	grep -q '^STACKS .* answered' "$TMPDIR/text" || fail "no stacks in: $(cat "$TMPDIR/text")"
	rm "$TMPDIR/text" "$TMPDIR/err"
}
goes_on() {
	kill -USR1 "$pid"
	finish
	equal "$rest $status" "eintr=0 0" "$1"
}

# somebody removes the file, or the directory: the next dump makes them anew
start waits 3
await_ready
usr1 1
rm "$(feed_of "$pid")"
asks ""
equal "$(dumps_of "$pid")" 1 "after the file was removed"
rm -r "$FEED"
asks ""
equal "$(dumps_of "$pid")" 1 "after the directory was removed"
goes_on "removed"
valid_feeds
rm -r "$FEED"

# a file where the directory should be; then it is there
for threads in 3 0; do
	start waits $threads
	await_ready
	: >"$FEED"
	[ $threads = 0 ] || asks "could not write its feed .*Not a directory): looked at from outside"
	for _ in 1 2 3; do kill -USR1 "$pid"; done
	[ $threads = 0 ] || ok grep -q "could not be written: Not a directory" <("$SIGDUMP" status -p "$pid")
	rm "$FEED"
	asks ""
	goes_on "a file for a directory, $threads threads"
	rm -rf "$FEED"
done

# a limit for the size of files: SIGXFSZ is not the program's, whatever asked for the write
for threads in 3 0; do
	for blocks in 1 8; do
		start_program bash -c 'ulimit -f "$1"; shift; exec "$@"' - $blocks "$FIXTURE/waits" $threads
		await_ready
		for _ in 1 2 3; do kill -USR1 "$pid"; done
		"$SIGDUMP" dump -q -p "$pid" >/dev/null 2>&1
		goes_on "ulimit -f $blocks, $threads threads"
		rm -rf "$FEED"
	done
done
equal "$(ulimit -f 0; ulimit -c 0; "$SIGDUMP" run -- sh -c 'kill -XFSZ $$'; echo $?)" 153 "its own SIGXFSZ"

# a full file system: a private one, which only root can have
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	mkdir "$FEED"
	start_program unshare -m sh -c 'mount -t tmpfs -o size=16k,nr_inodes=4 none "$1" && shift && exec "$@"' - \
		"$FEED" "$FIXTURE/waits" 3
	await_ready
	for _ in $(seq 20); do "$SIGDUMP" dump -q -p "$pid" >/dev/null 2>&1; done
	asks "could not write its feed .*No space left on device): looked at from outside"
	goes_on "a full file system"
	rmdir "$FEED"
fi

# nobody grows without a bound: NAME becomes NAME.1, which replaces the one before
start waits 3
await_ready
usr1 1
feed=$(feed_of "$pid")
for i in 1 2 3; do
	truncate -s 64M "$feed"
	asks ""
done
equal "$(ls "$FEED" | wc -l)" 2 "files after three rotations"
ok test "$(stat -c %s "$feed")" -lt 1000000
rm "$feed.1"
goes_on "rotated"
valid_feeds
cleanup
