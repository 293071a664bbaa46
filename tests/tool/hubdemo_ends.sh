#!/bin/bash
# SIGTERM ends the host and all its peers, whatever they are stuck in; SIGKILL of the host too.
# time limit: 120
. tests/tool/hubdemo.inc

all_of() {
	pgrep -P "$host"
}

# stopped, blocked, spinning, deaf, unheard and killed ones at the same time
demo_start --inject-after 0.2s --fault stopped-peer --fault blocked-peer:peer=css \
	--fault spinning-peer:peer=math --fault deaf-peer:peer=links --fault lost-bell:peer=fonts \
	--fault killed-peer:peer=images
demo_says 'injected killed-peer' 30
pids=$(all_of)
demo_end 0
until_gone $pids
[ ! -e "$hub" ] || failed "the hub file was left behind"

# threads of the host itself are stuck for ever
demo_start --inject-after 0.2s --fault deadlock --fault stopped-peer
demo_says 'injected stopped-peer' 20
pids=$(all_of)
demo_end 0
until_gone $pids
[ ! -e "$hub" ] || failed "the hub file was left behind"

# a peer that is stopped from outside, in the middle of its work
demo_start --seconds 60
kill -STOP "$(peer_pid css)"
pids=$(all_of)
demo_end 0
until_gone $pids
[ "$(field failed)" -gt 0 ] || failed "calls to the stopped peer were not counted as failed"

# the host is killed: its peers follow, also those that cannot notice
demo_start --inject-after 0.2s --fault stopped-peer --fault blocked-peer:peer=css
demo_says 'injected blocked-peer' 20
pids=$(all_of)
[ "$(echo "$pids" | wc -l)" = 16 ] || failed "not 16 peers"
kill -KILL "$host"
until_gone $pids
[ -s "$hub" ] || failed "the hub file is not there for a post-mortem"
