#include "lib/proc/proc_ends.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_stat.h"

enum { RELATIVES = 256, PARENTS = 4, OPEN_FILES = 4096 };

struct relatives {
	pid_t pid[RELATIVES];
	size_t n;
};

static void add(struct relatives *r, pid_t pid)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->pid[i] == pid)
			return;
	if (pid > 0 && r->n < RELATIVES)
		r->pid[r->n++] = pid;
}

/* Children of the first thread: of others, as good as nobody has any. */
static void add_children(struct relatives *r, pid_t of)
{
	char path[64];
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)of, (int)of);
	FCLOSES FILE *f = fopen(path, "re");

	while (f && fscanf(f, "%d", &pid) == 1)
		add(r, pid);
}

static void list_relatives(struct relatives *r, pid_t pid)
{
	struct proc_stat stat;
	pid_t at = pid;

	r->n = 0;
	add(r, pid);
	for (size_t i = 0; i < r->n; i++) /* grows: all that descend from it */
		add_children(r, r->pid[i]);
	for (int i = 0; i < PARENTS && proc_stat(at, &stat, NULL) == 0 && stat.ppid > 1; i++) {
		at = stat.ppid;
		add(r, at);
		add_children(r, at);
	}
}

/* ---- one process ----------------------------------------------------------------------------- */

static int access_of(pid_t pid, const char *fd)
{
	char path[64], line[128];
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.16s", (int)pid, fd);
	FCLOSES FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "flags: %o", &flags) == 1)
			return (int)(flags & O_ACCMODE);
	return -1;
}

static bool is_wanted(pid_t pid, const char *fd, int not_wanted)
{
	return not_wanted < 0 || access_of(pid, fd) != not_wanted;
}

/* 1: it has that file open, in another way than not_wanted; 0; or a negative errno. */
static int has_open(pid_t pid, const char *link, int not_wanted)
{
	char path[64], to[64];
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);

	if (!d)
		return -errno;
	const struct dirent *entry;
	for (int i = 0; !found && i < OPEN_FILES && (entry = readdir(d)); i++) {
		const ssize_t n = readlinkat(dirfd(d), entry->d_name, to, sizeof(to) - 1);

		if (n <= 0)
			continue;
		to[n] = '\0';
		found = strcmp(to, link) == 0 && is_wanted(pid, entry->d_name, not_wanted);
	}
	closedir(d);
	return found;
}

static int find(pid_t pid, const char *link, int not_wanted, struct proc_end *end)
{
	struct relatives r;
	struct proc_stat stat;

	*end = (struct proc_end){ 0 };
	const int own = has_open(pid, link, not_wanted);

	if (own < 0)
		return own == -ENOENT ? -ESRCH : own;
	end->self = own;
	list_relatives(&r, pid);
	for (size_t i = 1; i < r.n; i++) {
		if (has_open(r.pid[i], link, not_wanted) <= 0)
			continue;
		if (end->pid) {
			end->others++;
			continue;
		}
		end->pid = r.pid[i];
		if (proc_stat(end->pid, &stat, NULL) == 0)
			snprintf(end->name, sizeof(end->name), "%.31s", stat.comm);
	}
	return 0;
}

int proc_ends_pipe(pid_t pid, uint64_t inode, bool from_reader, struct proc_end *end)
{
	char link[48];

	snprintf(link, sizeof(link), "pipe:[%" PRIu64 "]", inode);
	return find(pid, link, from_reader ? O_RDONLY : O_WRONLY, end);
}

int proc_ends_socket(pid_t pid, uint64_t inode, struct proc_end *end)
{
	char link[48];

	snprintf(link, sizeof(link), "socket:[%" PRIu64 "]", inode);
	return find(pid, link, -1, end);
}
