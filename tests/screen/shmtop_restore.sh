#!/bin/bash
# time limit: 120
# However shmtop ends, the terminal is as before: its screen, its cursor, its mouse, its modes.
. tests/tool/hubdemo.inc
. tests/screen/screen.inc
demo_start --load idle --peers 2

# ends_by WAY STATUS: "key K" or a signal's name
ends_by() {
	screen_start 80 24 "$hub"
	screen_has 15 'shmtop  LIVE '
	[ "$(screen_flags)" = "1 0 1" ] || failed "flags while it runs: $(screen_flags)"
	case $1 in
	key*) screen_keys "${1#key }" ;;
	*) kill -"$1" "$(pgrep -f "^$shmtop_bin $hub")" ;;
	esac
	screen_ended
	[ "$ended" = "$2" ] || failed "$1: exit status $ended instead of $2"
	[ "$(screen_flags)" = "0 1 0" ] || failed "$1: flags $(screen_flags)"
	diff "$TMPDIR/modes" "$TMPDIR/modes.after" >&2 || failed "$1: terminal modes changed"
	screen | grep -q '^before' || failed "$1: what stood on the screen is gone"
	screen_close
}
ends_by "key q" 0
ends_by "key F10" 0
ends_by "key C-c" 130
ends_by TERM 143
ends_by HUP 129
ends_by QUIT 131
ends_by SEGV 139
ends_by ABRT 134
demo_end 0
