/*
 * proc_target - processes as people name them: `4112`, `search`, `4112,search`.
 */
#ifndef SHMSCOPE_PROC_TARGET_H
#define SHMSCOPE_PROC_TARGET_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/base/err.h"

/*
 * proc_target - the pids of a list, separated by commas. A name (of /proc/PID/comm, or the last
 * part of argv[0]) must match exactly one process of this pid namespace.
 * pid    room for `room` of them; *n of it is used already and is counted on.
 * Returns 0; -ESRCH with err set when a pid or a name is not there; -EINVAL for a name that fits
 * several processes (err lists them) or a list that is none; -E2BIG when room is too small.
 * Safety: MT-safe.
 */
int proc_target(const char *list, pid_t *pid, size_t room, size_t *n, struct err *err);

#endif
