#include "lib/proc/proc_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_fd.h"
#include "lib/proc/proc_priv.h"

enum { LOCKS_LIMIT = 4 << 20 };

struct line {
	bool is_waiting; /* "->": it waits for the holder above it */
	pid_t pid;
	unsigned major, minor;
	uint64_t inode;
};

/* "1: FLOCK  ADVISORY  WRITE 4112 08:01:393 0 EOF", "1:  -> FLOCK  ADVISORY  WRITE 4113 ..." */
static bool parse_line(const char *text, struct line *line)
{
	int used = 0, pid;
	uint64_t inode;

	if (sscanf(text, "%*d: %n", &used) < 0 || !used)
		return false;
	text += used;
	line->is_waiting = strncmp(text, "->", 2) == 0;
	if (line->is_waiting)
		text += 2;
	if (sscanf(text, "%*s %*s %*s %d %x:%x:%" SCNu64, &pid, &line->major, &line->minor,
		   &inode) != 4)
		return false;
	line->pid = pid;
	line->inode = inode;
	return true;
}

pid_t proc_lock_parse(const char *text, pid_t waiter, uint64_t inode)
{
	struct line line, holder = { 0 };
	bool has_holder = false, is_held = false;
	pid_t other = 0;

	for (; text && *text; text = strchr(text, '\n'), text += text != NULL) {
		if (!parse_line(text, &line) || line.inode != inode)
			continue;
		if (!line.is_waiting) {
			holder = line;
			has_holder = true;
			/* the list may not show our waiter: it was read a moment too early */
			if (line.pid != waiter) {
				other = line.pid;
				is_held = true;
			}
		} else if (line.pid == waiter && has_holder) {
			other = holder.pid;
			is_held = true;
			break;
		}
	}
	if (!is_held)
		return -ENOENT;
	return other > 0 ? other : 0;
}

pid_t proc_lock_holder(pid_t waiter, uint64_t inode, struct err *err)
{
	FREES char *text = NULL;
	const ssize_t n = proc_read_all("/proc/locks", LOCKS_LIMIT, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_set(err, (int)n, "/proc/locks: cannot be read (%m)");
	}
	const pid_t holder = proc_lock_parse(text, waiter, inode);
	if (holder == -ENOENT)
		return err_set(err, -ENOENT, "inode %llu: no lock in /proc/locks keeps pid %d",
			       (unsigned long long)inode, (int)waiter);
	return holder;
}

/* ---- by open file -------------------------------------------------------------------------- */

struct wanted {
	pid_t pid;
	const char *path;
};

/* "lock:\t1: FLOCK  ADVISORY  WRITE 4112 08:01:393 0 EOF" stands in the fdinfo of the open file. */
static int see_fd(const struct proc_fd *fd, void *arg)
{
	const struct wanted *w = arg;
	char name[32], text[4096];

	if (strcmp(fd->link, w->path) != 0)
		return 0;
	snprintf(name, sizeof(name), "fdinfo/%d", fd->fd);
	return proc_read(w->pid, name, text, sizeof(text), NULL) > 0 && strstr(text, "\nlock:") != NULL;
}

bool proc_lock_is_with(pid_t pid, const char *path)
{
	struct wanted w = { pid, path };

	return proc_fd_each(pid, see_fd, &w, NULL) == 1;
}

/* ---- by somebody else ---------------------------------------------------------------------- */

struct search {
	const char *locks; /* the system's list */
	pid_t pid;
	struct proc_lock_other *other;
};

/* Who else has locked that file; 0: nobody, or the process itself has, too. */
static pid_t locked_by(const struct search *s, const struct statx *st)
{
	struct line line;
	pid_t by = 0;

	for (const char *at = s->locks; at && *at; at = strchr(at, '\n'), at += at != NULL) {
		if (!parse_line(at, &line) || line.is_waiting || line.inode != st->stx_ino ||
		    line.major != st->stx_dev_major || line.minor != st->stx_dev_minor)
			continue;
		if (line.pid == s->pid)
			return 0;
		by = line.pid > 0 ? line.pid : by;
	}
	return by;
}

static int see_file(const struct proc_fd *fd, void *arg)
{
	struct search *s = arg;
	char path[64];
	struct statx st;

	if (fd->kind != PROC_FD_FILE)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)s->pid, fd->fd);
	/* without asking a network filesystem's server, which may be what hangs */
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO | STATX_TYPE, &st) || !S_ISREG(st.stx_mode))
		return 0;
	s->other->pid = locked_by(s, &st);
	snprintf(s->other->path, sizeof(s->other->path), "%s", fd->link);
	return s->other->pid > 0;
}

bool proc_lock_by_other(pid_t pid, struct proc_lock_other *other)
{
	FREES char *text = NULL;
	struct search s = { .pid = pid, .other = other };

	if (proc_read_all("/proc/locks", LOCKS_LIMIT, &text) < 0)
		return false;
	s.locks = text;
	if (proc_fd_each(pid, see_file, &s, NULL) != 1)
		return false;
	const ssize_t n = proc_read(other->pid, "comm", other->name, sizeof(other->name), NULL);

	other->name[n < 0 ? 0 : strcspn(other->name, "\n")] = '\0';
	return true;
}
