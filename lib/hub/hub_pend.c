/*
 * The life of an entry:
 *
 *	FREE - claim -> SETUP - sent -> PENDING - frame came -> READY - read -> PENDING or FREE
 *	                  |                |
 *	                  +-> FREE         +-> FAILED (peer died, hub ends) - read -> FREE
 *
 * The word holds state, a lock bit and the entry's generation: who comes with the generation of
 * a call that is over (a late answer, a cancelled handle) fails to lock and changes nothing.
 * Only the caller frees, so an entry cannot vanish under it; takers only move PENDING to READY
 * or FAILED. One that fails while it is READY is marked (doom), and FAILED once it was read: its
 * further frames will not come. Entries are found by trying, beginning where this thread freed one last: no list,
 * and low numbers stay in use, so scans are short.
 *
 * The file's copy is written for readers: number, method and start first, the word last; on the
 * way out the word first. A host that dies leaves entries that say what it waited for.
 */
#include "lib/hub/hub_priv.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static __thread uint32_t last_index; /* freed last by this thread; only a hint */

/* ---- frames ------------------------------------------------------------------------------ */

void hub_frames_init(struct hub_frames *f)
{
	f->first = NULL;
	f->end = &f->first;
	f->n = 0;
}

int hub_frames_add(struct hub_frames *f, const struct hub_message *m,
		   const struct hub_slot_ref *slot, void *copy)
{
	struct hub_frame *frame = malloc(sizeof(*frame));

	if (!frame)
		return -ENOMEM;
	*frame = (struct hub_frame){ NULL, *m, *slot, copy };
	*f->end = frame;
	f->end = &frame->next;
	f->n++;
	return 0;
}

struct hub_frame *hub_frames_take(struct hub_frames *f)
{
	struct hub_frame *frame = f->first;

	if (!frame)
		return NULL;
	f->first = frame->next;
	if (!f->first)
		f->end = &f->first;
	f->n--;
	return frame;
}

void hub_frames_free(struct hub_frame *frame, struct hub_pool *pool)
{
	while (frame) {
		struct hub_frame *next = frame->next;

		hub_pool_free(pool, &frame->slot);
		free(frame->copy);
		free(frame);
		frame = next;
	}
}

/* ---- table ------------------------------------------------------------------------------- */

int hub_pend_init(struct shmhub *hub)
{
	hub->pend = calloc(hub->map.header.calls_max, sizeof(*hub->pend));
	hub_put64(&hub->next_deadline_ns, HUB_FOREVER);
	pthread_mutex_init(&hub->method_lock, NULL);
	hub_spill_init(hub);
	hub_knot_init(hub);
	return hub->pend ? 0 : -ENOMEM;
}

void hub_pend_fini(struct shmhub *hub)
{
	hub_knot_fini(hub);
	free(hub->pend);
	hub->pend = NULL;
}

uint32_t hub_pend_id(const struct hub_pend *pend, uint32_t gen)
{
	return (gen & 0xffff) << 16 | (pend->index + 1);
}

uint64_t hub_pend_handle(const struct hub_pend *pend, uint32_t gen)
{
	return (uint64_t)gen << 32 | (pend->index + 1);
}

struct hub_pend *hub_pend_find(struct shmhub *hub, uint64_t handle, uint32_t *gen)
{
	const uint32_t index = (uint32_t)handle - 1;

	*gen = (uint32_t)(handle >> 32);
	return index < hub->map.header.calls_max ? &hub->pend[index] : NULL;
}

static struct hub_call *mirror_of(const struct shmhub *hub, const struct hub_pend *pend)
{
	return hub_table_at(&hub->map.calls, pend->index);
}

/* ---- the word ----------------------------------------------------------------------------- */

static uint64_t look(const struct hub_pend *pend)
{
	/* acquire E1: what the last one to hold the lock wrote; pairs with hub_pend_unlock() */
	return atomic_load_explicit(&pend->word, memory_order_acquire);
}

static bool nothing_yet(uint64_t word, uint32_t gen, bool for_credit)
{
	return HUB_PEND_GEN(word) == gen && HUB_PEND_STATE(word) == HUB_PEND_PENDING &&
	       !(for_credit && (word & HUB_PEND_CREDIT));
}

bool hub_pend_is_waiting(const struct hub_pend *pend, uint32_t gen, bool for_credit)
{
	return nothing_yet(look(pend), gen, for_credit);
}

bool hub_pend_lock(struct hub_pend *pend, uint32_t gen, unsigned *state)
{
	for (unsigned spins = 1;; spins++) {
		uint64_t word = look(pend);

		if (HUB_PEND_GEN(word) != gen || HUB_PEND_STATE(word) <= HUB_PEND_SETUP)
			return false; /* over; or still its sender's alone */
		/* acquire E1: the fields are ours now; pairs with release E1 in hub_pend_unlock() */
		if (!(word & HUB_PEND_LOCKED) &&
		    atomic_compare_exchange_weak_explicit(&pend->word, &word, word | HUB_PEND_LOCKED,
							  memory_order_acquire,
							  memory_order_relaxed)) {
			*state = HUB_PEND_STATE(word);
			return true;
		}
		if (spins % 64 == 0)
			sched_yield(); /* its holder was preempted */
		hub_relax();
	}
}

/* By the holder of the lock, or in SETUP. Whoever sleeps is woken when there is something. */
static void store_word(struct hub_pend *pend, uint32_t gen, unsigned state, bool wake)
{
	/* relaxed: nobody else stores now, save a sleeper that adds its bit: see below */
	const uint64_t was = atomic_load_explicit(&pend->word, memory_order_relaxed);
	const bool still = !wake && (state == HUB_PEND_PENDING || state == HUB_PEND_SETUP);
	const uint64_t credit = state == HUB_PEND_PENDING && pend->credit ? HUB_PEND_CREDIT : 0;
	const uint64_t keep = still ? was & HUB_PEND_WAITER : 0;

	/* release E1: the fields are written; pairs with acquire E1 in look(), hub_pend_lock().
	 * A sleeper adds its bit only to a word that is not locked, so none is lost here. */
	atomic_store_explicit(&pend->word, (uint64_t)gen << 32 | keep | credit | state,
			      memory_order_release);
	if (!still && (was & HUB_PEND_WAITER))
		hub_futex_wake(&pend->word, INT_MAX);
}

void hub_pend_unlock(struct hub_pend *pend, unsigned state)
{
	store_word(pend, HUB_PEND_GEN(hub_get64(&pend->word)), state, false);
}

void hub_pend_sleep(struct hub_pend *pend, uint32_t gen, uint64_t deadline_ns, bool for_credit)
{
	uint64_t word = look(pend);

	if (!nothing_yet(word, gen, for_credit))
		return;
	if (word & HUB_PEND_LOCKED) {
		hub_relax(); /* about to change: look again */
		return;
	}
	/* relaxed: says that somebody sleeps here; the kernel compares the word once more */
	if (!(word & HUB_PEND_WAITER) &&
	    !atomic_compare_exchange_strong_explicit(&pend->word, &word, word | HUB_PEND_WAITER,
						     memory_order_relaxed, memory_order_relaxed))
		return;
	hub_futex_wait(&pend->word, (uint32_t)(word | HUB_PEND_WAITER), deadline_ns);
}

bool hub_pend_waiters(struct hub_pend *pend, uint32_t gen, int n)
{
	unsigned state;

	if (!hub_pend_lock(pend, gen, &state))
		return false;
	const bool has_fn = pend->fn;

	pend->waiters += n;
	const bool unread = !pend->waiters && state == HUB_PEND_READY;

	hub_pend_unlock(pend, state);
	if (unread) /* it came when nobody looked any more */
		hub_spill_look(pend->hub);
	return !has_fn;
}

void hub_pend_untake_credit(struct hub_pend *pend, uint32_t gen)
{
	unsigned state;

	if (!hub_pend_lock(pend, gen, &state))
		return;
	pend->credit++;
	pend->frame_no--;
	pend->request_open = true;
	hub_pend_unlock(pend, state);
}

/* ---- claim and free ------------------------------------------------------------------------ */

static void raise_top(struct shmhub *hub, uint32_t index)
{
	uint32_t top = hub_get32(&hub->pend_top);

	/* relaxed: a scan that misses an entry in SETUP misses nothing: it is not sent yet */
	while (top <= index && !atomic_compare_exchange_weak_explicit(
				       &hub->pend_top, &top, index + 1, memory_order_relaxed,
				       memory_order_relaxed))
		;
}

static bool try_entry(struct hub_pend *pend, uint32_t *gen)
{
	uint64_t word = hub_get64(&pend->word);
	const uint32_t next = HUB_PEND_GEN(word) + 1;

	if (HUB_PEND_STATE(word) != HUB_PEND_FREE)
		return false;
	*gen = next;
	/* acquire E1: the former call is done with; pairs with release E1 in store_word() */
	return atomic_compare_exchange_strong_explicit(&pend->word, &word,
						       (uint64_t)next << 32 | HUB_PEND_SETUP,
						       memory_order_acquire, memory_order_relaxed);
}

/* There is one: the counters say so, and they are lowered only after an entry is free. */
static struct hub_pend *find_entry(struct shmhub *hub, uint32_t *gen)
{
	const uint32_t n = hub->map.header.calls_max;

	for (uint32_t i = last_index < n ? last_index : 0;; i = i + 1 < n ? i + 1 : 0)
		if (try_entry(&hub->pend[i], gen)) {
			hub->pend[i].index = i;
			raise_top(hub, i);
			return &hub->pend[i];
		}
}

static bool count_in(_Atomic uint32_t *count, uint32_t limit)
{
	/* relaxed: a count of tickets; the entry's own word (E1) orders what is in it */
	if (atomic_fetch_add_explicit(count, 1, memory_order_relaxed) < limit)
		return true;
	/* relaxed: see above */
	atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
	return false;
}

static void count_out(_Atomic uint32_t *count)
{
	/* seq_cst W1: before the look for waiters; pairs with wait_for_entry() */
	atomic_fetch_sub_explicit(count, 1, memory_order_seq_cst);
}

static bool count_call(struct shmhub *hub, struct hub_link *link)
{
	const uint32_t max = hub->map.header.calls_max;

	if (!count_in(&link->pending, max / 4))
		return false;
	if (count_in(&hub->pending, max))
		return true;
	count_out(&link->pending);
	return false;
}

static void wake_entries(struct shmhub *hub)
{
	/* seq_cst W1: after a count was lowered; pairs with wait_for_entry() */
	if (!atomic_load_explicit(&hub->entry_waiters, memory_order_seq_cst))
		return;
	/* seq_cst W1: a waiter that has seen the old number does not sleep on it */
	atomic_fetch_add_explicit(&hub->entry_seq, 1, memory_order_seq_cst);
	hub_futex_wake(&hub->entry_seq, INT_MAX);
}

/* Until this call is counted, its peer gone, the hub ending, or time over. */
static int wait_for_entry(struct shmhub *hub, struct hub_link *link, unsigned incarnation,
			  uint64_t deadline_ns)
{
	int r = 0;

	HUB_NOTE(hub, calls_waited, 1);
	/* seq_cst W1: counted in before the look; pairs with wake_entries() */
	atomic_fetch_add_explicit(&hub->entry_waiters, 1, memory_order_seq_cst);
	for (;;) {
		/* seq_cst W1: the number before the look */
		const uint32_t seq = atomic_load_explicit(&hub->entry_seq, memory_order_seq_cst);
		unsigned now;

		if (count_call(hub, link))
			break;
		if (hub_link_now(link, &now) != HUB_LINK_OPEN || now != incarnation)
			r = -EOWNERDEAD;
		else if (hub_is_stopping(hub))
			r = -ESHUTDOWN;
		else {
			hub_event_tick(hub);
			hub_spill_sleep(hub);
			r = hub_futex_wait(&hub->entry_seq, seq, deadline_ns);
			hub_spill_awake(hub);
		}
		if (r)
			break;
	}
	/* seq_cst W1: counted out */
	atomic_fetch_sub_explicit(&hub->entry_waiters, 1, memory_order_seq_cst);
	return r;
}

int hub_pend_claim(struct shmhub *hub, struct hub_link *link, unsigned incarnation,
		   unsigned method, uint64_t deadline_ns, bool nowait, struct hub_pend **pend,
		   uint32_t *gen)
{
	if (!count_call(hub, link)) {
		if (nowait) {
			HUB_NOTE(hub, calls_refused, 1);
			return -EAGAIN;
		}
		const int r = wait_for_entry(hub, link, incarnation, deadline_ns);

		if (r)
			return r;
	}
	struct hub_pend *p = find_entry(hub, gen);

	p->hub = hub;
	p->peer = link->id;
	p->incarnation = (uint16_t)incarnation;
	p->method = (uint16_t)method;
	p->answered = p->request_open = p->queued = false;
	p->error = p->doom = p->waiters = 0;
	p->deadline_ns = deadline_ns;
	p->for_call = hub_serve_now(&p->for_peer);
	p->sent_slot = HUB_NO_SLOT;
	p->credit = HUB_BODY_WINDOW;
	p->frame_no = p->read = 0;
	p->slot.ref = HUB_NO_SLOT;
	p->copy = NULL;
	p->spilling = false;
	p->fn = NULL;
	hub_frames_init(&p->more);
	*pend = p;
	return 0;
}

/* ---- mirrors -------------------------------------------------------------------------------- */

void hub_pend_note_start(struct shmhub *hub, const struct hub_pend *pend, uint32_t gen, size_t bytes)
{
	struct hub_call *call = mirror_of(hub, pend);

	call->id = hub_pend_id(pend, gen);
	call->method = pend->method;
	call->enqueued_peer = 0;
	call->enqueued_at = 0;
	call->started_ns = pend->started_ns;
	call->caller_tid = hub_tid();
	call->deadline_ms = pend->deadline_ns == HUB_FOREVER ?
				    0 :
				    (uint32_t)((pend->deadline_ns - pend->started_ns + 999999) / 1000000);
	call->bytes = (uint32_t)bytes;
	call->frames = 0;
	call->for_call = pend->for_call;
	call->for_peer = pend->for_peer;
	hub_put64(&call->word, HUB_CALL_WORD(HUB_CALL_PENDING, pend->peer, gen));
	hub_put32(&hub->map.host->calls_pending, hub_get32(&hub->pending));
	hub_put32(&hub_map_peer(&hub->map, pend->peer)->calls_pending,
		  hub_get32(&hub->link[pend->peer].pending));
}

void hub_pend_note_sent(struct shmhub *hub, const struct hub_pend *pend, unsigned peer, uint64_t at)
{
	struct hub_call *call = mirror_of(hub, pend);

	call->enqueued_peer = (uint16_t)peer;
	call->enqueued_at = at + 1;
}

static void note_state(struct shmhub *hub, const struct hub_pend *pend, unsigned state)
{
	struct hub_call *call = mirror_of(hub, pend);
	const uint32_t gen = HUB_PEND_GEN(hub_get64(&pend->word));

	hub_put64(&call->word, HUB_CALL_WORD(state, pend->peer, gen));
}

/* The row of a method: the first 64 methods used have one. NULL: none left. */
static struct hub_method *method_row(struct shmhub *hub, unsigned method)
{
	/* acquire M1: the row carries its number; pairs with release M1 below */
	unsigned row = atomic_load_explicit(&hub->method_index[method], memory_order_acquire);

	if (!row) {
		pthread_mutex_lock(&hub->method_lock);
		/* relaxed: under the lock that orders its stores */
		row = atomic_load_explicit(&hub->method_index[method], memory_order_relaxed);
		if (!row) {
			row = hub->methods < HUB_METHODS ? ++hub->methods : UINT16_MAX;
			if (row != UINT16_MAX)
				hub_put32(&hub_map_method(&hub->map, row - 1u)->method, method);
			/* release M1: the row carries its number */
			atomic_store_explicit(&hub->method_index[method], (uint16_t)row,
					      memory_order_release);
		}
		pthread_mutex_unlock(&hub->method_lock);
	}
	return row == UINT16_MAX ? NULL : hub_map_method(&hub->map, row - 1);
}

void hub_pend_name(struct shmhub *hub, unsigned method, const char *name)
{
	struct hub_method *row = method_row(hub, method);

	if (!row || !name)
		return;
	pthread_mutex_lock(&hub->method_lock);
	memset(row->name, 0, sizeof(row->name));
	memcpy(row->name, name, strnlen(name, sizeof(row->name) - 1));
	pthread_mutex_unlock(&hub->method_lock);
}

static void count_latency(struct shmhub *hub, const struct hub_pend *pend, int result)
{
	struct hub_method *row = method_row(hub, pend->method);
	hub_add_shared(&hub->count.calls, 1);
	if (result)
		hub_add_shared(&hub->count.calls_failed, 1);
	if (row)
		hub_map_count_call(row, hub_now_ns() - pend->started_ns, result != 0);
}

void hub_pend_free(struct shmhub *hub, struct hub_pend *pend, int result)
{
	struct hub_link *link = &hub->link[pend->peer];
	const uint32_t gen = HUB_PEND_GEN(hub_get64(&pend->word));
	struct hub_slot_ref slot = pend->slot;
	void *const copy = pend->copy;
	struct hub_frame *frames = pend->more.first;

	count_latency(hub, pend, result);
	note_state(hub, pend, HUB_CALL_FREE);
	last_index = pend->index;
	store_word(pend, gen, HUB_PEND_FREE, true);
	count_out(&link->pending);
	count_out(&hub->pending);
	hub_put32(&hub->map.host->calls_pending, hub_get32(&hub->pending));
	hub_put32(&link->entry->calls_pending, hub_get32(&link->pending));
	wake_entries(hub);
	/* after the lock bit is gone: freeing a slot may wake others */
	hub_pool_free(&hub->pool, &slot);
	free(copy);
	hub_frames_free(frames, &hub->pool);
}

/* ---- what takers do -------------------------------------------------------------------------- */

/* The entry behind an id from the wire, locked, if it is a call to this link's peer. */
static struct hub_pend *lock_by_id(struct shmhub *hub, struct hub_link *link, uint32_t id,
				   unsigned *state)
{
	const uint32_t index = (id & 0xffff) - 1;

	if (index >= hub->map.header.calls_max)
		return NULL;
	struct hub_pend *pend = &hub->pend[index];
	const uint32_t gen = HUB_PEND_GEN(hub_get64(&pend->word));

	if ((gen & 0xffff) != id >> 16 || !hub_pend_lock(pend, gen, state))
		return NULL;
	if (pend->peer == link->id && pend->incarnation == link->end.incarnation &&
	    *state != HUB_PEND_FAILED)
		return pend;
	hub_pend_unlock(pend, *state);
	return NULL;
}

/* Something can be read: whoever waits is woken by the word; a call with fn is queued. */
static void hand_over(struct shmhub *hub, struct hub_pend *pend, unsigned state)
{
	const bool queue = pend->fn && !pend->queued;

	if (queue) {
		pend->queued = true;
		pend->work.run = hub_call_run;
	}
	hub_pend_unlock(pend, state);
	if (queue) /* its entry cannot be freed before this has run */
		hub_work_push(hub, &pend->work);
}

int hub_pend_answer(struct shmhub *hub, struct hub_link *link, const struct hub_message *m,
		    struct hub_slot_ref *slot, int error)
{
	unsigned state;
	struct hub_pend *pend = lock_by_id(hub, link, m->call, &state);

	if (!pend || pend->answered) {
		if (pend)
			hub_pend_unlock(pend, state);
		HUB_NOTE(hub, late_replies, 1);
		hub_pool_free(&hub->pool, slot);
		return 0;
	}
	const bool unread = slot->ref != HUB_NO_SLOT && !pend->waiters;

	pend->answered = true;
	pend->request_open = false;
	hub_message_copy(&pend->m, m);
	pend->slot = *slot;
	pend->error = error;
	slot->ref = HUB_NO_SLOT;
	note_state(hub, pend, HUB_CALL_ANSWERED);
	hand_over(hub, pend, error ? HUB_PEND_FAILED : HUB_PEND_READY);
	if (unread)
		hub_spill_look(hub);
	return 0;
}

int hub_pend_body(struct shmhub *hub, struct hub_link *link, const struct hub_message *m,
		  struct hub_slot_ref *slot)
{
	unsigned state;
	struct hub_pend *pend = lock_by_id(hub, link, m->call, &state);

	if (!pend) {
		hub_pool_free(&hub->pool, slot);
		return 0; /* cancelled meanwhile */
	}
	/* the last frame of an answer needs no credit: shmhub_reply() in a peer cannot wait for it */
	const unsigned window = HUB_BODY_WINDOW + !(m->flags & HUB_FLAG_MORE);

	if (!pend->answered || pend->more.n + pend->read >= window) {
		hub_pend_unlock(pend, state);
		return -EBADMSG;
	}
	const int r = hub_frames_add(&pend->more, m, slot, NULL);
	const bool unread = slot->ref != HUB_NO_SLOT && !pend->waiters;

	if (r) {
		pend->error = r;
		hand_over(hub, pend, HUB_PEND_FAILED);
		hub_pool_free(&hub->pool, slot);
		return 0;
	}
	slot->ref = HUB_NO_SLOT;
	mirror_of(hub, pend)->frames++;
	hand_over(hub, pend, HUB_PEND_READY);
	if (unread)
		hub_spill_look(hub);
	return 0;
}

int hub_pend_credit(struct shmhub *hub, struct hub_link *link, const struct hub_message *m)
{
	unsigned state;
	struct hub_pend *pend = lock_by_id(hub, link, m->call, &state);

	if (!pend)
		return 0;
	const bool makes_sense = m->aux > 0 && m->aux <= HUB_BODY_WINDOW &&
				 pend->credit + (uint32_t)m->aux <= HUB_BODY_WINDOW;

	if (makes_sense)
		pend->credit += (uint32_t)m->aux;
	store_word(pend, HUB_PEND_GEN(hub_get64(&pend->word)), state, true);
	return makes_sense ? 0 : -EBADMSG;
}

void hub_pend_fail(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, int error)
{
	unsigned state;

	if (!hub_pend_lock(pend, gen, &state))
		return;
	if (state != HUB_PEND_PENDING) {
		/* READY: what came in time is read; it is the reader who finds that no more will come */
		if (!pend->doom)
			pend->doom = error;
		hub_pend_unlock(pend, state);
		return;
	}
	const unsigned peer = pend->peer;

	pend->error = error;
	note_state(hub, pend, HUB_CALL_FAILED);
	hand_over(hub, pend, HUB_PEND_FAILED);
	hub_role_nudge(&hub->link[peer]);
}

/* An entry that is still in SETUP is its sender's business: it will find the link closed. */
static void fail_where(struct shmhub *hub, int peer, unsigned incarnation, int error)
{
	const uint32_t top = hub_get32(&hub->pend_top);

	for (uint32_t i = 0; i < top; i++) {
		struct hub_pend *pend = &hub->pend[i];
		unsigned state;
		const uint32_t gen = HUB_PEND_GEN(hub_get64(&pend->word));

		if (!hub_pend_lock(pend, gen, &state))
			continue;
		const bool wanted = peer < 0 ||
				    (pend->peer == peer && pend->incarnation == incarnation);

		hub_pend_unlock(pend, state);
		if (wanted)
			hub_pend_fail(hub, pend, gen, error);
	}
	wake_entries(hub);
}

void hub_pend_fail_peer(struct shmhub *hub, unsigned peer, unsigned incarnation, int error)
{
	fail_where(hub, (int)peer, incarnation, error);
}

void hub_pend_fail_all(struct shmhub *hub, int error)
{
	fail_where(hub, -1, 0, error);
}

uint64_t hub_pend_expire(struct shmhub *hub, uint64_t now_ns)
{
	const uint32_t top = hub_get32(&hub->pend_top);
	uint64_t next = HUB_FOREVER;

	for (uint32_t i = 0; i < top; i++) {
		struct hub_pend *pend = &hub->pend[i];
		const uint32_t gen = HUB_PEND_GEN(hub_get64(&pend->word));
		unsigned state;

		if (!hub_pend_lock(pend, gen, &state))
			continue;
		const bool watched = pend->fn && !pend->doom && state != HUB_PEND_FAILED;
		const uint64_t deadline = pend->deadline_ns;

		hub_pend_unlock(pend, state);
		if (watched && deadline <= now_ns)
			hub_pend_fail(hub, pend, gen, -ETIMEDOUT);
		else if (watched && deadline < next)
			next = deadline;
	}
	return next;
}

void hub_pend_heal(struct shmhub *hub)
{
	for (uint32_t i = 0; i < hub->map.header.calls_max; i++) {
		const struct hub_pend *pend = &hub->pend[i];
		struct hub_call *call = hub_table_at(&hub->map.calls, i);
		const uint64_t word = hub_get64(&pend->word);

		/* one that is claimed just now writes its entry after its word */
		if (HUB_PEND_STATE(word) == HUB_PEND_FREE &&
		    HUB_CALL_STATE(hub_get64(&call->word)) != HUB_CALL_FREE)
			hub_put64(&call->word, 0);
	}
}
