/*
 * program - the file behind a command, and whether a library can be preloaded into it.
 */
#ifndef SHMSCOPE_SIGDUMP_PROGRAM_H
#define SHMSCOPE_SIGDUMP_PROGRAM_H

#include <stddef.h>

#include "lib/base/err.h"

/*
 * program_find - where exec would find `command`: as a path, or by $PATH.
 * Returns 0 with path set; -ENOENT; -EACCES when there is one that may not be executed.
 * Safety: MT-safe, as long as nobody changes the environment.
 */
int program_find(const char *command, char *path, size_t room, struct err *err);

/*
 * program_check - would the loader honour LD_PRELOAD? Follows the interpreter of a script.
 *
 * Returns 0 (also for what exec itself will refuse); -EPERM for set-user-ID, set-group-ID and
 * file capabilities that would be in force; -ENOEXEC for a statically linked program and one of
 * another machine.
 * Safety: MT-safe.
 */
int program_check(const char *path, struct err *err);

#endif
