#!/bin/bash
# time limit: 120
# A hung hub on real terminals of three sizes, resized while it runs; keys go from screen to screen.
. tests/tool/hubdemo.inc
. tests/screen/screen.inc
demo_start --load idle --fault lost-bell --inject-after 0.2
demo_says injected 10

screen_start 80 24 "$hub"
screen_has 15 '!! F1 missed-wakeup'
screen | sed -n 1p | grep -Eq '^shmtop  LIVE [0-9:]{8}  1 s   hub demo.hub   host hubdemo [0-9]+' || failed "title"
screen | sed -n 2p | grep -Eq '^!! search \(peer 3, pid [0-9]+\) hangs: ' || failed "verdict"
screen | grep -Eq '^> 3 search +[0-9]+ ASLEEP .* 0! W ' || failed "the sick peer is not selected"
screen | grep -Eq '^ 16 minify ' || failed "not all of 16 peers at 80x24"
screen | tail -n 1 | grep -q '^1Over 2Peer 3Slots 4Mem 5Thr 6Find .*?:help q$' || failed "bottom line"
screen_click 5 20
screen_has 5 '> 1 fonts'
screen_click 23 7
screen_has 5 'PEER 1 fonts'
screen_keys 1 j j 2
screen_has 5 'PEER 3 search'
screen_keys 3
screen_has 5 'SLOTS by state'
screen_keys 5
screen_has 5 'THREADS search'
screen_has 10 'epoll_wait'
screen_keys 6
screen_has 5 'FINDINGS  1 critical'
screen_keys x
screen_has 5 'WHAT IT IS'
screen_keys Escape
screen_has 5 'FINDINGS  1 critical'
screen_keys '?'
screen_has 5 'HELP findings'
screen_keys Escape
screen_keys 1
screen_has 5 'BELL W CALLS'

tmux resize-window -t top -x 120 -y 40
screen_has 5 'RECV RING host>peer'
screen_has 10 ' recv ring  written '
screen | grep -q '^!! VERDICT  search' || failed "wide verdict"
tmux resize-window -t top -x 40 -y 10
screen_has 5 '1Over 2Peer 3Slots 5Thr 6Find ?:help q'
tmux resize-window -t top -x 38 -y 9
screen_has 5 'terminal is 38x9, needs 40x10'
tmux resize-window -t top -x 80 -y 24
screen_has 5 'BELL W CALLS'

screen_keys Space
screen_has 5 'PAUSED '
screen_keys L
screen_has 5 'shmtop  LIVE '
screen_keys w
screen_has 5 'written: '
saved=$(ls "$TMPDIR"/shmtop-*.txt)
grep -q '^!! F1 missed-wakeup   search(3) recv ring   confirmed' "$saved" || failed "w: $(cat "$saved")"
rm -f "$saved"
screen_keys q
screen_ended
[ "$ended" = 0 ] || failed "exit status $ended after q"
demo_end 0
