/*
 * outside - a dump of a process that cannot or shall not write one itself.
 */
#ifndef SHMSCOPE_SIGDUMP_OUTSIDE_H
#define SHMSCOPE_SIGDUMP_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/as/as_record.h"
#include "lib/base/err.h"
#include "sigdump/target.h"

struct outside_result {
	uint32_t threads, captured, disturbed;
};

/*
 * outside_look - look at a process by PEEK and write the records of a feed.
 *
 * read_only  leave threads that run alone; else they are stopped by ptrace for some
 *            microseconds, one at a time.
 * fd         where the records go; borrowed.
 * Returns 0; a negative errno with err set when nothing could be read.
 * Safety: one-owner; may block while the target's memory map is locked.
 */
int outside_look(const struct target *t, uint64_t family, bool read_only, int fd,
		 struct outside_result *result, struct err *err);

#endif
