/*
 * proc_mount - whether a file may be touched without waiting for a server (as_mounts.h).
 */
#ifndef SHMSCOPE_PROC_MOUNT_H
#define SHMSCOPE_PROC_MOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * proc_mount_is_served - the path lies on a filesystem that a server or a program answers for.
 *
 * pid  whose view of the files it is; 0: ours.
 * dev  set to that filesystem's number, as in stat(2).
 * The path is not touched; symbolic links in it are not followed. False also where mountinfo cannot
 * be read. Safety: MT-safe.
 */
bool proc_mount_is_served(pid_t pid, const char *path, uint64_t *dev);

#endif
