#!/bin/bash
# Threads that wait for each other, for the dead, or for a wake-up that was lost reach their
# finding: by a look from outside, from the feed of a process with the library, and live; those
# that wait in good order reach none. tests/fixture/locks.c says what each of them does.
# time limit: 240
. tests/sigdump_lib.sh
[ -z "${SAN:-}" ] || { echo "skipped: the plain build is what it is about"; exit 77; }

# mode, finding, and what its sentence must have
cases=(
	'two deadlock "flush" (index_flush locks.c:'
	'three deadlock 3 threads of locks'
	'recursive deadlock (cache_lock) held by tid'
	'pi deadlock (index_lock) held by tid'
	'robust deadlock (index_lock) held by tid'
	'self deadlock waits for itself'
	'behind deadlock 2 threads of locks'
	'rwlock deadlock rwlock (to read)'
	'join deadlock for the end of tid'
	'joins deadlock 3 threads of locks'
	'exited owner-dead (index_lock), whose owner tid'
	'robust-exited owner-dead (index_lock), whose owner tid'
	'shared deadlock of different processes'
	'shared-robust deadlock of different processes'
	'lost stale-wait (news), which is not 0 any more but 1'
	'lost-sem stale-wait (jobs), whose value is 1'
	'lost-unlock stale-wait 2 threads'
)
healthy=(idle chain lost-two)

# Of the confirmed findings in a report: the names, and all that they say.
names() { jq -r '[.findings[] | select(.state == "confirmed" and .severity != "info") | .name] | unique | join(",")'; }
words() { jq -r '.findings[] | select(.state == "confirmed") | .sentence'; }

# Until a sample has a confirmed finding, at most 12 s.
live() { # PID...
	timeout 20 "$B/bin/shmtop" -b -j -i 0.4 -n "${samples:-30}" -p "$1" | while read -r sample; do
		echo "$sample" >"$TMPDIR/live"
		[ -z "$(names <"$TMPDIR/live")" ] || break
	done
	cat "$TMPDIR/live"
}

# Not at the end of a pipe: its exit would only end that.
check() { # SOURCE FINDING WORDS <REPORT
	cat >"$TMPDIR/report"
	equal "$(names <"$TMPDIR/report")" "$2" "$mode, $1"
	[ -z "$3" ] || words <"$TMPDIR/report" | grep -qF -e "$3" ||
		fail "$mode, $1: no '$3' in: $(words <"$TMPDIR/report")"
}

look_everywhere() { # FINDING WORDS
	local both=$pid
	case $first in child*) both=$pid,${first#child } ;; esac
	check "its own dump" "$1" "$2" < <("$SIGDUMP" dump -q -j -p "$both" 2>/dev/null)
	# the other process, which has one thread and so no dumper, is in no feed
	case $mode in
	shared*) check "its feed" "" "" < <("$B/bin/shminspect" --json "$FEED") ;;
	*) check "its feed" "$1" "$2" < <("$B/bin/shminspect" --json "$FEED") ;;
	esac
	# live looks are the same as from outside, only over and over: some of each kind will do
	case $mode in
	two | rwlock | join | exited | shared | lost | idle) check live "$1" "$2" < <(live "$both") ;;
	esac
}

run_mode() { # MODE FINDING WORDS
	mode=$1
	start locks "$mode"
	read_line
	first=$line
	case $first in child*) read_line ;; esac
	equal "$line" ready
	look_everywhere "$2" "$3"
	finish
	rm -rf "$FEED"
}

# the system's list of file locks is read by a live look only
mode=flock
start locks flock
read_line
first=$line
read_line
equal "$line" ready
check live deadlock 'of different processes' < <(live "$pid,${first#child }")
finish
rm -rf "$FEED"

for c in "${cases[@]}"; do
	read -r mode finding text <<<"$c"
	run_mode "$mode" "$finding" "$text"
done
samples=6
for mode in "${healthy[@]}"; do
	run_mode "$mode" "" ""
done

# a crowd around one healthy mutex, looked at over and over: seconds by the environment
mode=crowd
start locks crowd
await_ready
looks=0
until=$((SECONDS + ${T_CROWD:-4}))
while [ $SECONDS -lt $until ]; do
	check "its own dump" "" "" < <("$SIGDUMP" dump -q -j -p "$pid" 2>/dev/null)
	looks=$((looks + 1))
done
timeout 600 "$B/bin/shmtop" -b -j -i 0.3 -n $((${T_CROWD:-4} * 3)) -p "$pid" >"$TMPDIR/samples"
while read -r sample; do
	equal "$(names <<<"$sample")" "" "crowd, live"
	looks=$((looks + 1))
done <"$TMPDIR/samples"
check "its feed" "" "" < <("$B/bin/shminspect" --json "$FEED")
echo "crowd: $looks looks, no finding"
finish
rm -rf "$FEED"

# without the library: nothing of it is in the process
mode=two
mkfifo "$TMPDIR/hold"
"$FIXTURE/locks" two <"$TMPDIR/hold" >"$TMPDIR/said" &
pid=$!
exec {hold}>"$TMPDIR/hold"
until grep -q ready "$TMPDIR/said"; do sleep 0.05; done
"$SIGDUMP" dump -q -p "$pid" >"$TMPDIR/text" || fail "dump from outside"
grep -q '^DEADLOCK  2 threads wait for each other' "$TMPDIR/text" || fail "$(cat "$TMPDIR/text")"
grep -q '^  tid [0-9]* "flush"     waits for mutex 0x[0-9a-f]* (cache_lock)   held by tid [0-9]* "query-1"$' \
	"$TMPDIR/text" || fail "$(cat "$TMPDIR/text")"
grep -q '^  next  the two take cache_lock and index_lock in different order: index_flush locks.c:' \
	"$TMPDIR/text" || fail "$(cat "$TMPDIR/text")"
exec {hold}>&-
wait "$pid"
pid=
rm -rf "${TMPDIR:?}"/*
