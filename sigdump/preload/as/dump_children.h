/*
 * dump_children - passes a dump on to the processes below this one.
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_CHILDREN_H
#define SHMSCOPE_PRELOAD_DUMP_CHILDREN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/as/as_record.h"

/*
 * dump_children_tell - ask every registered child, and every child process that has the
 * library, for a dump with the same family; write a record for each. Nobody is waited for.
 *
 * buf, room  for reading /proc, at least 8 KiB.  until_ns  of CLOCK_MONOTONIC: no child is
 * begun with after that.
 * Safety: AS-safe, one dump at a time; may block as reading /proc/PID/maps does.
 */
void dump_children_tell(struct as_record *r, uint64_t family, char *buf, size_t room,
			uint64_t until_ns);

#endif
