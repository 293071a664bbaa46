/*
 * feed_fill - the records of one dump become a part of a state.
 */
#ifndef SHMSCOPE_STATE_FEED_FILL_H
#define SHMSCOPE_STATE_FEED_FILL_H

#include "lib/state/feed_stream.h"
#include "lib/state/state.h"

/*
 * feed_fill - add the process of a dump, with its threads and stacks, and the hubs as that look
 * found them. state_join() is still to be called.
 *
 * look     1 or 2. A dump that has no such look (cut off, or of a process without hubs) gives
 *          what the look before found, as carried.
 * carried  the dump is of an earlier moment: all of it is.
 *
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int feed_fill(struct state *st, struct feed_stream *s, const struct feed_dump *d,
	      unsigned look, bool carried);

/*
 * feed_fill_children - children of the dumped process that are in the state by nothing else:
 * pid, and what /proc said of them. To be called after feed_fill() of all dumps.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int feed_fill_children(struct state *st, struct feed_stream *s, const struct feed_dump *d);

#endif
