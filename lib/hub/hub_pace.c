#include "lib/hub/hub_pace.h"

#include <stdbool.h>

#include "lib/hub/hub_format.h"
#include "lib/hub/hub_os.h"

enum {
	HOT_BYTES = 512 << 10,   /* may lie between both: a part of any L2 cache */
	SMALL_BYTES = 16 << 10,  /* below it a message costs more than its bytes */
	LEAST = 2,               /* so that both can work at the same time */
	MOST_NS = 1000000,
	NS_BYTES = 16,           /* bytes that any consumer reads in a nanosecond */
	PROBE_EVERY = 8,         /* messages; one that lags may only have lost its processor */
};

/* How many messages of that size may be under way. */
static uint32_t distance(size_t bytes)
{
	const size_t n = HOT_BYTES / bytes;

	return n < LEAST ? LEAST : n >= HUB_PACE_MESSAGES ? HUB_PACE_MESSAGES - 1 : (uint32_t)n;
}

void hub_pace_open(struct hub_pace *pace, const _Atomic uint64_t *tail,
		   const _Atomic uint32_t *asleep)
{
	if (!pace->tail) { /* the same ring for every incarnation; senders may be looking */
		pace->tail = tail;
		pace->asleep = asleep;
	}
	hub_put32(&pace->n, 0);
	hub_put32(&pace->lags, 0);
}

void hub_pace_note(struct hub_pace *pace, uint64_t end, uint32_t slot, size_t bytes)
{
	const uint32_t n = hub_get32(&pace->n);

	if (bytes < SMALL_BYTES)
		return;
	hub_put64(&pace->end[n % HUB_PACE_MESSAGES], end);
	hub_put32(&pace->slot[n % HUB_PACE_MESSAGES], slot);
	hub_put32(&pace->n, n + 1);
}

static bool catches_up(const struct hub_pace *pace, uint64_t end, uint64_t still_ns)
{
	uint64_t begun = 0, moved = 0, seen = 0, tail;

	while ((tail = hub_get64(pace->tail)) < end) {
		const uint64_t now = hub_now_ns();

		if (!begun)
			begun = moved = now;
		if (tail != seen)
			moved = now;
		seen = tail;
		if (hub_get32(pace->asleep) || now - moved >= still_ns || now - begun >= MOST_NS)
			return false;
		hub_relax_apart();
	}
	return true;
}

void hub_pace_wait(struct hub_pace *pace, size_t bytes, uint32_t spin_ns)
{
	const uint32_t n = hub_get32(&pace->n);

	if (!spin_ns || bytes < SMALL_BYTES || n < distance(bytes))
		return;
	if (hub_get32(&pace->lags) && n % PROBE_EVERY)
		return;
	const uint64_t end = hub_get64(&pace->end[(n - distance(bytes)) % HUB_PACE_MESSAGES]);

	hub_put32(&pace->lags, !catches_up(pace, end, spin_ns + bytes / NS_BYTES));
}

/*
 * One that was filled a distance ago was taken when the wait was over, and the one before it was
 * given back. While nothing is under way the slot freed last is better, by whomever: who calls
 * and waits does not need several, and sixteen peers do not need several each.
 */
uint32_t hub_pace_slot(const struct hub_pace *pace, size_t bytes)
{
	const uint32_t n = hub_get32(&pace->n);

	if (bytes < SMALL_BYTES || n <= distance(bytes) ||
	    hub_get64(pace->tail) >= hub_get64(&pace->end[(n - 1) % HUB_PACE_MESSAGES]))
		return HUB_NO_SLOT;
	return hub_get32(&pace->slot[(n - distance(bytes) - 1) % HUB_PACE_MESSAGES]);
}
