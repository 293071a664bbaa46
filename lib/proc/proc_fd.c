#include "lib/proc/proc_fd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_priv.h"

/* About 20 000 watched files. */
enum { EPOLL_LIMIT = 1 << 20 };

/* First match wins. */
static const struct {
	const char *start;
	enum proc_fd_kind kind;
} links[] = {
	{ "socket:[", PROC_FD_SOCKET },
	{ "pipe:[", PROC_FD_PIPE },
	{ "anon_inode:[eventfd]", PROC_FD_EVENTFD },
	{ "anon_inode:[eventpoll]", PROC_FD_EPOLL },
	{ "anon_inode:[timerfd]", PROC_FD_TIMERFD },
	{ "anon_inode:[signalfd]", PROC_FD_SIGNALFD },
	{ "anon_inode:inotify", PROC_FD_INOTIFY },
	{ "anon_inode:[pidfd]", PROC_FD_PIDFD },
	{ "pidfd:[", PROC_FD_PIDFD }, /* since pidfs, Linux 6.9 */
	{ "anon_inode:[io_uring]", PROC_FD_URING },
	{ "anon_inode:", PROC_FD_OTHER },
	{ "/memfd:", PROC_FD_MEMFD },
	{ "/dev/shm/", PROC_FD_FILE },
	{ "/dev/", PROC_FD_DEVICE },
	{ "/", PROC_FD_FILE },
};

const char *proc_fd_kind_name(enum proc_fd_kind kind)
{
	static const char *const names[PROC_FD_KINDS] = {
		[PROC_FD_FILE] = "file",         [PROC_FD_DEVICE] = "device",
		[PROC_FD_PIPE] = "pipe",         [PROC_FD_SOCKET] = "socket",
		[PROC_FD_EVENTFD] = "eventfd",   [PROC_FD_EPOLL] = "epoll",
		[PROC_FD_TIMERFD] = "timerfd",   [PROC_FD_SIGNALFD] = "signalfd",
		[PROC_FD_INOTIFY] = "inotify",   [PROC_FD_PIDFD] = "pidfd",
		[PROC_FD_URING] = "io_uring",    [PROC_FD_MEMFD] = "memfd",
		[PROC_FD_OTHER] = "other",
	};

	return kind < PROC_FD_KINDS ? names[kind] : "other";
}

void proc_fd_parse(const char *link, struct proc_fd *fd)
{
	fd->kind = PROC_FD_OTHER;
	fd->inode = 0;
	if (link != fd->link)
		snprintf(fd->link, sizeof(fd->link), "%s", link);
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		const size_t n = strlen(links[i].start);

		if (strncmp(link, links[i].start, n) != 0)
			continue;
		fd->kind = links[i].kind;
		if (fd->kind == PROC_FD_SOCKET || fd->kind == PROC_FD_PIPE)
			fd->inode = strtoull(link + n, NULL, 10);
		return;
	}
}

/* Fills out->link and what it tells; false when there is no such link (any more). */
static bool look_at(int dir, const char *name, struct proc_fd *out)
{
	const ssize_t n = readlinkat(dir, name, out->link, sizeof(out->link) - 1);

	if (n < 0)
		return false;
	out->link[n] = '\0';
	proc_fd_parse(out->link, out);
	return true;
}

int proc_fd_look(pid_t pid, int fd, struct proc_fd *out, struct err *err)
{
	char path[64];
	struct proc_fd found;

	/* no directory is opened for this: looking at ourselves, it would take a free number */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	if (!look_at(AT_FDCWD, path, &found)) {
		const int code = proc_fail(pid, "fd", -errno, err);

		return code == -ENOENT ? err_set(err, -EBADF, "pid %d: fd %d is not open",
						 (int)pid, fd) : code;
	}
	found.fd = fd;
	*out = found;
	return 0;
}

int proc_fd_each(pid_t pid, int (*see)(const struct proc_fd *fd, void *arg), void *arg,
		 struct err *err)
{
	char path[64];
	int code = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);
	if (!dir)
		return proc_fail(pid, "fd", -errno, err);
	const int own = pid == getpid() ? dirfd(dir) : -1; /* open only because we look */
	for (const struct dirent *e; !code && (e = readdir(dir));) {
		struct proc_fd fd;

		if (!isdigit((unsigned char)e->d_name[0]) || !look_at(dirfd(dir), e->d_name, &fd))
			continue;
		fd.fd = atoi(e->d_name);
		if (fd.fd != own)
			code = see(&fd, arg);
	}
	closedir(dir);
	return code;
}

static int count_one(const struct proc_fd *fd, void *arg)
{
	unsigned *count = arg;

	count[fd->kind]++;
	return 0;
}

int proc_fd_count(pid_t pid, unsigned count[PROC_FD_KINDS], struct err *err)
{
	int total = 0;

	memset(count, 0, PROC_FD_KINDS * sizeof(*count));
	const int code = proc_fd_each(pid, count_one, count, err);
	if (code < 0)
		return code;
	for (int kind = 0; kind < PROC_FD_KINDS; kind++)
		total += (int)count[kind];
	return total;
}

int proc_fd_epoll(pid_t pid, int epfd, int *fds, unsigned room, struct err *err)
{
	FREES char *text = NULL;
	char name[32];
	unsigned n = 0;

	snprintf(name, sizeof(name), "fdinfo/%d", epfd);
	const ssize_t bytes = proc_read_text(pid, name, EPOLL_LIMIT, &text, err);
	if (bytes == -ENOENT)
		return err_set(err, -EBADF, "pid %d: fd %d is not open", (int)pid, epfd);
	if (bytes < 0)
		return (int)bytes;
	for (const char *at = text; (at = strstr(at, "tfd:")); at++, n++)
		if (n < room)
			fds[n] = atoi(at + 4);
	struct proc_fd fd;
	if (!n && (proc_fd_look(pid, epfd, &fd, NULL) < 0 || fd.kind != PROC_FD_EPOLL))
		return err_set(err, -EINVAL, "pid %d: fd %d is no epoll set", (int)pid, epfd);
	return (int)n;
}
