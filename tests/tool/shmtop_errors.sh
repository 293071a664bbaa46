#!/bin/bash
# Every wrong input and every wrong option: one error in the documented form, the documented
# status, nothing on stdout.
set -u
tool=shmtop
. tests/errors_lib.sh

# files, with and without -b
for how in "" -b -r; do
	expect 4 "elf: not a hub file (starts with 7f 45 4c 46, an ELF object)" $how elf
	expect 4 "empty: " $how empty
	expect 4 "text: not a hub file" $how text
	expect 4 "x.ndjson: not a feed" $how x.ndjson
	expect 4 "fifo: not a hub file (a fifo)" $how fifo
	expect 4 "short.hub: truncated inside its header" $how short.hub
	expect 4 "zero.hub: not a hub file" $how zero.hub
	expect 3 "missing: cannot be read (No such file or directory)" $how missing
	expect 3 "nofeeds: no feeds in this directory" $how nofeeds
done
expect 3 "missing: " -b -H missing
expect 4 "elf: not a hub file" -b -H elf

# processes
expect 3 "pid 2147483647: no such process" -p 2147483647
expect 3 "no-such-process-x: no process of this name" -p no-such-process-x

# usage
expect 2 "--colour: unknown option (did you mean --color?)" --colour
expect 2 '--color: "blue" is none of auto, always, never' --color blue
expect 2 '--interval: "0.01" is out of range' -i 0.01
expect 2 '--interval: "soon" is not a duration' -i soon
expect 2 '--count: 0 is out of range' -n 0
expect 2 '--sort: "size" is none of id, name, pid' -s size
expect 2 '--fail-on: "error" is none of critical, warning, info, never' --fail-on error
expect 2 '--since: "yesterday" is not a time' --since yesterday
expect 2 "--since, --until: only in a replay" --since 5m
expect 2 "--json: only with --batch" -j
expect 2 "--output: only with --batch" -o x
expect 2 "--replay: needs a feed" -r
expect 2 "--output: needs an argument" -o

# help
[ "$("$bin" --sort help)" = "sort keys: id, name, pid, state, beat, recv, send, rate, calls, slots, rss" ] || {
	echo "--sort help" >&2
	failed=1
}
exit $failed
