#include "lib/as/as_locks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_lines.h"
#include "lib/as/as_sys.h"

enum { LIST_BYTES = 1 << 20 }; /* some 15 000 locks */

bool as_locks_wants(const struct as_thread *t)
{
	return t->nr == SYS_flock ||
	       (t->nr == SYS_fcntl && (t->args[1] == F_SETLKW || t->args[1] == F_OFD_SETLKW));
}

/* Without asking a network filesystem's server, which may be what hangs. */
static bool find_file(const struct as_peek *p, const struct as_thread *t, struct statx *st)
{
	char path[64];
	struct as_fmt f;

	as_fmt_init(&f, path, sizeof(path));
	as_fmt_str(&f, "task/");
	as_fmt_u64(&f, (uint64_t)t->tid);
	as_fmt_str(&f, "/fd/");
	as_fmt_u64(&f, (uint32_t)t->args[0]);
	return as_sys_statx(p->proc_fd, path, AT_STATX_DONT_SYNC, STATX_INO, st) == 0;
}

/* ---- the list ------------------------------------------------------------------------------ */

struct line {
	bool is_waiting; /* "->": it waits for the holder above it */
	char kind[8];
	pid_t pid;       /* -1: an open file description's */
	uint64_t major, minor, inode;
};

static void skip_word(struct as_scan *s)
{
	while (s->at < s->end && *s->at != ' ')
		s->at++;
	as_scan_blanks(s);
}

/* "1: FLOCK  ADVISORY  WRITE 4112 08:01:393 0 EOF", "1:  -> FLOCK  ADVISORY  WRITE 4113 ..." */
static bool parse(struct as_scan s, struct line *l)
{
	uint64_t number;
	int64_t pid;

	if (!as_scan_u64(&s, &number) || !as_scan_char(&s, ':'))
		return false;
	as_scan_blanks(&s);
	l->is_waiting = as_scan_word(&s, "->");
	as_scan_blanks(&s);
	const char *kind = s.at;

	skip_word(&s);
	memset(l->kind, 0, sizeof(l->kind));
	for (size_t i = 0; i + 1 < sizeof(l->kind) && kind + i < s.at && kind[i] != ' '; i++)
		l->kind[i] = kind[i];
	skip_word(&s); /* ADVISORY */
	skip_word(&s); /* WRITE */
	if (!as_scan_i64(&s, &pid))
		return false;
	l->pid = (pid_t)pid;
	as_scan_blanks(&s);
	return as_scan_hex(&s, &l->major) && as_scan_char(&s, ':') && as_scan_hex(&s, &l->minor) &&
	       as_scan_char(&s, ':') && as_scan_u64(&s, &l->inode);
}

static void take(struct as_lock *lock, const struct line *l)
{
	memcpy(lock->kind, l->kind, sizeof(lock->kind));
	if (lock->holders < AS_LOCK_HOLDERS)
		lock->holder[lock->holders++] =
			(struct as_lock_holder){ .pid = l->pid > 0 ? l->pid : 0, .state = '?' };
	lock->n++;
}

/* The one that the process waits for is above it. Where the list was read too early to have it,
 * all locks on the file are told, but for its own. */
static void find_holders(struct as_lock *lock, struct as_lines *lines, const struct statx *file,
			 pid_t waiter, bool is_ofd)
{
	struct line line, holder = { .inode = 0 };
	struct as_scan text;

	while (as_lines_next(lines, &text)) {
		if (!parse(text, &line) || line.inode != file->stx_ino)
			continue;
		if (line.is_waiting && holder.inode && line.pid == (is_ofd ? -1 : waiter)) {
			lock->n = lock->holders = 0;
			take(lock, &holder);
			lock->is_exact = true;
			return;
		}
		if (line.is_waiting)
			continue;
		holder = line;
		if (line.pid != waiter && line.major == file->stx_dev_major &&
		    line.minor == file->stx_dev_minor)
			take(lock, &line);
	}
}

static void ask_who(struct as_lock_holder *h)
{
	struct as_proc_stat st;

	if (!h->pid)
		return;
	const int fd = as_proc_open(h->pid);
	const int err = fd < 0 ? fd : as_proc_stat(fd, 0, &st);

	if (!err) {
		h->state = st.state;
		memcpy(h->comm, st.comm, sizeof(h->comm));
	} else if (err == -ENOENT || err == -ESRCH) {
		h->state = 'X';
	}
	if (fd >= 0)
		as_sys_close(fd);
}

bool as_locks_read(struct as_lock *lock, const struct as_peek *p, const struct as_thread *t)
{
	const bool is_ofd = t->nr == SYS_fcntl && t->args[1] == F_OFD_SETLKW;
	struct as_lines lines;
	struct statx file;

	memset(lock, 0, sizeof(*lock));
	if (!find_file(p, t, &file) || as_lines_open(&lines, AT_FDCWD, "/proc/locks", LIST_BYTES))
		return false;
	lock->inode = file.stx_ino;
	find_holders(lock, &lines, &file, as_proc_tgid(p->proc_fd), is_ofd);
	as_lines_close(&lines);
	for (unsigned i = 0; i < lock->holders; i++)
		ask_who(&lock->holder[i]);
	return true;
}
