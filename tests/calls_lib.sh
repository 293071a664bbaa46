# Shell part of what runs one process for each kind of call of tests/fixture/calls; sourced.
#
#	calls_start MODE     "": one thread, "thread": with a second one, both under the library;
#	                     "bare": without it. Until each of them blocks.
#	calls_returned KIND  has its call returned?
#	calls_says KIND      what it says about that
#	calls_end            ends all
calls_kinds=$("$B/fixture/calls")
declare -A calls_pid=()

calls_blocked() { # KIND: its first thread sleeps in a call, and what it is to sleep over is there
	[[ $1 != lost_* ]] || grep -q brought "$TMPDIR/out/$1" || return 1
	read -r nr _ <"/proc/${calls_pid[$1]}/syscall" && [ "$nr" != running ]
}
calls_start() {
	local kind n
	mkdir "$TMPDIR/out"
	for kind in $calls_kinds; do
		if [ "$1" = bare ]; then
			"$B/fixture/calls" "$kind" </dev/null >"$TMPDIR/out/$kind" 2>&1 &
		else
			LD_PRELOAD=${runtime:-} "$B/bin/sigdump" run -- "$B/fixture/calls" "$kind" $1 \
				</dev/null >"$TMPDIR/out/$kind" 2>&1 &
		fi
		calls_pid[$kind]=$!
	done
	for kind in $calls_kinds; do
		n=0
		until grep -q ready "$TMPDIR/out/$kind" && calls_blocked "$kind"; do
			n=$((n + 1))
			[ $n -lt 3000 ] || { echo "$kind does not block: $(cat "$TMPDIR/out/$kind")" >&2; exit 1; }
			sleep 0.01
		done
	done
}
calls_returned() {
	grep -q returned "$TMPDIR/out/$1" || ! kill -0 "${calls_pid[$1]}" 2>/dev/null
}
calls_says() {
	grep returned "$TMPDIR/out/$1"
}
calls_end() {
	local kind
	for kind in "${!calls_pid[@]}"; do
		kill -KILL "${calls_pid[$kind]}" 2>/dev/null
		wait "${calls_pid[$kind]}" 2>/dev/null
	done
	calls_pid=()
	rm -rf "$TMPDIR/out"
}
