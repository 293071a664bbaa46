#include "lib/proc/proc_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

enum { PATH_ROOM = 128, READ_STEP = 64 << 10 };

int proc_fail(pid_t pid, const char *name, int code, struct err *err)
{
	char dir[PATH_ROOM];
	const bool is_thread = strncmp(name, "task/", 5) == 0;

	snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
	if ((code == -ENOENT || code == -ESRCH) && access(dir, F_OK) != 0)
		return err_set(err, -ESRCH, "pid %d: no such process", (int)pid);
	if (code == -ESRCH || (code == -ENOENT && is_thread))
		return err_set(err, -ESRCH, "pid %d: %s/%s is gone", (int)pid, dir, name);
	if (code == -EPERM || code == -EACCES) {
		err_set(err, -EACCES, "pid %d: %s/%s cannot be read (no permission)", (int)pid,
			dir, name);
		err_next(err, "run as the user of that process, or as root");
		return -EACCES;
	}
	errno = -code;
	return err_set(err, code, "pid %d: %s/%s cannot be read (%m)", (int)pid, dir, name);
}

/* Reads until the end or until the buffer is full. */
static ssize_t read_fully(int fd, char *buf, size_t room)
{
	size_t n = 0;

	while (n < room) {
		const ssize_t got = read(fd, buf + n, room - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

ssize_t proc_read(pid_t pid, const char *name, char *buf, size_t room, struct err *err)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return proc_fail(pid, name, -errno, err);
	const ssize_t n = read_fully(fd, buf, room - 1);
	if (n < 0)
		return proc_fail(pid, name, (int)n, err);
	buf[n] = '\0';
	return n;
}

ssize_t proc_read_text(pid_t pid, const char *name, size_t limit, char **text, struct err *err)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	const ssize_t n = proc_read_all(path, limit, text);
	return n < 0 ? proc_fail(pid, name, (int)n, err) : n;
}

ssize_t proc_read_all(const char *path, size_t limit, char **text)
{
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	FREES char *all = NULL;
	size_t n = 0;

	for (;;) {
		const size_t step = limit - n < READ_STEP ? limit - n : READ_STEP;
		char *more = realloc(all, n + step + 1);

		if (!more)
			return -ENOMEM;
		all = more;
		const ssize_t got = read_fully(fd, all + n, step);
		if (got < 0)
			return got;
		n += (size_t)got;
		all[n] = '\0';
		if ((size_t)got < step || n == limit)
			break;
	}
	if (n == limit) {
		const char *last = memrchr(all, '\n', n);

		n = last ? (size_t)(last - all) + 1 : 0;
		all[n] = '\0';
	}
	*text = take_ptr(&all);
	return (ssize_t)n;
}
