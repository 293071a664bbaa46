/* proc_priv - reading files of /proc, for the files of this directory. */
#ifndef SHMSCOPE_PROC_PRIV_H
#define SHMSCOPE_PROC_PRIV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

/*
 * proc_read - the start of /proc/PID/NAME as a string.
 *
 * name   below /proc/PID ("stat", "task/12/syscall").
 * buf    set to at most room - 1 bytes and a NUL.
 *
 * Returns the number of bytes; -ESRCH when the process (or thread) is gone; -EACCES when it
 * is not ours to read; -ENOENT when this kernel has no such file; another errno.
 * Safety: MT-safe.
 */
ssize_t proc_read(pid_t pid, const char *name, char *buf, size_t room, struct err *err);

/*
 * proc_read_text - a whole file below /proc/PID, for those that have no natural bound.
 * text   returned, free(). Results and errors as proc_read(); cut as proc_read_all().
 * Safety: MT-safe.
 */
ssize_t proc_read_text(pid_t pid, const char *name, size_t limit, char **text, struct err *err);

/*
 * proc_read_all - a whole file of any length below `limit`; longer ones are cut at a line end.
 * path   absolute.  text  returned, free().
 * Returns the number of bytes, or a negative errno (plain: ENOENT is not yet ESRCH).
 * Safety: MT-safe.
 */
ssize_t proc_read_all(const char *path, size_t limit, char **text);

/*
 * proc_fail - say why /proc/PID/NAME could not be used; code is the negative errno of the
 * failed call. ENOENT becomes ESRCH if the process or thread as a whole is gone, EPERM becomes
 * EACCES.
 * Returns the code to return. Safety: MT-safe.
 */
int proc_fail(pid_t pid, const char *name, int code, struct err *err);

#endif
