/*
 * as_peek - look at a blocked thread without touching it.
 *
 * A thread that sleeps in the kernel shows its stack pointer and program counter in
 * /proc/PID/task/TID/syscall; process_vm_readv copies its stack. Nobody is stopped, no signal is
 * sent, no EINTR arises; the thread does not know. That it did not move meanwhile is proved by
 * its times (schedstat) before and after. Only threads that run cannot be looked at this way.
 *
 *	struct as_peek *p = mmap(as_peek_bytes());
 *	as_peek_init(p, pid);
 *	as_peek_refresh(p);                     once per dump: modules
 *	as_peek_thread(p, tid, &thread);        for each tid of as_proc_tids()
 *	as_peek_fini(p);
 *
 * The same code looks at its own process (pid 0: from a dumper thread) and at another one.
 */
#ifndef SHMSCOPE_AS_PEEK_H
#define SHMSCOPE_AS_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_proc.h"
#include "lib/as/as_unwind.h"

enum {
	AS_PEEK_WINDOW = 65536,
	AS_PEEK_PAGES = 32,
	AS_PEEK_ROWS = 4096,
	AS_PEEK_MODULES = 1024,
	AS_PEEK_NAMES = 65536,
	AS_PEEK_TRIES = 3,
	AS_PEEK_FRAMES = 256,
};

/* All that looking at a process needs; some 560 KiB. */
struct as_peek {
	pid_t pid;
	int proc_fd;
	int error; /* why this process cannot be read (as_mem_init), 0 if it can */
	struct as_unwinder unwinder;
	struct as_module module[AS_PEEK_MODULES];
	struct as_row row[AS_PEEK_ROWS];
	uint64_t page_addr[AS_PEEK_PAGES];
	char names[AS_PEEK_NAMES];
	uint8_t window[AS_PEEK_WINDOW];
	uint8_t pages[AS_PEEK_PAGES * AS_MEM_PAGE] __attribute__((aligned(64)));
};
_Static_assert(sizeof(struct as_peek) <= 768 << 10, "the dumper's working set is 1 MiB in all");

/* How a thread was captured. as_captured_name() gives a word; the feed has "peek" and "proc". */
enum as_captured {
	AS_CAPTURED_PEEK,    /* frames are there */
	AS_CAPTURED_RUNNING, /* it ran at each try: only a signal or ptrace can tell more */
	AS_CAPTURED_GONE,    /* it ended */
	AS_CAPTURED_PROC,    /* the kernel does not show its registers; see `error` and `state` */
};

struct as_thread {
	pid_t tid;
	char comm[AS_PROC_COMM];
	char state;       /* letter of /proc; '?' not known */
	uint8_t captured; /* enum as_captured */
	uint8_t end;      /* enum as_end, when there are frames */
	bool moved;       /* it ran while it was looked at: the frames may not belong together */
	int error;        /* AS_CAPTURED_PROC: -EACCES, -EPERM, ...; -ENODATA: no user stack */
	int nr;           /* system call it is blocked in; -1: none */
	uint64_t args[6];
	uint64_t sp, pc;
	uint64_t start;   /* clock ticks since boot */
	struct as_proc_mark mark; /* equal in a later look: it has not run in between */
	unsigned frames;
	uint64_t frame[AS_PEEK_FRAMES];     /* program counters, innermost first */
	uint8_t flags[AS_PEEK_FRAMES]; /* enum as_frame_flags */
};

const char *as_captured_name(enum as_captured captured);

/* as_peek_bytes - what as_peek_init() needs; zeroed pages of mmap will do. */
static inline size_t as_peek_bytes(void)
{
	return sizeof(struct as_peek);
}

/*
 * as_peek_init - prepare to look at a process.
 *
 * p    as_peek_bytes() of the caller's memory; used until as_peek_fini().
 * pid  0: this process.
 * Returns 0; -ESRCH; or a negative errno when its memory may not be read (-EPERM, -EACCES): then
 * p->error holds it too, and as_peek_thread() still tells what /proc does.
 * Safety: AS-safe, one-owner (of p).
 */
int as_peek_init(struct as_peek *p, pid_t pid);
void as_peek_fini(struct as_peek *p);

/*
 * as_peek_refresh - read the list of modules again.
 * Returns 0 or a negative errno; threads can be looked at without it, but frames are then found
 * in modules of the last reading only.
 * Safety: AS-safe, one-owner (of p); may block while the target's memory map is locked.
 */
int as_peek_refresh(struct as_peek *p);

/*
 * as_peek_thread - look at one thread.
 *
 * t  filled; t->captured says how far it went.
 * Safety: AS-safe, one-owner (of p); bounded. A look at the calling thread itself shows it in
 * the middle of this function: pass it over.
 */
void as_peek_thread(struct as_peek *p, pid_t tid, struct as_thread *t);

/*
 * as_peek_regs - unwind from a full set of registers (a signal's ucontext, ptrace) into t's
 * frames, end, sp and pc. The thread must not run meanwhile.
 * Safety: as as_peek_thread().
 */
void as_peek_regs(struct as_peek *p, const struct as_regs *regs, struct as_thread *t);

/*
 * as_peek_copy - the same from a copy of the stack, n bytes that lay at `addr`: the thread may
 * run on. What lies beyond the copy counts as truncated.
 * Safety: as as_peek_thread().
 */
void as_peek_copy(struct as_peek *p, const struct as_regs *regs, uint64_t addr, const void *stack,
		  size_t n, struct as_thread *t);

#endif
