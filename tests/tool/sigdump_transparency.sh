#!/bin/bash
# Programs of others do under the library what they do without it: the same output, the same exit
# status, the same results of CPython's own tests. Each runs twice without it first: only what was
# the same both times is compared.
#
# A short set by default; T_TRANSPARENCY=all for every program and module (some 20 minutes), or the
# names of some ("gcc chromium test_signal"). What is not installed is left out.
# time limit: 3600
. tests/sigdump_lib.sh
if [ -n "$runtime" ]; then
	echo "skipped: programs of others are not built with a sanitizer"
	exit 77
fi
unset SHMSCOPE_WATCHDOG # as for everybody
short="gcc git bash sqlite3 perl test_fork1"
all="$short chromium stress_ng redis test_thread test_threadsignals test_threading test_signal
	test_subprocess test_os test_posix test_popen test_pty test_wait3 test_wait4 test_eintr test_poll
	test_select test_epoll test_selectors test_faulthandler"
case ${T_TRANSPARENCY:-} in
"") wanted=$short ;;
all) wanted=$all ;;
*) wanted=$T_TRANSPARENCY ;;
esac

# ---- programs: each a function that prints what is to be the same ------------------------------

run_gcc() {
	printf '#include <stdio.h>\nint main(void) { puts("compiled"); return 3; }\n' >a.c
	gcc -O2 -Wall -save-temps -o a a.c && ./a
	echo "status $?"
	gcc -c b.c 2>&1
	echo "status $?"
	ls
}
run_git() {
	export GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z HOME=$PWD
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	git init -q -b main repo && cd repo || return
	for i in 1 2 3; do
		seq "$i" 100 >file && git add file && git commit -q -m "$i"
	done
	git log -p --stat | sha256sum
	git gc -q && git fsck 2>&1
	git clone -q . ../copy && git -C ../copy rev-parse HEAD
	git bisect start -q HEAD HEAD~2 2>&1 | tail -n 1
}
run_bash() {
	bash -c 'trap "echo usr1" USR1; kill -USR1 $$; trap - USR1
		(trap "echo term; exit 4" TERM; sleep 60 & kill -TERM $BASHPID; wait); echo $?
		sleep 60 & kill -TERM $!; wait $!; echo $?
		bash -c "kill -SEGV \$\$"; echo $?
		coproc cat; echo through >&${COPROC[1]}; read -r x <&${COPROC[0]}; echo $x
		seq 100000 | head -n 1; echo ${PIPESTATUS[*]}
		timeout 0.1 sleep 60; echo $?; time -p true; ulimit -a' 2>&1 | grep -v -e '^real' -e '^user' -e '^sys'
}
run_sqlite3() {
	sqlite3 db 'create table t(a, b); with recursive c(x) as (select 1 union all select x+1 from c
		where x < 20000) insert into t select x, hex(x*x) from c; create index i on t(b);
		select count(*), sum(length(b)) from t; pragma integrity_check;' 2>&1
	sqlite3 db .dump | sha256sum
}
run_perl() {
	perl -e '$SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$; $SIG{ALRM} = sub { die "alarm\n" };
		eval { alarm 1; select undef, undef, undef, 60 }; print $@; $p = fork // die; exit 7 unless $p;
		waitpid $p, 0; print $? >> 8, "\n"; print `echo back`; $x{$_ % 99} .= $_ for 1 .. 1e5;
		print length join("", map { $x{$_} } sort keys %x), "\n"' 2>&1
}
run_chromium() {
	chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
		--disable-background-networking --disable-component-update --disable-sync \
		--user-data-dir="$PWD/profile" --virtual-time-budget=2000 --dump-dom \
		'data:text/html,<p id=p>0</p><script>let n=0;for(let i=0;i<1e6;i++)n+=i%7;p.textContent=n</script>' 2>/dev/null
	echo "status $?"
}
run_stress_ng() {
	stress-ng --no-rand-seed --fork 1 --fork-ops 200 --vfork 1 --vfork-ops 100 --pthread 1 --pthread-ops 200 \
		--sigfd 1 --sigfd-ops 500 --sigsuspend 1 --sigsuspend-ops 200 --sigq 1 --sigq-ops 500 \
		--sigpending 1 --sigpending-ops 500 --sigabrt 1 --sigabrt-ops 50 --sigsegv 1 --sigsegv-ops 500 \
		--kill 1 --kill-ops 500 --futex 1 --futex-ops 500 --exec 1 --exec-ops 50 --sem 1 --sem-ops 500 \
		--poll 1 --poll-ops 50 --epoll 1 --epoll-ops 20 --clone 1 --clone-ops 50 --sigaltstack 1 \
		--sigaltstack-ops 500 --daemon 1 --daemon-ops 20 --verify --timeout 60 2>&1 |
		grep -E -o 'successful run|unsuccessful run|fail(ed)?: .*'
	echo "status ${PIPESTATUS[0]}"
}
run_redis() {
	redis-server --port 0 --unixsocket "$PWD/sock" --save "" --appendonly yes --dir "$PWD" >/dev/null 2>&1 &
	local server=$! i
	for i in {1..3000}; do [ -S sock ] && break; sleep 0.01; done
	for i in {1..200}; do echo "set key$i $i"; echo "lpush list $i"; done | redis-cli -s sock | sort | uniq -c
	redis-cli -s sock bgrewriteaof
	redis-cli -s sock eval 'local n = 0 for i = 1, 100000 do n = n + i end return n' 0
	redis-cli -s sock --raw lrange list 0 3
	redis-cli -s sock shutdown nosave
	wait $server
	echo "status $?"
}
program_of() { # NAME: the command it needs
	case $1 in test_*) echo /usr/bin/python3 ;; stress_ng) echo stress-ng ;; redis) echo redis-server ;; *) echo "$1" ;; esac
}

# ---- CPython's own tests: one line for each, "NAME ok|failed|skipped" -----------------------------

run_test() { # MODULE
	timeout 900 /usr/bin/python3 -m test -u none --junit-xml results.xml "$1" >log 2>&1
	/usr/bin/python3 - <<'END'
import xml.etree.ElementTree as tree
for t in tree.parse("results.xml").iter("testcase"):
    said = {k.tag for k in t} | {t.get("result")}
    print(t.get("name"), "failed" if said & {"failure", "error"} else "skipped" if "skipped" in said else "ok")
END
}

# ---- three runs ---------------------------------------------------------------------------------

once() { # NAME FILE [PRELOAD]
	mkdir "$TMPDIR/work"
	(
		cd "$TMPDIR/work" || exit
		[ -z "${3:-}" ] || export LD_PRELOAD=$3
		case $1 in test_*) run_test "$1" ;; *) "run_$1" ;; esac
	) >"$TMPDIR/$2" 2>/dev/null </dev/null
	rm -rf "$TMPDIR/work"
}
library=$(realpath "$B/lib/libsigdump.so")
differ= compared=
for name in $wanted; do
	command -v "$(program_of "$name")" >/dev/null || { echo "not installed: $name"; continue; }
	case $name in test_*)
		[ -f "$(/usr/bin/python3 -c 'import test; print(test.__path__[0])')/$name.py" ] ||
			{ echo "not installed: $name (libpython3-testsuite)"; continue; } ;;
	esac
	once "$name" bare1
	once "$name" bare2
	once "$name" with "$library"
	comm -12 <(sort "$TMPDIR/bare1") <(sort "$TMPDIR/bare2") >"$TMPDIR/stable"
	missing=$(comm -23 "$TMPDIR/stable" <(sort "$TMPDIR/with"))
	# what was stable as a whole is compared as a whole: order, and lines that came in addition
	if [ -z "$missing" ] && cmp -s "$TMPDIR/bare1" "$TMPDIR/bare2" && ! cmp -s "$TMPDIR/bare1" "$TMPDIR/with"; then
		missing=$(diff "$TMPDIR/bare1" "$TMPDIR/with")
	fi
	echo "$name: $(wc -l <"$TMPDIR/stable") of $(wc -l <"$TMPDIR/bare1") lines are stable${missing:+, and differ with the library}"
	[ -s "$TMPDIR/stable" ] || fail "$name printed nothing that could be compared"
	[ -z "$missing" ] || differ+="$name: $missing"$'\n'
	compared+=" $name"
	rm "$TMPDIR/bare1" "$TMPDIR/bare2" "$TMPDIR/with" "$TMPDIR/stable"
done
[ -z "$differ" ] || fail "not the same with the library: $differ"
[ -n "$compared" ] || fail "nothing was compared"
rm -rf "$FEED"
cleanup
