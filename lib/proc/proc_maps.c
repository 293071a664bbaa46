#include "lib/proc/proc_maps.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_priv.h"

static const char deleted[] = " (deleted)";

bool proc_maps_parse(const char *line, struct proc_map *map)
{
	int used = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64 " %n",
		   &map->start, &map->end, map->perms, &map->offset, &map->inode, &used) != 5)
		return false;
	map->path = used ? line + used : "";
	return map->start < map->end;
}

int proc_maps_each(pid_t pid, int (*see)(const struct proc_map *map, void *arg), void *arg,
		   struct err *err)
{
	char path[64];
	FREES char *line = NULL;
	size_t room = 0;
	int code = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FCLOSES FILE *file = fopen(path, "re");
	if (!file)
		return proc_fail(pid, "maps", -errno, err);
	for (ssize_t n; !code && (n = getline(&line, &room, file)) > 0;) {
		struct proc_map map;

		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (proc_maps_parse(line, &map))
			code = see(&map, arg);
	}
	if (!code && ferror(file))
		return proc_fail(pid, "maps", -errno, err);
	return code;
}

/* Are these the same path, whether or not the file was deleted since? */
static bool is_path(const char *mapped, const char *wanted)
{
	const size_t n = strlen(wanted);

	return strncmp(mapped, wanted, n) == 0 &&
	       (mapped[n] == '\0' || strcmp(mapped + n, deleted) == 0);
}

static int has_name(const struct proc_map *map, void *name)
{
	const char *slash = strrchr(map->path, '/');

	return slash && is_path(slash + 1, name);
}

int proc_maps_has(pid_t pid, const char *name, struct err *err)
{
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", name);
	return proc_maps_each(pid, has_name, copy, err);
}

struct wanted {
	const char *path;
	struct proc_map found;
};

static int has_path(const struct proc_map *map, void *arg)
{
	struct wanted *w = arg;

	if (!is_path(map->path, w->path))
		return 0;
	w->found = *map;
	return 1;
}

int proc_maps_find(pid_t pid, const char *path, uint64_t *start, uint64_t *end, struct err *err)
{
	struct wanted w = { .path = path };
	const int code = proc_maps_each(pid, has_path, &w, err);

	if (code < 0)
		return code;
	if (!code)
		return err_set(err, -ENOENT, "pid %d: %s is not mapped", (int)pid, path);
	*start = w.found.start;
	*end = w.found.end;
	return 0;
}
