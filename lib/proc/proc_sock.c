#include "lib/proc/proc_sock.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

enum { TCP_LISTEN_STATE = 10, ANSWER_ROOM = 8 << 10 };

static int ask(struct proc_sock *sock, uint32_t inode)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} msg = {
		.head = {
			.nlmsg_len = sizeof(msg),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST,
			.nlmsg_seq = ++sock->seq,
		},
		.req = {
			.sdiag_family = AF_UNIX,
			.udiag_states = ~0u,
			.udiag_ino = inode,
			.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN,
			/* both words -1: the inode alone decides */
			.udiag_cookie = { ~0u, ~0u },
		},
	};
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(sock->fd, &msg, sizeof(msg), MSG_NOSIGNAL, (const void *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

/* Abstract names start with a NUL and may hold more: shown as '@'. */
static void copy_name(struct proc_sock_info *info, const char *name, size_t n)
{
	if (n >= sizeof(info->name))
		n = sizeof(info->name) - 1;
	for (size_t i = 0; i < n; i++)
		info->name[i] = name[i] ? name[i] : '@';
	info->name[n] = '\0';
	if (n && name[0]) /* a path's closing NUL is not part of it */
		info->name[strnlen(name, n)] = '\0';
}

static void take_attribute(const struct rtattr *attr, struct proc_sock_info *info)
{
	const void *data = RTA_DATA(attr);
	const size_t n = RTA_PAYLOAD(attr);
	struct unix_diag_rqlen queue;
	uint32_t peer;

	switch (attr->rta_type) {
	case UNIX_DIAG_NAME:
		copy_name(info, data, n);
		break;
	case UNIX_DIAG_PEER:
		if (n >= sizeof(peer)) {
			memcpy(&peer, data, sizeof(peer));
			info->peer = peer;
		}
		break;
	case UNIX_DIAG_RQLEN:
		if (n >= sizeof(queue)) {
			memcpy(&queue, data, sizeof(queue));
			info->unread = queue.udiag_rqueue;
			info->unsent = queue.udiag_wqueue;
			info->has_queue = true;
		}
		break;
	}
}

static int take_answer(const struct nlmsghdr *head, struct proc_sock_info *info)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(head);

	if (head->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = NLMSG_DATA(head);

		if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
			return -EBADMSG;
		return e->error ? e->error : -EBADMSG;
	}
	if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY || head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return -EBADMSG;
	*info = (struct proc_sock_info){
		.inode = msg->udiag_ino,
		.type = msg->udiag_type,
		.is_listening = msg->udiag_state == TCP_LISTEN_STATE,
	};
	int left = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)));
	for (const struct rtattr *a = (const void *)(msg + 1); RTA_OK(a, left); a = RTA_NEXT(a, left))
		take_attribute(a, info);
	return 0;
}

/* The answer to the last question; late ones to earlier questions are skipped. */
static int hear(struct proc_sock *sock, struct proc_sock_info *info)
{
	_Alignas(struct nlmsghdr) char room[ANSWER_ROOM];

	for (;;) {
		const ssize_t n = recv(sock->fd, room, sizeof(room), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		const struct nlmsghdr *head = (const void *)room;
		if (NLMSG_OK(head, (size_t)n) && head->nlmsg_seq == sock->seq)
			return take_answer(head, info);
	}
}

/* A kernel without the unix part says ENOENT to every question: tell that from a closed socket. */
static int try_out(struct proc_sock *sock, struct err *err)
{
	struct proc_sock_info info;
	struct stat st;
	CLOSES int own = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (own < 0 || fstat(own, &st) < 0)
		return err_set(err, -errno, "sock_diag: no socket to try it on (%m)");
	const int code = proc_sock_find(sock, st.st_ino, &info, err);
	if (code == -ENOENT)
		return err_set(err, -ENOSYS, "sock_diag: this kernel does not tell about unix "
			       "sockets (no unix_diag)");
	return code;
}

int proc_sock_open(struct proc_sock *sock, struct err *err)
{
	const struct timeval second = { .tv_sec = 1 };
	int code;

	sock->seq = 0;
	sock->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (sock->fd < 0)
		return err_set(err, errno == EPROTONOSUPPORT ? -ENOSYS : -errno,
			       "sock_diag: cannot be opened (%m)");
	if (setsockopt(sock->fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) < 0)
		code = err_set(err, -errno, "sock_diag: no time limit (%m)");
	else
		code = try_out(sock, err);
	if (code < 0)
		proc_sock_close(sock);
	return code;
}

void proc_sock_close(struct proc_sock *sock)
{
	if (sock->fd >= 0)
		close(sock->fd);
	sock->fd = -1;
}

int proc_sock_find(struct proc_sock *sock, uint64_t inode, struct proc_sock_info *info,
		   struct err *err)
{
	/* socket inodes have 32 bits; 0 would ask for none in particular */
	if (!inode || inode > UINT32_MAX)
		return err_set(err, -ENOENT, "socket:[%llu]: no such socket",
			       (unsigned long long)inode);
	struct proc_sock_info found;
	int code = ask(sock, (uint32_t)inode);

	if (!code)
		code = hear(sock, &found);
	if (code == -ENOENT)
		return err_set(err, code, "socket:[%llu]: no unix socket here (closed, or in "
			       "another network namespace)", (unsigned long long)inode);
	if (code < 0) {
		errno = -code;
		return err_set(err, code, "socket:[%llu]: sock_diag does not answer (%m)",
			       (unsigned long long)inode);
	}
	*info = found;
	return 0;
}

int proc_sock_unread_by_fd(pid_t pid, int fd, uint32_t *unread, struct err *err)
{
	CLOSES int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return err_set(err, -errno, "pid %d: cannot be referred to (%m)", (int)pid);
	CLOSES int dup = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (dup < 0)
		return err_set(err, errno == EPERM ? -EACCES : -errno,
			       "pid %d: fd %d cannot be borrowed (%m)", (int)pid, fd);
	int n = 0;

	if (ioctl(dup, FIONREAD, &n) < 0)
		return err_set(err, -errno, "pid %d: fd %d has no count of unread bytes (%m)",
			       (int)pid, fd);
	*unread = n > 0 ? (uint32_t)n : 0;
	return 0;
}
