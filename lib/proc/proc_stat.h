/*
 * proc_stat - who is running: one process, all of them, and whether a pid is still who it was.
 *
 * A pid alone names nobody: pids are reused. (boot id, pid namespace, pid, start time) does;
 * see proc_ident.h for the first two.
 */
#ifndef SHMSCOPE_PROC_STAT_H
#define SHMSCOPE_PROC_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_proc.h"
#include "lib/base/err.h"

struct proc_stat {
	pid_t pid, ppid;
	char comm[AS_PROC_COMM]; /* as the kernel has it; may hold any byte but NUL */
	char state;           /* R S D T t Z X I */
	unsigned threads;
	uint64_t start_ticks; /* since boot, in clock ticks: the number kept in hubs and feeds */
	uint64_t cpu_ticks;   /* user + system */
	uint64_t rss_bytes;
};

/*
 * proc_stat - one process.
 * Returns 0; -ESRCH when there is no such process; -EACCES; -EBADMSG when the line is not one.
 * Safety: MT-safe.
 */
int proc_stat(pid_t pid, struct proc_stat *stat, struct err *err);

/*
 * proc_list - the processes of one user, ascending.
 *
 * uid    owner of /proc/PID; (uid_t)-1 lists all. A process that made itself undumpable
 *        belongs to root there.
 * pids   returned, free(); *n are in it.
 *
 * Returns 0, -ENOMEM, or why /proc cannot be listed.
 * Safety: MT-safe. A process that starts meanwhile may be missed.
 */
int proc_list(uid_t uid, pid_t **pids, size_t *n, struct err *err);

/*
 * proc_is_same - is pid still the process that started at start_ticks?
 * False too when it cannot be read; a zombie is still the same process.
 * Safety: MT-safe.
 */
bool proc_is_same(pid_t pid, uint64_t start_ticks);

#endif
