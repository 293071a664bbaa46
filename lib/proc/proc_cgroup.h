/*
 * proc_cgroup - the memory limit that really holds for a process, and how near it is.
 *
 * The limit is the lowest one between the process's own group and the root of what we can
 * see, version 2 or 1. No limit is "unknown", never 0 bytes.
 */
#ifndef SHMSCOPE_PROC_CGROUP_H
#define SHMSCOPE_PROC_CGROUP_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

struct proc_cgroup {
	int version;            /* 1 or 2 */
	char path[256];         /* of its own group, as /proc/PID/cgroup names it */
	char limit_path[256];   /* of the group that has the limit; "" without one */
	uint64_t current;       /* bytes charged to its own group */
	uint64_t limit;         /* 0: no limit known */
	uint64_t limit_current; /* bytes charged to the group that has the limit */
	uint64_t limit_cache;   /* of these: file pages the kernel would drop first */
	uint64_t limit_hits;    /* times that limit was reached */
	uint64_t oom_kills;     /* processes of its own group killed by the OOM killer */
};

/*
 * proc_cgroup - of one process.
 *
 * Returns 0; -ESRCH; -EACCES; -ENOENT when no memory controller is mounted here or the group
 * is outside what this mount shows (another cgroup namespace).
 * Safety: MT-safe.
 */
int proc_cgroup(pid_t pid, struct proc_cgroup *group, struct err *err);

/*
 * proc_cgroup_read - the same for a group's directory.
 *
 * root   where the hierarchy is mounted.  below  the group's path under it, "/" or "/a/b".
 * Safety: MT-safe.
 */
int proc_cgroup_read(const char *root, const char *below, int version, struct proc_cgroup *group,
		     struct err *err);

#endif
