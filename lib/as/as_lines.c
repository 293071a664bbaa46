#include "lib/as/as_lines.h"

#include <fcntl.h>
#include <string.h>

#include "lib/as/as_sys.h"

int as_lines_open(struct as_lines *l, int dirfd, const char *path, size_t limit)
{
	l->at = l->n = 0;
	l->left = limit;
	l->is_cut = false;
	l->fd = as_sys_openat(dirfd, path, O_RDONLY | O_CLOEXEC, 0);
	return l->fd < 0 ? l->fd : 0;
}

void as_lines_close(struct as_lines *l)
{
	if (l->fd >= 0)
		as_sys_close(l->fd);
	l->fd = -1;
}

/* Moves what is left to the front and reads on behind it. */
static bool fill(struct as_lines *l)
{
	const size_t have = l->n - l->at;

	if (have == sizeof(l->buf) || !l->left) {
		l->is_cut |= !l->left;
		return false;
	}
	memmove(l->buf, l->buf + l->at, have);
	l->at = 0;
	l->n = have;
	const size_t room = sizeof(l->buf) - have;
	const ssize_t got = as_sys_read(l->fd, l->buf + have, room < l->left ? room : l->left);

	if (got <= 0)
		return false;
	l->n += (size_t)got;
	l->left -= (size_t)got;
	return true;
}

bool as_lines_next(struct as_lines *l, struct as_scan *line)
{
	for (;;) {
		const char *start = l->buf + l->at;
		const char *end = memchr(start, '\n', l->n - l->at);

		if (end) {
			*line = as_scan_text(start, (size_t)(end - start));
			l->at = (size_t)(end - l->buf) + 1;
			return true;
		}
		if (fill(l))
			continue;
		if (l->at == l->n)
			return false;
		*line = as_scan_text(l->buf + l->at, l->n - l->at);
		l->at = l->n;
		return true;
	}
}
