/*
 * feed_list - the feeds in a directory.
 */
#ifndef SHMSCOPE_FEED_LIST_H
#define SHMSCOPE_FEED_LIST_H

#include <stddef.h>

#include "lib/base/err.h"

enum { FEED_LIST_MAX = 65536 };

struct feed_list {
	char **path;       /* DIR/NAME.ndjson, sorted; a chain each (feed_chain.h) */
	size_t n, room;
	size_t compressed; /* parts named *.zst, which are not read */
};

/*
 * feed_list_dir - names ending in .ndjson, and those of which only rotated parts are left. Not
 * recursive; nothing is opened.
 * list   filled; feed_list_fini().
 * Returns 0; -ENOENT, -EACCES, -ENOTDIR; -E2BIG beyond FEED_LIST_MAX names; -ENOMEM.
 * Safety: MT-safe.
 */
int feed_list_dir(const char *dir, struct feed_list *list, struct err *err);
void feed_list_fini(struct feed_list *list);

#endif
