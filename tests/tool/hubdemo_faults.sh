#!/bin/bash
# Each fault is injected, stays as it is until the end, and hurts nobody else.
# time limit: 240
. tests/tool/hubdemo.inc

turns() { # of pid: how often it was scheduled
	echo $(($(sed -n "s/.*ctxt_switches:[[:space:]]*//p" "/proc/$1/status" | paste -sd+)))
}
in_call() { # pid, number: is it blocked in that system call?
	[ "$(cut -d' ' -f1 "/proc/$1/syscall")" = "$2" ]
}
state_of() {
	sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status"
}
injected() { # fault, peer id
	demo_says "injected $1 peer=$2" 20
}

# peers that sleep or stand still: the system call each must stay in ("T": stopped)
epoll=232 read=0 futex=202 flock=73 connect=42 poll=7 pause=34
table="
lost-bell:peer=fonts $epoll
lost-bell:peer=images,to=host $epoll
deaf-peer:peer=search $epoll
blocked-peer:peer=markdown,in=read $read
blocked-peer:peer=code-exec,in=futex $futex
blocked-peer:peer=css,in=flock $flock
blocked-peer:peer=scripts,in=connect $connect
stopped-peer:peer=templates T
stopped-sender:peer=sitemap T
frozen-beat:peer=feeds $pause
dropped-call:peer=highlight $epoll
no-replies:peer=math $epoll
reentrant-call:peer=diagrams $poll
lost-descriptor:peer=i18n $epoll
"
args=()
while read -r fault _; do [ -z "$fault" ] || args+=(--fault "$fault"); done <<<"$table"
demo_start --inject-after 0.3s "${args[@]}"
while read -r fault _; do
	[ -z "$fault" ] || demo_says "injected ${fault%%:*} peer=" 20
done <<<"$table"
declare -A before
for ((look = 0; look < 2; look++)); do
	while read -r fault call; do
		[ -n "$fault" ] || continue
		name=$(sed 's/.*peer=\([^,]*\).*/\1/' <<<"$fault")
		pid=$(peer_pid "$name")
		if [ "$call" = T ]; then
			[ "$(state_of "$pid")" = T ] || failed "$fault: not stopped"
		else
			in_call "$pid" "$call" || failed "$fault: not in call $call: $(cat "/proc/$pid/syscall")"
		fi
		now=$(turns "$pid")
		[ $look = 0 ] || [ "${before[$name]}" = "$now" ] || failed "$fault: it has moved"
		before[$name]=$now
	done <<<"$table"
	healthy=$(turns "$(peer_pid links)")
	[ $look = 0 ] || [ "$healthy" -gt $((others + 100)) ] || failed "the others' traffic stands still"
	others=$healthy
	[ $look = 1 ] || sleep 1.5
done
demo_end 0
grep -q 'eintr=[1-9]' "$TMPDIR/said" && failed "a wait was interrupted"

# the ones that move, and those of the host itself
demo_start --inject-after 0.3s --fault spinning-peer:peer=css --fault slow-peer:peer=math \
	--fault wrong-peer:peer=links --fault lock-call-cycle:peer=i18n --fault killed-peer:peer=feeds \
	--fault full-both:peer=fonts --fault deadlock --fault dead-owner --fault lost-futex-wake
for fault in 'spinning-peer peer=6' 'slow-peer peer=12' 'wrong-peer peer=15' 'lock-call-cycle peer=14' \
	'killed-peer peer=10' 'full-both peer=1' 'deadlock peer=0' 'dead-owner peer=0' 'lost-futex-wake peer=0'; do
	demo_says "injected $fault" 20
done
[ "$(state_of "$(peer_pid css)")" = R ] || failed "spinning-peer does not spin"
others=$(turns "$(peer_pid images)")
sleep 1
[ "$(turns "$(peer_pid images)")" -gt $((others + 100)) ] || failed "the others' traffic stands still"
demo_end 0
[ "$(field failed)" -ge 8 ] || failed "the killed peer's calls were not counted as failed"

# the ones that everybody feels
for fault in hoarder disk-full corrupt:what=head corrupt:what=tail corrupt:what=slot \
	corrupt:what=class corrupt:what=offset corrupt:what=section corrupt:what=magic; do
	demo_start --inject-after 0.2s --load idle --fault "$fault"
	injected "${fault%%:*}" 3
	demo_end 0
done

wrong() { # SPEC WORDS
	"$B/bin/hubdemo" --hub "$hub" --fault "$1" >"$TMPDIR/said" 2>"$errors"
	[ $? -eq 2 ] && grep -qF -- "$2" "$errors" || failed "--fault $1 was not refused so"
}
wrong lost-bel 'no fault "lost-bel"'
wrong lost-bell:to=nobody 'is not one of peer|host'
wrong lost-bell:in=read 'lost-bell has no "in"'
wrong lost-bell:peer=99 'no peer "99" among 16'
wrong deadlock:peer=css 'deadlock concerns no peer'
"$B/bin/hubdemo" --hub "$hub" --fault lost-bell --fault deaf-peer 2>"$errors"
[ $? -eq 2 ] && grep -q 'two faults for peer 3' "$errors" || failed "two faults for one peer were taken"
