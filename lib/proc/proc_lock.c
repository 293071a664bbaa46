#include "lib/proc/proc_lock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_priv.h"

enum { LOCKS_LIMIT = 4 << 20 };

struct line {
	bool is_waiting; /* "->": it waits for the holder above it */
	pid_t pid;
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
	if (sscanf(text, "%*s %*s %*s %d %*x:%*x:%" SCNu64, &pid, &inode) != 2)
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
