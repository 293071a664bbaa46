#include "lib/as/as_record_others.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>

#include "lib/as/as_dir.h"
#include "lib/as/as_fmt.h"
#include "lib/as/as_lines.h"
#include "lib/as/as_sys.h"

enum {
	CHILDREN = 64,
	ASK_NS = 250000000, /* for all processes of the machine */
};

void as_record_others_begin(struct as_record *r)
{
	r->rests = 0;
	r->goes_on = false;
	as_others_begin(&r->others);
}

static void begin(struct as_record *r, const char *type)
{
	as_json_record(&r->json);
	as_json_u64(&r->json, "v", 1);
	as_json_str(&r->json, "t", type);
	as_json_u64(&r->json, "d", r->dump);
}

/* ---- can it go on by itself ---------------------------------------------------------------- */

/* A wait for a file that somebody else has to end. */
static bool waits_on_files(const struct as_thread *t)
{
	switch (t->nr) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return (int)t->args[3] < 0;
	case SYS_epoll_pwait2:
		return !t->args[3];
	case SYS_poll:
		return (int)t->args[2] < 0;
	case SYS_ppoll:
		return !t->args[2];
	case SYS_select:
	case SYS_pselect6:
		return !t->args[4];
	case SYS_recvmmsg:
		return !t->args[4];
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_sendmsg:
		return true;
	default:
		return false;
	}
}

/* The same, for a thread of its own process, a lock, a child. */
static bool waits_for_others(const struct as_thread *t)
{
	switch (t->nr) {
	case SYS_futex:
		return !t->args[3] && t->args[1] & FUTEX_PRIVATE_FLAG;
	case SYS_flock:
	case SYS_fcntl:
	case SYS_wait4:
	case SYS_waitid:
		return true;
	default:
		return false;
	}
}

static uint32_t mark_of(const struct as_proc_mark *mark)
{
	return (uint32_t)as_proc_mark_word(mark);
}

/* ---- children ------------------------------------------------------------------------------ */

static unsigned list_of_thread(pid_t *pid, unsigned n, int proc_fd, const char *tid, bool *more)
{
	struct as_lines lines;
	struct as_scan s;
	struct as_fmt f;
	char path[48];
	uint64_t v;

	as_fmt_init(&f, path, sizeof(path));
	as_fmt_str(&f, "task/");
	as_fmt_str(&f, tid);
	as_fmt_str(&f, "/children");
	*more |= as_lines_open(&lines, proc_fd, path, sizeof(lines.buf) - 1) != 0;
	if (lines.fd < 0)
		return n;
	while (as_lines_next(&lines, &s))
		for (; as_scan_u64(&s, &v); as_scan_blanks(&s)) {
			*more |= n == CHILDREN;
			if (n < CHILDREN)
				pid[n++] = (pid_t)v;
		}
	*more |= lines.is_cut;
	as_lines_close(&lines);
	return n;
}

/* Of all threads: any of them may wait for the child of another one. */
static unsigned list_children(pid_t pid[CHILDREN], int proc_fd, bool *more)
{
	struct as_dir tasks;
	unsigned n = 0;

	if (as_dir_open(&tasks, proc_fd, "task")) {
		*more = true;
		return 0;
	}
	for (const char *tid; (tid = as_dir_next(&tasks));)
		if (as_dir_number(tid) > 0)
			n = list_of_thread(pid, n, proc_fd, tid, more);
	as_dir_close(&tasks);
	return n;
}

static void write_children(struct as_record *r, const struct as_peek *p, const struct as_thread *t)
{
	pid_t pid[CHILDREN];
	bool more = false;
	const unsigned n = list_children(pid, p->proc_fd, &more);

	begin(r, "children");
	as_json_i64(&r->json, "of", t->tid);
	as_json_arr(&r->json, "pids");
	for (unsigned i = 0; i < n; i++)
		as_json_i64(&r->json, NULL, pid[i]);
	as_json_end(&r->json);
	if (more)
		as_json_bool(&r->json, "more", true);
	as_json_end_record(&r->json);
}

/* ---- a thread ------------------------------------------------------------------------------ */

void as_record_others_thread(struct as_record *r, const struct as_peek *p, const struct as_thread *t,
			     const struct as_record_how *how, bool ends_told)
{
	if (how->own)
		return;
	const bool waits = ends_told ? waits_on_files(t) : waits_for_others(t);

	if (!waits || t->captured != AS_CAPTURED_PEEK || t->moved || t->state != 'S' ||
	    r->rests == AS_RECORD_RESTS) {
		r->goes_on = true;
		return;
	}
	r->rest[r->rests].tid = t->tid;
	r->rest[r->rests++].mark = mark_of(&t->mark);
	if (t->nr == SYS_wait4 || t->nr == SYS_waitid)
		write_children(r, p, t);
}

void as_record_others_wait(struct as_record *r, const char *is, size_t n, bool reads)
{
	if (!r->goes_on)
		r->goes_on = !as_others_want(&r->others, is, n, reads);
}

void as_record_others_own(struct as_record *r, const char *is, size_t n, bool writes)
{
	/* what a signal handler of its own could do is no circle */
	for (unsigned i = 0; i < r->others.files; i++) {
		const struct as_others_file *f = &r->others.file[i];

		if (writes && f->reads && f->len == n && memcmp(f->is, is, n) == 0)
			r->goes_on = true;
	}
}

/* ---- who has the other ends ---------------------------------------------------------------- */

/* None of its threads has run since it was told. */
static bool all_are_still(const struct as_record *r, const struct as_peek *p)
{
	for (unsigned i = 0; i < r->rests; i++) {
		struct as_proc_watch watch;
		struct as_proc_mark mark;

		if (as_proc_watch_open(&watch, p->proc_fd, r->rest[i].tid, &mark))
			return false;
		as_proc_watch_close(&watch);
		if (mark_of(&mark) != r->rest[i].mark)
			return false;
	}
	return true;
}

static void write_who(struct as_json *j, const struct as_other *w)
{
	as_json_obj(j, NULL);
	as_json_i64(j, "pid", w->pid);
	as_json_i64(j, "fd", w->fd);
	as_json_str(j, "mode", w->reads && w->writes ? "rw" : w->writes ? "w" : "r");
	as_json_str(j, "name", w->comm);
	as_json_end(j);
}

static void write_other(struct as_record *r, const struct as_others_file *f, bool still)
{
	struct as_json *j = &r->json;

	begin(r, "other");
	as_json_mem(j, "file", f->is, f->len);
	as_json_u64(j, "n", f->n);
	as_json_arr(j, "who");
	for (unsigned i = 0; i < f->n && i < AS_OTHERS_WHO; i++)
		write_who(j, &f->who[i]);
	as_json_end(j);
	as_json_bool(j, "all", r->others.all);
	as_json_bool(j, "still", still);
	as_json_u64(j, "mono_us", as_record_now_us());
	as_json_end_record(j);
}

void as_record_others(struct as_record *r, const struct as_peek *p, pid_t but, uint64_t until_ns)
{
	const uint64_t limit_ns = as_sys_clock_ns(CLOCK_MONOTONIC) + ASK_NS;

	if (r->goes_on || !r->others.files)
		return;
	as_others_ask(&r->others, p->pid, but, until_ns < limit_ns ? until_ns : limit_ns);
	const bool still = all_are_still(r, p);

	for (unsigned i = 0; i < r->others.files; i++)
		write_other(r, &r->others.file[i], still);
}
