/*
 * hub_look - a hub file becomes a part of a state: read by pread() into private memory, never
 * mapped, never locked, never written. What contradicts itself is named and passed over; the
 * rest goes on.
 */
#ifndef SHMSCOPE_STATE_HUB_LOOK_H
#define SHMSCOPE_STATE_HUB_LOOK_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/state/state.h"

struct hub_look;

enum {
	HUB_LOOK_RECENT = 32, /* messages listed of each ring: the last */
	HUB_LOOK_EVERY = 4096, /* slots listed of each class when all are wanted */
	HUB_LOOK_SLOTS = 256, /* single slots listed of each class: the oldest, and the oldest in
				 flight to each peer and from it */
	HUB_LOOK_CALLS = 256, /* calls listed of each table: the oldest; of the host's also the
				 oldest to each peer and what tells something by itself */
};

/* hub_look_unreadable - by errno: a path that is named cannot be read, and what to do. Returns
 * -errno. Safety: one-owner. */
int hub_look_unreadable(const char *path, struct err *err);

/*
 * hub_look_open - open a hub file and check its first page.
 *
 * path  of the file.  look  returned; hub_look_close().
 *
 * Returns 0, also for a damaged hub of which something can be read; -ENOENT, -EACCES, ... of
 * open(2); -EBADMSG for what is no hub, -EPROTO for one of a version that this build does not
 * read, each with err set.
 * Safety: one-owner, as everything below.
 */
int hub_look_open(const char *path, struct hub_look **look, struct err *err);

/* hub_look_close - NULL is fine. */
void hub_look_close(struct hub_look *look);

/* hub_look_want - list the last messages of each ring, and every slot that is not free. */
void hub_look_want(struct hub_look *look, bool messages, bool slots);

/* hub_look_path - as given. Borrowed. hub_look_boot - boot id of the machine it was made on. */
const char *hub_look_path(const struct hub_look *look);
const char *hub_look_boot(const struct hub_look *look);

/* hub_look_real_offset_us - CLOCK_REALTIME - CLOCK_MONOTONIC when the hub was made. */
int64_t hub_look_real_offset_us(const struct hub_look *look);

/*
 * hub_look_is_live - a host holds it now: its words are of this moment.
 * hub_look_is_replaced - the path leads to another file (or to none) by now.
 */
bool hub_look_is_live(const struct hub_look *look);
bool hub_look_is_replaced(const struct hub_look *look);

/*
 * hub_look_fill - add the hub to a state, as it is now.
 *
 * source    STATE_LIVE or STATE_HUB_FILE: what the hub in the state is marked with.
 * shift_us  added to all its times.
 *
 * The hub's seen_us is now while a host holds it, else the last sign of life found in it. Whether
 * its processes live is asked of this machine, if it is the one that the hub was made on.
 *
 * Returns 0 or -ENOMEM. What cannot be read any more (the file was cut off meanwhile) is damage.
 */
int hub_look_fill(struct hub_look *look, struct state *st, enum state_source source,
		  int64_t shift_us);

/*
 * hub_look_bell - the socket from which the consumer of a ring hears its bell.
 * Returns its inode; 0: not known.
 */
uint64_t hub_look_bell(const struct hub_look *look, unsigned peer, unsigned dir);

#endif
