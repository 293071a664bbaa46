/*
 * as_ends - the open files that a blocked thread waits on: the one it reads from or writes to,
 * those of its epoll set, of poll and of select.
 *
 * Asked of the kernel's own lists and of the arguments in the thread's memory. An epoll set knows
 * its files by the numbers they were added under; a number may have been closed since, and be
 * another file now: that is told by the inode.
 *
 * Safety, for every function here: AS-safe, one-owner; bounded.
 */
#ifndef SHMSCOPE_AS_ENDS_H
#define SHMSCOPE_AS_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/as/as_peek.h"

enum {
	AS_ENDS = 32,      /* listed of one wait; the rest is counted */
	AS_END_LINK = 128,
};

struct as_waited {
	int fd;
	uint32_t events;  /* waited for, as poll(2) has them */
	uint64_t inode;   /* as the epoll set has it; 0: not told */
};

struct as_ends {
	int set;          /* the epoll set; -1: no such */
	uint32_t n;       /* how many there are in all */
	bool more;        /* and further ones that were not counted */
	unsigned listed;
	struct as_waited end[AS_ENDS];
};

/*
 * as_ends_read - of a thread that is blocked in system call t->nr.
 * mem  the process's memory; NULL: what poll and select wait on stays unknown.
 * Returns false when the thread waits on no file, or which ones cannot be read.
 */
bool as_ends_read(struct as_ends *e, int proc_fd, struct as_mem *mem, const struct as_thread *t);

/* as_ends_set_of - the number of the epoll set that it waits on; -1: none. */
int as_ends_set_of(const struct as_thread *t);

/*
 * as_ends_link - what that descriptor of the thread is: "pipe:[1234]", a path.
 * Returns its length; 0 when it is not open, or another file than the set has under that number.
 */
size_t as_ends_link(int proc_fd, const struct as_thread *t, const struct as_waited *end,
		    char link[AS_END_LINK]);

/* as_ends_is_fifo - what a path leads to is a named pipe. Asks no network filesystem's server. */
bool as_ends_is_fifo(int proc_fd, pid_t tid, int fd);

/*
 * as_ends_peer - the inode of the other end of a connected unix socket; 0 when it is none, or
 * that cannot be asked.
 * diag  a NETLINK_SOCK_DIAG socket; -1: cannot be asked.  link  its as_ends_link().
 */
uint64_t as_ends_peer(int diag, const char *link, size_t n);

#endif
