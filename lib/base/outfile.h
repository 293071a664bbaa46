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
	bool force;
	char temporary[PATH_MAX];   /* "": the path itself is written to */
};

/*
 * outfile_check - refuse a file that is there already, before any work is done for it.
 * Returns 0; -EEXIST with err set (and what to do). Safety: MT-safe.
 */
int outfile_check(const char *path, bool force, struct err *err);

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

/*
 * outfile_std_begin - first of all in main(): descriptors 0 to 2 that are closed are taken, so
 * that no file of ours is opened there and written to as if it were the terminal. What is started
 * by exec finds them closed as before. Safety: one-owner.
 */
void outfile_std_begin(void);

/*
 * outfile_std_end - last of all: what was printed and could not be written is an error as well.
 * Returns `status`, or 3, having said so, when that was 0. Safety: one-owner.
 */
int outfile_std_end(const char *tool, int status);

#endif
