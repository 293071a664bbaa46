/*
 * proc_status - what /proc/PID/status says beyond stat: signal masks, owner, tracer, the pid
 * inside its own namespace. Asked before any signal is sent: one that is neither caught,
 * blocked nor ignored would kill.
 */
#ifndef SHMSCOPE_PROC_STATUS_H
#define SHMSCOPE_PROC_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_proc.h"
#include "lib/base/err.h"

enum { PROC_LEVELS = 32 }; /* of pid namespaces, as many as the kernel has */

struct proc_status {
	struct as_proc_signals signals; /* of this thread; ask them with proc_mask_has() */
	uid_t uid;           /* effective */
	pid_t tracer;        /* 0: nobody */
	pid_t inner_pid;     /* in its innermost pid namespace; 0: this kernel does not say */
	pid_t level_pid[PROC_LEVELS]; /* in each, ours first */
	unsigned levels;     /* 0: this kernel does not say */
	int seccomp;         /* 0 none, 1 strict, 2 filter, -1 unknown */
	bool has_memory;     /* false: a kernel thread or a zombie */
};

/*
 * proc_status - of one thread; tid == pid asks for the main thread.
 * Returns 0; -ESRCH, -EACCES. Safety: MT-safe.
 */
int proc_status(pid_t pid, pid_t tid, struct proc_status *status, struct err *err);

/* proc_status_parse - all but the signals, from the file's text; pure. Safety: MT-safe. */
void proc_status_parse(const char *text, struct proc_status *status);

/* proc_mask_has - is signal `sig` in the mask? Safety: MT-safe. */
static inline bool proc_mask_has(uint64_t mask, int sig)
{
	return sig >= 1 && sig <= 64 && (mask >> (sig - 1) & 1);
}

#endif
