/*
 * proc_outer - numbers of processes across pid namespaces.
 */
#ifndef SHMSCOPE_PROC_OUTER_H
#define SHMSCOPE_PROC_OUTER_H

#include <sys/types.h>

/*
 * proc_outer_pid - the number under which we see the process that `of` knows as `inner`.
 *
 * Processes in a pid namespace count on their own; /proc/PID/status lists a process's number in
 * each namespace from ours inward (NSpid). Where both are in the same one, that is inner itself.
 *
 * Returns 0 when there is none, or when /proc does not tell.
 * Safety: MT-safe; reads the status of every process when they are in different ones.
 */
pid_t proc_outer_pid(pid_t of, pid_t inner);

#endif
