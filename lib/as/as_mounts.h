/*
 * as_mounts - filesystems whose answers come from a server or a program (FUSE, NFS and others): when
 * that answers no more, whoever touches a file there waits, and often cannot even be killed.
 *
 * Asked of mountinfo, never of the filesystem itself.
 *
 * Safety, for every function here: AS-safe; may block as reading /proc does.
 */
#ifndef SHMSCOPE_AS_MOUNTS_H
#define SHMSCOPE_AS_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct as_mount {
	uint32_t dev_major, dev_minor;
	const char *point; /* where it is mounted, as mountinfo has it; not terminated */
	size_t point_len;
	const char *type;  /* "fuse.sshfs" */
	size_t type_len;
};

/* as_mounts_parse - one line of mountinfo, without its line end; m points into it. Returns false
 * when it is none. */
bool as_mounts_parse(const char *line, size_t n, struct as_mount *m);

/* as_mounts_is_served - it is such a filesystem. */
bool as_mounts_is_served(const struct as_mount *m);

/* as_mounts_has_served - so is the one with that device number, as the process has it mounted.
 * False also where it cannot be told. */
bool as_mounts_has_served(int proc_fd, uint32_t dev_major, uint32_t dev_minor);

#endif
