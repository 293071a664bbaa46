#!/bin/bash
# Processes that are hard to look at: each behaves as without the library, and its dumps are
# complete within their deadline, asked for by SIGUSR1 and by sigdump dump.
# time limit: 300
. tests/sigdump_lib.sh

# Every dump of a feed ended in time; in the last one every thread of the program that was there
# before and after has a record, and a stack unless EXCEPT (a jq condition) allows for its absence.
complete() { # NAME RECORDS THREADS [EXCEPT]
	equal "$(select_records 'select(.t=="done" and .timeout)' "$2")" "" "$1: dumps past their deadline"
	equal "$(select_records 'select(.t=="thread" and .own==false and .stack==null and ('"${4:-false}"' | not))' "$2")" \
		"" "$1: threads without a stack"
	jq -r --argjson last "$(jq -s 'map(select(.t=="done") | .d) | max' "$2")" \
		'select(.t=="thread" and .d==$last) | .tid' "$2" | sort >"$TMPDIR/told"
	comm -12 <(sort <<<"$3") <(ls /proc/"$pid"/task | sort) >"$TMPDIR/there"
	equal "$(comm -23 "$TMPDIR/there" "$TMPDIR/told")" "" "$1: threads that are not in the dump"
	rm "$TMPDIR/told" "$TMPDIR/there"
}
shows() { # NAME RECORDS FUNCTION...
	local frames f
	frames=$(frames_of "$2")
	for f in "${@:3}"; do
		grep -q "$f" <<<"$frames" || fail "$1: no $f in: $frames"
	done
}
begins() { # MODE ARGS...: 1 when the machine has not what it takes
	if [ -n "${without_queue:-}" ]; then
		start_program bash -c 'ulimit -i 0; exec "$@"' - "$FIXTURE/hostile" "$@"
	else
		start hostile "$@"
	fi
	IFS= read -r -t 30 -u "$from" line || line=
	case $line in ready*) return 0 ;; esac
	finish
	[ "$status" = 77 ] || fail "$*: $line $rest, status $status"
	echo "not possible here: $*"
	return 1
}
both_ways() { # N EXCEPT FUNCTIONS MODE ARGS...
	local n=$1 except=$2 functions=$3 i tids
	shift 3
	begins "$@" || return 0
	tids=$(ls /proc/"$pid"/task)
	for i in $(seq "$n"); do
		kill -USR1 "$pid" || fail "$*: is gone"
		await_dumps "$pid" "$i"
	done
	complete "$* by SIGUSR1" "$(feed_of "$pid")" "$tids" "$except"
	shows "$* by SIGUSR1" "$(feed_of "$pid")" $functions
	"$SIGDUMP" dump -q -f ndjson -p "$pid" -o "$TMPDIR/records" || fail "$*: sigdump dump"
	complete "$* by sigdump dump" "$TMPDIR/records" "$tids" "$except"
	shows "$* by sigdump dump" "$TMPDIR/records" $functions
	rm "$TMPDIR/records"
	finish
	equal "$status" 0 "$*: exit status ($rest)"
	ok test -z "$rest" -o "${rest/bad=0/}" != "$rest"
	[ "$1" = mixed ] || valid_feeds # (thousands of lines, all alike)
	rm -r "$FEED"
}

both_ways 2 "" "lock_ab lock_ba until_eof" abba
both_ways 2 "" "print_much print_little until_eof" pipe
names="cond mutex rwlock sem epoll poll select pipe socket event sleep futex pause"
both_ways 2 "" "$(printf 'wait_%s ' $names)" mixed 1000
both_ways 2 "" "fault_here until_eof" fault
both_ways 2 "" "on_overflow deeper" overflow
both_ways 2 "" "vfork_waits sleep_on" vfork threaded
# only the thread itself could tell: said so, with the reason
both_ways 2 '.name=="hostile" and .state=="R" and (.reason | test("all signals blocked"))' until_eof masked

# what comes and goes: threads and processes that end while they are looked at have no stack
ending='.reason | test("ending|ended|did not answer")'
both_ways 5 "$ending" "maps" maps
both_ways 50 "$ending" "create_threads threads" threads
both_ways 20 "$ending" "spawn_many forks" forks
both_ways 20 "$ending"' or (.reason | test("had to end"))' "change_ids ids" ids

# no room for queued signals of this user: the library's own way to its thread is another then
without_queue=yes
both_ways 2 '.state=="R"' "lock_ab lock_ba" abba
both_ways 5 "$ending"' or (.reason | test("had to end|could not be asked"))' "change_ids ids" ids
without_queue=

# a plain process in D state: nothing is sent to it, and it is seen from outside
begins vfork || exit 0
equal "$(cut -d' ' -f3 /proc/"$pid"/stat)" D "a vfork parent"
"$SIGDUMP" dump -q -f ndjson -p "$pid" -o "$TMPDIR/records" || fail "vfork: sigdump dump"
equal "$(select_records 'select(.t=="thread") | [.state,.captured,.disturbed]' "$TMPDIR/records")" '["D","peek",false]' "vfork"
shows vfork "$TMPDIR/records" vfork_waits
kill -USR1 "$pid"
finish
equal "$status" 0 "vfork"
cleanup
