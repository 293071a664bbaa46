/*
 * proc_fd - the open files of a process: how many of which kind, and what one of them is.
 *
 * Read from the links in /proc/PID/fd; nothing is opened, so nobody notices.
 */
#ifndef SHMSCOPE_PROC_FD_H
#define SHMSCOPE_PROC_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

enum proc_fd_kind {
	PROC_FD_FILE,      /* anything with a path that is none of the following */
	PROC_FD_DEVICE,    /* below /dev, but not /dev/shm */
	PROC_FD_PIPE,
	PROC_FD_SOCKET,
	PROC_FD_EVENTFD,
	PROC_FD_EPOLL,
	PROC_FD_TIMERFD,
	PROC_FD_SIGNALFD,
	PROC_FD_INOTIFY,
	PROC_FD_PIDFD,
	PROC_FD_URING,
	PROC_FD_MEMFD,
	PROC_FD_OTHER,     /* other anonymous inodes */
	PROC_FD_KINDS
};

enum { PROC_FD_LINK = 256 };

struct proc_fd {
	int fd;
	enum proc_fd_kind kind;
	uint64_t inode;          /* of pipes and sockets; else 0 */
	char link[PROC_FD_LINK]; /* "socket:[1234]", a path; a longer one is cut */
};

/* proc_fd_kind_name - "socket", "pipe", ...; the word used in feeds and on screens. Safety: MT-safe. */
const char *proc_fd_kind_name(enum proc_fd_kind kind);

/* proc_fd_parse - kind and inode from a link's text; pure. Safety: MT-safe. */
void proc_fd_parse(const char *link, struct proc_fd *fd);

/*
 * proc_fd_look - one open file.
 * Returns 0; -EBADF when fd is not open there; -ESRCH, -EACCES. Safety: MT-safe.
 */
int proc_fd_look(pid_t pid, int fd, struct proc_fd *out, struct err *err);

/*
 * proc_fd_each - calls `see` for every open file, in ascending order as the kernel lists them.
 *
 * see    returns 0 to go on; anything else ends the walk and is returned.
 * Returns 0, -ESRCH, -EACCES, or what `see` returned. Files opened or closed meanwhile may be
 * missed.
 * Safety: MT-safe.
 */
int proc_fd_each(pid_t pid, int (*see)(const struct proc_fd *fd, void *arg), void *arg,
		 struct err *err);

/*
 * proc_fd_count - how many of each kind. Returns the total, or -ESRCH, -EACCES.
 * Safety: MT-safe. A process with very many takes about a microsecond for each.
 */
int proc_fd_count(pid_t pid, unsigned count[PROC_FD_KINDS], struct err *err);

/*
 * proc_fd_epoll - which files an epoll set watches.
 *
 * epfd   an epoll fd of that process.
 * fds    set to the watched fd numbers, as they were when they were added.
 *
 * Returns how many the set has (possibly more than room); -EBADF when epfd is not open there;
 * -EINVAL when it is no epoll set; -ESRCH, -EACCES.
 * Safety: MT-safe.
 */
int proc_fd_epoll(pid_t pid, int epfd, int *fds, unsigned room, struct err *err);

#endif
