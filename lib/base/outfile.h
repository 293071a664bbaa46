/*
 * outfile - where a result goes: stdout, or a file that appears only when it is complete.
 *
 *	struct outfile out;
 *	if (outfile_open(&out, path, force, &err)) ...
 *	fprintf(out.stream, ...);
 *	r = outfile_close(&out, r == 0, &err);
 */
#ifndef SHMSCOPE_BASE_OUTFILE_H
#define SHMSCOPE_BASE_OUTFILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/base/err.h"

struct outfile {
	FILE *stream;
	const char *path;           /* borrowed; NULL: stdout */
	char temporary[PATH_MAX];   /* "": the path itself is written to */
};

/*
 * outfile_open - path NULL or "-" is stdout. A file is written under a temporary name beside it;
 * a device or a pipe is written to as it is.
 * force   an existing file may be replaced.
 * Returns 0; -EEXIST with err set (and what to do) for a file that is there; other negative
 * errno with err set.
 * Safety: one-owner (as below).
 */
int outfile_open(struct outfile *out, const char *path, bool force, struct err *err);

/*
 * outfile_close - `keep`: give the file its name; else remove it. Failures of any write so far
 * show here. A reader of stdout that went away is no failure.
 * Returns 0 or negative errno with err set.
 */
int outfile_close(struct outfile *out, bool keep, struct err *err);

#endif
