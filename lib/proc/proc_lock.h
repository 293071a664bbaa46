/* proc_lock - who holds the file lock that somebody waits for, from /proc/locks. */
#ifndef SHMSCOPE_PROC_LOCK_H
#define SHMSCOPE_PROC_LOCK_H

#include <stdbool.h>
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

/*
 * proc_lock_is_with - the process has an open file with that path that carries a lock: its own, one
 * of the open file description, or one that a process took which it inherited the file from.
 * Safety: MT-safe.
 */
bool proc_lock_is_with(pid_t pid, const char *path);

/* A file that a process has open, that another one has locked, and it itself has not. */
struct proc_lock_other {
	pid_t pid;      /* who has locked it */
	char name[20];  /* "" unknown */
	char path[256];
};

/*
 * proc_lock_by_other - the first such file of the process.
 *
 * Who tries again and again to lock a file, and sleeps in between, is never seen waiting for it:
 * this is what can be said of it. It is no proof that the process wants that lock.
 *
 * Returns false when there is none, or the system's list cannot be read. Safety: MT-safe.
 */
bool proc_lock_by_other(pid_t pid, struct proc_lock_other *other);

/* proc_lock_parse - the same from the list's text; pure. Safety: MT-safe. */
pid_t proc_lock_parse(const char *text, pid_t waiter, uint64_t inode);

#endif
