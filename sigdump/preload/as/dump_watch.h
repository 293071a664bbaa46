/*
 * dump_watch - the watchdog: the dumper looks after its own process, and dumps by itself.
 *
 * What is watched: every ring with messages waiting and every pending call of the hubs that this
 * process takes part in (a host: of all its peers), and the heartbeats that are due. What stands
 * where it stood for `watchdog_ms` is an incident: one dump, and a record that names it; another
 * record when it goes on.
 *
 * Time is counted in wake-ups. Each look adds to what stands still the nap that was asked for
 * before it, however long it took in truth: a process that was stopped, or waited for a CPU, was
 * looked at once and has used up one nap. A ring counts only after all its cells were read: words
 * may lie.
 *
 * Cost. While nothing is registered the dumper sleeps for ever. Else it naps half the shortest
 * limit while nothing is due, and a fifth while something is; a look at an idle peer is about ten
 * small reads of its hub file, into memory of a few KiB. So an incident is told between one limit
 * and one and a half after it began.
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_WATCH_H
#define SHMSCOPE_PRELOAD_DUMP_WATCH_H

#include <time.h>

/* dump_watch_begin - a dumper begins. Safety: AS-safe, the dumper only, as all of these. */
void dump_watch_begin(void);

/* dump_watch_nap - how long the dumper may sleep before the next look; NULL: for ever. */
const struct timespec *dump_watch_nap(struct timespec *nap);

/* dump_watch_look - if it is time: look, and dump when something has stood still too long.
 * May block as pread(2) and a dump do. */
void dump_watch_look(void);

#endif
