#include "lib/proc/proc_outer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/as/as_dir.h"
#include "lib/base/cleanup.h"
#include "lib/base/grow.h"
#include "lib/proc/proc_ident.h"
#include "lib/proc/proc_stat.h"
#include "lib/proc/proc_status.h"

enum { ANCESTORS = 64, AGE_US = 1000000 };

/*
 * The namespace at that depth is known by a process whose innermost one it is: `pid` itself, or
 * the nearest ancestor that is not in a deeper one.
 */
static bool is_within(pid_t pid, unsigned levels, uint64_t ns)
{
	struct proc_status status;
	struct proc_stat stat;
	uint64_t own;

	for (int i = 0; i < ANCESTORS && pid > 0; i++) {
		if (proc_status(pid, pid, &status, NULL) || status.levels < levels)
			return false;
		if (status.levels == levels)
			return proc_pidns(pid, &own, NULL) == 0 && own == ns;
		if (proc_stat(pid, &stat, NULL))
			return false;
		pid = stat.ppid;
	}
	return false;
}

pid_t proc_outer_pid(pid_t of, pid_t inner)
{
	FREES pid_t *pids = NULL;
	struct proc_status status;
	uint64_t ns;
	size_t n = 0;

	if (proc_status(of, of, &status, NULL))
		return 0;
	const unsigned levels = status.levels;

	if (levels <= 1)
		return inner;
	if (levels > PROC_LEVELS || proc_pidns(of, &ns, NULL) || proc_list((uid_t)-1, &pids, &n, NULL))
		return 0;
	for (size_t i = 0; i < n; i++)
		if (proc_status(pids[i], pids[i], &status, NULL) == 0 && status.levels >= levels &&
		    status.level_pid[levels - 1] == inner && is_within(pids[i], levels, ns))
			return pids[i];
	return 0;
}

/* ---- all of a namespace -------------------------------------------------------------------- */

static size_t place_of(const struct proc_outer *o, pid_t inner)
{
	size_t lo = 0, hi = o->n;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (o->entry[mid].inner < inner)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static pid_t known(const struct proc_outer *o, pid_t inner)
{
	const size_t at = place_of(o, inner);

	return at < o->n && o->entry[at].inner == inner ? o->entry[at].outer : 0;
}

static int put(struct proc_outer *o, pid_t inner, pid_t outer)
{
	const size_t at = place_of(o, inner);

	if (at == o->n || o->entry[at].inner != inner) {
		if (!GROW(o->entry, o->n, o->room))
			return -ENOMEM;
		memmove(&o->entry[at + 1], &o->entry[at], (o->n - at) * sizeof(*o->entry));
		o->n++;
	}
	o->entry[at] = (struct proc_outer_entry){ inner, outer };
	return 0;
}

static int put_threads(struct proc_outer *o, pid_t pid)
{
	struct proc_status status;
	struct as_dir tasks;
	char path[64];
	int e = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	if (as_dir_open(&tasks, AT_FDCWD, path))
		return 0;
	for (const char *name; !e && (name = as_dir_next(&tasks));) {
		const pid_t tid = as_dir_number(name);

		if (tid > 0 && proc_status(pid, tid, &status, NULL) == 0 && status.inner_pid > 0)
			e = put(o, status.inner_pid, tid);
	}
	as_dir_close(&tasks);
	return e;
}

static void read_all(struct proc_outer *o, uint64_t ns)
{
	FREES pid_t *pids = NULL;
	size_t n = 0;
	uint64_t theirs;

	if (proc_list((uid_t)-1, &pids, &n, NULL))
		return;
	for (size_t i = 0; i < n; i++)
		if (proc_pidns(pids[i], &theirs, NULL) == 0 && theirs == ns && put_threads(o, pids[i]))
			return;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

pid_t proc_outer_of(struct proc_outer *o, uint64_t ns, pid_t inner)
{
	const pid_t outer = inner > 0 ? known(o, inner) : 0;

	if (outer || inner <= 0 || (o->read_us && now_us() - o->read_us < AGE_US))
		return outer;
	read_all(o, ns);
	o->read_us = now_us();
	return known(o, inner);
}

void proc_outer_fini(struct proc_outer *o)
{
	free(o->entry);
	*o = (struct proc_outer){ 0 };
}
