#include "lib/proc/proc_mount.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "lib/as/as_lines.h"
#include "lib/as/as_mounts.h"
#include "lib/as/as_proc.h"
#include "lib/as/as_sys.h"

enum { MOUNTINFO_BYTES = 1 << 20 };

static bool lies_below(const char *path, const struct as_mount *m)
{
	const size_t n = m->point_len;

	if (n == 1)
		return path[0] == '/';
	return strncmp(path, m->point, n) == 0 && (path[n] == '/' || !path[n]);
}

bool proc_mount_is_served(pid_t pid, const char *path, uint64_t *dev)
{
	const int proc_fd = as_proc_open(pid);
	struct as_lines lines;
	struct as_scan line;
	struct as_mount m;
	size_t longest = 0;
	bool is_served = false;

	if (proc_fd < 0)
		return false;
	const bool is_open = as_lines_open(&lines, proc_fd, "mountinfo", MOUNTINFO_BYTES) == 0;

	/* of those mounted on one place the last one is seen */
	while (is_open && as_lines_next(&lines, &line)) {
		if (!as_mounts_parse(line.at, (size_t)(line.end - line.at), &m) ||
		    m.point_len < longest || !lies_below(path, &m))
			continue;
		longest = m.point_len;
		is_served = as_mounts_is_served(&m);
		*dev = makedev(m.dev_major, m.dev_minor);
	}
	as_lines_close(&lines);
	as_sys_close(proc_fd);
	return is_served;
}
