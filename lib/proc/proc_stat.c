#include "lib/proc/proc_stat.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/grow.h"
#include "lib/proc/proc_priv.h"

/* The second number of statm, in pages; 0 for what has no memory. */
static uint64_t resident_bytes(pid_t pid)
{
	char text[128];
	unsigned long long pages = 0;

	if (proc_read(pid, "statm", text, sizeof(text), NULL) > 0)
		sscanf(text, "%*u %llu", &pages);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

int proc_stat(pid_t pid, struct proc_stat *stat, struct err *err)
{
	struct as_proc_stat s;
	CLOSES int dir = as_proc_open(pid);
	if (dir < 0)
		return proc_fail(pid, "", dir, err);
	const int code = as_proc_stat(dir, 0, &s);
	if (code < 0)
		return proc_fail(pid, "stat", code, err);
	*stat = (struct proc_stat){
		.pid = pid,
		.ppid = s.ppid,
		.state = s.state,
		.threads = s.threads,
		.start_ticks = s.start,
		.cpu_ticks = s.utime + s.stime,
		.rss_bytes = resident_bytes(pid),
	};
	memcpy(stat->comm, s.comm, sizeof(stat->comm));
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
