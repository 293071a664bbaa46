/*
 * as_avoid - which pages of a process are better not waited for: those of files whose filesystem
 * somebody answers for (as_mounts.h), while a thread of the process waits for such an answer.
 *
 * As long as nobody waits, the filesystem is taken to be well: its pages are read like all others, for
 * without the tables in them stacks end early.
 */
#ifndef SHMSCOPE_AS_AVOID_H
#define SHMSCOPE_AS_AVOID_H

#include "lib/as/as_mem.h"
#include "lib/as/as_modules.h"

/*
 * as_avoid - tell m (as_mem_avoid()) by the modules that were just read. What lies on devices is asked
 * once. Costs nothing where nothing is mapped from such a filesystem.
 * Safety: AS-safe, one-owner; may block as reading /proc does.
 */
void as_avoid(struct as_modules *t, struct as_mem *m, int proc_fd);

#endif
