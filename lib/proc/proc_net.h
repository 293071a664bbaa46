/* proc_net - where a TCP socket leads, from the tables of its network namespace. */
#ifndef SHMSCOPE_PROC_NET_H
#define SHMSCOPE_PROC_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

/* Which socket leads where: the TCP table of one network namespace, read once. */
struct proc_net_entry {
	uint64_t inode;
	uint32_t local[4], remote[4]; /* IPv4 stands in the last word, behind ::ffff */
	uint16_t local_port, remote_port;
	bool listens;
};

struct proc_net {
	struct proc_net_entry *entry;
	size_t n, room;
};

/*
 * proc_net_read - the table of the namespace that the process is in. A zeroed struct will do; what
 * was in it is replaced.  proc_net_fini - give it back; zeroes it.
 * Returns 0, -ESRCH, -EACCES, -ENOMEM. Safety: one-owner.
 */
int proc_net_read(struct proc_net *net, pid_t pid, struct err *err);
void proc_net_fini(struct proc_net *net);

/* proc_net_find - the socket with that inode; NULL. Safety: MT-safe on what nobody reads. */
const struct proc_net_entry *proc_net_find(const struct proc_net *net, uint64_t inode);

/* proc_net_peer - the socket at its other end, if that is on this machine; NULL. Safety: as above. */
const struct proc_net_entry *proc_net_peer(const struct proc_net *net,
					   const struct proc_net_entry *of);

/* proc_net_text - "tcp 10.0.0.5:443", or "tcp listening on 127.0.0.1:8080". Returns buf.
 * Safety: MT-safe. */
char *proc_net_text(const struct proc_net_entry *of, char *buf, size_t room);

/* proc_net_parse - the entries of the text of a table; v6 in tcp6's form. Pure.
 * Returns 0 or -ENOMEM. Safety: one-owner. */
int proc_net_parse(struct proc_net *net, const char *text, int v6);

#endif
