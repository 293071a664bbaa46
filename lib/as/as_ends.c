#include "lib/as/as_ends.h"

#include <fcntl.h>
#include <linux/unix_diag.h>
#include <poll.h>
#include <string.h>

#include "lib/as/as_diag.h"
#include "lib/as/as_fmt.h"
#include "lib/as/as_lines.h"
#include "lib/as/as_sys.h"

enum {
	SET_BYTES = 1 << 20,   /* of an epoll set's list: some 15 000 files */
	POLL_LIMIT = 1 << 14,
	SELECT_LIMIT = 1 << 14,
};

static void add(struct as_ends *e, int fd, uint32_t events, uint64_t inode)
{
	if (e->listed < AS_ENDS)
		e->end[e->listed++] = (struct as_waited){ fd, events, inode };
	e->n++;
}

/* ---- which wait ---------------------------------------------------------------------------- */

/* What a call that waits on the descriptor in its first argument waits for; 0: none of them. */
static uint32_t events_of_call(int nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_pread64:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_accept:
	case SYS_accept4:
		return POLLIN;
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_connect:
		return POLLOUT;
	default:
		return 0;
	}
}

int as_ends_set_of(const struct as_thread *t)
{
	switch (t->nr) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return (int)t->args[0];
	default:
		return -1;
	}
}

/* ---- epoll --------------------------------------------------------------------------------- */

static void path_of(char path[64], pid_t tid, const char *dir, int fd)
{
	struct as_fmt f;

	as_fmt_init(&f, path, 64);
	as_fmt_str(&f, "task/");
	as_fmt_u64(&f, (uint64_t)tid);
	as_fmt_str(&f, dir);
	as_fmt_u64(&f, (uint32_t)fd);
}

/* "tfd:        5 events:       19 data:                5  pos:0 ino:1c8 sdev:8" */
static bool take_watched(struct as_ends *e, struct as_scan *s)
{
	uint64_t fd, events, inode = 0;

	if (!as_scan_word(s, "tfd:"))
		return false;
	as_scan_blanks(s);
	if (!as_scan_u64(s, &fd))
		return false;
	as_scan_blanks(s);
	if (!as_scan_word(s, "events:"))
		return false;
	as_scan_blanks(s);
	if (!as_scan_hex(s, &events))
		return false;
	while (s->at < s->end && !as_scan_word(s, "ino:"))
		s->at++;
	as_scan_hex(s, &inode);
	add(e, (int)fd, (uint32_t)events & 0xffff, inode);
	return true;
}

static bool read_set(struct as_ends *e, int proc_fd, const struct as_thread *t)
{
	struct as_lines lines;
	struct as_scan line;
	char path[64];

	path_of(path, t->tid, "/fdinfo/", e->set);
	if (as_lines_open(&lines, proc_fd, path, SET_BYTES))
		return false;
	while (as_lines_next(&lines, &line))
		take_watched(e, &line);
	e->more = lines.is_cut;
	as_lines_close(&lines);
	return true;
}

/* ---- poll and select ----------------------------------------------------------------------- */

static bool read_pollfds(struct as_ends *e, struct as_mem *m, uint64_t addr, uint32_t count)
{
	struct pollfd fds[64];
	const uint32_t limit = count < POLL_LIMIT ? count : POLL_LIMIT;

	for (uint32_t at = 0; at < limit;) {
		const uint32_t n = limit - at < 64 ? limit - at : 64;
		const ssize_t want = (ssize_t)(n * sizeof(*fds));

		if (as_mem_read(m, addr + at * sizeof(*fds), fds, (size_t)want) != want)
			return false;
		for (uint32_t i = 0; i < n; i++)
			if (fds[i].fd >= 0)
				add(e, fds[i].fd, (uint16_t)fds[i].events, 0);
		at += n;
	}
	e->more = limit < count;
	return true;
}

enum { WORDS = 16 }; /* of a set of select(): as many as most have */

static void add_selected(struct as_ends *e, uint64_t word[3][WORDS], uint32_t first, uint32_t n)
{
	static const uint32_t events[3] = { POLLIN, POLLOUT, POLLPRI };

	for (uint32_t bit = 0; bit < n; bit++) {
		uint32_t wanted = 0;

		for (unsigned i = 0; i < 3; i++)
			wanted |= word[i][bit / 64] >> bit % 64 & 1 ? events[i] : 0;
		if (wanted)
			add(e, (int)(first + bit), wanted, 0);
	}
}

/* The three sets of select(), piece by piece; absent ones are empty. */
static bool read_fd_sets(struct as_ends *e, struct as_mem *m, const uint64_t addr[3],
			 uint32_t count)
{
	const uint32_t limit = count < SELECT_LIMIT ? count : SELECT_LIMIT;
	uint32_t n;

	for (uint32_t fd = 0; fd < limit; fd += n) {
		uint64_t word[3][WORDS] = { { 0 } };

		n = limit - fd < WORDS * 64 ? limit - fd : WORDS * 64;
		const ssize_t want = (ssize_t)((n + 63) / 64 * 8);

		for (unsigned i = 0; i < 3; i++)
			if (addr[i] && as_mem_read(m, addr[i] + fd / 8, word[i], (size_t)want) != want)
				return false;
		add_selected(e, word, fd, n);
	}
	e->more = limit < count;
	return true;
}

bool as_ends_read(struct as_ends *e, int proc_fd, struct as_mem *mem, const struct as_thread *t)
{
	const uint32_t events = events_of_call(t->nr);

	e->set = as_ends_set_of(t);
	e->n = e->listed = 0;
	e->more = false;
	if (events) {
		add(e, (int)t->args[0], events, 0);
		return true;
	}
	if (e->set >= 0)
		return read_set(e, proc_fd, t);
	if (!mem)
		return false;
	mem->pid = t->tid;
	switch (t->nr) {
	case SYS_poll:
	case SYS_ppoll:
		return read_pollfds(e, mem, t->args[0], (uint32_t)t->args[1]);
	case SYS_select:
	case SYS_pselect6:
		return read_fd_sets(e, mem, &t->args[1], (uint32_t)t->args[0]);
	default:
		return false;
	}
}

/* ---- what they are ------------------------------------------------------------------------- */

/* "socket:[1234]" -> 1234; 0 for what has no number there. */
static uint64_t number_in(const char *link, size_t n, const char *kind)
{
	struct as_scan s = as_scan_text(link, n);
	uint64_t inode = 0;

	if (as_scan_word(&s, kind))
		as_scan_u64(&s, &inode);
	return inode;
}

size_t as_ends_link(int proc_fd, const struct as_thread *t, const struct as_waited *end,
		    char link[AS_END_LINK])
{
	char path[64];

	path_of(path, t->tid, "/fd/", end->fd);
	const ssize_t n = as_sys_readlinkat(proc_fd, path, link, AS_END_LINK);

	if (n <= 0)
		return 0;
	uint64_t inode = number_in(link, (size_t)n, "socket:[");

	inode = inode ? inode : number_in(link, (size_t)n, "pipe:[");
	return inode && end->inode && inode != end->inode ? 0 : (size_t)n;
}

bool as_ends_is_fifo(int proc_fd, pid_t tid, int fd)
{
	struct statx st;
	char path[64];

	path_of(path, tid, "/fd/", fd);
	return as_sys_statx(proc_fd, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       S_ISFIFO(st.stx_mode);
}

uint64_t as_ends_peer(int diag, const char *link, size_t n)
{
	uint32_t peer;

	return as_diag_unix(diag, number_in(link, n, "socket:["), UDIAG_SHOW_PEER, UNIX_DIAG_PEER,
			    &peer, sizeof(peer))
		       ? peer
		       : 0;
}
