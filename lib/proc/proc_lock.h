/* proc_lock - who holds the file lock that somebody waits for, from /proc/locks. */
#ifndef SHMSCOPE_PROC_LOCK_H
#define SHMSCOPE_PROC_LOCK_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

/*
 * proc_lock_holder - the process that keeps `waiter` waiting for a lock on a file.
 *
 * waiter  pid (not tid) of the process that waits in flock(2) or fcntl(2).
 * inode   of the file.
 *
 * Returns the holder's pid; 0 when the lock is held but the holder has no pid (an open file
 * description lock, or a process of a foreign pid namespace); -ENOENT when nothing in the
 * list blocks it; why the list cannot be read.
 * Safety: MT-safe.
 */
pid_t proc_lock_holder(pid_t waiter, uint64_t inode, struct err *err);

/* proc_lock_parse - the same from the list's text; pure. Safety: MT-safe. */
pid_t proc_lock_parse(const char *text, pid_t waiter, uint64_t inode);

#endif
