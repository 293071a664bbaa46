/*
 * proc_maps - two questions about what is mapped into a process. For walks over its mappings
 * or modules: as_maps.h, as_modules.h.
 */
#ifndef SHMSCOPE_PROC_MAPS_H
#define SHMSCOPE_PROC_MAPS_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

/*
 * proc_maps_has - is a file of that base name mapped ("libsigdump.so"), deleted or not?
 * Returns 1 or 0; -ESRCH, -EACCES: then nobody knows.
 * Safety: MT-safe, may block: the kernel takes the process's mmap lock for reading.
 */
int proc_maps_has(pid_t pid, const char *name, struct err *err);

/*
 * proc_maps_find - the first mapping whose path is `path`, deleted or not ("[vdso]" too).
 * Returns 0 with start and end; -ENOENT; -ESRCH, -EACCES. Safety: as proc_maps_has().
 */
int proc_maps_find(pid_t pid, const char *path, uint64_t *start, uint64_t *end, struct err *err);

#endif
