#!/bin/bash
# What run takes: an option before a variable, a variable before the settings, these before what is
# usual.
set -u
fail() { echo "$*" >&2; exit 1; }
trap 'rm -rf "$TMPDIR"/*' EXIT
[ -z "${SAN:-}" ] || { echo "skipped: the plain build is what it is about"; exit 77; }
unset SHMSCOPE_FEED SHMSCOPE_SIGNAL SHMSCOPE_WATCHDOG SHMSCOPE_NO_CHILDREN
export XDG_CONFIG_HOME=$TMPDIR/config
conf=$XDG_CONFIG_HOME/shmscope/sigdump.conf
mkdir -p "${conf%/*}"

gets() { # what, wanted, arguments of run: the variables that the program finds
	local got
	got=$("$B/bin/sigdump" run "${@:3}" -- env | grep -E '^SHMSCOPE_(FEED|SIGNAL|WATCHDOG|NO_CHILDREN)=' |
		sort | sed 's/^SHMSCOPE_//' | tr '\n' ' ')
	[ "$got" = "$2" ] || fail "$1: the program got: $got"
}
gets "nothing said" ""
printf '# mine\nfeed = %s\nsignal = RTMIN+3\nwatchdog = 10s\nchildren = off\n' "$TMPDIR/a" >"$conf"
gets "settings" "FEED=$TMPDIR/a NO_CHILDREN=1 SIGNAL=RTMIN+3 WATCHDOG=10000ms "
SHMSCOPE_FEED=$TMPDIR/b gets "a variable" "FEED=$TMPDIR/b NO_CHILDREN=1 SIGNAL=RTMIN+3 WATCHDOG=10000ms "
SHMSCOPE_FEED=$TMPDIR/b gets "an option" "FEED=$TMPDIR/c NO_CHILDREN=1 SIGNAL=USR2 WATCHDOG=10000ms " \
	--feed "$TMPDIR/c" --signal USR2
echo 'colour = red' >"$conf"
"$B/bin/sigdump" run -- true 2>"$TMPDIR/err"
[ $? = 2 ] || fail "a wrong line: exit status"
[ "$(head -n 1 "$TMPDIR/err")" = "sigdump: error: $conf: line 1: not a setting of sigdump" ] || fail "$(cat "$TMPDIR/err")"
echo 'signal = KILL' >"$conf"
"$B/bin/sigdump" run -- true 2>"$TMPDIR/err"
[ "$(head -n 1 "$TMPDIR/err")" = "sigdump: error: $conf: line 1: --signal KILL: not a signal that can be caught" ] ||
	fail "$(cat "$TMPDIR/err")"
