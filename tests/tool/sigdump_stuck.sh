#!/bin/bash
# A filesystem whose server answers no more (FUSE): whoever touches a file there waits, perhaps for
# ever, and cannot be killed. The dumper and sigdump do not, also where the program itself lies there;
# and say what the threads wait for. tests/fixture/stuck_fs.c, stuck_user.c.
# time limit: 180
. tests/sigdump_lib.sh
[ -z "${SAN:-}" ] || { echo "skipped: the plain build is what it is about"; exit 77; }

# Whatever waits for the server then gets an error; nothing here could be removed before.
let_go() {
	[ -n "${fs:-}" ] || return
	kill -KILL "$fs" 2>/dev/null
	umount -l "$TMPDIR/mounted" 2>/dev/null
}
trap let_go EXIT
eval "plain_$(declare -f fail)"
fail() {
	let_go
	plain_fail "$@"
}

mount_fs() { # FILE: on $TMPDIR/mounted; its words come from $said, and it is told by $order
	mkdir "$TMPDIR/mounted"
	mkfifo "$TMPDIR/order" "$TMPDIR/said"
	"$FIXTURE/stuck_fs" "$TMPDIR/mounted" "$1" <"$TMPDIR/order" >"$TMPDIR/said" 2>"$TMPDIR/why" &
	fs=$!
	exec {order}>"$TMPDIR/order" {said}<"$TMPDIR/said"
	rm "$TMPDIR/order" "$TMPDIR/said"
	IFS= read -r -t 30 -u "$said" line
}
hear() { # WORDS: from the filesystem
	local heard=
	until [ "$heard" = "$1" ]; do
		IFS= read -r -t 30 -u "$said" heard || fail "$how: the filesystem does not say '$1'"
	done
}
unmount_fs() {
	exec {order}>&-
	wait "$fs"
	exec {said}<&-
	fs=
	rmdir "$TMPDIR/mounted"
	rm "$TMPDIR/why"
}
mount_fs "$FIXTURE/stuck_user"
[ "$line" = ready ] || { echo "skipped: no FUSE here ($(cat "$TMPDIR/why"))"; unmount_fs; exit 77; }
unmount_fs

# Four wait for the server, or two, where all of the file was read when it was started from there.
begin() { # HOW PROGRAM [late]
	how=$1
	mount_fs "$FIXTURE/stuck_user"
	if [ "$how" = plain ]; then
		mkfifo "$TMPDIR/in.$$" "$TMPDIR/out.$$"
		"$2" "$TMPDIR/mounted/file" "${@:3}" <"$TMPDIR/in.$$" >"$TMPDIR/out.$$" 2>&1 &
		pid=$!
		exec {to}>"$TMPDIR/in.$$" {from}<"$TMPDIR/out.$$"
		rm "$TMPDIR/in.$$" "$TMPDIR/out.$$"
	else
		start_program "$2" "$TMPDIR/mounted/file" "${@:3}"
	fi
	await_ready
	echo stall >&"$order"
	hear stalls
	echo go >&"$to"
	read_line
	equal "$line" started "$how"
	hear "stalled 2"
	await_waiters opener asker
}
await_waiters() { # NAMES: until these threads wait for an answer
	local name task found
	for name in "$@"; do
		found=
		for _ in $(seq 3000); do
			for task in /proc/"$pid"/task/*; do
				[ "$(cat "$task/comm")" = "$name" ] && grep -q request_wait_answer "$task/wchan" && found=1
			done
			[ -z "$found" ] || continue 2
			sleep 0.01
		done
		fail "$how: $name does not wait: $(cat /proc/"$pid"/task/*/wchan)"
	done
}
# In the background, and ended by hand: what waits for such an answer cannot be killed.
dump() { # [OPTION...]
	local dump
	"$SIGDUMP" dump "$@" -p "$pid" >"$TMPDIR/text" 2>"$TMPDIR/errors" &
	dump=$!
	for _ in $(seq 600); do
		kill -0 "$dump" 2>/dev/null || break
		sleep 0.05
	done
	if kill -0 "$dump" 2>/dev/null; then
		fail "$how: sigdump dump hangs in $(cat "/proc/$dump/wchan"), $(cat "/proc/$dump/syscall")"
	fi
	wait "$dump" || fail "$how: sigdump dump: $(cat "$TMPDIR/errors")"
}
says() { # TEXT
	grep -qF -e "$1" <(tr -s ' \n' ' ' <"$TMPDIR/text") || fail "$how: no '$1' in $(cat "$TMPDIR/text" "$TMPDIR/errors")"
}
end() {
	echo "go on" >&"$order"
	hear "goes on"
	finish
	equal "$status" 0 "$how: exit status"
	unmount_fs
	rm -rf "$FEED" "$TMPDIR/text" "$TMPDIR/errors"
}
answer='for an answer of its filesystem (FUSE)'

for h in library plain; do
	begin $h "$FIXTURE/stuck_user"
	await_waiters reader toucher
	dump
	says "\"reader\" blocked in read from $TMPDIR/mounted/file (fd 3), $answer"
	says "\"opener\" blocked in open $TMPDIR/mounted/file, $answer"
	says "\"asker\" blocked in newfstatat, $answer"
	says "\"toucher\" blocked in a page fault, $answer"
	for function in read_file open_file ask_file touch_file; do says " $function "; done
	if [ $h = library ]; then
		equal "$(select_records 'select(.t == "done") | [.threads, .captured, .timeout]' "$(feed_of "$pid")")" "[6,6,false]" "its dumper"
		"$B/bin/shminspect" -v "$FEED" >"$TMPDIR/text" 2>"$TMPDIR/errors"
		says "(fd 3), $answer"
		valid_feeds
	fi
	end
done

# the program lies there, too: its functions cannot be named, and its stacks are told all the same
for h in library plain; do
	begin $h "$TMPDIR/mounted/file"
	dump
	says "\"opener\" blocked in open $TMPDIR/mounted/file, $answer"
	says ' open libc.so.6'
	ok grep -q 'its filesystem does not answer' "$TMPDIR/errors"
	end
done

# its first thread is created in the stall: the dumper's copy of the open file is closed, which asks
# the server; the program does not wait for that, and has its dumper when it goes on
begin library "$FIXTURE/stuck_user" late
dump
says "\"opener\" blocked in open $TMPDIR/mounted/file, $answer"
end
cleanup
