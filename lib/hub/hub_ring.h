/*
 * hub_ring - moves descriptors (with small payloads) through one direction of a link.
 *
 * Producer: hub_ring_claim(), fill by hub_ring_write(), hub_ring_publish().
 * Consumer: hub_ring_next() copies one message out and gives its cells back.
 * Each end keeps its own position privately and only mirrors it into the ring, so what others
 * write there cannot lead it astray. One producer and one consumer at a time.
 */
#ifndef SHMSCOPE_HUB_RING_H
#define SHMSCOPE_HUB_RING_H

#include <stdbool.h>
#include <string.h>

#include "lib/hub/hub_format.h"
#include "lib/hub/hub_os.h"

/* A message in private memory: what a descriptor says, and its payload if it was in the ring. */
struct hub_message {
	uint32_t time_ms;
	uint32_t call;
	uint8_t kind;
	uint8_t flags;
	uint16_t method;
	uint32_t len;
	uint32_t slot;     /* HUB_NO_SLOT: the payload is `small` */
	uint32_t slot_gen;
	int32_t aux;
	uint32_t peer;
	uint8_t small[HUB_INLINE_MAX];
};

/* hub_message_init - one without payload. Its 192 bytes of payload are left as they are: zeroing
 * them costs as much as sending them. Safety: MT-safe. */
static inline void hub_message_init(struct hub_message *m, unsigned kind, unsigned method)
{
	memset(m, 0, offsetof(struct hub_message, small));
	m->kind = (uint8_t)kind;
	m->method = (uint16_t)method;
	m->slot = HUB_NO_SLOT;
}

/* hub_message_copy - as much of it as is used. Safety: MT-safe. */
static inline void hub_message_copy(struct hub_message *to, const struct hub_message *from)
{
	memcpy(to, from, offsetof(struct hub_message, small) +
				 (from->slot == HUB_NO_SLOT ? from->len : 0));
}

/* Counters are private too, and copied into the ring for readers. */
struct hub_tx { /* the producer's end */
	struct hub_ring *ring;
	uint64_t mask;
	uint64_t position; /* of the next message's first cell */
	uint64_t tail;     /* the consumer's, as last seen and checked */
	unsigned last_cells; /* of the last message */
	uint64_t notified; /* notifications sent, in all incarnations */
	uint64_t handled;  /* of them, as last seen and checked */
	uint64_t messages, bytes, bells, full, full_waits;
};

struct hub_rx { /* the consumer's end */
	struct hub_ring *ring;
	uint64_t mask;
	uint64_t position;
	_Atomic uint64_t taken, taken_bytes, sleeps; /* looked at without the consumer's role */
	uint64_t refused;
};

/* hub_ring_tx_adopt / hub_ring_rx_adopt - take the counters that stand in the ring: a peer goes on
 * where its last incarnation ended. Safety: one-owner. */
void hub_ring_tx_adopt(struct hub_tx *tx, const struct hub_ring *ring);
void hub_ring_rx_adopt(struct hub_rx *rx, const struct hub_ring *ring);

/* hub_ring_cells - cells a message takes whose in-ring payload is `len`. Safety: MT-safe. */
unsigned hub_ring_cells(uint32_t inline_len);

/*
 * hub_ring_tx_start / hub_ring_rx_start - begin at `position`, which both ends have to agree
 * on and which must not be below any earlier one. Counters go on from what tx or rx holds.
 * Safety: one-owner.
 */
void hub_ring_tx_start(struct hub_tx *tx, struct hub_ring *ring, uint32_t cells, uint64_t position);
void hub_ring_rx_start(struct hub_rx *rx, struct hub_ring *ring, uint32_t cells, uint64_t position);

/*
 * hub_ring_claim - is there room for a message of `n` cells?
 *
 * may_use_reserved  for replies, credits and cancels: the last HUB_RING_RESERVED cells too.
 *
 * Returns 0 (the cells at tx->position are ours to write); -EAGAIN when full; -EBADMSG when
 * the consumer's tail makes no sense. Nothing is changed that anybody else could see.
 * Safety: one-owner, wait-free.
 */
int hub_ring_claim(struct hub_tx *tx, unsigned n, bool may_use_reserved);

/*
 * hub_ring_write - fill the claimed cells; invisible to the consumer until published.
 * payload is copied when m->slot is HUB_NO_SLOT, then m->len is at most HUB_INLINE_MAX.
 * Returns the cells used. Safety: one-owner, wait-free.
 */
unsigned hub_ring_write(struct hub_tx *tx, const struct hub_message *m, const void *payload);

/*
 * hub_ring_publish - hand what hub_ring_write() filled to the consumer.
 * n, bytes  cells and payload bytes of the message, for position and counters.
 * A full fence lies between the publication and whatever the caller loads next (B1).
 * Safety: one-owner, wait-free.
 */
void hub_ring_publish(struct hub_tx *tx, unsigned n, uint32_t bytes);

/*
 * hub_ring_next - take the next message.
 *
 * m  filled on 1. Copied once, then checked: cell words, cell count against len. Whether slot,
 *    call and kind make sense is the caller's to judge.
 *
 * The tail is stored before this returns, so before any handler runs; where hub_ring_is_due(),
 * a full fence lies between that store and whatever the caller loads next (B1).
 * Returns 1; 0 when there is none; -EBADMSG when the cells make no sense (nothing taken).
 * Safety: one-owner, wait-free.
 */
int hub_ring_next(struct hub_rx *rx, struct hub_message *m, uint32_t now_ms);

/*
 * hub_ring_is_empty - the second look of an end that has announced its sleep (B1).
 * Safety: one-owner, wait-free.
 */
bool hub_ring_is_empty(const struct hub_rx *rx);

/*
 * hub_ring_ask - producer that will send soon: asks for the lines of the next `n` cells. (Those
 * asked for far ahead are taken back where producer and consumer move side by side, one message
 * at a time.) Safety: MT-safe, wait-free.
 */
void hub_ring_ask(struct hub_ring *ring, uint64_t mask, unsigned n);

/*
 * hub_ring_is_quiet - is the next message there, and a quiet answer? One that only looks: what
 * it says is checked by whoever takes the message. Safety: one-owner, wait-free.
 */
bool hub_ring_is_quiet(const struct hub_rx *rx);

/*
 * hub_ring_is_half_full - has the consumer left half of the ring untaken? Looks at its tail only
 * when that may be. Safety: one-owner (the producer), wait-free.
 */
bool hub_ring_is_half_full(struct hub_tx *tx);

/*
 * hub_ring_is_torn - is a later message there although this one is not? Then somebody has
 * overwritten its word, and the consumer would wait for it for ever. Cheap unless `head` says
 * that something is there. Safety: one-owner, wait-free.
 */
bool hub_ring_is_torn(const struct hub_rx *rx);

/*
 * hub_ring_credit - may one more notification be sent? A consumer that takes them into a queue
 * (it is blocked itself) lets its ring run empty, so they are counted beside it.
 * Returns 0; -EAGAIN when HUB_NOTIFY_WINDOW of them are not handled yet; -EBADMSG when the
 * consumer's count makes no sense. Safety: one-owner, wait-free.
 */
int hub_ring_credit(struct hub_tx *tx);

/*
 * hub_ring_handled - consumer: `n` notifications, of all there were, are handled.
 * True: half a window is over, and a producer that sleeps for space is to be woken. A full
 * fence lies between the count and whatever the caller loads next then (B1).
 * Safety: one caller at a time, wait-free.
 */
bool hub_ring_handled(struct hub_ring *ring, uint64_t n);

/* hub_ring_is_due - consumer that took what lay between the two positions: is a producer that
 * waits for space to be looked for? Often enough for one that found the ring full (hub_ring.c).
 * Safety: MT-safe. */
bool hub_ring_is_due(const struct hub_rx *rx, uint64_t from);

/*
 * hub_ring_moves - producer that found no room: does the consumer go on meanwhile? True once
 * *count, a tail or a count of the ring, is more than `by` beyond `from`: not after each message.
 * May be called by one that is no longer the producer. Safety: MT-safe; spins.
 */
bool hub_ring_moves(const _Atomic uint64_t *count, uint64_t from, uint64_t by,
		    struct hub_spin *spin);

/* hub_ring_has_room - the second look of an end that has announced its wait for space (B1). */
bool hub_ring_has_room(struct hub_tx *tx, unsigned n, bool may_use_reserved);

/*
 * hub_ring_skip - consumer: drop everything that was published (its producer or its reader is
 * dead). Returns the messages dropped. Safety: one-owner.
 */
uint64_t hub_ring_skip(struct hub_rx *rx);

/*
 * hub_ring_scrub - make sure that no cell holds a word that a producer starting at `position`
 * could be taken to have published: words at or beyond it are zeroed, history is kept.
 * Only while nobody else uses the ring (its peer is dead). Safety: one-owner.
 */
void hub_ring_scrub(struct hub_ring *ring, uint32_t cells, uint64_t position);

#endif
