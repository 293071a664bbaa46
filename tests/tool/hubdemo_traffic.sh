#!/bin/bash
# Healthy traffic is exact: nothing lost, duplicated or corrupt, no wait was interrupted, no slot
# could not be had. T_LENGTH=20 makes the 80 threads run for a minute.
# time limit: 240
. tests/tool/hubdemo.inc

exact() { # least number of messages
	demo_ended 0
	[ "$(field lost)" = 0 ] && [ "$(field duplicated)" = 0 ] && [ "$(field corrupt)" = 0 ] &&
		[ "$(field failed)" = 0 ] || failed "the traffic was not exact"
	[ "$(field unallocated)" = 0 ] || failed "$(field unallocated) allocations failed"
	[ "$(field messages)" -ge "$1" ] || failed "fewer than $1 messages"
	grep -q 'eintr=[1-9]' "$TMPDIR/said" && failed "a wait was interrupted"
	[ ! -e "$hub" ] || failed "the hub file was left behind"
}

demo_start --seconds 3
exact 1000
[ "$(grep -c '^peer=[0-9]* eintr=0$' "$TMPDIR/said")" = 17 ] || failed "not one line for each of 17 processes"

# With 80 threads inside 4 GiB: a memory cgroup where one can be made, and the hub's pages, the
# host and its peers counted while they run.
group=
enter_group() {
	local root=/sys/fs/cgroup/memory
	[ -w $root ] && mkdir "$root/shmscope-test-$$" 2>/dev/null || return 0
	group=$root/shmscope-test-$$
	echo 4G >"$group/memory.limit_in_bytes" && echo $$ >"$group/cgroup.procs"
}

leave_group() {
	[ -n "$group" ] || return 0
	echo $$ >"${group%/*}/cgroup.procs"
	rmdir "$group"
	group=
}
trap 'demo_clean; leave_group' EXIT

used_kib() { # private memory of host and peers, and the blocks of the hub's file
	local pids
	pids=$(pgrep -P "$host" | tr '\n' ' ')
	for pid in $host $pids; do
		awk '/^RssAnon|^RssFile/ { kib += $2 } END { print kib + 0 }' "/proc/$pid/status" 2>/dev/null
	done | awk -v file="$(stat -c '%b' "$hub" 2>/dev/null || echo 0)" '{ kib += $1 } END { print kib + int(file / 2) }'
}

enter_group
demo_start --seconds $((3 * ${T_LENGTH:-1})) --host-threads 80
most=0
while kill -0 "$host" 2>/dev/null && ! is_gone "$host" && [ -e "$hub" ]; do
	now=$(used_kib)
	[ "$now" -le "$most" ] || most=$now
	sleep 0.5
done
exact 1000
[ "$most" -gt 0 ] && [ "$most" -lt $((4 << 20)) ] || failed "$most KiB in use"
echo "80 host threads: $(field messages) messages, at most $((most >> 10)) MiB${group:+, cgroup peak $(($(cat "$group/memory.max_usage_in_bytes") >> 20)) MiB}"
leave_group

demo_start --seconds 3 --restart-every 0.3s
exact 1000

demo_start --seconds 1 --load idle
exact 32

demo_start --seconds 2 --peers 1 --host-threads 2
exact 100
