/*
 * dump_told - what the program told the library about itself, as records of a dump: gauges, and
 * the texts of its callbacks, which a thread of their own runs (sigdump_diag_add()).
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_TOLD_H
#define SHMSCOPE_PRELOAD_DUMP_TOLD_H

#include "lib/as/as_record.h"

/*
 * dump_told_write - write them all. Waits for each callback for at most DIAG_MS, and for nothing
 * after until_ns of CLOCK_MONOTONIC.
 * Safety: AS-safe, one dump at a time.
 */
void dump_told_write(struct as_record *r, uint64_t until_ns);

/*
 * dump_told_ring - the callbacks' thread has something to look at.
 * Safety: AS-safe, MT-safe.
 */
void dump_told_ring(void);

#endif
