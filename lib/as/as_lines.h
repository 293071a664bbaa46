/*
 * as_lines - a file of /proc of any length, line by line, through a small buffer.
 *
 *	as_lines_open(&l, dirfd, path);
 *	while (as_lines_next(&l, &scan)) ...
 *	as_lines_close(&l);
 *
 * Safety, for every function here: AS-safe, one-owner; may block as open(2) and read(2) do.
 */
#ifndef SHMSCOPE_AS_LINES_H
#define SHMSCOPE_AS_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/as/as_scan.h"

struct as_lines {
	int fd;
	size_t at, n;   /* of buf: what was not handed out yet */
	size_t left;    /* bytes that may still be read */
	bool is_cut;    /* the file goes on behind that limit */
	char buf[2048]; /* longer lines come in pieces */
};

/* as_lines_open - of the first `limit` bytes. Returns 0 or a negative errno. */
int as_lines_open(struct as_lines *l, int dirfd, const char *path, size_t limit);
/* as_lines_next - the next line, without its end. Returns false when there is none. */
bool as_lines_next(struct as_lines *l, struct as_scan *line);
void as_lines_close(struct as_lines *l);

#endif
