/* living - what only the living process can tell of a dump that was just taken of it. */
#ifndef SHMSCOPE_SIGDUMP_LIVING_H
#define SHMSCOPE_SIGDUMP_LIVING_H

#include "lib/state/state.h"

/*
 * living_look - a dump holds numbers: "recv from socket:[701089]". While the thread is still in
 * that very call, /proc says where the socket leads, who holds the file lock, which child is
 * waited for; and what memory and open files a process has that wrote no dump of its own.
 *
 * family  of the dump: other processes stay as they are.
 *
 * What has moved on, or may not be read, stays as the dump told it.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int living_look(struct state *st, uint64_t family);

#endif
