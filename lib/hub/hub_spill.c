/*
 * Answers that nobody reads give up their slots, for those who wait for one.
 *
 * An answer that came in keeps its slot until the application reads it: that is what makes large
 * ones cheap, and what slows a peer down whose answers are read slowly. But the application
 * chooses the order. If it waits for one call, and the answers to others have the slots that
 * this one needs, then all wait for each other until the deadlines are over (tests/model/unread.pml).
 *
 * So three things must meet: a class that somebody waits for, a thread of the application that
 * waits in here, and an answer with a slot of that class which no thread is about to read. Then
 * the payload is copied to private memory and its slot given back. Whichever of the three comes
 * last finds the other two, by the one word that all of them change (W3). Without a thread that
 * waits the application is just busy: it will read, and nothing is copied meanwhile.
 *
 * Peers tell of their waits in `peer_wants` and ring (B2). That stays until the wait is over,
 * unlike class->waiters, which is taken back at each wake-up. The host's own waits are counted
 * per class. What is in the word may be too much, since nobody takes a class out of it when a
 * wait ends: each pass collects anew.
 *
 * Copying 16 MiB is not for the event thread, nor for a handler thread, which may be just what
 * waits: the library's own thread does it. While a slot is being copied its entry says so, and a
 * reader that comes in between waits for those few milliseconds. An entry that ends meanwhile
 * (deadline, cancellation) leaves the slot to whoever copies it.
 *
 * Requests that wait in queues keep their slots. They never have those that are kept for answers
 * (hub_slot.c), so no answer waits for them for ever; and slots are all that keeps a sender of
 * requests from filling the memory of a receiver that is slow.
 */
#include "lib/hub/hub_priv.h"

#include <stdlib.h>

#define WAITING        (UINT64_C(1) << 32) /* one thread */
#define CLASSES(spill) ((uint32_t)(spill))

static void run(struct hub_work *work);

void hub_spill_init(struct shmhub *hub)
{
	pthread_mutex_init(&hub->spill_lock, NULL);
	hub->spill_work.run = run;
}

/* ---- the word ------------------------------------------------------------------------------ */

static void consider(struct shmhub *hub, uint64_t spill)
{
	if (!CLASSES(spill) || spill < WAITING)
		return;
	/* acq_rel W2: one work item; pairs with run() */
	if (!atomic_exchange_explicit(&hub->spill_queued, 1, memory_order_acq_rel))
		hub_work_push_own(hub, &hub->spill_work);
}

void hub_spill_sleep(struct shmhub *hub)
{
	/* acq_rel W3: a thread that waits; pairs with itself elsewhere */
	consider(hub, atomic_fetch_add_explicit(&hub->spill, WAITING, memory_order_acq_rel) + WAITING);
}

void hub_spill_awake(struct shmhub *hub)
{
	/* acq_rel W3: see hub_spill_sleep() */
	atomic_fetch_sub_explicit(&hub->spill, WAITING, memory_order_acq_rel);
}

static void want(struct shmhub *hub, uint32_t classes)
{
	/* acq_rel W3: classes that are waited for, after what says so for the next pass */
	consider(hub, atomic_fetch_or_explicit(&hub->spill, classes, memory_order_acq_rel) | classes);
}

void hub_spill_want(struct shmhub *hub, unsigned klass)
{
	/* relaxed: published with the class's bit, see want() */
	atomic_fetch_add_explicit(&hub->slot_wanted[klass], 1, memory_order_relaxed);
	want(hub, UINT32_C(1) << klass);
}

void hub_spill_unwant(struct shmhub *hub, unsigned klass)
{
	/* relaxed: seen late it costs a copy */
	atomic_fetch_sub_explicit(&hub->slot_wanted[klass], 1, memory_order_relaxed);
}

void hub_spill_look(struct shmhub *hub)
{
	/* acq_rel W3: after the answer is in its entry, which an addition of nothing, other than a
	 * load, does not overtake */
	consider(hub, atomic_fetch_add_explicit(&hub->spill, 0, memory_order_acq_rel));
}

/* What a peer says, as far as it makes sense. */
static uint32_t wanted_by(const struct hub_link *link)
{
	/* acquire B2: pairs with release B2 in hub_peer_claim() */
	return atomic_load_explicit(&link->entry->peer_wants, memory_order_acquire) &
	       ((UINT32_C(1) << link->hub->map.class_count) - 1);
}

void hub_spill_bell(struct shmhub *hub, const struct hub_link *link)
{
	const uint32_t classes = wanted_by(link);

	if (classes)
		want(hub, classes);
}

/* ---- one entry ------------------------------------------------------------------------------ */

struct spill { /* a payload on its way out of its slot */
	const struct hub_message *m;
	struct hub_slot_ref *slot; /* where its slot stood */
	void **copy;               /* where its copy will stand */
	struct hub_slot_ref mine;
};

static bool is_wanted(const struct hub_slot_ref *slot, uint32_t classes)
{
	return slot->ref != HUB_NO_SLOT && classes >> HUB_SLOT_REF_CLASS(slot->ref) & 1;
}

/* The first payload of a locked entry that is in the way. */
static bool find_payload(struct hub_pend *pend, uint32_t classes, struct spill *s)
{
	if (is_wanted(&pend->slot, classes)) {
		*s = (struct spill){ &pend->m, &pend->slot, &pend->copy, pend->slot };
		return true;
	}
	for (struct hub_frame *f = pend->more.first; f; f = f->next)
		if (is_wanted(&f->slot, classes)) {
			*s = (struct spill){ &f->m, &f->slot, &f->copy, f->slot };
			return true;
		}
	return false;
}

/* Takes a payload that nobody is about to read out of its entry. */
static bool begin(struct hub_pend *pend, uint32_t gen, uint32_t classes, struct spill *s)
{
	unsigned state;

	if (!hub_pend_lock(pend, gen, &state))
		return false;
	const bool found = state == HUB_PEND_READY && !pend->waiters &&
			   find_payload(pend, classes, s);

	if (found) {
		pend->spilling = true; /* so that its frames stay where they are */
		s->slot->ref = HUB_NO_SLOT;
	}
	hub_pend_unlock(pend, state);
	return found;
}

/* Puts the copy where the slot was; the slot itself if there was no memory for a copy. */
static void finish(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, struct spill *s,
		   void *copy)
{
	unsigned state;

	if (!hub_pend_lock(pend, gen, &state)) {
		hub_pool_free(&hub->pool, &s->mine);
		free(copy); /* the call is over: its frames are gone */
		return;
	}
	pend->spilling = false;
	*s->slot = s->mine;
	*s->copy = copy;
	hub_pend_unlock(pend, state);
}

/* False: nothing more to be had from this entry. */
static bool spill_one(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, uint32_t classes)
{
	struct spill s;
	void *copy = NULL;

	pthread_mutex_lock(&hub->spill_lock);
	const bool found = begin(pend, gen, classes, &s);

	if (found) {
		HUB_STEP("spill.begun");
		copy = hub_payload_spill(&hub->pool, s.m, &s.mine);
		finish(hub, pend, gen, &s, copy);
	}
	pthread_mutex_unlock(&hub->spill_lock);
	if (copy)
		HUB_NOTE(hub, answers_spilled, 1);
	return copy != NULL;
}

void hub_spill_settle(struct shmhub *hub)
{
	pthread_mutex_lock(&hub->spill_lock);
	pthread_mutex_unlock(&hub->spill_lock);
}

/* ---- a pass ---------------------------------------------------------------------------------- */

static uint32_t wanted_now(struct shmhub *hub)
{
	uint32_t classes = 0;

	for (unsigned i = 0; i < hub->map.class_count; i++)
		if (hub_get32(&hub->slot_wanted[i]))
			classes |= UINT32_C(1) << i;
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++)
		if (hub_link_is_open(&hub->link[i]))
			classes |= wanted_by(&hub->link[i]);
	return classes;
}

/* Forgets the classes that nobody waits for any more. Those that still count, or 0 without a
 * thread that waits. */
static uint32_t collect(struct shmhub *hub)
{
	/* acq_rel W3: whoever began to wait before this is found by what is read after it; who
	 * begins later puts the bit back */
	atomic_fetch_and_explicit(&hub->spill, ~(uint64_t)UINT32_MAX, memory_order_acq_rel);
	const uint32_t classes = wanted_now(hub);
	/* acq_rel W3: an answer that was delivered before this is found in its entry */
	const uint64_t spill = atomic_fetch_or_explicit(&hub->spill, classes, memory_order_acq_rel);

	return spill < WAITING ? 0 : CLASSES(spill) | classes;
}

static void run(struct hub_work *work)
{
	struct shmhub *hub = (struct shmhub *)((char *)work - offsetof(struct shmhub, spill_work));

	/* acq_rel W2: from here on it may be queued again; pairs with consider() */
	atomic_exchange_explicit(&hub->spill_queued, 0, memory_order_acq_rel);
	const uint32_t classes = collect(hub), top = hub_get32(&hub->pend_top);

	for (uint32_t i = 0; classes && i < top; i++) {
		struct hub_pend *pend = &hub->pend[i];
		const uint32_t gen = HUB_PEND_GEN(hub_get64(&pend->word));

		while (spill_one(hub, pend, gen, classes))
			;
	}
}
