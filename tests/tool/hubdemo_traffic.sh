#!/bin/bash
# Healthy traffic is exact: nothing lost, duplicated or corrupt, no wait was interrupted.
# time limit: 120
. tests/tool/hubdemo.inc

exact() { # least number of messages
	demo_ended 0
	[ "$(field lost)" = 0 ] && [ "$(field duplicated)" = 0 ] && [ "$(field corrupt)" = 0 ] &&
		[ "$(field failed)" = 0 ] || failed "the traffic was not exact"
	[ "$(field messages)" -ge "$1" ] || failed "fewer than $1 messages"
	grep -q 'eintr=[1-9]' "$TMPDIR/said" && failed "a wait was interrupted"
	[ ! -e "$hub" ] || failed "the hub file was left behind"
}

demo_start --seconds 3
exact 1000
[ "$(grep -c '^peer=[0-9]* eintr=0$' "$TMPDIR/said")" = 17 ] || failed "not one line for each of 17 processes"

demo_start --seconds 2 --host-threads 80
exact 1000

demo_start --seconds 3 --restart-every 0.3s
exact 1000

demo_start --seconds 1 --load idle
exact 32

demo_start --seconds 2 --peers 1 --host-threads 2
exact 100
