#!/bin/bash
# Every step of libshmhub that carries a label is one at which a process is killed by some test;
# and no test waits for a step that is not there.
set -u
wrong=0
steps=$(sed -n 's/.*HUB_STEP("\([^"]*\)").*/\1/p' lib/hub/*.c | sort -u)
killed=$(grep -ohE '"(bell|call|file|life|peer|ring|role|slot|spill)\.[a-z_.]*[a-z_]"' tests/crash/*.c \
	tests/unit/hub_file_test.c | tr -d '"' | sort -u)
[ -n "$steps" ] || { echo "no steps found in lib/hub"; exit 1; }
for label in $(comm -23 <(echo "$steps") <(echo "$killed")); do
	echo "nobody is killed at $label ($(grep -l "\"$label\"" lib/hub/*.c))"
	wrong=1
done
for label in $(comm -13 <(echo "$steps") <(echo "$killed")); do
	echo "$label is no step of lib/hub any more ($(grep -l "\"$label\"" tests/*/*.c))"
	wrong=1
done
exit $wrong
