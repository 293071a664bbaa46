#!/bin/bash
# Runtimes that bring their own signal handlers and threads, past the C library: node, and Go with C
# in it. SIGUSR1 stays theirs; the control page asks, and every thread is in the dump.
# time limit: 180
. tests/sigdump_lib.sh
if [ -n "$runtime" ]; then
	echo "skipped: runtimes of others are not built with a sanitizer"
	exit 77
fi
ran=

complete() { # NAME
	"$SIGDUMP" dump -q -f ndjson -p "$pid" -o "$TMPDIR/records" || fail "$1: dump"
	equal "$(select_records 'select(.t=="thread" and .own==false and .stack==null) | [.state,.reason]' "$TMPDIR/records" |
		grep -v ending)" "" "$1: threads without a stack"
	equal "$(select_records 'select(.t=="done") | .timeout' "$TMPDIR/records")" false "$1: in time"
	# threads in system calls were not touched
	equal "$(select_records 'select(.t=="thread" and .disturbed and .captured=="peek")' "$TMPDIR/records")" "" "$1"
	rm "$TMPDIR/records"
}

if command -v node >/dev/null; then
	ran+=" node"
	start_program node -e '
		process.stdin.on("end", () => process.exit(3)).resume();
		new (require("worker_threads").Worker)("for (;;);", { eval: true });  // computes
		setTimeout(() => console.log("ready"), 200)'
	await_ready
	for _ in 1 2 3; do complete node; done
	kill -USR1 "$pid"
	read_line
	equal "${line%% on *}" "Debugger listening" "node has its SIGUSR1"
	complete node
	exec {to}>&-
	timeout 30 cat <&"$from" >/dev/null
	exec {from}<&-
	wait "$pid"
	equal $? 3 "node"
	pid=
fi

if command -v go >/dev/null; then
	ran+=" go"
	cat >"$TMPDIR/q.go" <<'END'
package main

/*
#include <unistd.h>
static int block_in_c(int fd) { char c; return (int)read(fd, &c, 1); }
*/
import "C"
import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func compute() int {
	for n := 0; ; n++ {
		runtime.KeepAlive(n)
	}
}

func main() {
	r, _, _ := os.Pipe()
	for i := 0; i < 3; i++ {
		go C.block_in_c(C.int(r.Fd()))
	}
	go func() { runtime.LockOSThread(); time.Sleep(time.Hour) }()
	go compute()
	got := make(chan os.Signal, 9)
	signal.Notify(got, syscall.SIGUSR1, syscall.Signal(57))
	go func() {
		for s := range got {
			fmt.Println("got", int(s.(syscall.Signal)))
		}
	}()
	mask, _ := exec.Command("sed", "-n", "s/SigBlk:.//p", "/proc/self/status").Output()
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready", os.Getpid())
	os.Stdin.Read(make([]byte, 1))
	fmt.Print("mask ", string(mask))
	os.Exit(4)
}
END
	(cd "$TMPDIR" && HOME=$TMPDIR GOCACHE=$TMPDIR/cache GO111MODULE=off CGO_ENABLED=1 go build -o qgo q.go) ||
		fail "go build"
	start_program "$TMPDIR/qgo"
	await_ready
	# its handler for the signal by which running threads are asked is lent, and given back
	for sig in 10 57; do
		complete go
		kill -$sig "$pid"
		read_line
		equal "$line" "got $sig" "go has its signal $sig"
	done
	complete go
	finish
	equal "$rest $status" "mask 0000000000000000 4" "go"
fi
[ -n "$ran" ] || { echo "skipped: neither node nor go is installed"; exit 77; }
valid_feeds
cleanup
