#!/bin/bash
# time limit: 120
# It never ends because of TERM, locale or colors: each has its look.
. tests/tool/hubdemo.inc
. tests/screen/screen.inc
demo_start --load idle --fault lost-bell --inject-after 0.2
demo_says injected 10

for term in dumb no-such-terminal ""; do
	screen_env="TERM='$term'" screen_start 130 60 -n 1 "$hub"
	screen_ended
	[ "$ended" = 0 ] || failed "TERM=$term: exit status $ended: $(screen)"
	screen | grep -q "shmtop: note: terminal \"$term\": cannot be drawn on" || failed "TERM=$term: $(screen)"
	screen | grep -q "calls pending" || failed "TERM=$term: no frame: $(screen)"
	screen_close
done

# colors and none
screen_start 80 24 "$hub"
screen_has 15 '!! F1 missed-wakeup'
tmux capture-pane -e -p -t top | grep -q $'\033\[[0-9;]*35m' || failed "a critical finding has no color"
screen_close
for how in "NO_COLOR=1" "NO_COLOR=1 CLICOLOR_FORCE=0"; do
	screen_env=$how screen_start 80 24 "$hub"
	screen_has 15 '!! F1 missed-wakeup'
	tmux capture-pane -e -p -t top | grep -q $'\033\[[0-9;]*3[1-7]m' && failed "$how: colors"
	screen_close
done
screen_env=NO_COLOR=1 screen_start 80 24 --color always "$hub"
screen_has 15 '!! F1 missed-wakeup'
tmux capture-pane -e -p -t top | grep -q $'\033\[[0-9;]*35m' || failed "--color always: no color"
screen_close

# UTF-8 beautifies, ASCII says the same
screen_env=LC_ALL=C.UTF-8 screen_start 80 24 "$hub"
screen_has 15 '[·······'
screen_keys u
screen_has 5 '[.......'
screen_close
screen_env=LC_ALL=C screen_start 80 24 "$hub"
screen_has 15 '[.......'
screen_keys u
screen_has 5 'the locale is not UTF-8'
screen_close

# settings are kept only when asked for
screen_env="XDG_CONFIG_HOME=$TMPDIR/config" screen_start 80 24 "$hub"
screen_has 15 'shmtop  LIVE '
screen_keys C
screen_has 5 'colors: bright'
[ ! -e "$TMPDIR/config" ] || failed "settings written without being asked"
screen_keys '?'
screen_has 5 'HELP overview'
screen_keys W
screen_has 5 'settings written: '
grep -qx 'colors = bright' "$TMPDIR/config/shmscope/shmtop.conf" || failed "settings"
screen_close
echo 'colors = green' >"$TMPDIR/config/shmscope/shmtop.conf"
said=$(XDG_CONFIG_HOME=$TMPDIR/config "$shmtop_bin" -b -n 1 "$hub" 2>&1 >/dev/null)
[[ $said == "shmtop: warning: $TMPDIR/config/shmscope/shmtop.conf: line 1: not a setting of shmtop"* ]] || failed "bad settings: $said"
demo_end 0
