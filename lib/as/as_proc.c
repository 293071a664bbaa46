#include "lib/as/as_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_io.h"
#include "lib/as/as_scan.h"
#include "lib/as/as_sys.h"

int as_proc_open(pid_t pid)
{
	char path[32];
	struct as_fmt f;

	as_fmt_init(&f, path, sizeof(path));
	as_fmt_str(&f, "/proc/");
	if (pid)
		as_fmt_u64(&f, (uint64_t)pid);
	else
		as_fmt_str(&f, "self");
	const int fd = as_sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	return fd == -ENOENT ? -ESRCH : fd;
}

int as_proc_file(int proc_fd, pid_t tid, const char *name)
{
	char path[64];
	struct as_fmt f;

	as_fmt_init(&f, path, sizeof(path));
	if (tid) {
		as_fmt_str(&f, "task/");
		as_fmt_u64(&f, (uint64_t)tid);
		as_fmt_char(&f, '/');
	}
	as_fmt_str(&f, name);
	const int fd = as_sys_openat(proc_fd, path, O_RDONLY | O_CLOEXEC, 0);

	return fd == -ENOENT ? -ESRCH : fd;
}

/* The kernel writes these files in one piece: one read gives all that fits. */
static ssize_t read_at_start(int fd, char *text, size_t room)
{
	ssize_t n;

	do
		n = as_sys_pread(fd, text, room - 1, 0);
	while (n == -EINTR);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

static ssize_t read_text(int proc_fd, pid_t tid, const char *name, char *text, size_t room)
{
	const int fd = as_proc_file(proc_fd, tid, name);

	text[0] = '\0';
	if (fd < 0)
		return fd;
	const ssize_t n = read_at_start(fd, text, room);

	as_sys_close(fd);
	return n;
}

/* ---- threads --------------------------------------------------------------------------- */

/* struct linux_dirent64 of getdents64(2). */
struct dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

struct tids {
	pid_t *tid;
	size_t room, n;
	bool more;
};

static void add_entries(struct tids *t, const char *buf, size_t len)
{
	/* not sizeof: that is rounded up, and short names lie in the padding */
	const size_t head = offsetof(struct dirent64, name);

	for (size_t at = 0; at + head < len;) {
		const struct dirent64 *d = (const struct dirent64 *)(buf + at);
		uint64_t tid;

		if (d->bytes < head || d->bytes > len - at)
			return;
		struct as_scan s = as_scan_text(d->name, d->bytes - head);

		at += d->bytes;
		if (!as_scan_u64(&s, &tid) || tid > INT32_MAX)
			continue;
		if (t->n == t->room)
			t->more = true;
		else
			t->tid[t->n++] = (pid_t)tid;
	}
}

static int add_pass(struct tids *t, int proc_fd)
{
	char buf[4096] __attribute__((aligned(8)));
	const int fd = as_sys_openat(proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int n;

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	while ((n = as_sys_getdents64(fd, buf, sizeof(buf))) > 0)
		add_entries(t, buf, (size_t)n);
	as_sys_close(fd);
	return n == -ENOENT ? -ESRCH : n;
}

static void sift(pid_t *v, size_t root, size_t n)
{
	for (size_t child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && v[child] < v[child + 1])
			child++;
		if (v[root] >= v[child])
			return;
		const pid_t t = v[root];

		v[root] = v[child];
		v[child] = t;
	}
}

/* Heapsort: in place, no recursion, no bad case; then equal neighbours become one. */
static void sort_unique(struct tids *t)
{
	pid_t *v = t->tid;
	size_t kept = 0;

	for (size_t i = t->n / 2; i-- > 0;)
		sift(v, i, t->n);
	for (size_t i = t->n; i-- > 1;) {
		const pid_t largest = v[0];

		v[0] = v[i];
		v[i] = largest;
		sift(v, 0, i);
	}
	for (size_t i = 0; i < t->n; i++)
		if (!kept || v[kept - 1] != v[i])
			v[kept++] = v[i];
	t->n = kept;
}

int as_proc_tids(int proc_fd, pid_t *tids, size_t room, size_t *n)
{
	struct tids t = { .tid = tids, .room = room };
	struct as_proc_stat st = { .threads = 0 };

	*n = 0;
	for (unsigned pass = 0; pass < 4; pass++) {
		const size_t before = t.n;

		/* a further pass needs room for the doubles it will find */
		if (pass && t.n > room / 2)
			break;
		const int r = add_pass(&t, proc_fd);

		if (r < 0 && !t.n)
			return r;
		sort_unique(&t);
		*n = t.n;
		if (r < 0 || t.n == before || t.more)
			break;
		if (as_proc_stat(proc_fd, 0, &st) || t.n >= st.threads)
			break;
	}
	return t.more;
}

pid_t as_proc_tgid(int proc_fd)
{
	char text[1024];
	const ssize_t n = as_io_read_file(proc_fd, "status", text, sizeof(text));
	struct as_scan s = as_scan_text(text, n > 0 ? (size_t)n : 0);
	uint64_t pid = 0;

	while (s.at < s.end && !as_scan_word(&s, "Tgid:"))
		as_scan_line(&s);
	as_scan_blanks(&s);
	as_scan_u64(&s, &pid);
	return (pid_t)pid;
}

uint32_t as_proc_more(int proc_fd, size_t n)
{
	struct as_proc_stat st;

	return !as_proc_stat(proc_fd, 0, &st) && st.threads > n ? st.threads - (uint32_t)n : 0;
}

/* ---- one file each --------------------------------------------------------------------- */

static int parse_call(struct as_scan *s, struct as_proc_syscall *call)
{
	for (unsigned i = 0; i < 6; i++) {
		as_scan_blanks(s);
		if (!as_scan_0x(s, &call->args[i]))
			return -EBADMSG;
	}
	return 0;
}

int as_proc_syscall(int proc_fd, pid_t tid, struct as_proc_syscall *call)
{
	char text[256];
	const ssize_t n = read_text(proc_fd, tid, "syscall", text, sizeof(text));
	int64_t nr;

	if (n < 0)
		return (int)n;
	struct as_scan s = as_scan_text(text, (size_t)n);

	*call = (struct as_proc_syscall){ .form = AS_PROC_RUNNING, .nr = -1 };
	if (as_scan_word(&s, "running"))
		return 0;
	if (!as_scan_i64(&s, &nr) || nr < -1 || nr > INT32_MAX)
		return n ? -EBADMSG : -ESRCH;
	call->nr = (int)nr;
	call->form = nr < 0 ? AS_PROC_USER : AS_PROC_CALL;
	if (nr >= 0 && parse_call(&s, call))
		return -EBADMSG;
	as_scan_blanks(&s);
	if (!as_scan_0x(&s, &call->sp))
		return -EBADMSG;
	as_scan_blanks(&s);
	return as_scan_0x(&s, &call->pc) ? 0 : -EBADMSG;
}

/* The place behind the last ')': the name before it may hold anything, ") R 1" too. */
static const char *end_of_comm(const char *text, size_t n)
{
	while (n && text[n - 1] != ')')
		n--;
	return n ? text + n : NULL;
}

/* The unsigned value of field `want` (as in proc(5)), the scan standing at field *field. */
static bool scan_field(struct as_scan *s, unsigned *field, unsigned want, uint64_t *v)
{
	int64_t value;

	for (; *field <= want; ++*field) {
		as_scan_blanks(s);
		if (as_scan_u64(s, v))
			continue;
		if (!as_scan_i64(s, &value))
			return false;
		*v = (uint64_t)value;
	}
	return true;
}

int as_proc_stat(int proc_fd, pid_t tid, struct as_proc_stat *st)
{
	char text[1024];
	const ssize_t n = read_text(proc_fd, tid, "stat", text, sizeof(text));

	if (n <= 0)
		return n ? (int)n : -ESRCH;
	const char *open = memchr(text, '(', (size_t)n);
	const char *close = end_of_comm(text, (size_t)n);

	if (!open || !close || close - 1 <= open || text + n - close < 2 || close[0] != ' ')
		return -EBADMSG;
	struct as_fmt comm;
	struct as_scan s = as_scan_text(close + 2, (size_t)(text + n - close) - 2);
	uint64_t ppid, session, flags, threads;
	unsigned field = 4;

	*st = (struct as_proc_stat){ .state = close[1] };
	as_fmt_init(&comm, st->comm, sizeof(st->comm));
	as_fmt_mem(&comm, open + 1, (size_t)(close - 1 - (open + 1)));
	if (!scan_field(&s, &field, 4, &ppid) || !scan_field(&s, &field, 6, &session) ||
	    !scan_field(&s, &field, 9, &flags) ||
	    !scan_field(&s, &field, 14, &st->utime) || !scan_field(&s, &field, 15, &st->stime) ||
	    !scan_field(&s, &field, 20, &threads) || !scan_field(&s, &field, 22, &st->start))
		return -EBADMSG;
	st->ppid = (pid_t)ppid;
	st->session = (pid_t)session;
	st->flags = (uint32_t)flags;
	st->threads = (uint32_t)threads;
	return 0;
}

/* The value behind "NAME:" at the start of a line of status. */
static bool status_field(const char *text, size_t n, const char *name, bool is_hex, uint64_t *v)
{
	struct as_scan s = as_scan_text(text, n);

	do {
		if (!as_scan_word(&s, name) || !as_scan_char(&s, ':'))
			continue;
		as_scan_blanks(&s);
		return is_hex ? as_scan_hex(&s, v) : as_scan_u64(&s, v);
	} while (as_scan_line(&s));
	return false;
}

/* status is a few pages at most; what we look for in it stands in the first 4 KiB, but for the
 * switch counts, which are its end: behind lines whose length grows with the machine's nodes. */
enum { STATUS_ROOM = 8192 };

static int mark_of_status(const char *text, size_t n, struct as_proc_mark *mark)
{
	mark->is_time = false;
	mark->waited = 0;
	return status_field(text, n, "voluntary_ctxt_switches", false, &mark->ran) &&
			       status_field(text, n, "nonvoluntary_ctxt_switches", false, &mark->times)
		       ? 0
		       : -EBADMSG;
}

static int mark_of_schedstat(const char *text, size_t n, struct as_proc_mark *mark)
{
	struct as_scan s = as_scan_text(text, n);

	mark->is_time = false;
	if (!as_scan_u64(&s, &mark->ran))
		return -EBADMSG;
	as_scan_blanks(&s);
	if (!as_scan_u64(&s, &mark->waited))
		return -EBADMSG;
	as_scan_blanks(&s);
	mark->is_time = as_scan_u64(&s, &mark->times);
	return mark->is_time ? 0 : -EBADMSG;
}

int as_proc_watch_mark(const struct as_proc_watch *w, struct as_proc_mark *mark)
{
	char text[STATUS_ROOM];
	const ssize_t n = read_at_start(w->fd, text, w->is_status ? sizeof(text) : 96);

	if (n <= 0)
		return n ? (int)n : -ESRCH;
	return w->is_status ? mark_of_status(text, (size_t)n, mark)
			    : mark_of_schedstat(text, (size_t)n, mark);
}

int as_proc_watch_open(struct as_proc_watch *w, int proc_fd, pid_t tid, struct as_proc_mark *mark)
{
	int err;

	w->is_status = false;
	w->fd = as_proc_file(proc_fd, tid, "schedstat");
	if (w->fd >= 0) {
		err = as_proc_watch_mark(w, mark);
		/* a thread that exists has run: if all is 0, nobody counts here */
		if (err || mark->ran || mark->times)
			goto out;
		as_sys_close(w->fd);
	} else if (w->fd != -ESRCH) {
		return w->fd;
	}
	/* gone, or a kernel without schedstat: status tells them apart */
	w->is_status = true;
	w->fd = as_proc_file(proc_fd, tid, "status");
	if (w->fd < 0)
		return w->fd;
	err = as_proc_watch_mark(w, mark);
out:
	if (err)
		as_proc_watch_close(w);
	return err;
}

void as_proc_watch_close(struct as_proc_watch *w)
{
	if (w->fd >= 0)
		as_sys_close(w->fd);
	w->fd = -1;
}

int as_proc_signals(int proc_fd, pid_t tid, struct as_proc_signals *sig)
{
	char text[STATUS_ROOM];
	const ssize_t n = read_text(proc_fd, tid, "status", text, sizeof(text));

	if (n <= 0)
		return n ? (int)n : -ESRCH;
	const size_t len = (size_t)n;

	if (!status_field(text, len, "SigPnd", true, &sig->pending) ||
	    !status_field(text, len, "ShdPnd", true, &sig->shared_pending) ||
	    !status_field(text, len, "SigBlk", true, &sig->blocked) ||
	    !status_field(text, len, "SigIgn", true, &sig->ignored) ||
	    !status_field(text, len, "SigCgt", true, &sig->caught))
		return -EBADMSG;
	return 0;
}

pid_t as_proc_inner_tid(int proc_fd, pid_t tid)
{
	char text[STATUS_ROOM];
	uint64_t inner = 0;
	const ssize_t n = read_text(proc_fd, tid, "status", text, sizeof(text));

	if (n <= 0)
		return 0;
	struct as_scan s = as_scan_text(text, (size_t)n);
	while (!as_scan_word(&s, "NSpid"))
		if (!as_scan_line(&s))
			return 0;
	/* one column for each namespace, the innermost last */
	as_scan_char(&s, ':');
	do
		as_scan_blanks(&s);
	while (as_scan_u64(&s, &inner));
	return (pid_t)inner;
}

int as_proc_wchan(int proc_fd, pid_t tid, char *name, size_t room)
{
	const ssize_t n = read_text(proc_fd, tid, "wchan", name, room);

	if (n < 0)
		return (int)n;
	if (n == 1 && name[0] == '0')
		name[0] = '\0';
	return 0;
}
