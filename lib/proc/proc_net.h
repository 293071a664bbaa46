/* proc_net - where a TCP socket leads, from the tables of its network namespace. */
#ifndef SHMSCOPE_PROC_NET_H
#define SHMSCOPE_PROC_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

/*
 * proc_net_tcp - the other end of a TCP socket of that process, or, of one that listens, its own.
 *
 * inode  of the socket.
 * buf    set to "tcp 10.0.0.5:443", or "tcp listening on 127.0.0.1:8080".
 *
 * The whole table is read: for somebody who asked about this process, not for every sample.
 *
 * Returns 0; -ENOENT when no TCP socket has that inode; -ESRCH, -EACCES.
 * Safety: MT-safe.
 */
int proc_net_tcp(pid_t pid, uint64_t inode, char *buf, size_t room, struct err *err);

/* proc_net_parse - the same from the text of a table; v6 in tcp6's form. Pure. Safety: MT-safe. */
int proc_net_parse(const char *text, int v6, uint64_t inode, char *buf, size_t room);

#endif
