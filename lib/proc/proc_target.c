#include "lib/proc/proc_target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

enum { NAME_ROOM = 256 };

struct found { /* by a name */
	pid_t first;
	unsigned n;
	char list[200]; /* "4111 4112 ..." */
};

static ssize_t read_start(pid_t pid, const char *file, char *buf, size_t room)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, buf, room - 1);

	if (n >= 0)
		buf[n] = '\0';
	return n;
}

static bool is_called(pid_t pid, const char *name)
{
	char buf[4096];

	if (read_start(pid, "comm", buf, sizeof(buf)) <= 0)
		return false;
	buf[strcspn(buf, "\n")] = '\0';
	if (strcmp(buf, name) == 0)
		return true;
	/* comm is cut after 15 bytes, and a thread may have changed it */
	if (read_start(pid, "cmdline", buf, sizeof(buf)) <= 0)
		return false;
	const char *slash = strrchr(buf, '/');
	return strcmp(slash ? slash + 1 : buf, name) == 0;
}

static pid_t pid_of_entry(const char *name)
{
	char *end;
	const long pid = strtol(name, &end, 10);

	return *end || pid <= 0 || pid > INT32_MAX ? 0 : (pid_t)pid;
}

static int find_by_name(const char *name, struct found *found, struct err *err)
{
	DIR *dir = opendir("/proc");

	if (!dir)
		return err_set(err, -errno, "/proc: cannot be read (%m)");
	*found = (struct found){ .n = 0 };
	for (struct dirent *e; (e = readdir(dir));) {
		const pid_t pid = pid_of_entry(e->d_name);
		const size_t used = strlen(found->list);

		if (!pid || pid == getpid() || !is_called(pid, name))
			continue;
		if (!found->n++)
			found->first = pid;
		snprintf(found->list + used, sizeof(found->list) - used, "%s%d", used ? " " : "",
			 (int)pid);
	}
	closedir(dir);
	return 0;
}

static int resolve(const char *word, pid_t *pid, struct err *err)
{
	struct found found;
	char path[64];

	*pid = pid_of_entry(word);
	if (*pid) {
		snprintf(path, sizeof(path), "/proc/%d", (int)*pid);
		if (access(path, F_OK) == 0)
			return 0;
		err_set(err, -ESRCH, "pid %s: no such process", word);
		err_next(err, "it has ended, or lives in another container; `pgrep -a NAME` finds pids");
		return -ESRCH;
	}
	const int r = find_by_name(word, &found, err);
	if (r)
		return r;
	if (!found.n) {
		err_set(err, -ESRCH, "%s: no process of this name", word);
		err_next(err, "the name is its comm or its program; `pgrep -af %s` looks wider", word);
		return -ESRCH;
	}
	if (found.n > 1) {
		err_set(err, -EINVAL, "%s: %u processes have this name (%s)", word, found.n,
			found.list);
		err_next(err, "give one of these pids");
		return -EINVAL;
	}
	*pid = found.first;
	return 0;
}

int proc_target(const char *list, pid_t *pid, size_t room, size_t *n, struct err *err)
{
	while (*list) {
		const size_t len = strcspn(list, ",");
		char word[NAME_ROOM];
		pid_t found;

		if (!len || len >= sizeof(word)) {
			err_set(err, -EINVAL, "\"%s\" is not a list of pids or names", list);
			err_next(err, "such as 4112 or 4112,4113 or nginx");
			return -EINVAL;
		}
		memcpy(word, list, len);
		word[len] = '\0';
		const int r = resolve(word, &found, err);
		if (r)
			return r;
		if (*n == room)
			return err_set(err, -E2BIG, "more than %zu processes", room);
		pid[(*n)++] = found;
		list += len + (list[len] == ',');
	}
	return 0;
}
