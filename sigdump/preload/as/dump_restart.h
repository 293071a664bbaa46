/*
 * dump_restart - a system call that our signal has interrupted begins again.
 *
 * The kernel restarts what it can by itself (SA_RESTART); what is left says -EINTR in RAX behind a
 * `syscall`. Its number is no longer in any register: it is taken from the instruction that loads
 * it, which stands a few before. The C library's syscall() has it from its caller (Rust's futexes,
 * and those of many others): ours in front of it keeps it (pl_seccomp.c).
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_RESTART_H
#define SHMSCOPE_PRELOAD_DUMP_RESTART_H

#include <stdbool.h>
#include <stdint.h>

/* The last call of this thread that was made through syscall(2), and the stack pointer in it. */
struct dump_call {
	uint64_t sp;
	uint64_t nr;
};
#pragma GCC visibility push(hidden)
extern __thread struct dump_call dump_call;
#pragma GCC visibility pop

/*
 * dump_restart - if the context (a handler's) stands right behind a system call that was
 * interrupted and that the kernel does not restart, make it begin again.
 *
 * Only calls that may be begun again without harm are. A time-out given as a span begins again
 * too, except that sleeps with a place for the rest sleep only the rest. When another signal waits
 * to be delivered, that one ends the call: nothing is done.
 *
 * Returns whether the call will begin again.
 * Safety: AS-safe.
 */
bool dump_restart(void *context);

#endif
