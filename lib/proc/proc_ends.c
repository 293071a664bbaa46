#include "lib/proc/proc_ends.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/as/as_dir.h"
#include "lib/base/grow.h"
#include "lib/proc/proc_fd.h"
#include "lib/proc/proc_stat.h"

enum { ENTRIES = 1 << 21 };

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t hash_of(const char *link)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *link; link++)
		h = (h ^ (unsigned char)*link) * UINT64_C(0x100000001b3);
	return h;
}

/* ---- the scan ------------------------------------------------------------------------------ */

static bool add(struct proc_ends *e, pid_t pid, int fd, const char *link)
{
	if (e->n == ENTRIES || !GROW(e->entry, e->n, e->room))
		return false;
	e->entry[e->n++] = (struct proc_ends_entry){ hash_of(link), pid, fd };
	return true;
}

static bool is_of_the_kernel(pid_t pid)
{
	enum { KTHREADD = 2 };
	struct proc_stat stat;

	return pid == KTHREADD || (proc_stat(pid, &stat, NULL) == 0 && stat.ppid == KTHREADD);
}

static void refuse(struct proc_ends *e, pid_t pid)
{
	if (is_of_the_kernel(pid))
		return;
	if (GROW(e->session, e->refused, e->refused_room))
		e->session[e->refused++] = getsid(pid);
	else
		e->is_cut = true;
}

/* A thread of the kernel has no files, and no session; nor has it a program. */
static bool has_none(pid_t pid)
{
	char path[32], link[1];

	if (getsid(pid))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, link, sizeof(link)) < 0 && errno == ENOENT;
}

/* Returns false when it may not be seen where the descriptors of this process lead. */
static bool scan_fd(struct proc_ends *e, const struct as_dir *d, pid_t pid, const char *name)
{
	char link[PROC_FD_LINK];
	const int fd = as_dir_number(name);
	const ssize_t n = fd >= 0 ? readlinkat(d->fd, name, link, sizeof(link) - 1) : 0;

	if (n > 0 && !(fd == d->fd && pid == getpid())) {
		link[n] = '\0';
		e->is_cut = !add(e, pid, fd, link);
	}
	return n >= 0 || errno != EACCES;
}

static void scan_process(struct proc_ends *e, pid_t pid)
{
	char path[32];
	struct as_dir d;

	if (has_none(pid))
		return;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	const int code = as_dir_open(&d, AT_FDCWD, path);

	if (code) {
		if (code == -EACCES || code == -EPERM)
			refuse(e, pid);
		return;
	}
	bool is_shown = true;

	/* (one that is refused stands for all of them) */
	for (const char *name; is_shown && !e->is_cut && (name = as_dir_next(&d));)
		is_shown = scan_fd(e, &d, pid, name);
	as_dir_close(&d);
	if (!is_shown)
		refuse(e, pid);
}

static int compare(const void *a, const void *b)
{
	const struct proc_ends_entry *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->fd > y->fd) - (x->fd < y->fd);
}

int proc_ends_scan(struct proc_ends *e, uint64_t limit_us)
{
	const uint64_t until_us = now_us() + limit_us;
	struct as_dir d;
	const int code = as_dir_open(&d, AT_FDCWD, "/proc");

	if (code)
		return code;
	e->n = e->refused = 0;
	e->is_hidden = access("/proc/1", F_OK) != 0;
	e->is_cut = false;
	for (const char *name; !e->is_cut && (name = as_dir_next(&d));) {
		const pid_t pid = as_dir_number(name);

		if (pid <= 0)
			continue;
		scan_process(e, pid);
		e->is_cut |= now_us() > until_us;
	}
	e->is_cut |= d.error != 0;
	as_dir_close(&d);
	if (e->n)
		qsort(e->entry, e->n, sizeof(*e->entry), compare);
	return 0;
}

void proc_ends_fini(struct proc_ends *e)
{
	free(e->entry);
	free(e->session);
	*e = (struct proc_ends){ 0 };
}

/* ---- questions ----------------------------------------------------------------------------- */

/* Is it still that file, and open in that way? The link's own mode says how. */
static bool is_open(const struct proc_ends_entry *at, const char *link, enum proc_ends_mode mode)
{
	char path[64], now[PROC_FD_LINK];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)at->pid, at->fd);
	const ssize_t n = readlink(path, now, sizeof(now) - 1);

	now[n > 0 ? n : 0] = '\0';
	if (n <= 0 || strcmp(now, link) != 0)
		return false;
	if (mode == PROC_ENDS_ANY)
		return true;
	return lstat(path, &st) == 0 &&
	       st.st_mode & (mode == PROC_ENDS_READERS ? S_IRUSR : S_IWUSR);
}

static size_t first_of(const struct proc_ends *e, uint64_t hash)
{
	size_t lo = 0, hi = e->n;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (e->entry[mid].hash < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t proc_ends_who(const struct proc_ends *e, const char *link, enum proc_ends_mode mode,
		     struct proc_end *who, size_t room)
{
	const uint64_t hash = hash_of(link);
	struct proc_stat stat;
	pid_t last = 0;
	size_t n = 0;

	for (size_t i = first_of(e, hash); i < e->n && e->entry[i].hash == hash; i++) {
		const struct proc_ends_entry *at = &e->entry[i];

		if (at->pid == last || !is_open(at, link, mode))
			continue;
		last = at->pid;
		if (n < room) {
			who[n] = (struct proc_end){ .pid = at->pid, .fd = at->fd };
			if (proc_stat(at->pid, &stat, NULL) == 0)
				snprintf(who[n].name, sizeof(who[n].name), "%.31s", stat.comm);
		}
		n++;
	}
	return n;
}

bool proc_ends_is_all(const struct proc_ends *e, pid_t pid)
{
	const pid_t session = getsid(pid); /* 0: begun outside of our namespace */

	if (e->is_cut || e->is_hidden || session <= 0)
		return false;
	for (size_t i = 0; i < e->refused; i++)
		if (e->session[i] == session)
			return false;
	return true;
}
