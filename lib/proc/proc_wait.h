/*
 * proc_wait - what a blocked thread waits for, from its system call and arguments.
 *
 * Three steps, so that a feed can be told like a live process: proc_wait_decode() is pure and
 * works on numbers from anywhere; proc_wait_look() adds what only the live process knows (what
 * the fd is, who holds the lock, where it connects to); proc_wait_text() says it in a phrase:
 *
 *	epoll_wait on fd 7, no timeout          read from pipe:[1234] (fd 5)
 *	futex 0x55d0c0a8                        flock on /tmp/x (fd 3) held by pid 123 (sh)
 *	poll on fd 5 (socket:[77]), timeout 1.0 s
 *	connect to 127.0.0.1:80 (fd 4)          nanosleep 10.0 s
 *	open /tmp/fifo to read, until somebody opens it to write
 *	wait4 for a child: pid 4120 (sleep)
 *
 * A thread that runs has no system call: the phrase for it is the caller's.
 */
#ifndef SHMSCOPE_PROC_WAIT_H
#define SHMSCOPE_PROC_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

enum proc_wait_kind {
	PROC_WAIT_OTHER,   /* a system call that tells no more than its name */
	PROC_WAIT_NONE,    /* blocked outside a system call: page fault, stopped */
	PROC_WAIT_READ,    /* read, recv, accept: until somebody writes to fd */
	PROC_WAIT_WRITE,   /* write, send: until somebody reads from fd */
	PROC_WAIT_EPOLL,   /* fd is the epoll set */
	PROC_WAIT_POLL,    /* poll and select: `fds` */
	PROC_WAIT_FUTEX,   /* addr, expected, futex_op */
	PROC_WAIT_FLOCK,   /* file lock: fd, holder */
	PROC_WAIT_CONNECT, /* fd, addr; object is the address */
	PROC_WAIT_OPEN,    /* a fifo, until somebody opens its other end; object is the path */
	PROC_WAIT_SLEEP,
	PROC_WAIT_CHILD,   /* wait4, waitid: child, 0 for any */
	PROC_WAIT_SIGNAL,  /* sigtimedwait, sigsuspend, pause */
	PROC_WAIT_IPC,     /* System V and POSIX queues and semaphores */
	PROC_WAIT_RESTART, /* restart_syscall: went on after stop and continue; its stack tells what */
};

enum proc_wait_clock {
	PROC_CLOCK_NONE,     /* cannot time out, or does not */
	PROC_CLOCK_SPAN,     /* timeout_ns */
	PROC_CLOCK_DEADLINE, /* there is one; how far away it is was not read */
	PROC_CLOCK_UNKNOWN   /* told by memory that was not read (yet) */
};

enum { PROC_WAIT_FDS = 8, PROC_WAIT_OBJECT = 256, PROC_WAIT_NAME = 20 };

struct proc_wait {
	long nr;
	const char *name;            /* of the system call; NULL: unknown number */
	enum proc_wait_kind kind;
	int fd;                      /* -1: not about one fd */
	int futex_op;                /* FUTEX_WAIT, FUTEX_LOCK_PI, ... without its flags */
	uint32_t expected;           /* futex: sleeps only while the word has this value */
	uint64_t addr;               /* futex word, pollfds or fd_set, socket address; 0: none */
	uint64_t count;              /* pollfds at addr; for select: highest fd + 1; open: flags */
	enum proc_wait_clock clock;
	uint64_t timeout_ns;
	uint64_t clock_addr;         /* where timeout_ns is to be read, while UNKNOWN */
	pid_t child;
	/* what proc_wait_look() adds; a reader of feeds may fill these in itself */
	char object[PROC_WAIT_OBJECT]; /* what fd is, the address, the child; "" unknown */
	bool is_fifo;                /* open: the path is a named pipe */
	const char *server;          /* it waits for the answer of a filesystem: "FUSE", "NFS"; NULL */
	uint64_t inode;              /* of that file, pipe or socket; 0 unknown */
	pid_t holder;                /* of the file lock; 0 unknown */
	char holder_name[PROC_WAIT_NAME]; /* "" unknown */
	bool holder_ended;           /* it took the lock; others that have its open file keep it */
	bool holder_unnamed;         /* it is held, but the system's list names no process */
	unsigned holders_more;       /* that may hold it as well */
	int fds[PROC_WAIT_FDS];      /* poll, select (for reading): the first ones waited for */
	unsigned n_fds;              /* how many there are in all; 0: not read */
};

/*
 * proc_wait_decode - the meaning of a system call's number and arguments; pure.
 * nr   -1: blocked outside a system call.
 * Safety: MT-safe.
 */
void proc_wait_decode(long nr, const uint64_t args[6], struct proc_wait *wait);

/*
 * proc_wait_look - add what the live process tells, from /proc and its memory. It is
 * read, not touched; what cannot be read, or only by waiting for somebody, stays unknown.
 *
 * Call it only while the thread is known to be still in that call (look at its context switches
 * before and after), else it describes a wait that is over.
 *
 * Returns 0, or the first reason why something stayed unknown (-ESRCH, -EACCES, -EBADF).
 * Safety: MT-safe, may block: as proc_maps_each().
 */
int proc_wait_look(pid_t pid, pid_t tid, struct proc_wait *wait);

/* proc_wait_set_place - by the kernel function that it sleeps in: fills wait->server and wait->is_fifo.
 * Safety: MT-safe. */
void proc_wait_set_place(struct proc_wait *wait, const char *where);

/* proc_wait_set_path - what is opened, by `n` bytes of memory that begin with its path: fills
 * wait->object. Safety: MT-safe. */
void proc_wait_set_path(struct proc_wait *wait, const void *from, size_t n);

/* proc_wait_set_address - what is connected to, by `n` bytes of its struct sockaddr: fills
 * wait->object. Safety: MT-safe. */
void proc_wait_set_address(struct proc_wait *wait, const void *from, size_t n);

/*
 * proc_wait_read - decode and look for one thread, now.
 * Returns 0; -EAGAIN when the thread is running; -ESRCH; -EACCES (undumpable, or not ours).
 * Safety: MT-safe, may block: as proc_maps_each().
 */
int proc_wait_read(pid_t pid, pid_t tid, struct proc_wait *wait, struct err *err);

/* proc_wait_text - the phrase. Returns buf. Safety: MT-safe. */
char *proc_wait_text(const struct proc_wait *wait, char *buf, size_t room);

#endif
