#!/bin/bash
# outside.sh --json FILE: what looking at a blocked process does to it, tool by tool.
#
# Each kind of call of tests/fixture/calls (the sleeps, epoll, futexes, sockets, ...) blocks in a
# process of its own; a tool looks at each once; then it is counted which calls have returned: with
# EINTR, early with something else, and of the two whose wakeup was lost, which were healed, so that
# the hang one came to see is gone.
set -u
. tests/calls_lib.sh
json=$2
TMPDIR=$(mktemp -d) || exit 1
trap 'calls_end; rm -rf "$TMPDIR"' EXIT
export SHMSCOPE_FEED=$TMPDIR/feeds SHMSCOPE_WATCHDOG=off
sigdump=$B/bin/sigdump
rows=

dumped() { # N: until every process has that many dumps in its feed
	local kind n
	for kind in $calls_kinds; do
		for n in {1..3000}; do
			[ -d "/proc/${calls_pid[$kind]}" ] || break
			[ "$(cat "$SHMSCOPE_FEED"/*-"${calls_pid[$kind]}"-*.ndjson 2>/dev/null |
				grep -c '^{"v":1,"t":"done"')" -ge "$1" ] && break
			sleep 0.01
		done
	done
}
look() { # NAME HOW MODE COMMAND...: COMMAND gets each pid behind it
	local name=$1 text=$2 mode=$3 kind eintr=0 early=0 healed=0
	shift 3
	calls_start "$mode"
	for kind in $calls_kinds; do "$@" "${calls_pid[$kind]}" >/dev/null 2>&1; done
	case $1 in kill) dumped 1 ;; esac
	sleep 1 # a call that returns says so a moment later
	for kind in $calls_kinds; do
		calls_returned "$kind" || continue
		case $kind:$(calls_says "$kind") in
		lost_*) healed=$((healed + 1)) ;;
		*"Interrupted system call"*) eintr=$((eintr + 1)) ;;
		*) early=$((early + 1)) ;;
		esac
	done
	calls_end
	rm -rf "$SHMSCOPE_FEED"
	printf '%-40s %5d %5d %6d\n' "$text" $eintr $early $healed
	rows+="${rows:+,}{\"name\":\"$name\",\"unit\":\"calls\",\"kinds\":$(wc -w <<<"$calls_kinds"),\"eintr\":$eintr,\"early\":$early,\"healed\":$healed}"
}
printf '%-40s %5s %5s %6s   of %d kinds\n' "" EINTR early healed "$(wc -w <<<"$calls_kinds")"
look signal_dumper "kill -USR1, with a dumper" thread kill -USR1
look dump_dumper "sigdump dump, with a dumper" thread "$sigdump" dump -q -p
look dump_plain "sigdump dump, one thread" "" "$sigdump" dump -q -p
look dump_without "sigdump dump, without the library" bare "$sigdump" dump -q -p
look signal_plain "kill -USR1, one thread" "" kill -USR1
for tool in eu-stack gdb; do
	if ! command -v $tool >/dev/null; then
		echo "$tool: not installed (make bench-deps)"
		continue
	fi
	case $tool in
	eu-stack) look eu_stack "eu-stack -p" bare eu-stack -p ;;
	gdb) look gdb "gdb -batch -ex 'thread apply all bt'" bare gdb -batch -ex 'thread apply all bt' -p ;;
	esac
done
mkdir -p "$(dirname "$json")"
echo "{\"bench\":\"outside\",\"machine\":\"$(uname -r)\",\"rows\":[$rows]}" >"$json"
