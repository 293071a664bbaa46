/*
 * top_slots - whose slots: a class in figures, and what each process holds. Pure.
 *
 * Each slot names the peer of its two ends, and a direction. Whoever must give it back is its
 * owner: the sender while it is allocated or in flight, the receiver while it is held.
 */
#ifndef SHMSCOPE_SHMTOP_TOP_SLOTS_H
#define SHMSCOPE_SHMTOP_TOP_SLOTS_H

#include "lib/findings/findings.h"

struct top_class {
	uint32_t bytes;      /* slot size */
	uint64_t total, used, free, allocated, in_flight, held, dead, bad;
	int64_t oldest_us;   /* age of the oldest that is not free; -1: none, or not known */
	int owner;           /* peer (0: host) that holds most; -1: nobody */
	uint64_t owner_slots;
};

struct top_owner { /* a process and what it holds, over all classes */
	uint32_t peer; /* 0: the host */
	uint64_t slots, dead; /* dead: of these, never to be given back: the owner has ended */
};

/* top_slot_owner - the owner record that a single slot would be counted in. Safety: MT-safe. */
struct state_owner top_slot_owner(const struct state_slot *s);
bool top_slot_is_dead(const struct state_hub *hub, const struct state_slot *s);

/* top_owner_id - who is told as the owner (0: the host): of dead slots the dead peer, else who
 * must give them back. Safety: MT-safe. */
uint32_t top_owner_id(const struct state_hub *hub, const struct state_owner *o);

/* top_class_of - figures of a class. Safety: MT-safe on a state that nobody changes. */
struct top_class top_class_of(const struct state_hub *hub, const struct state_class *k,
			      uint64_t now_us);

/* top_owner_of - what one process holds. Safety: as above. */
struct top_owner top_owner_of(const struct state_hub *hub, uint32_t peer);

/* top_owner_name - "hostd", "search"; "?" when the hub knows no such peer. Safety: as above. */
const char *top_owner_name(const struct state_hub *hub, uint32_t peer);

#endif
