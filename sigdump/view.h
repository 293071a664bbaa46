/*
 * view - dumps of one family, as text, as a report in JSON, or as the records themselves.
 */
#ifndef SHMSCOPE_SIGDUMP_VIEW_H
#define SHMSCOPE_SIGDUMP_VIEW_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/err.h"
#include "sigdump/dump_options.h"
#include "sigdump/living.h"

/* One process's dump: bytes [from, to) of a feed. */
struct view_part {
	const char *path;
	uint64_t from, to;
};

/*
 * view_records - the records of the parts, each with the first line of its feed and the
 * dictionary before it, so that what is printed stands alone.
 * Returns 0; a negative errno with err set.
 * Safety: one-owner.
 */
int view_records(FILE *out, const struct view_part *parts, size_t n, struct err *err);

/*
 * view_processes - every process whose dump carries `family`, named and judged.
 * living    what is remembered from an earlier time.
 * may_wait  another look may be had: when only that can settle a suspicion, nothing is printed.
 * Returns 0; 1 when nothing was printed; a negative errno with err set.
 * Safety: one-owner.
 */
int view_processes(FILE *out, const struct view_part *parts, size_t n, uint64_t family,
		   struct living *living, bool may_wait, const struct dump_options *options,
		   struct err *err);

#endif
