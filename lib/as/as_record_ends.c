#include "lib/as/as_record_ends.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/as/as_dir.h"
#include "lib/as/as_fmt.h"
#include "lib/as/as_locks.h"
#include "lib/as/as_record_others.h"
#include "lib/as/as_scan.h"
#include "lib/as/as_sys.h"

enum {
	NO_DIAG = -2,
	OPEN_LIMIT = 2048, /* numbers that are looked at */
	OPEN_LINE = 128,   /* files in one record */
};

void as_record_ends_begin(struct as_record *r)
{
	r->ends_left = AS_RECORD_ENDS;
	r->whose = 0;
	r->sets = 0;
}

void as_record_ends_done(struct as_record *r)
{
	if (r->diag >= 0)
		as_sys_close(r->diag);
	r->diag = -1;
}

static void begin(struct as_record *r, const char *type, const struct as_thread *t)
{
	as_json_record(&r->json);
	as_json_u64(&r->json, "v", 1);
	as_json_str(&r->json, "t", type);
	as_json_u64(&r->json, "d", r->dump);
	if (t)
		as_json_i64(&r->json, "of", t->tid);
}

/* ---- what a thread waits on ---------------------------------------------------------------- */

/* Asked only where there is such a socket: most dumps need it not. */
static int diag_of(struct as_record *r)
{
	if (r->diag == -1) {
		r->diag = as_sys_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		r->diag = r->diag < 0 ? NO_DIAG : r->diag;
	}
	return r->diag;
}

static bool starts_with(const char *text, size_t n, const char *start)
{
	return n >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

/* What its other end is to who has it: the same pipe, or the socket there. */
static void tell_others(struct as_record *r, const struct as_waited *end, const char *pipe, size_t n,
			uint64_t peer)
{
	char text[32];
	struct as_fmt f;

	as_fmt_init(&f, text, sizeof(text));
	if (n) {
		as_record_others_wait(r, pipe, n, end->events & POLLIN);
	} else if (peer) {
		as_fmt_str(&f, "socket:[");
		as_fmt_u64(&f, peer);
		as_fmt_char(&f, ']');
		as_record_others_wait(r, text, f.len, end->events & POLLIN);
	} else {
		as_record_others_wait(r, NULL, 0, false);
	}
}

static void write_end(struct as_record *r, const struct as_peek *p, const struct as_thread *t,
		      const struct as_waited *end)
{
	struct as_json *j = &r->json;
	char link[AS_END_LINK];
	const size_t n = as_ends_link(p->proc_fd, t, end, link);
	const bool is_socket = starts_with(link, n, "socket:[");
	const bool is_fifo = n && link[0] == '/' && as_ends_is_fifo(p->proc_fd, t->tid, end->fd);
	const uint64_t peer = is_socket ? as_ends_peer(diag_of(r), link, n) : 0;

	tell_others(r, end, link, is_fifo || starts_with(link, n, "pipe:[") ? n : 0, peer);
	as_json_obj(j, NULL);
	as_json_i64(j, "fd", end->fd);
	as_json_u64(j, "events", end->events);
	if (n)
		as_json_mem(j, "is", link, n);
	else
		as_json_null(j, "is");
	if (is_fifo)
		as_json_bool(j, "fifo", true);
	if (peer)
		as_json_u64(j, "peer", peer);
	as_json_end(j);
}

/* Many threads may wait on one epoll set: it is told with the first of them. */
static bool is_told(struct as_record *r, int set)
{
	for (unsigned i = 0; i < r->sets; i++)
		if (r->set[i] == set)
			return true;
	if (r->sets < AS_RECORD_SETS)
		r->set[r->sets++] = set;
	return false;
}

static void write_list(struct as_record *r, const struct as_peek *p, const struct as_thread *t)
{
	struct as_json *j = &r->json;
	const struct as_ends *e = &r->ends;

	as_json_u64(j, "n", e->n);
	if (e->more)
		as_json_bool(j, "more", true);
	as_json_arr(j, "ends");
	for (unsigned i = 0; i < e->listed && r->ends_left; i++, r->ends_left--)
		write_end(r, p, t, &e->end[i]);
	as_json_end(j);
	if (e->more || e->n > e->listed || !r->ends_left)
		as_record_others_wait(r, NULL, 0, false);
}

/* Returns true when they were told, now or with an earlier thread. */
static bool write_ends(struct as_record *r, struct as_peek *p, const struct as_thread *t)
{
	const int set = as_ends_set_of(t);
	const bool told = set >= 0 && is_told(r, set);

	if (!told && (!r->ends_left || !as_ends_read(&r->ends, p->proc_fd, &p->unwinder.mem, t)))
		return false;
	begin(r, "ends", t);
	if (set >= 0)
		as_json_i64(&r->json, "set", set);
	if (!told)
		write_list(r, p, t);
	as_json_end_record(&r->json);
	return true;
}

/* ---- file locks ---------------------------------------------------------------------------- */

void as_record_holder(struct as_json *j, pid_t pid, char state, const char *comm)
{
	if (pid)
		as_json_i64(j, "pid", pid);
	else
		as_json_null(j, "pid");
	as_json_mem(j, "state", &state, 1);
	as_json_str(j, "name", comm);
}

static void write_lock(struct as_record *r, const struct as_peek *p, const struct as_thread *t)
{
	const struct as_waited file = { .fd = (int)t->args[0] };
	struct as_json *j = &r->json;
	struct as_lock lock;
	char link[AS_END_LINK];

	if (!as_locks_read(&lock, p, t))
		return;
	const size_t n = as_ends_link(p->proc_fd, t, &file, link);
	begin(r, "lock", t);
	if (n)
		as_json_mem(j, "file", link, n);
	else
		as_json_null(j, "file");
	as_json_u64(j, "ino", lock.inode);
	as_json_str(j, "kind", lock.kind[0] ? lock.kind : NULL);
	as_json_bool(j, "exact", lock.is_exact);
	as_json_u64(j, "n", lock.n);
	as_json_arr(j, "holders");
	for (unsigned i = 0; i < lock.holders; i++) {
		const struct as_lock_holder *h = &lock.holder[i];

		as_json_obj(j, NULL);
		as_record_holder(j, h->pid, h->state, h->comm);
		as_json_end(j);
	}
	as_json_end(j);
	as_json_u64(j, "mono_us", as_record_now_us());
	as_json_end_record(j);
}

bool as_record_ends(struct as_record *r, struct as_peek *p, const struct as_thread *t)
{
	if (t->nr < 0)
		return false;
	if (!as_locks_wants(t))
		return write_ends(r, p, t);
	write_lock(r, p, t);
	return false;
}

/* ---- what the process has open ------------------------------------------------------------- */

struct listing {
	struct as_record *r;
	int proc_fd;
	struct as_dir dir;
	unsigned in_line;
};

static void begin_line(struct listing *l)
{
	begin(l->r, "open", NULL);
	as_json_arr(&l->r->json, "fds");
	l->in_line = 0;
}

/* The last one says whether there are more. */
static void end_line(struct listing *l, bool is_last, bool more)
{
	as_json_end(&l->r->json);
	if (is_last)
		as_json_bool(&l->r->json, "more", more);
	as_json_end_record(&l->r->json);
}

/* What has another end: pipes, sockets, and of files the fifos. */
static bool has_other_end(const struct listing *l, const char *link, size_t n, int fd)
{
	return starts_with(link, n, "pipe:[") || starts_with(link, n, "socket:[") ||
	       (n && link[0] == '/' && as_ends_is_fifo(l->proc_fd, l->r->whose, fd));
}

/* [3, "pipe:[1234]", "r"]: the link's own mode says how it was opened. */
static void list_one(struct listing *l, const char *name)
{
	struct as_json *j = &l->r->json;
	char link[AS_END_LINK];
	struct stat st;
	const int fd = as_dir_number(name);
	const ssize_t n = fd >= 0 ? as_sys_readlinkat(l->dir.fd, name, link, sizeof(link)) : 0;

	if (n <= 0 || !has_other_end(l, link, (size_t)n, fd) ||
	    as_sys_fstatat(l->dir.fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (l->in_line++ == OPEN_LINE) {
		end_line(l, false, false);
		begin_line(l);
	}
	const bool reads = st.st_mode & S_IRUSR, writes = st.st_mode & S_IWUSR;

	as_json_arr(j, NULL);
	as_record_others_own(l->r, link, (size_t)n, writes);
	as_json_u64(j, NULL, (uint64_t)fd);
	as_json_mem(j, NULL, link, (size_t)n);
	as_json_str(j, NULL, reads && writes ? "rw" : writes ? "w" : "r");
	as_json_end(j);
}

/* Returns false when there is more than was looked at. */
static bool list_all(struct listing *l, uint64_t until_ns)
{
	unsigned seen = 0;

	for (const char *name; (name = as_dir_next(&l->dir));) {
		if (seen++ == OPEN_LIMIT || as_sys_clock_ns(CLOCK_MONOTONIC) >= until_ns)
			return false;
		list_one(l, name);
	}
	return !l->dir.error;
}

void as_record_open(struct as_record *r, const struct as_peek *p, uint64_t until_ns)
{
	struct listing l = { .r = r, .proc_fd = p->proc_fd };
	char path[64];
	struct as_fmt f;

	if (!r->whose)
		return;
	/* by a thread of the program: ours has a table of its own */
	as_fmt_init(&f, path, sizeof(path));
	as_fmt_str(&f, "task/");
	as_fmt_u64(&f, (uint64_t)r->whose);
	as_fmt_str(&f, "/fd");
	if (as_dir_open(&l.dir, p->proc_fd, path))
		return;
	begin_line(&l);
	end_line(&l, true, !list_all(&l, until_ns));
	as_dir_close(&l.dir);
}
