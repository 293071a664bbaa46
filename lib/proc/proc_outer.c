#include "lib/proc/proc_outer.h"

#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_ident.h"
#include "lib/proc/proc_stat.h"
#include "lib/proc/proc_status.h"

enum { ANCESTORS = 64 };

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
