/*
 * Everything the host puts into a link goes through here: under link->send, and only while the
 * link is open for the incarnation the message is meant for, so that no message or slot of one
 * incarnation ever reaches the next.
 *
 * Waiting for space: a thread that finds the ring full announces SPACE on the host's end, looks
 * once more and sleeps on link->space_seq without the lock. The peer takes a message, finds the
 * announcement and rings; whoever is responsible for that bell counts space_seq up. Answers,
 * credits and cancels may use the last cells, and what still does not fit is queued: a handler
 * thread never waits for a peer to read its answer.
 *
 * Waiting for a slot: announced in the class (class->waiters); whoever frees a slot of it and
 * sees that wakes: threads of the host by slot_seq, peers by their bell. A peer that frees one
 * rings the host, which does both.
 */
#include "lib/hub/hub_priv.h"

#include <stdlib.h>
#include <string.h>

enum { INLINE_MAX = HUB_INLINE_MAX };

/* ---- the two counting futexes (W1) -------------------------------------------------------- */

static uint32_t wait_begin(struct shmhub *hub, _Atomic uint32_t *waiters, _Atomic uint32_t *seq)
{
	hub_spill_sleep(hub);
	/* seq_cst W1: the event thread ticks while somebody sleeps; pairs with hub_event.c */
	atomic_fetch_add_explicit(&hub->sleepers, 1, memory_order_seq_cst);
	/* seq_cst W1: counted in, then the number, then the look that the caller does next */
	atomic_fetch_add_explicit(waiters, 1, memory_order_seq_cst);
	/* seq_cst W1: see above; pairs with wake_all() */
	return atomic_load_explicit(seq, memory_order_seq_cst);
}

static void wait_end(struct shmhub *hub, _Atomic uint32_t *waiters)
{
	hub_spill_awake(hub);
	/* seq_cst W1: see wait_begin() */
	atomic_fetch_sub_explicit(&hub->sleepers, 1, memory_order_seq_cst);
	/* seq_cst W1: counted out; pairs with wake_all() */
	atomic_fetch_sub_explicit(waiters, 1, memory_order_seq_cst);
}

static void wake_all(_Atomic uint32_t *waiters, _Atomic uint32_t *seq)
{
	/* seq_cst W1: after what they wait for has changed; pairs with wait_begin() */
	if (!atomic_load_explicit(waiters, memory_order_seq_cst))
		return;
	/* seq_cst W1: who has seen the old number does not sleep on it */
	atomic_fetch_add_explicit(seq, 1, memory_order_seq_cst);
	hub_futex_wake(seq, INT_MAX);
}

/* Copying a large answer into a slot is not for the event thread. */
static void flush_soon(struct shmhub *hub, struct hub_link *link)
{
	if (!hub_get32(&link->flushing))
		return;
	/* acq_rel W2: one work item per link; pairs with hub_send_flush_run() */
	if (!atomic_exchange_explicit(&link->flush_queued, 1, memory_order_acq_rel))
		hub_work_push_own(hub, &link->flush);
}

void hub_send_flush_run(struct hub_work *work)
{
	struct hub_link *link =
		(struct hub_link *)((char *)work - offsetof(struct hub_link, flush));

	/* acq_rel W2: from here on it may be queued again: a flush that comes now is not missed */
	atomic_exchange_explicit(&link->flush_queued, 0, memory_order_acq_rel);
	hub_send_flush(link->hub, link);
}

/* ---- slots ------------------------------------------------------------------------------- */

void hub_send_slots(struct shmhub *hub)
{
	if (!hub_slot_unannounce(&hub->pool.slots))
		return;
	wake_all(&hub->slot_waiters, &hub->slot_seq);
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++) {
		struct hub_link *link = &hub->link[i];

		if (!hub_link_is_open(link))
			continue;
		pthread_mutex_lock(&link->send); /* so that its bell is not being closed */
		if (hub_link_is_open(link))
			hub_end_wake(&link->end, HUB_ASLEEP_SLOT);
		pthread_mutex_unlock(&link->send);
		flush_soon(hub, link);
	}
}

void hub_send_backed(struct shmhub *hub)
{
	uint32_t was = 1;

	/* relaxed: one of those who come at once tells; the life thread looks for itself */
	if (hub_get32(&hub->pool.slots.backed_more) == 1 &&
	    atomic_compare_exchange_strong_explicit(&hub->pool.slots.backed_more, &was, 2,
						    memory_order_relaxed, memory_order_relaxed))
		hub_life_punch_soon(hub);
}

void hub_send_pool_wake(struct hub_pool *pool)
{
	hub_send_slots(hub_of_pool(pool));
}

struct want { /* a slot for what is to be sent */
	struct hub_link *link;
	struct hub_slot_end end;
	size_t bytes;
	bool is_answer;
	uint32_t likely; /* a slot that is probably free */
};

/* With link->share_lock. The count is corrected when it seems used up. */
static bool has_share(struct shmhub *hub, const struct want *w, unsigned klass)
{
	uint32_t *share = &w->link->share[klass];
	const uint32_t most = hub_slot_share(&hub->pool.slots, klass, w->is_answer);

	if (*share >= most)
		*share = hub_slot_count(&hub->pool.slots, klass, w->end);
	return *share < most;
}

static void count_share(struct shmhub *hub, struct hub_link *link, unsigned klass)
{
	uint32_t all = 0;

	link->share[klass]++;
	for (unsigned i = 0; i < hub->map.class_count; i++)
		all += link->share[i];
	hub_put32(&link->entry->slots_held, all);
}

/* Looked at and claimed in one: eighty threads that find one place left are no eighty slots. */
static int claim_in(struct shmhub *hub, const struct want *w, unsigned klass,
		    struct hub_slot_ref *slot)
{
	int r = -EAGAIN;

	pthread_mutex_lock(&w->link->share_lock);
	const bool has = has_share(hub, w, klass);

	if (has)
		r = hub_slot_claim(&hub->pool.slots, klass, (uint32_t)w->bytes, w->end,
				   w->is_answer, w->likely, slot);
	if (!r)
		count_share(hub, w->link, klass);
	pthread_mutex_unlock(&w->link->share_lock);
	if (has)
		hub_send_backed(hub);
	else
		hub_add_shared(&w->link->entry->slots_limit_hits, 1);
	if (r && r != -EAGAIN) /* one was taken for a moment: who looked just then must look again */
		hub_event_poke(hub);
	return r;
}

/* The class that fits, else one class up (never its last quarter). */
static int try_claim(struct shmhub *hub, const struct want *w, unsigned klass,
		     struct hub_slot_ref *slot)
{
	int r = claim_in(hub, w, klass, slot);

	if (r != -EAGAIN || !hub_slot_may_go_up(&hub->pool.slots, klass + 1))
		return r;
	r = claim_in(hub, w, klass + 1, slot);
	if (!r)
		hub_add_shared(&hub_map_class(&hub->map, klass + 1)->upward, 1);
	return r;
}

static int wait_for_slot(struct shmhub *hub, const struct want *w, unsigned klass,
			 uint64_t deadline_ns, const struct hub_knot_wait *knot,
			 struct hub_slot_ref *slot)
{
	for (;;) {
		const uint32_t seq = wait_begin(hub, &hub->slot_waiters, &hub->slot_seq);
		unsigned now;
		int r;

		hub_slot_announce(&hub->pool.slots, klass);
		if (klass + 1 < hub->map.class_count)
			hub_slot_announce(&hub->pool.slots, klass + 1);
		r = try_claim(hub, w, klass, slot);
		if (r == -EAGAIN && (hub_link_now(w->link, &now) != HUB_LINK_OPEN ||
				     now != w->end.incarnation))
			r = -EOWNERDEAD;
		if (r == -EAGAIN && hub_is_stopping(hub))
			r = -ESHUTDOWN;
		if (r == -EAGAIN && hub_get32(&knot->doomed))
			r = -EDEADLK;
		if (r == -EAGAIN) {
			hub_event_tick(hub);
			r = hub_futex_wait(&hub->slot_seq, seq, deadline_ns);
			r = r ? r : -EAGAIN;
		}
		wait_end(hub, &hub->slot_waiters);
		if (r != -EAGAIN)
			return r;
	}
}

static struct hub_slot_end end_of(const struct hub_link *link, unsigned incarnation)
{
	return (struct hub_slot_end){ (uint16_t)(link - link->hub->link), (uint16_t)incarnation,
				      HUB_TO_PEER };
}

static int claim(struct shmhub *hub, struct hub_link *link, unsigned incarnation, size_t bytes,
		 bool is_answer, uint64_t deadline_ns, struct hub_slot_ref *slot)
{
	struct want want = { link, end_of(link, incarnation), bytes, is_answer, HUB_NO_SLOT };
	const int klass = hub_slot_class_for(&hub->pool.slots, bytes);

	if (klass < 0) {
		hub_add_shared(&link->entry->host_too_large, 1);
		hub_put64(&link->entry->host_too_large_bytes, bytes);
		return klass;
	}
	if (!is_answer && deadline_ns)
		hub_pace_wait(&link->end.pace, bytes, hub_get32(&hub->spin_ns));
	want.likely = hub_pace_slot(&link->end.pace, bytes);
	int r = try_claim(hub, &want, (unsigned)klass, slot);

	if (r == -EAGAIN && deadline_ns) {
		struct hub_knot_wait knot;

		hub_spill_want(hub, (unsigned)klass);
		hub_knot_enter(hub, &knot, link, (unsigned)klass, is_answer);
		r = wait_for_slot(hub, &want, (unsigned)klass, deadline_ns, &knot, slot);
		hub_knot_leave(hub, &knot);
		hub_spill_unwant(hub, (unsigned)klass);
	}
	if (r == -EAGAIN || r == -ETIMEDOUT || r == -ENOSPC || r == -EDEADLK)
		hub_note(&hub->count.alloc_failed, &link->entry->host_alloc_failed, 1);
	return r;
}

int hub_send_reserve(struct shmhub *hub, struct hub_link *link, unsigned incarnation, size_t bytes,
		     bool is_answer, uint64_t deadline_ns, struct shmhub_buf *buf)
{
	struct hub_slot_ref slot;
	const int r = claim(hub, link, incarnation, bytes, is_answer, deadline_ns, &slot);

	if (!r)
		hub_payload_buf(&hub->pool, &slot, end_of(link, incarnation), bytes, buf);
	return r;
}

int hub_send_payload(struct shmhub *hub, struct hub_link *link, unsigned incarnation,
		     const void *data, size_t len, uint64_t deadline_ns, struct hub_message *m,
		     struct hub_slot_ref *slot)
{
	uint32_t room;

	m->slot = HUB_NO_SLOT;
	slot->ref = HUB_NO_SLOT;
	if (len <= INLINE_MAX) {
		m->len = (uint32_t)len;
		return 0;
	}
	const int r = claim(hub, link, incarnation, len, m->flags & HUB_FLAG_ANSWER, deadline_ns, slot);

	if (r)
		return r;
	memcpy(hub_slot_payload(&hub->pool.slots, slot->ref, &room), data, len);
	m->len = (uint32_t)len;
	m->slot = slot->ref;
	m->slot_gen = (uint32_t)HUB_SLOT_GENERATION(slot->word);
	return 0;
}

/* ---- one message, under link->send --------------------------------------------------------- */

static bool is_urgent(const struct hub_message *m)
{
	return m->kind == HUB_KIND_REPLY || m->kind == HUB_KIND_CREDIT ||
	       m->kind == HUB_KIND_CANCEL || m->kind == HUB_KIND_LEAVE;
}

static unsigned cells_of(const struct hub_message *m)
{
	return hub_ring_cells(m->slot == HUB_NO_SLOT ? m->len : 0);
}

static int credit_for(struct hub_link *link, const struct hub_message *m)
{
	return m->kind == HUB_KIND_NOTIFY ? hub_ring_credit(&link->end.tx) : 0;
}

/* Room for the descriptor is certain before the slot goes in flight. */
static int put(struct shmhub *hub, struct hub_link *link, struct hub_message *m,
	       const void *payload, struct hub_slot_ref *slot, struct hub_pend *pend, bool *rang)
{
	struct hub_end *end = &link->end;
	int r = credit_for(link, m);

	if (!r)
		r = hub_ring_claim(&end->tx, cells_of(m), is_urgent(m));
	if (r)
		return r;
	if (slot && slot->ref != HUB_NO_SLOT) {
		r = hub_slot_send(&hub->pool.slots, slot, m->len, m->call, m->method,
				  hub_end_ms(end));
		if (r)
			return r;
		if (HUB_FAULT(end->peer, HUB_FAULT_LOSE_DESCRIPTOR)) {
			slot->ref = HUB_NO_SLOT;
			return 0;
		}
	}
	if (pend)
		hub_pend_note_sent(hub, pend, end->peer, end->tx.position);
	r = hub_end_send(end, m, payload, NULL, rang);
	if (!r && slot)
		slot->ref = HUB_NO_SLOT; /* the peer's now */
	return r;
}

static int still_open(const struct hub_link *link, unsigned incarnation)
{
	unsigned now;

	switch (hub_link_now(link, &now)) {
	case HUB_LINK_NONE:
		return -ENOENT;
	case HUB_LINK_OPEN:
		return now == incarnation ? 0 : -EOWNERDEAD;
	default:
		return -EOWNERDEAD;
	}
}

/* Waits without the lock; with it again on return. 0: look again. */
static int wait_for_space(struct shmhub *hub, struct hub_link *link, struct hub_message *m,
			  uint64_t deadline_ns)
{
	const uint32_t seq = wait_begin(hub, &link->space_waiters, &link->space_seq);
	int r = 0;

	hub_end_announce(&link->end, HUB_ASLEEP_SPACE);
	const bool room = credit_for(link, m) != -EAGAIN &&
			  hub_ring_has_room(&link->end.tx, cells_of(m), is_urgent(m));

	pthread_mutex_unlock(&link->send);
	if (!room && !hub_is_stopping(hub)) {
		hub_event_tick(hub);
		r = hub_futex_wait(&link->space_seq, seq, deadline_ns);
	}
	wait_end(hub, &link->space_waiters);
	pthread_mutex_lock(&link->send);
	return hub_is_stopping(hub) ? -ESHUTDOWN : r;
}

/*
 * Before it sleeps: does the peer take, or handle, right now? A sleep costs a bell, the event
 * thread and a futex, and the ring stands still meanwhile. Without the lock meanwhile; with it
 * again on return. True: something has changed.
 */
static bool spin_for_space(struct shmhub *hub, struct hub_link *link, const struct hub_message *m)
{
	struct hub_spin spin = { .for_ns = hub_get32(&hub->spin_ns) };
	const struct hub_ring *ring = link->end.tx.ring;
	const uint64_t mask = link->end.tx.mask, tail = link->end.tx.tail;
	const uint64_t handled = link->end.tx.handled;
	const bool wants_credit = credit_for(link, m);

	if (hub_get32(link->end.theirs))
		return false; /* it sleeps: rung, but not soon here */
	pthread_mutex_unlock(&link->send);
	const bool changed =
		wants_credit ? hub_ring_moves(&ring->handled, handled, HUB_NOTIFY_WINDOW / 4, &spin) :
			       hub_ring_moves(&ring->tail, tail, mask / 4, &spin);

	pthread_mutex_lock(&link->send);
	return changed;
}

int hub_send(struct shmhub *hub, struct hub_link *link, unsigned incarnation, struct hub_message *m,
	     const void *payload, struct hub_slot_ref *slot, uint64_t deadline_ns,
	     struct hub_pend *pend, bool *rang)
{
	bool waited = false;
	int r;

	pthread_mutex_lock(&link->send);
	for (;;) {
		r = still_open(link, incarnation);
		if (!r && m->kind == HUB_KIND_CALL && hub_is_stopping(hub))
			r = -ESHUTDOWN; /* its entry may have been passed over, being set up */
		if (!r)
			r = put(hub, link, m, payload, slot, pend, rang);
		if (r != -EAGAIN || !deadline_ns)
			break;
		if (spin_for_space(hub, link, m))
			continue;
		if (!waited)
			hub_end_waited(&link->end);
		waited = true;
		r = wait_for_space(hub, link, m, deadline_ns);
		if (r)
			break;
	}
	pthread_mutex_unlock(&link->send);
	if (r == -EBADMSG) { /* the peer's tail makes no sense */
		hub_life_quarantine(hub, link);
		return -EOWNERDEAD;
	}
	return r;
}

void hub_send_space(struct shmhub *hub, struct hub_link *link)
{
	wake_all(&link->space_waiters, &link->space_seq);
	flush_soon(hub, link);
}

/* ---- what is sent later --------------------------------------------------------------------- */

static void want_one(struct shmhub *hub, struct hub_out *out, unsigned klass)
{
	hub_slot_announce(&hub->pool.slots, klass);
	if (!out->wants)
		hub_spill_want(hub, klass);
	out->wants = klass + 1;
}

static void want_none(struct shmhub *hub, struct hub_out *out)
{
	if (out->wants)
		hub_spill_unwant(hub, out->wants - 1);
	out->wants = 0;
}

void hub_send_out_free(struct shmhub *hub, struct hub_out *out)
{
	want_none(hub, out);
	hub_pool_free(&hub->pool, &out->slot);
	free(out->copy);
	free(out);
}

/* An answer that waits for a slot gets one, or becomes an error that needs none. */
static int settle(struct shmhub *hub, struct hub_link *link, struct hub_out *out)
{
	uint32_t room;

	if (!out->copy)
		return 0;
	const bool is_answer = out->m.flags & HUB_FLAG_ANSWER;
	const unsigned incarnation = link->end.incarnation;
	int r = claim(hub, link, incarnation, out->m.len, is_answer, 0, &out->slot);

	if (r == -EAGAIN) {
		want_one(hub, out, (unsigned)hub_slot_class_for(&hub->pool.slots, out->m.len));
		r = claim(hub, link, incarnation, out->m.len, is_answer, 0, &out->slot);
	}
	if (r == -EAGAIN)
		return r;
	want_none(hub, out);
	if (r) {
		out->m.aux = r;
		out->m.len = 0;
	} else {
		memcpy(hub_slot_payload(&hub->pool.slots, out->slot.ref, &room), out->copy, out->m.len);
		out->m.slot = out->slot.ref;
		out->m.slot_gen = (uint32_t)HUB_SLOT_GENERATION(out->slot.word);
	}
	free(out->copy);
	out->copy = NULL;
	return 0;
}

/* What was sent, or cannot be, goes to `done`: freeing a slot may want other links' locks. */
static int flush_one(struct shmhub *hub, struct hub_link *link, struct hub_out **done)
{
	struct hub_out *out = link->out;
	int r = settle(hub, link, out);

	if (!r)
		r = put(hub, link, &out->m, out->m.small, &out->slot, NULL, NULL);
	if (r == -EAGAIN)
		return r;
	link->out = out->next;
	if (!link->out)
		link->out_end = &link->out;
	link->outs--;
	out->next = *done;
	*done = out;
	return r;
}

static int flush_locked(struct shmhub *hub, struct hub_link *link, struct hub_out **done)
{
	int r = 0;

	while (!r && link->out)
		r = flush_one(hub, link, done);
	return r;
}

static void free_outs(struct shmhub *hub, struct hub_out *out)
{
	while (out) {
		struct hub_out *next = out->next;

		hub_send_out_free(hub, out);
		out = next;
	}
}

void hub_send_drop_all(struct shmhub *hub, struct hub_link *link)
{
	struct hub_out *all = link->out;

	link->out = NULL;
	link->out_end = &link->out;
	link->outs = 0;
	hub_put32(&link->flushing, 0);
	pthread_mutex_unlock(&link->send);
	free_outs(hub, all);
	pthread_mutex_lock(&link->send);
}

void hub_send_flush(struct shmhub *hub, struct hub_link *link)
{
	struct hub_out *done = NULL;
	int r = 0;

	pthread_mutex_lock(&link->send);
	if (hub_link_is_open(link)) {
		r = flush_locked(hub, link, &done);
		if (r == -EAGAIN) {
			hub_put32(&link->flushing, 1);
			hub_end_announce(&link->end, HUB_ASLEEP_SPACE);
			r = flush_locked(hub, link, &done); /* the second look */
		}
		if (r != -EAGAIN)
			hub_put32(&link->flushing, 0);
	}
	pthread_mutex_unlock(&link->send);
	free_outs(hub, done);
	if (r == -EBADMSG)
		hub_life_quarantine(hub, link);
}

void hub_send_later(struct shmhub *hub, struct hub_link *link, unsigned incarnation,
		    struct hub_out *out)
{
	pthread_mutex_lock(&link->send);
	const int r = still_open(link, incarnation);

	if (!r) {
		out->next = NULL;
		*link->out_end = out;
		link->out_end = &out->next;
		link->outs++;
	}
	pthread_mutex_unlock(&link->send);
	if (r)
		hub_send_out_free(hub, out);
	else
		hub_send_flush(hub, link);
}

void hub_send_handled(struct hub_link *link, unsigned incarnation)
{
	pthread_mutex_lock(&link->send);
	if (!still_open(link, incarnation))
		hub_end_handled(&link->end);
	pthread_mutex_unlock(&link->send);
}
