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

struct outside; /* a process that is looked at, once or again */

/*
 * outside_open / outside_close - begin a feed about a process.
 *
 * read_only  leave threads that run alone; else they are stopped by ptrace for some
 *            microseconds, one at a time.
 * keeps      the records are for later: what only a look at all processes tells is among them.
 * fd         where the records go; borrowed until it is closed.
 * out        returned. Closing NULL is fine.
 * Returns 0; a negative errno with err set when nothing of it may be read.
 * Safety: one-owner.
 */
int outside_open(const struct target *t, bool read_only, bool keeps, int fd,
		 struct outside **out, struct err *err);
void outside_close(struct outside *o);

/*
 * outside_look - look at it by PEEK and write the records of one dump.
 * Returns 0; a negative errno with err set when the records cannot be written.
 * Safety: one-owner; may block while the target's memory map is locked.
 */
int outside_look(struct outside *o, uint64_t family, struct err *err);

#endif
