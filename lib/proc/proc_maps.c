#include "lib/proc/proc_maps.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "lib/as/as_maps.h"
#include "lib/as/as_proc.h"
#include "lib/base/cleanup.h"
#include "lib/proc/proc_priv.h"

/* Is it the wanted path, or with `is_base` one that ends in it? */
static bool is_wanted(const struct as_map *map, const char *wanted, bool is_base)
{
	const size_t n = strlen(wanted);

	if (map->path_cut || map->path_len < n || memcmp(map->path + map->path_len - n, wanted, n) != 0)
		return false;
	if (map->path_len == n)
		return !is_base;
	return is_base && map->path[map->path_len - n - 1] == '/';
}

/* Returns 1 with the first wanted mapping, 0 when there is none. */
static int find(pid_t pid, const char *wanted, bool is_base, struct as_map *map, struct err *err)
{
	char buf[2 * PATH_MAX];
	struct as_maps reader;
	CLOSES int dir = as_proc_open(pid);
	if (dir < 0)
		return proc_fail(pid, "maps", dir, err);
	int code = as_maps_open(&reader, dir, 0, buf, sizeof(buf));
	if (!code)
		while ((code = as_maps_next(&reader, map)) > 0 && !is_wanted(map, wanted, is_base))
			;
	as_maps_close(&reader);
	return code < 0 ? proc_fail(pid, "maps", code, err) : code;
}

int proc_maps_has(pid_t pid, const char *name, struct err *err)
{
	struct as_map map;

	return find(pid, name, true, &map, err);
}

int proc_maps_find(pid_t pid, const char *path, uint64_t *start, uint64_t *end, struct err *err)
{
	struct as_map map;
	const int code = find(pid, path, false, &map, err);

	if (code < 0)
		return code;
	if (!code)
		return err_set(err, -ENOENT, "pid %d: %s is not mapped", (int)pid, path);
	*start = map.start;
	*end = map.end;
	return 0;
}
