#include "lib/as/as_io.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/as/as_sys.h"

int as_io_write(int fd, const void *buf, size_t n, size_t *done)
{
	const char *at = buf;

	*done = 0;
	while (*done < n) {
		const ssize_t w = as_sys_write(fd, at + *done, n - *done);

		if (w == -EINTR)
			continue;
		if (w < 0)
			return (int)w;
		if (w == 0) /* no file does this; a loop must not rest on it */
			return -EIO;
		*done += (size_t)w;
	}
	return 0;
}

ssize_t as_io_read(int fd, void *buf, size_t n)
{
	char *at = buf;
	size_t got = 0;

	while (got < n) {
		const ssize_t r = as_sys_read(fd, at + got, n - got);

		if (r == -EINTR)
			continue;
		if (r < 0 && !got)
			return r;
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

ssize_t as_io_read_file(int dirfd, const char *path, char *buf, size_t room)
{
	buf[0] = '\0';
	const int fd = as_sys_openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);

	if (fd < 0)
		return fd;
	const ssize_t n = as_io_read(fd, buf, room - 1);

	as_sys_close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

int as_io_pread(int fd, void *buf, size_t n, uint64_t at)
{
	char *to = buf;
	size_t got = 0;

	while (got < n) {
		const ssize_t r = as_sys_pread(fd, to + got, n - got, at + got);

		if (r == -EINTR)
			continue;
		if (r < 0)
			return (int)r;
		if (r == 0)
			return -ENODATA;
		got += (size_t)r;
	}
	return 0;
}
