/* proc_ends - who has the other end of a pipe or of a unix socket, among a process's relatives. */
#ifndef SHMSCOPE_PROC_ENDS_H
#define SHMSCOPE_PROC_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_end {
	pid_t pid;       /* the first process that has it open; 0: nobody that was looked at */
	char name[32];
	unsigned others; /* further processes that have it, too */
	bool self;       /* the process that was asked about has it itself */
};

/*
 * proc_ends_pipe - who writes to the pipe (or, from_reader false: reads from it).
 * proc_ends_socket - who has the socket with that inode: the peer of one end, see proc_sock.
 *
 * Looked at are the process itself, its parents, their children, and all that descend from it:
 * they inherit pipes from each other. To look at every process of the machine would cost more
 * than the rest of a dump. Nobody found does not mean that there is nobody.
 *
 * Returns 0; -ESRCH, -EACCES when not even the process itself can be looked at.
 * Safety: MT-safe.
 */
int proc_ends_pipe(pid_t pid, uint64_t inode, bool from_reader, struct proc_end *end);
int proc_ends_socket(pid_t pid, uint64_t inode, struct proc_end *end);

#endif
