#!/bin/bash
# time limit: 170
# Functions are called what their author called them: C++, Rust, Go with C below it. A language
# whose compiler is not there is left out, and said.
. tests/sigdump_lib.sh
said=
cd "$TMPDIR" || exit 1
here=$OLDPWD
export HOME=$TMPDIR GOCACHE=$TMPDIR/go GOFLAGS=-mod=mod RUSTUP_HOME=${RUSTUP_HOME:-/root/.rustup}
SIGDUMP=$(realpath "$here/$SIGDUMP")

look_at() { # PROGRAM NAMES...: each stands in the dump
	mkfifo in
	"./$1" <in >said &
	pid=$!
	exec 9>in
	rm in
	until grep -q ready said 2>/dev/null; do sleep 0.05; done
	# until the last of its threads sleeps where it is to be seen
	for i in $(seq 100); do
		"$SIGDUMP" dump -q -p $pid >dump || fail "sigdump dump: $?"
		missing=
		for name in "${@:2}"; do
			grep -qF -- "$name" dump || missing=$name
		done
		[ -n "$missing" ] || break
		sleep 0.05
	done
	[ -z "$missing" ] || { cat dump; fail "no \"$missing\" in the dump of $1"; }
	exec 9>&-
	wait $pid
	pid=
}

if command -v g++ >/dev/null; then
	cat >cxx.cc <<'CC'
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <unistd.h>
namespace shop {
template <class T> struct Queue {
	__attribute__((noinline)) int pop(T wanted) const { return pause() + (int)wanted; }
	int operator()(std::string const &key) const { return pop((T)key.size()) + 1; }
};
}
int main()
{
	std::thread t([] { std::function<int()> f = [] { return shop::Queue<long>()("key") + 1; }; return f(); });
	puts("ready");
	fflush(stdout);
	getchar();
	_exit(0);
}
CC
	g++ -g -O1 -pthread -o cxx cxx.cc || fail "g++"
	look_at cxx "shop::Queue<long>::pop(long) const" "shop::Queue<long>::operator()(std::" "std::thread::_State_impl<"
	# the symbol table alone gives the same name
	strip --strip-debug cxx
	look_at cxx "shop::Queue<long>::pop(long) const"
else
	said="$said g++"
fi

if rustc --version >/dev/null 2>&1; then
	cat >rust.rs <<'RS'
use std::io::Read;
mod shop {
    pub struct Queue<T> { pub wanted: T }
    pub trait Pop { fn pop(&self) -> usize; }
    impl Pop for Queue<u64> {
        #[inline(never)]
        fn pop(&self) -> usize { let mut b = [0u8; 1]; super::read_one(&mut b) + self.wanted as usize }
    }
}
#[inline(never)]
fn read_one(b: &mut [u8]) -> usize { std::io::stdin().read(b).unwrap_or(0) + b[0] as usize }
fn main() {
    println!("ready");
    use shop::Pop;
    std::process::exit((shop::Queue { wanted: 1u64 }.pop() > 1 << 40) as i32);
}
RS
	rustc -g -O -o rust rust.rs 2>/dev/null || fail "rustc"
	look_at rust "<rust::shop::Queue<u64> as rust::shop::Pop>::pop" "rust::read_one"
else
	said="$said rustc"
fi

if go version >/dev/null 2>&1 && command -v gcc >/dev/null; then
	cat >mixed.go <<'GO'
package main

/*
#include <unistd.h>
static __attribute__((noinline)) int wait_in_c(int n) { return pause() + n; }
*/
import "C"
import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

type queue struct{ wanted int }

//go:noinline
func (q *queue) popInC() int { return int(C.wait_in_c(C.int(q.wanted))) + 1 }

//go:noinline
func (q *queue) popInGo() int { _ = syscall.Pause(); return q.wanted + 1 }

func main() {
	go func() { runtime.LockOSThread(); (&queue{1}).popInC() }()
	go func() { runtime.LockOSThread(); (&queue{2}).popInGo() }()
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}
GO
	go build -o mixed mixed.go || fail "go build"
	# below C the runtime goes on on a stack of its own; in Go the chain leads on to the goroutine
	look_at mixed " wait_in_c " "Cfunc_wait_in_c" "runtime.asmcgocall" "main.(*queue).popInGo" "main.main.func2" \
		"runtime.futex "
else
	said="$said go"
fi
chmod -R u+w "$TMPDIR"
rm -rf "${TMPDIR:?}"/*
if [ -n "$said" ]; then
	echo "skipped: not installed:$said"
	exit 77
fi
