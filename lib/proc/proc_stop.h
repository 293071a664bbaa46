/*
 * proc_stop - a thread that runs, stopped for a moment by ptrace: its registers, its stack.
 */
#ifndef SHMSCOPE_PROC_STOP_H
#define SHMSCOPE_PROC_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct proc_stopped {
	struct user_regs_struct regs;
	uint64_t addr; /* where the copy of the stack begins: at its stack pointer or just below */
	size_t n;      /* how much of it there was */
	bool again;    /* it was in a system call after all, which has begun again */
};

/*
 * proc_stop_copy - stop one thread, copy what unwinding needs, let it go on.
 *
 * stack  filled, at most room bytes.  got  set when it worked.
 *
 * A thread that ran when somebody looked may sleep when it is stopped. The kernel begins most
 * calls again by itself; those that would give EINTR for no other reason than the stop
 * (epoll_wait, semop...) are begun again here, so that the program sees nothing of it. A signal
 * that waits for the thread ends the call as it would have done.
 *
 * Returns NULL, or why it did not work, a few words.
 * Safety: MT-safe; blocks for at most 0.2 s. Needs the right to trace.
 */
const char *proc_stop_copy(pid_t tid, void *stack, size_t room, struct proc_stopped *got);

#endif
