/*
 * proc_outer - numbers of processes across pid namespaces.
 */
#ifndef SHMSCOPE_PROC_OUTER_H
#define SHMSCOPE_PROC_OUTER_H

#include <stddef.h>
#include <stdint.h>
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

struct proc_outer_entry {
	pid_t inner, outer;
};

struct proc_outer { /* the threads of one pid namespace; all zero to begin with */
	struct proc_outer_entry *entry; /* by inner */
	size_t n, room;
	uint64_t read_us; /* when they were read last, of CLOCK_MONOTONIC; 0: never */
};

/*
 * proc_outer_of - the number here of the thread or process `inner` of the namespace with that inode.
 * What was found once is kept, also when it has ended.
 * Returns 0 when none is known.
 * Safety: one-owner; for unknown numbers it reads, once in a second at most, ns/pid of every process
 * and the status of every thread in there.
 */
pid_t proc_outer_of(struct proc_outer *o, uint64_t ns, pid_t inner);
void proc_outer_fini(struct proc_outer *o);

#endif
