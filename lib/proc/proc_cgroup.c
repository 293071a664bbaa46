#include "lib/proc/proc_cgroup.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_priv.h"

enum { FILE_LIMIT = 64 << 10, MOUNTS_LIMIT = 1 << 20 };

/* Version 1 writes "no limit" as the largest multiple of a page below 2^63. */
static const uint64_t v1_unlimited = (uint64_t)1 << 62;

static const struct names {
	const char *current, *limit, *hits, *hits_key, *kills, *cache_key;
} names[] = {
	[1] = { "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.failcnt", NULL,
		"memory.oom_control", "total_inactive_file" },
	[2] = { "memory.current", "memory.max", "memory.events", "max", "memory.events",
		"inactive_file" },
};

/* The number of a one-line file (key NULL) or after "key " on a line; UINT64_MAX: none, "max". */
static uint64_t number_in(const char *dir, const char *file, const char *key)
{
	char path[PATH_MAX];
	FREES char *text = NULL;
	const int n = snprintf(path, sizeof(path), "%s/%s", dir, file);

	if (n >= (int)sizeof(path) || proc_read_all(path, FILE_LIMIT, &text) < 0)
		return UINT64_MAX;
	const char *at = text;
	for (const size_t len = key ? strlen(key) : 0; len; at++) {
		if (strncmp(at, key, len) == 0 && at[len] == ' ') {
			at += len + 1;
			break;
		}
		at = strchr(at, '\n');
		if (!at)
			return UINT64_MAX;
	}
	char *end;
	const uint64_t value = strtoull(at, &end, 10);
	return end == at ? UINT64_MAX : value;
}

static uint64_t or_zero(uint64_t value)
{
	return value == UINT64_MAX ? 0 : value;
}

static void take_limit(const char *dir, const char *below, struct proc_cgroup *group)
{
	const struct names *file = &names[group->version];
	const uint64_t limit = number_in(dir, file->limit, NULL);

	if (limit >= v1_unlimited || (group->limit && limit >= group->limit))
		return;
	group->limit = limit;
	group->limit_current = or_zero(number_in(dir, file->current, NULL));
	group->limit_cache = or_zero(number_in(dir, "memory.stat", file->cache_key));
	group->limit_hits = or_zero(number_in(dir, file->hits, file->hits_key));
	snprintf(group->limit_path, sizeof(group->limit_path), "%s", below);
}

int proc_cgroup_read(const char *root, const char *below, int version, struct proc_cgroup *group,
		     struct err *err)
{
	char dir[PATH_MAX];
	const size_t start = strlen(root);
	struct proc_cgroup g = { .version = version };

	if (snprintf(dir, sizeof(dir), "%s%s", root, below) >= (int)sizeof(dir))
		return err_set(err, -ENAMETOOLONG, "%.60s...: path of a cgroup too long", root);
	snprintf(g.path, sizeof(g.path), "%s", below);
	const uint64_t current = number_in(dir, names[version].current, NULL);
	/* the root of version 2 has no memory.current: nothing limits it either */
	if (current == UINT64_MAX && strcmp(below, "/") != 0)
		return err_set(err, -ENOENT, "%s: no memory figures of this cgroup", dir);
	g.current = or_zero(current);
	g.oom_kills = or_zero(number_in(dir, names[version].kills, "oom_kill"));
	for (;;) {
		take_limit(dir, dir[start] ? dir + start : "/", &g);
		char *slash = strrchr(dir + start, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	*group = g;
	return 0;
}

/* The path in the line of /proc/PID/cgroup that has the memory controller; cut out of text. */
static char *group_path(char *text, int *version)
{
	char *unified = NULL, *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':'), *path;

		if (!controllers || !(path = strchr(++controllers, ':')))
			continue;
		*path++ = '\0';
		if (!*controllers)
			unified = path;
		for (char *word; (word = strsep(&controllers, ","));) {
			if (strcmp(word, "memory") == 0) {
				*version = 1;
				return path;
			}
		}
	}
	*version = 2;
	return unified;
}

/* Does this line of mountinfo mount the hierarchy? Sets where, and the group it shows as root. */
static bool is_mount(char *line, int version, char **root, char **where)
{
	char *tail = strstr(line, " - "), *save = NULL;

	if (!tail)
		return false;
	*tail = '\0';
	const char *type = strtok_r(tail + 3, " ", &save);
	strtok_r(NULL, " ", &save);
	char *options = strtok_r(NULL, " ", &save);
	if (!type || strcmp(type, version == 2 ? "cgroup2" : "cgroup") != 0)
		return false;
	bool has_memory = version == 2;
	for (char *word; !has_memory && options && (word = strsep(&options, ","));)
		has_memory = strcmp(word, "memory") == 0;
	if (!has_memory)
		return false;
	char *field = strtok_r(line, " ", &save);
	for (int i = 0; i < 3 && field; i++)
		field = strtok_r(NULL, " ", &save);
	*root = field;
	*where = field ? strtok_r(NULL, " ", &save) : NULL;
	return *where != NULL;
}

/* The group's path below a mount that shows `root` at its top; NULL when it lies elsewhere. */
static const char *below_mount(const char *path, const char *root)
{
	const size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(path, root, n) != 0 || (n && path[n] != '/' && path[n] != '\0'))
		return NULL;
	if (strstr(path, "/.."))
		return NULL;
	return path[n] ? path + n : "/";
}

int proc_cgroup(pid_t pid, struct proc_cgroup *group, struct err *err)
{
	FREES char *text = NULL, *mounts = NULL;
	int version;
	ssize_t n = proc_read_text(pid, "cgroup", FILE_LIMIT, &text, err);

	if (n < 0)
		return (int)n;
	const char *path = group_path(text, &version);
	if (!path)
		return err_set(err, -ENOENT, "pid %d: in no memory cgroup", (int)pid);
	n = proc_read_all("/proc/self/mountinfo", MOUNTS_LIMIT, &mounts);
	if (n < 0)
		return err_set(err, (int)n, "/proc/self/mountinfo: cannot be read");
	char *save = NULL;
	for (char *line = strtok_r(mounts, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *root, *where;

		if (!is_mount(line, version, &root, &where))
			continue;
		const char *below = below_mount(path, root);
		if (below)
			return proc_cgroup_read(where, below, version, group, err);
	}
	return err_set(err, -ENOENT, "pid %d: its cgroup %s is not mounted here", (int)pid, path);
}
