#!/bin/bash
# Text for a terminal that is longer than the screen goes through a pager, and nothing else does.
set -u
run() { # the command line, on a terminal of ROWS rows
	script -qec "stty rows $1 cols 70; $2" /dev/null </dev/null | tr -d '\r'
}
fail() {
	printf '%s\n' "$@" >&2
	exit 1
}
explain="$B/bin/shminspect --explain missed-wakeup"
export SHMSCOPE_PAGER="sed s/^/P:/" NO_COLOR=1

out=$(run 5 "$explain")
[[ $out == P:missed-wakeup* ]] || fail "a long text did not go through the pager:" "$out"
out=$(run 99 "$explain")
[[ $out == missed-wakeup* ]] || fail "a text that fits went through the pager:" "$out"
out=$(run 5 "$explain --no-pager")
[[ $out == missed-wakeup* ]] || fail "--no-pager was not heard:" "$out"
out=$(run 5 "$explain | cat")
[[ $out == missed-wakeup* ]] || fail "a pipe went through the pager:" "$out"
out=$(SHMSCOPE_PAGER=/nonexistent/pager run 5 "$explain")
[[ $out == *missed-wakeup* ]] || fail "a missing pager lost the text:" "$out"
[ "$(run 99 "$explain" | awk 'length > 70' | wc -l)" = 0 ] || fail "wider than the terminal"
