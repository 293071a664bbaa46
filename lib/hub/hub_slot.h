/*
 * hub_slot - owns payload memory: who holds which slot, and whether it has pages.
 *
 * One 64-bit word per slot is the only truth (hub_format.h); every function here that changes
 * an owner is one compare-and-swap of it. Everything else - hints, shares, marks - may be
 * wrong at any time and costs only a longer search.
 */
#ifndef SHMSCOPE_HUB_SLOT_H
#define SHMSCOPE_HUB_SLOT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/hub/hub_map.h"

enum { HUB_SLOT_HINTS = 64 };

/* Which end of which link; goes into every slot word. */
struct hub_slot_end {
	uint16_t peer;
	uint16_t incarnation;
	uint8_t direction; /* HUB_TO_PEER, HUB_TO_HOST */
};

/* A slot that this process holds. `word` is what the slot's word was set to by its holder. */
struct hub_slot_ref {
	uint32_t ref;  /* HUB_SLOT_REF; HUB_NO_SLOT: none */
	uint64_t word;
};

struct hub_slot_class {
	pthread_mutex_t lock;          /* of hint[]; only ever tried */
	uint32_t hint[HUB_SLOT_HINTS]; /* freed here lately, the last one on top: still in the cache */
	unsigned hints;
	uint64_t freed;                /* bytes of slots freed here since the file's hint was seen */
	uint32_t cursor;               /* that hint */
	_Atomic uint32_t known;        /* host: slots whose table is known to have pages */
	_Atomic uint64_t *backed;      /* host: payload that is known to have pages */
	_Atomic uint8_t *mine;         /* host: threads of it that have, or try to get, this slot */
	uint64_t *idle;                /* puncher's: word of each slot one pass ago (host) */
};

struct hub_slots {
	const struct hub_map *map;
	bool is_host;
	_Atomic uint32_t backed_more;  /* host: something was backed since the puncher last looked */
	struct hub_slot_class klass[HUB_CLASSES_MAX];
};

/* hub_slots_init / hub_slots_fini - this process's view. 0 or -ENOMEM. Safety: one-owner. */
int hub_slots_init(struct hub_slots *s, const struct hub_map *map, bool is_host);
void hub_slots_fini(struct hub_slots *s);

/*
 * hub_slot_class_for - the smallest class for `bytes`; -EMSGSIZE when it is larger than the
 * largest. Safety: MT-safe, wait-free.
 */
int hub_slot_class_for(const struct hub_slots *s, uint64_t bytes);

/*
 * hub_slot_claim - take a free slot of exactly this class, growing the class if it may.
 *
 * bytes      how much of it will be used; so much is backed.
 * is_answer  to a call: it may have the slots that are kept for answers (hub_slot.c), too.
 * likely     a slot that is probably free and better than others (hub_pace.h); HUB_NO_SLOT: none.
 * slot       set on 0; ours until sent or freed.
 *
 * Returns 0; -EAGAIN when no slot is free (counted); -ENOSPC when its pages could not be had
 * (counted; nothing is held).
 * Safety: MT-safe; lock-free, save for fallocate() of slots that have no pages.
 */
int hub_slot_claim(struct hub_slots *s, unsigned klass, uint32_t bytes, struct hub_slot_end end,
		   bool is_answer, uint32_t likely, struct hub_slot_ref *slot);

/*
 * hub_slot_share - how many slots of a class one peer may have under way in one direction: a
 * quarter of them (half both ways), so that one that is stopped or hoards leaves the rest to
 * others; an answer may be one more. Safety: MT-safe, wait-free.
 */
uint32_t hub_slot_share(const struct hub_slots *s, unsigned klass, bool is_answer);

/*
 * hub_slot_may_go_up - may a message that fits `klass - 1` be served from `klass`? Not when
 * that would use its last quarter. Safety: MT-safe, wait-free.
 */
bool hub_slot_may_go_up(struct hub_slots *s, unsigned klass);

/*
 * hub_slot_count - slots of a class whose sender is the host and whose receiver is `peer`
 * (direction HUB_TO_PEER), or the other way round; the truth behind a share that seems used up.
 * Safety: MT-safe, wait-free (reads the class's words).
 */
uint32_t hub_slot_count(struct hub_slots *s, unsigned klass, struct hub_slot_end end);

/* hub_slot_published - slots of a class that exist now. Safety: MT-safe; wait-free, save that
 * the host backs the table of slots that a peer has published. */
uint32_t hub_slot_published(struct hub_slots *s, unsigned klass);

/*
 * hub_slot_payload - where the payload of a slot lies, and how much it can hold.
 * Safety: MT-safe, wait-free.
 */
void *hub_slot_payload(const struct hub_slots *s, uint32_t ref, uint32_t *room);

/*
 * hub_slot_send - allocated -> in flight, by the sender, before its descriptor is published.
 * bytes, call, method, time_ms  for people.
 * Returns 0; -ESTALE when the word is no longer ours (somebody scribbled over it).
 * Safety: MT-safe, wait-free.
 */
int hub_slot_send(struct hub_slots *s, struct hub_slot_ref *slot, uint32_t bytes, uint32_t call,
		  uint16_t method, uint32_t time_ms);

/*
 * hub_slot_take - in flight -> held, by the receiver named in a descriptor.
 *
 * ref, gen, bytes  from the descriptor: untrusted, all checked.
 * end              the sender's end as the link knows it.
 * slot             set on 0: ours until freed.
 *
 * Returns 0; -EBADMSG when the reference makes no sense; -ESTALE when the slot is not in
 * flight from that end with that generation; -ENOSPC when the host cannot get its pages.
 * Safety: MT-safe, wait-free (host: fallocate() for pages it does not know of).
 */
int hub_slot_take(struct hub_slots *s, uint32_t ref, uint32_t gen, uint32_t bytes,
		  struct hub_slot_end end, uint32_t time_ms, struct hub_slot_ref *slot);

/*
 * hub_slot_free - give a held or allocated slot back. slot is emptied. The caller then wakes
 * whoever waits for a slot: true when the class has such waiters (B1).
 * Safety: MT-safe, wait-free.
 */
bool hub_slot_free(struct hub_slots *s, struct hub_slot_ref *slot);

/* hub_slot_announce - some end will sleep for a slot of this class (B1). Then look once more.
 * Safety: MT-safe, wait-free. */
void hub_slot_announce(struct hub_slots *s, unsigned klass);

/* hub_slot_unannounce - host: take the announcements back, all of them; those who still wait
 * announce again. True when there were any. Safety: MT-safe, wait-free. */
bool hub_slot_unannounce(struct hub_slots *s);

/*
 * hub_slot_sweep - take back what a dead peer's incarnation leaves: slots it allocated, holds,
 * or that are in flight in either direction. What the host holds or has allocated stays: its
 * threads give it back. Call when the peer is proven dead, its ring drained, its link closed.
 * Returns slots taken back. Safety: MT-safe, wait-free per slot.
 */
uint32_t hub_slot_sweep(struct hub_slots *s, unsigned peer, unsigned incarnation, uint32_t time_ms);

/*
 * hub_slot_repair - free every slot whose word nobody can have written who keeps to the
 * protocol: no such state or peer, an incarnation that is not alive, or held by the host, which
 * knows what it has. After a peer that may have scribbled over the table has died.
 * is_alive  does this incarnation of a peer live?
 * Returns slots freed. Safety: MT-safe; host only; reads the whole table.
 */
uint32_t hub_slot_repair(struct hub_slots *s,
			 bool (*is_alive)(void *arg, unsigned peer, unsigned incarnation), void *arg);

/*
 * hub_slot_punch - give pages of slots back to the filesystem that were free in this and in the
 * last pass, with no use in between. The first chunk of each small class stays.
 * more   set: something is backed that a later pass may give back.
 * Returns bytes given back. Safety: one caller at a time; host only; may block (fallocate).
 */
uint64_t hub_slot_punch(struct hub_slots *s, bool *more);

#endif
