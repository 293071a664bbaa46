/*
 * proc_sock - unix sockets by inode: bytes nobody has read yet, and who is at the other end.
 *
 * Asked of the kernel through NETLINK_SOCK_DIAG: no privilege, and neither end is touched or
 * woken. The doorbells of a hub are such sockets. A netlink socket sees the network namespace
 * it was opened in; sockets of another one are not found.
 */
#ifndef SHMSCOPE_PROC_SOCK_H
#define SHMSCOPE_PROC_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

struct proc_sock {
	int fd;       /* the netlink socket; -1 when closed */
	uint32_t seq; /* of the last question */
};

struct proc_sock_info {
	uint64_t inode;
	uint64_t peer;       /* inode of the other end; 0: none (closed, or not connected) */
	uint32_t unread;     /* bytes waiting to be read here; for a listener: connections waiting */
	uint32_t unsent;     /* bytes this end has sent that the other has not read */
	int type;            /* SOCK_STREAM, ... */
	bool is_listening;
	bool has_queue;      /* unread and unsent were told */
	char name[112];      /* bound address, "@..." when abstract, "" when unnamed */
};

/*
 * proc_sock_open - a place to ask from, tried out on a socket of our own.
 * Returns 0; -ENOSYS when the kernel lacks sock_diag or its unix part (a module); another errno.
 * Safety: one-owner.
 */
int proc_sock_open(struct proc_sock *sock, struct err *err);
/* proc_sock_close - closing twice is fine. Safety: one-owner. */
void proc_sock_close(struct proc_sock *sock);

/*
 * proc_sock_find - one unix socket.
 *
 * Returns 0; -ENOENT when no unix socket of our network namespace has that inode (it may be a
 * TCP socket, or closed); -ETIMEDOUT after a second without an answer.
 * Safety: one-owner; may block for a second.
 */
int proc_sock_find(struct proc_sock *sock, uint64_t inode, struct proc_sock_info *info,
		   struct err *err);

/*
 * proc_sock_unread_by_fd - FIONREAD on a duplicate of the process's own fd: works for any fd
 * and in any network namespace, but needs the rights of ptrace(2), and while the duplicate is
 * open (microseconds) the other end would not see a hangup. Asked for, never the default.
 *
 * Returns 0; -ESRCH, -EACCES, -EBADF, -ENOTTY (not a thing with unread bytes), -ENOSYS.
 * Safety: MT-safe.
 */
int proc_sock_unread_by_fd(pid_t pid, int fd, uint32_t *unread, struct err *err);

#endif
