#include "lib/proc/proc_stat.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/grow.h"
#include "lib/proc/proc_priv.h"

enum { STAT_ROOM = 1024 };

int proc_stat_parse(const char *text, struct proc_stat *stat)
{
	struct proc_stat s = { 0 };
	/* the name may hold blanks and parentheses: it ends at the last one */
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t user, system;
	int64_t rss_pages;

	if (!open || !close || close < open)
		return -EBADMSG;
	const size_t n = (size_t)(close - open - 1);
	if (n >= sizeof(s.comm))
		return -EBADMSG;
	memcpy(s.comm, open + 1, n);
	s.pid = atoi(text);
	if (sscanf(close + 1,
		   " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
		   " %*d %*d %*d %*d %u %*d %" SCNu64 " %*u %" SCNd64,
		   &s.state, &s.ppid, &user, &system, &s.threads, &s.start_ticks, &rss_pages) != 7)
		return -EBADMSG;
	s.cpu_ticks = user + system;
	s.rss_bytes = rss_pages > 0 ? (uint64_t)rss_pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
	*stat = s;
	return 0;
}

int proc_stat(pid_t pid, struct proc_stat *stat, struct err *err)
{
	char text[STAT_ROOM];
	const ssize_t n = proc_read(pid, "stat", text, sizeof(text), err);

	if (n < 0)
		return (int)n;
	if (proc_stat_parse(text, stat) < 0)
		return err_set(err, -EBADMSG, "pid %d: /proc/%d/stat is not a stat line (\"%.40s\")",
			       (int)pid, (int)pid, text);
	return 0;
}

bool proc_is_same(pid_t pid, uint64_t start_ticks)
{
	struct proc_stat stat;

	return proc_stat(pid, &stat, NULL) == 0 && stat.start_ticks == start_ticks;
}

static int by_number(const void *a, const void *b)
{
	const pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static bool is_owned(int dirfd, const char *name, uid_t uid)
{
	struct stat st;

	return uid == (uid_t)-1 || (fstatat(dirfd, name, &st, 0) == 0 && st.st_uid == uid);
}

int proc_list(uid_t uid, pid_t **pids, size_t *n, struct err *err)
{
	FREES pid_t *list = NULL;
	size_t count = 0, room = 0;
	DIR *dir = opendir("/proc");

	if (!dir)
		return err_set(err, -errno, "/proc: cannot be listed (%m)");
	for (const struct dirent *e; (e = readdir(dir));) {
		if (!isdigit((unsigned char)e->d_name[0]) || !is_owned(dirfd(dir), e->d_name, uid))
			continue;
		if (!GROW(list, count, room)) {
			closedir(dir);
			return err_set(err, -ENOMEM, "/proc: out of memory for %zu pids", count);
		}
		list[count++] = atoi(e->d_name);
	}
	closedir(dir);
	if (count)
		qsort(list, count, sizeof(*list), by_number);
	*pids = take_ptr(&list);
	*n = count;
	return 0;
}
