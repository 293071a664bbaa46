/*
 * hub_bell - one end of a link: its two rings, its doorbell, and the two announcements.
 *
 * The host has one such end per peer, a peer has one. The doorbell is an AF_UNIX socket pair;
 * what is written there means nothing, that something is there means "look". It is rung only
 * for an end that announced what it sleeps for.
 *
 *	sleeper: announce (seq_cst) - look once more - sleep on the bell - withdraw, drain, look
 *	waker:   publish (seq_cst)  - exchange the announcement for 0 - ring if it was set
 */
#ifndef SHMSCOPE_HUB_BELL_H
#define SHMSCOPE_HUB_BELL_H

#include <stdbool.h>

#include "lib/hub/hub_map.h"
#include "lib/hub/hub_pace.h"
#include "lib/hub/hub_ring.h"

struct hub_end {
	const struct hub_map *map;
	struct hub_peer *entry;
	struct hub_tx tx;
	struct hub_rx rx;
	struct hub_pace pace;        /* of what this end sends */
	_Atomic uint32_t *mine;      /* what this end sleeps for */
	_Atomic uint32_t *mine_ms;
	_Atomic uint32_t *theirs;    /* what the other end sleeps for */
	uint64_t took_ms;            /* when the last message was taken */
	uint64_t handled;            /* notifications that came in, of all incarnations */
	int bell;                    /* -1: none */
	uint16_t peer;               /* id of the peer at this link, on both ends */
	uint16_t incarnation;
	bool is_host;
};

/* hub_bell_pair - a doorbell: both ends CLOEXEC. Returns 0 or -errno. Safety: MT-safe. */
int hub_bell_pair(int *host_end, int *peer_end);

/*
 * hub_end_open - set up this process's end. Positions are those in the rings: whoever starts
 * an incarnation has made them agree. Counters of the end go on.
 * Safety: one-owner.
 */
void hub_end_open(struct hub_end *end, const struct hub_map *map, unsigned peer,
		  unsigned incarnation, int bell, bool is_host);

/* hub_end_ms - now, in the file's milliseconds. Safety: MT-safe, wait-free. */
uint32_t hub_end_ms(const struct hub_end *end);

/*
 * hub_end_send - publish a message and ring the other end if it sleeps for messages.
 *
 * m        payload is copied when m->slot is HUB_NO_SLOT. m->time_ms and m->peer are filled in.
 * at       set to its position before it is published; may be NULL.
 * rang     set to whether the bell was rung; may be NULL.
 *
 * Returns 0; -EAGAIN when the ring is full (counted); -EBADMSG when the consumer's tail makes no
 * sense. Safety: one producer at a time; never blocks.
 */
int hub_end_send(struct hub_end *end, struct hub_message *m, const void *payload, uint64_t *at,
		 bool *rang);

/*
 * hub_end_next - take the next message, and ring the other end if it waits for the space.
 * Returns 1, 0, -EBADMSG as hub_ring_next(). Safety: one consumer at a time; never blocks.
 */
int hub_end_next(struct hub_end *end, struct hub_message *m);

/* hub_end_handled - one more notification that came in is handled; rings the other end if it waits
 * for that. Safety: one caller at a time; never blocks. */
void hub_end_handled(struct hub_end *end);

/* hub_end_announce - this end is about to sleep for `bits`; look once more after it.
 * Safety: MT-safe, wait-free. */
void hub_end_announce(struct hub_end *end, uint32_t bits);

/* hub_end_withdraw - awake again: no bell is needed for `bits`. Safety: MT-safe, wait-free. */
void hub_end_withdraw(struct hub_end *end, uint32_t bits);

/* hub_end_slept - count a sleep of the consumer; hub_end_waited - a producer's wait for space.
 * Safety: one consumer, one producer at a time. */
void hub_end_slept(struct hub_end *end);
void hub_end_waited(struct hub_end *end);

/* hub_end_wake - ring the other end if it sleeps for one of `bits`. True: rung.
 * Safety: MT-safe, never blocks. */
bool hub_end_wake(struct hub_end *end, uint32_t bits);

/* hub_end_ring - ring whatever the other end does (slots were freed that somebody announced
 * for). Safety: MT-safe, never blocks. */
void hub_end_ring(struct hub_end *end);

/*
 * hub_end_drain_bell - empty the bell. Only whoever is responsible for this end's sleep may:
 * a byte swallowed by another thread is a lost wake-up.
 * Returns 1 (bytes were there), 0 (none), -EOWNERDEAD (hung up). Safety: one-owner.
 */
int hub_end_drain_bell(struct hub_end *end);

#endif
