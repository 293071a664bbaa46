/*
 * hub_pace - how far a sender of large messages runs ahead of its consumer, and which slot it
 * fills next.
 *
 * Payload that was filled and not yet read lies in the processors' caches, as long as there is not
 * too much of it. A sender that runs further ahead makes its consumer read from memory, whereupon
 * that falls back further: from then on both go at half the speed. So the sender gives a consumer
 * that is awake a moment, and goes round in a few slots, the one longest taken first: the lines of
 * the one taken last are still on their way to the consumer.
 *
 * All of this is hints: nothing depends on them but speed.
 */
#ifndef SHMSCOPE_HUB_PACE_H
#define SHMSCOPE_HUB_PACE_H

#include <stddef.h>
#include <stdint.h>

enum { HUB_PACE_MESSAGES = 32 };

struct hub_pace {
	const _Atomic uint64_t *tail;    /* of the ring: what the consumer has taken */
	const _Atomic uint32_t *asleep;  /* what the consumer sleeps for */
	_Atomic uint64_t end[HUB_PACE_MESSAGES];  /* in the ring, of the last large messages */
	_Atomic uint32_t slot[HUB_PACE_MESSAGES];
	_Atomic uint32_t n;              /* of them, in all */
	_Atomic uint32_t lags;           /* the consumer did not catch up when last waited for */
};

/* hub_pace_open - a link begins, or goes on with the next incarnation. Safety: one-owner. */
void hub_pace_open(struct hub_pace *pace, const _Atomic uint64_t *tail,
		   const _Atomic uint32_t *asleep);

/* hub_pace_note - a message of `bytes` that ends before cell `end` was published with this slot.
 * Safety: one-owner (the producer). */
void hub_pace_note(struct hub_pace *pace, uint64_t end, uint32_t slot, size_t bytes);

/*
 * hub_pace_wait - before a slot is filled with `bytes`: wait until the consumer is close enough.
 * Not for one that sleeps or stands still, and at most 1 ms.
 * spin_ns  as long as ends may spin (0: not at all); for large messages it is longer.
 * Safety: MT-safe; spins.
 */
void hub_pace_wait(struct hub_pace *pace, size_t bytes, uint32_t spin_ns);

/*
 * hub_pace_slot - the slot to fill with `bytes` next: probably free, but it may be anybody's.
 * HUB_NO_SLOT: any will do. Safety: MT-safe, wait-free.
 */
uint32_t hub_pace_slot(const struct hub_pace *pace, size_t bytes);

#endif
