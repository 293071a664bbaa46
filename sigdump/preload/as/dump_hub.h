/*
 * dump_hub - the hubs that this process takes part in, as records of a dump.
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_HUB_H
#define SHMSCOPE_PRELOAD_DUMP_HUB_H

#include "lib/as/as_record.h"

/*
 * dump_hub_open_wanted - open the hubs that were registered since the last call, in the
 * dumper's own table; tell those who wait for it.
 * Safety: AS-safe, the dumper only; may block as open(2) does.
 */
void dump_hub_open_wanted(void);

/* dump_hub_reopen_all - a new dumper begins: its table holds none of them. Safety: as above. */
void dump_hub_reopen_all(void);

/*
 * dump_hub_look - write what every registered hub's file says now: look 1 or 2 of a dump.
 * until_ns  of CLOCK_MONOTONIC: nothing further is begun after that.
 * Safety: AS-safe, one dump at a time; may block as pread(2) does.
 */
void dump_hub_look(struct as_record *r, unsigned look, uint64_t until_ns);

#endif
