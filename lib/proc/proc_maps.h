/* proc_maps - what is mapped into a process, from /proc/PID/maps. */
#ifndef SHMSCOPE_PROC_MAPS_H
#define SHMSCOPE_PROC_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

struct proc_map {
	uint64_t start, end;
	uint64_t offset;   /* in the file */
	uint64_t inode;    /* 0: no file */
	char perms[5];     /* "r-xp" */
	const char *path;  /* "", "[stack]", "/usr/lib/..., perhaps with " (deleted)" */
};

/* proc_maps_parse - one line (without its newline); false when it is none. `path` points into it. Safety: MT-safe. */
bool proc_maps_parse(const char *line, struct proc_map *map);

/*
 * proc_maps_each - calls `see` for each mapping, ascending.
 *
 * see    returns 0 to go on; anything else ends the walk and is returned. The map is borrowed
 *        for the call.
 * Returns 0; -ESRCH, -EACCES (needs the rights of ptrace(2) reading); what `see` returned.
 * Safety: MT-safe, may block: the kernel takes the process's mmap lock for reading.
 */
int proc_maps_each(pid_t pid, int (*see)(const struct proc_map *map, void *arg), void *arg,
		   struct err *err);

/*
 * proc_maps_has - is a file of that base name mapped ("libsigdump.so")?
 * Returns 1 or 0; -ESRCH, -EACCES: then nobody knows. Safety: as proc_maps_each().
 */
int proc_maps_has(pid_t pid, const char *name, struct err *err);

/*
 * proc_maps_find - the first mapping whose path is `path`, deleted or not.
 * Returns 0 with start and end; -ENOENT; -ESRCH, -EACCES. Safety: as proc_maps_each().
 */
int proc_maps_find(pid_t pid, const char *path, uint64_t *start, uint64_t *end, struct err *err);

#endif
