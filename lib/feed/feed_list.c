#include "lib/feed/feed_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/grow.h"
#include "lib/feed/feed_format.h"

static bool is_number(const char *text, size_t len)
{
	return len > 0 && len <= 2 && strspn(text, "0123456789") >= len;
}

/* Length of NAME.ndjson in NAME.ndjson, NAME.ndjson.3 or NAME.ndjson.3.zst; 0: no feed. */
static size_t base_length(const char *name, bool *is_compressed)
{
	const char *suffix = NULL;

	*is_compressed = false;
	for (const char *s = strstr(name, FEED_SUFFIX); s; s = strstr(s + 1, FEED_SUFFIX))
		suffix = s;
	if (!suffix || suffix == name)
		return 0;
	const char *rest = suffix + strlen(FEED_SUFFIX);
	const size_t base = (size_t)(rest - name);

	if (!*rest)
		return base;
	if (*rest++ != '.')
		return 0;
	const char *dot = strchr(rest, '.');

	*is_compressed = dot && strcmp(dot, ".zst") == 0;
	if (dot && !*is_compressed)
		return 0;
	return is_number(rest, dot ? (size_t)(dot - rest) : strlen(rest)) ? base : 0;
}

static int add(struct feed_list *list, const char *dir, const char *name, size_t len)
{
	if (list->n >= FEED_LIST_MAX)
		return -E2BIG;
	if (!GROW(list->path, list->n, list->room))
		return -ENOMEM;
	if (asprintf(&list->path[list->n], "%s/%.*s", dir, (int)len, name) < 0)
		return -ENOMEM;
	list->n++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_once(struct feed_list *list)
{
	size_t kept = 0;

	if (!list->n)
		return;
	qsort(list->path, list->n, sizeof(list->path[0]), by_name);
	for (size_t i = 0; i < list->n; i++) {
		if (kept && strcmp(list->path[kept - 1], list->path[i]) == 0)
			free(list->path[i]);
		else
			list->path[kept++] = list->path[i];
	}
	list->n = kept;
}

static int read_names(DIR *d, const char *dir, struct feed_list *list)
{
	const struct dirent *entry;

	while (errno = 0, (entry = readdir(d))) {
		bool is_compressed;
		const size_t len = base_length(entry->d_name, &is_compressed);

		list->compressed += is_compressed;
		if (!len || is_compressed)
			continue;
		const int e = add(list, dir, entry->d_name, len);

		if (e)
			return e;
	}
	return -errno;
}

int feed_list_dir(const char *dir, struct feed_list *list, struct err *err)
{
	DIR *d = opendir(dir);

	*list = (struct feed_list){ 0 };
	if (!d) {
		const int e = err_set(err, -errno, "%s: cannot be listed (%m)", dir);

		return e == -EACCES ? err_next(err, "read it as its owner") : e;
	}
	const int e = read_names(d, dir, list);

	closedir(d);
	sort_once(list);
	if (!e)
		return 0;
	feed_list_fini(list);
	if (e == -E2BIG)
		return err_set(err, e, "%s: more than %d feeds", dir, FEED_LIST_MAX);
	return err_set(err, e, "%s: cannot be listed (%s)", dir, strerror(-e));
}

void feed_list_fini(struct feed_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->path[i]);
	free(list->path);
	*list = (struct feed_list){ 0 };
}
