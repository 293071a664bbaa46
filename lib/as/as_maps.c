#include "lib/as/as_maps.h"

#include <errno.h>
#include <string.h>

#include "lib/as/as_proc.h"
#include "lib/as/as_scan.h"
#include "lib/as/as_sys.h"

int as_maps_open(struct as_maps *r, int proc_fd, pid_t tid, char *buf, size_t room)
{
	*r = (struct as_maps){ .buf = buf, .room = room };
	r->fd = as_proc_file(proc_fd, tid, "maps");
	return r->fd < 0 ? r->fd : 0;
}

void as_maps_close(struct as_maps *r)
{
	if (r->fd >= 0)
		as_sys_close(r->fd);
	r->fd = -1;
}

static bool scan_perms(struct as_scan *s, uint8_t *perms)
{
	if (s->end - s->at < 4)
		return false;
	*perms = (uint8_t)((s->at[0] == 'r' ? AS_MAP_READ : 0) |
			   (s->at[1] == 'w' ? AS_MAP_WRITE : 0) |
			   (s->at[2] == 'x' ? AS_MAP_EXEC : 0) |
			   (s->at[3] == 's' ? AS_MAP_SHARED : 0));
	s->at += 4;
	return true;
}

static bool path_is(const struct as_map *m, const char *text)
{
	return m->path_len == strlen(text) && memcmp(m->path, text, m->path_len) == 0;
}

static bool path_begins(const struct as_map *m, const char *text)
{
	const size_t n = strlen(text);

	return m->path_len >= n && memcmp(m->path, text, n) == 0;
}

static void name_kind(struct as_map *m)
{
	static const char gone[] = " (deleted)";
	const size_t n = sizeof(gone) - 1;

	if (!m->path_len) {
		m->kind = AS_MAP_ANON;
	} else if (m->path[0] == '[') {
		m->kind = path_is(m, "[heap]")    ? AS_MAP_HEAP
			  : path_is(m, "[stack]") ? AS_MAP_STACK
			  : path_is(m, "[vdso]")  ? AS_MAP_VDSO
						  : AS_MAP_OTHER;
	} else {
		m->kind = path_begins(m, "/memfd:") ? AS_MAP_MEMFD : AS_MAP_FILE;
		if (m->path_len > n && memcmp(m->path + m->path_len - n, gone, n) == 0) {
			m->path_len -= n;
			m->deleted = true;
		}
	}
}

int as_maps_parse(const char *line, size_t n, struct as_map *m)
{
	struct as_scan s = as_scan_text(line, n);
	uint64_t major, minor;

	*m = (struct as_map){ .start = 0 };
	if (!as_scan_hex(&s, &m->start) || !as_scan_char(&s, '-') || !as_scan_hex(&s, &m->end) ||
	    !as_scan_char(&s, ' ') || !scan_perms(&s, &m->perms) || !as_scan_char(&s, ' ') ||
	    !as_scan_hex(&s, &m->offset) || !as_scan_char(&s, ' ') || !as_scan_hex(&s, &major) ||
	    !as_scan_char(&s, ':') || !as_scan_hex(&s, &minor) || !as_scan_char(&s, ' ') ||
	    !as_scan_u64(&s, &m->inode) || m->start >= m->end)
		return -EBADMSG;
	m->dev_major = (uint32_t)major;
	m->dev_minor = (uint32_t)minor;
	as_scan_blanks(&s);
	m->path = s.at;
	m->path_len = (size_t)(s.end - s.at);
	name_kind(m);
	return 0;
}

/* Moves what is left to the front and reads on; -errno, or 0 also when the file has ended. */
static int fill(struct as_maps *r)
{
	memmove(r->buf, r->buf + r->at, r->len - r->at);
	r->len -= r->at;
	r->at = 0;
	if (r->len == r->room)
		return 0;
	ssize_t n;

	do
		n = as_sys_read(r->fd, r->buf + r->len, r->room - r->len);
	while (n == -EINTR);
	if (n < 0)
		return (int)n;
	r->at_end = n == 0;
	r->len += (size_t)n;
	return 0;
}

/* Drops the rest of a line that was longer than the buffer. */
static int drop_rest(struct as_maps *r)
{
	while (r->in_line) {
		const char *end = memchr(r->buf + r->at, '\n', r->len - r->at);

		r->at = end ? (size_t)(end + 1 - r->buf) : r->len;
		r->in_line = !end && !r->at_end;
		const int err = r->in_line ? fill(r) : 0;

		if (err)
			return err;
	}
	return 0;
}

/*
 * The next line: starts at *line, *n bytes without its line end. 1, or 0 at the end. A line
 * longer than the buffer is given as far as it fits; its rest is dropped at the next call, so
 * that the part given stays where it is until then.
 */
static int next_line(struct as_maps *r, const char **line, size_t *n)
{
	int err = drop_rest(r);

	while (!err) {
		const size_t have = r->len - r->at;
		const char *start = r->buf + r->at;
		const char *end = memchr(start, '\n', have);

		if (end || (have && (r->at_end || have == r->room))) {
			*line = start;
			*n = end ? (size_t)(end - start) : have;
			r->at += *n + (end != NULL);
			r->in_line = !end && !r->at_end;
			return 1;
		}
		if (r->at_end)
			return 0;
		err = fill(r);
	}
	return err;
}

int as_maps_next(struct as_maps *r, struct as_map *m)
{
	const char *line = NULL;
	size_t n = 0;
	int got;

	while ((got = next_line(r, &line, &n)) > 0) {
		const int bad = as_maps_parse(line, n, m);

		if (!bad && m->start >= r->last_end) {
			m->path_cut = r->in_line;
			r->last_end = m->end;
			return 1;
		}
		r->bad_lines += bad != 0;
	}
	return got;
}
