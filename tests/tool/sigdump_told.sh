#!/bin/bash
# Gauges, callbacks and dumps asked for by the program: in C and in C++, with the library and
# without it.
# time limit: 120
. tests/sigdump_lib.sh

check() { # PROGRAM
	equal "$("$1")" "library 0" "$1 without the library"
	equal "$("$SIGDUMP" run -- "$1")" "library 1" "$1 with it"
	feed=$(ls "$FEED"/told-*.ndjson)
	equal "$(select_records 'select(.t=="dump") | .why' "$feed" | tr '\n' ' ')" '"call" "call" "call" ' "dumps"
	equal "$(select_records 'select(.t=="gauge") | [.d,.name,.value,.limit]' "$feed" | tr '\n' ' ')" \
		'[1,"cache",42,100] [1,"rate",7,null] [2,"cache",42,100] [2,"rate",7,null] [3,"cache",42,100] ' "gauges"
	equal "$(select_records 'select(.t=="diag" and .name=="jobs") | [.d,.text,.reason]' "$feed" | tr '\n' ' ')" \
		'[1,"3 jobs",null] [2,null,"it did not return in time"] ' "the callback that wants a lock"
	equal "$(select_records 'select(.t=="diag" and .name=="much") | [.d,(.text | length?),.reason]' "$feed" | tr '\n' ' ')" \
		'[1,4096,null] [2,0,"an earlier call has not returned"] ' "the one that fills its room"
	# its thread is ours, and still has a stack
	equal "$(select_records 'select(.t=="thread" and .d==2 and .name=="sigdump-diag") | [.own,.stack!=null]' "$feed")" \
		'[true,true]' "its thread"
	valid_feeds
	rm -r "$FEED"
}
check "$FIXTURE/told"
for cxx in c++ clang++; do
	command -v $cxx >/dev/null || continue
	mkdir "$TMPDIR/$cxx"
	$cxx -std=c++17 -Wall -Wextra -Werror -I. -pthread -x c++ -o "$TMPDIR/$cxx/told" tests/fixture/told.c || fail "$cxx"
	check "$TMPDIR/$cxx/told"
	$cxx -std=c++17 -no-pie -fno-pie -O2 -I. -pthread -x c++ -o "$TMPDIR/$cxx/told" tests/fixture/told.c || fail "$cxx -no-pie"
	check "$TMPDIR/$cxx/told"
done

# main has left, or was cancelled: callbacks still answer, and the process ends with its last thread,
# not with ours
for how in leave cancel; do
	start told $how
	await_ready
	usr1 1
	equal "$(select_records 'select(.t=="diag") | .text' "$(feed_of "$pid")")" '"4 jobs"' "$how: callback behind main's end"
	finish
	equal "$rest $status" " 0" "$how: main has left"
	rm -rf "$FEED"
done
cleanup
