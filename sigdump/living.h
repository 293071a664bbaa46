/* living - what only the living processes can tell of a dump that was just taken of them. */
#ifndef SHMSCOPE_SIGDUMP_LIVING_H
#define SHMSCOPE_SIGDUMP_LIVING_H

#include "lib/state/state.h"

struct living;

/* living_create / living_destroy - what is remembered from one look to the next. NULL without
 * memory; destroying NULL is fine. Safety: one-owner. */
struct living *living_create(void);
void living_destroy(struct living *l);

/*
 * living_look - a dump holds numbers: "recv from socket:[701089]". While the thread is still in
 * that very call, /proc says where the socket leads, who has the other end of a pipe, who holds the
 * file lock, which child is waited for; and what memory and open files a process has that wrote no
 * dump of its own. Whom it waits for is looked at as well (read, not touched), and whom that waits
 * for, a few steps on: they become processes of the state, without a family.
 *
 * family  of the dump: other processes stay as they are.
 * stacks  also of those that are waited for: naming them costs more than the rest.
 *
 * What has moved on, or may not be read, stays as the dump told it.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int living_look(struct living *l, struct state *st, uint64_t family, bool stacks);

#endif
