/*
 * as_locks - who holds the file lock that a thread waits for, from /proc/locks.
 *
 * Safety, for every function here: AS-safe, one-owner; bounded.
 */
#ifndef SHMSCOPE_AS_LOCKS_H
#define SHMSCOPE_AS_LOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/as/as_peek.h"

enum { AS_LOCK_HOLDERS = 4 };

struct as_lock_holder {
	pid_t pid;  /* 0: the list has none (a lock of an open file description, another pid namespace) */
	char state; /* letter of /proc; 'X': there is no such process; '?' not known */
	char comm[AS_PROC_COMM];
};

struct as_lock {
	char kind[8];     /* "FLOCK", "POSIX", "OFDLCK" */
	bool is_exact;    /* the list shows the thread's process in this lock's queue; else these are
			     all that hold a lock on that file */
	uint64_t inode;   /* of the file */
	uint32_t n;       /* of holders in all */
	unsigned holders;
	struct as_lock_holder holder[AS_LOCK_HOLDERS];
};

/* as_locks_wants - the thread waits in flock(2) or in fcntl(2) for a lock. */
bool as_locks_wants(const struct as_thread *t);

/*
 * as_locks_read - for a thread that wants one.
 * Returns false when the file is not known, or the list cannot be read.
 */
bool as_locks_read(struct as_lock *lock, const struct as_peek *p, const struct as_thread *t);

#endif
