#!/bin/bash
# The programs of tests/example/, in every loop: no message is lost, the idle peer sleeps, it
# wakes again, it leaves when told to, and sees through its doorbell that the host was killed.
set -u
dir=$B/example
hub=$TMPDIR/words.hub
missing=
for loop in run epoll uv cxx; do
	peer=$dir/words_$loop
	[ -x "$peer" ] || { missing="$missing words_$loop"; continue; }
	want="words_host: 10000 messages, every word counted
words_host: the idle peer sleeps"
	[ $loop = run ] || [ $loop = cxx ] || own="words: ticks of my own timer
"
	got=$("$dir/words_host" "$hub" "$peer" 2>&1)
	status=$?
	if [ $status != 0 ] || [ "$got" != "$want
${own:-}words: told to leave" ]; then
		echo "words_$loop, orderly end: status $status, printed:"
		echo "$got"
		exit 1
	fi
	# its output ends when the last of them has ended: the peer, which outlives the host
	got=$("$dir/words_host" "$hub" "$peer" --die 2>&1)
	if [ "$got" != "$want
${own:-}words: the host is gone" ]; then
		echo "words_$loop, killed host: printed:"
		echo "$got"
		exit 1
	fi
	own=
done
rm -f "$hub"
[ -z "$missing" ] || { echo "skipped: not built:$missing (scripts/deps --install check)"; exit 77; }
