/*
 * Requests that wait for each other's slots.
 *
 * A request keeps its slot until it was answered. The handler that serves it may make a request
 * itself, and that may want a slot too: one that only comes free when the first was answered.
 * No share and no reserve rules that out, for what asks in turn may go as deep as applications
 * like, and over any number of peers. So it is found instead, and one of those that wait is told
 * -EDEADLK, as if it had waited for something that only its own thread could do: for that is
 * what it does.
 *
 * Looked at are handlers that wait for a slot for a request. Those of the host say so here. A
 * peer's is found in the file: it wants a class, and one of its calls, made while it serves one
 * of ours, was not sent. From each of them the chain of requests that wait for it: the one that
 * the handler serves, the one in whose handler that was made, and so on; and all that was asked
 * of a peer whose only thread waits. The slots of all these are stuck. A wait that any other
 * slot could end is none of a knot, and what it held up is no longer stuck; when nothing changes
 * any more, those that are left wait for each other (tests/model/knot.pml).
 *
 * A pass copies one table after the other while the hub goes on. Only who waits both before and
 * after that counts: during such a wait nothing of what it holds up changes. Who is found in two
 * passes, a second apart, is told (a peer may ask without waiting for the answer; then its chain
 * is none, but soon gone): a thread of the host by its wait, a peer by the end of the call that
 * it serves, which it notices where it waits (hub_peer_take.c). What a peer writes over may end
 * calls in this way, no more.
 *
 * Not found: who waits outside of a handler for what a deferred request holds up, notifications
 * and buffers of a peer (the file does not say for which call they are), and threads of the host
 * that are too few for handlers that wait for each other.
 */
#include "lib/hub/hub_priv.h"
#include "lib/hub/hub_request.h"

#include <stdlib.h>
#include <string.h>

static void run(struct hub_work *work);

void hub_knot_init(struct shmhub *hub)
{
	pthread_mutex_init(&hub->knot_lock, NULL);
	hub->knot_work.run = run;
}

void hub_knot_fini(struct shmhub *hub)
{
	free(hub->knot_seen);
	hub->knot_seen = NULL;
	hub->knot_seen_n = 0;
}

/* ---- the host's own waits ----------------------------------------------------------------- */

void hub_knot_enter(struct shmhub *hub, struct hub_knot_wait *wait, const struct hub_link *link,
		    unsigned klass, bool is_answer)
{
	*wait = (struct hub_knot_wait){ .link = link, .klass = klass };
	wait->call = is_answer ? 0 : hub_serve_now(&wait->peer);
	if (!wait->call)
		return;
	pthread_mutex_lock(&hub->knot_lock);
	wait->serial = ++hub->knot_serial;
	wait->next = hub->knot;
	hub->knot = wait;
	pthread_mutex_unlock(&hub->knot_lock);
}

void hub_knot_leave(struct shmhub *hub, struct hub_knot_wait *wait)
{
	if (!wait->serial)
		return;
	pthread_mutex_lock(&hub->knot_lock);
	struct hub_knot_wait **at = &hub->knot;

	while (*at != wait)
		at = &(*at)->next;
	*at = wait->next;
	pthread_mutex_unlock(&hub->knot_lock);
}

/* ---- copies ------------------------------------------------------------------------------- */

struct waiter {
	uint64_t key;        /* who it is: the same in the next pass */
	unsigned klass;
	struct hub_slot_end end; /* as which it claims */
	uint32_t call;       /* that it serves: of `peer`, or (a peer's) of the host */
	uint16_t peer;       /* a host's: whose call that is; a peer's: the peer */
	bool is_peers;
	bool is_free;        /* of the knot */
	bool again;          /* it was in one at the last pass, too */
};

struct request { /* sent, not answered */
	uint32_t id;         /* 0: none */
	uint32_t slot, gen;  /* of its payload */
	uint32_t for_call;   /* that it was made for; 0 none */
	uint16_t for_peer;   /* the host's: whose call that is */
	uint16_t peer;       /* the host's: to whom */
	bool is_stuck;
};

struct place { /* a slot */
	uint64_t word;
	uint32_t call;
	bool is_stuck; /* its request is */
};

struct knot {
	struct shmhub *hub;
	struct waiter *waiter;
	unsigned waiters;
	struct request *ours;   /* by place in the table of calls */
	uint32_t ours_n;
	struct request *theirs; /* HUB_PEER_CALLS of each peer */
	struct place *slot[HUB_CLASSES_MAX];
	uint32_t slots[HUB_CLASSES_MAX];
};

static unsigned most_waiters(const struct shmhub *hub)
{
	return HUB_WORKERS_MAX + hub->map.header.peers_max + 1;
}

#define PEERS_KEY (UINT64_C(1) << 63)

/* A peer's row about a call of its own. */
static struct hub_call row_of(const struct shmhub *hub, unsigned peer, unsigned i)
{
	const struct hub_call *row =
		hub_table_at(&hub->map.peercalls, (uint64_t)peer * HUB_PEER_CALLS + i);
	struct hub_call copy;

	memcpy(&copy, row, sizeof(copy));
	return copy;
}

static uint32_t wants_of(const struct hub_link *link)
{
	/* acquire B2: pairs with release B2 in hub_peer_claim() */
	return atomic_load_explicit(&link->entry->peer_wants, memory_order_acquire) &
	       ((UINT32_C(1) << link->hub->map.class_count) - 1);
}

/* The call that a peer would send if it had a slot, made while it serves one. */
static bool find_unsent(const struct shmhub *hub, unsigned peer, struct hub_call *found)
{
	for (unsigned i = 0; i < HUB_PEER_CALLS; i++) {
		*found = row_of(hub, peer, i);
		if (HUB_CALL_STATE(hub_get64(&found->word)) == HUB_CALL_PENDING &&
		    !found->enqueued_at && found->for_call)
			return true;
	}
	return false;
}

static unsigned copy_waiters(struct shmhub *hub, struct waiter *to)
{
	struct hub_call row;
	unsigned n = 0;

	pthread_mutex_lock(&hub->knot_lock);
	for (const struct hub_knot_wait *w = hub->knot; w && n < HUB_WORKERS_MAX; w = w->next)
		to[n++] = (struct waiter){
			.key = w->serial, .klass = w->klass, .call = w->call, .peer = w->peer,
			.end = { w->link->id, 0, HUB_TO_PEER }, .is_free = hub_get32(&w->doomed),
		};
	pthread_mutex_unlock(&hub->knot_lock);
	for (unsigned i = 1; i <= hub->map.header.peers_max; i++) {
		const struct hub_link *link = &hub->link[i];
		const uint32_t wants = hub_link_is_open(link) ? wants_of(link) : 0;

		if (wants && find_unsent(hub, i, &row))
			to[n++] = (struct waiter){
				.key = PEERS_KEY | (uint64_t)i << 32 | row.id,
				.klass = (unsigned)__builtin_ctz(wants), .call = row.for_call,
				.peer = (uint16_t)i, .end = { (uint16_t)i, 0, HUB_TO_HOST },
				.is_peers = true,
			};
	}
	return n;
}

static bool has_key(const struct waiter *w, unsigned n, uint64_t key)
{
	while (n && w[n - 1].key != key)
		n--;
	return n;
}

/* Drops who no longer waits. */
static void compare_waiters(struct knot *k)
{
	struct waiter *now = calloc(most_waiters(k->hub), sizeof(*now));
	const unsigned n = now ? copy_waiters(k->hub, now) : 0;

	for (unsigned i = 0; i < k->waiters; i++)
		k->waiter[i].is_free |= !has_key(now, n, k->waiter[i].key);
	free(now);
}

static void copy_slots(struct knot *k)
{
	struct hub_slots *s = &k->hub->pool.slots;

	for (unsigned c = 0; c < s->map->class_count; c++) {
		k->slots[c] = hub_slot_published(s, c);
		for (uint32_t i = 0; i < k->slots[c]; i++) {
			const struct hub_slot *at = hub_map_slot(s->map, c, i);

			k->slot[c][i] = (struct place){ hub_get64(&at->word), hub_get32(&at->call), false };
		}
	}
}

static void copy_ours(struct knot *k)
{
	for (uint32_t i = 0; i < k->ours_n; i++) {
		struct hub_pend *p = &k->hub->pend[i];
		const uint32_t gen = HUB_PEND_GEN(hub_get64(&p->word));
		unsigned state;

		if (!hub_pend_lock(p, gen, &state))
			continue;
		if (state == HUB_PEND_PENDING)
			k->ours[i] = (struct request){ hub_pend_id(p, gen), p->sent_slot, p->sent_gen,
						       p->for_call, p->for_peer, p->peer, false };
		hub_pend_unlock(p, state);
	}
}

static struct request *theirs_at(const struct knot *k, unsigned peer, unsigned i)
{
	return &k->theirs[peer * HUB_PEER_CALLS + i];
}

static void copy_theirs(struct knot *k)
{
	for (unsigned p = 1; p <= k->hub->map.header.peers_max; p++) {
		struct hub_link *link = &k->hub->link[p];

		pthread_mutex_lock(&link->lock);
		for (unsigned i = 0; i < HUB_PEER_CALLS; i++) {
			const struct shmhub_request *r = link->request[i];

			if (r)
				*theirs_at(k, p, i) = (struct request){ .id = r->call, .slot = r->m.slot,
									.gen = r->m.slot_gen };
		}
		pthread_mutex_unlock(&link->lock);
		for (unsigned i = 0; i < HUB_PEER_CALLS; i++) {
			struct request *r = theirs_at(k, p, i);
			const struct hub_call row = row_of(k->hub, p, i);

			r->for_call = r->id && row.id == r->id ? row.for_call : 0;
		}
	}
}

static bool is_used(uint64_t word)
{
	return HUB_SLOT_STATE(word) != HUB_SLOT_FREE;
}

/* Sent by that end. */
static bool is_of(uint64_t word, struct hub_slot_end end)
{
	return HUB_SLOT_PEER(word) == end.peer && HUB_SLOT_DIRECTION(word) == end.direction;
}

/* ---- what is stuck ------------------------------------------------------------------------ */

static struct request *ours_by(const struct knot *k, uint32_t id, unsigned peer)
{
	const uint32_t i = (id & 0xffff) - 1;

	return i < k->ours_n && k->ours[i].id == id && k->ours[i].peer == peer ? &k->ours[i] : NULL;
}

static struct request *theirs_by(const struct knot *k, uint32_t id, unsigned peer)
{
	const uint32_t i = (id & 0xffff) - 1;
	struct request *r = i < HUB_PEER_CALLS ? theirs_at(k, peer, i) : NULL;

	return r && r->id == id ? r : NULL;
}

/* Its slot, if it still is in it. */
static void mark_slot(struct knot *k, const struct request *r)
{
	const unsigned klass = HUB_SLOT_REF_CLASS(r->slot), i = HUB_SLOT_REF_INDEX(r->slot);

	if (klass >= k->hub->map.class_count || i >= k->slots[klass])
		return;
	struct place *slot = &k->slot[klass][i];

	slot->is_stuck |= is_used(slot->word) && (uint32_t)HUB_SLOT_GENERATION(slot->word) == r->gen;
}

/* A request whose caller has given up: it is in no table any more, but may be served still, and
 * then has its slot. */
static void mark_orphan(struct knot *k, uint32_t call, struct hub_slot_end end)
{
	for (unsigned c = 0; c < k->hub->map.class_count; c++)
		for (uint32_t i = 0; i < k->slots[c]; i++) {
			struct place *slot = &k->slot[c][i];

			slot->is_stuck |= HUB_SLOT_STATE(slot->word) == HUB_SLOT_HELD &&
					  is_of(slot->word, end) && slot->call == call;
		}
}

/* A request that is not answered, and all that wait for it. */
static void mark_chain(struct knot *k, uint32_t call, unsigned peer, bool is_ours)
{
	while (call && peer <= k->hub->map.header.peers_max) {
		struct request *r = is_ours ? ours_by(k, call, peer) : theirs_by(k, call, peer);

		if (!r)
			mark_orphan(k, call, (struct hub_slot_end){
				(uint16_t)peer, 0, is_ours ? HUB_TO_PEER : HUB_TO_HOST });
		if (!r || r->is_stuck)
			return;
		r->is_stuck = true;
		mark_slot(k, r);
		call = r->for_call;
		peer = is_ours ? r->for_peer : peer;
		is_ours = !is_ours;
	}
}

static void mark(struct knot *k, const struct waiter *w)
{
	mark_chain(k, w->call, w->peer, w->is_peers);
	if (!w->is_peers)
		return;
	for (uint32_t i = 0; i < k->ours_n; i++) /* its only thread waits */
		if (k->ours[i].id && k->ours[i].peer == w->peer)
			mark_chain(k, k->ours[i].id, w->peer, true);
}

static void mark_all(struct knot *k)
{
	for (uint32_t i = 0; i < k->ours_n; i++)
		k->ours[i].is_stuck = false;
	for (unsigned i = 0; i < (k->hub->map.header.peers_max + 1) * HUB_PEER_CALLS; i++)
		k->theirs[i].is_stuck = false;
	for (unsigned c = 0; c < k->hub->map.class_count; c++)
		for (uint32_t i = 0; i < k->slots[c]; i++)
			k->slot[c][i].is_stuck = false;
	for (unsigned i = 0; i < k->waiters; i++)
		if (!k->waiter[i].is_free)
			mark(k, &k->waiter[i]);
}

/*
 * May a slot of this class come to it? One that is used and not stuck will be free one day; if
 * its peer has its share, it must be one of those. Of the class above, the last quarter is no
 * help while it is free.
 */
static bool may_come(const struct knot *k, const struct waiter *w, unsigned klass)
{
	const struct hub_map_class *c = &k->hub->map.klass[klass];
	const uint32_t n = k->slots[klass];
	const struct place *slot = k->slot[klass];
	uint32_t own = 0, free_slots = c->max - n, others = 0;

	for (uint32_t i = 0; i < n; i++) {
		const bool is_own = is_used(slot[i].word) && is_of(slot[i].word, w->end);

		own += is_own;
		free_slots += !is_used(slot[i].word) && (i >= c->answers || klass != w->klass);
		others += is_used(slot[i].word) && !slot[i].is_stuck && i >= c->answers;
		if (is_own && !slot[i].is_stuck)
			return true;
	}
	if (own >= hub_slot_share(&k->hub->pool.slots, klass, false))
		return false;
	return others || (klass == w->klass ? free_slots : hub_slot_may_go_up(&k->hub->pool.slots, klass));
}

static bool may_go_on(const struct knot *k, const struct waiter *w)
{
	return may_come(k, w, w->klass) ||
	       (w->klass + 1 < k->hub->map.class_count && may_come(k, w, w->klass + 1));
}

/* Leaves in the knot who waits for nobody else. */
static void loosen(struct knot *k)
{
	bool changed = true;

	while (changed) {
		changed = false;
		mark_all(k);
		for (unsigned i = 0; i < k->waiters; i++)
			if (!k->waiter[i].is_free && may_go_on(k, &k->waiter[i]))
				k->waiter[i].is_free = changed = true;
	}
}

/* ---- what is done about it ---------------------------------------------------------------- */

static bool was_seen(const struct shmhub *hub, uint64_t key)
{
	for (unsigned i = 0; i < hub->knot_seen_n; i++)
		if (hub->knot_seen[i] == key)
			return true;
	return false;
}

static void remember(struct knot *k)
{
	struct shmhub *hub = k->hub;

	for (unsigned i = 0; i < k->waiters; i++)
		k->waiter[i].again = was_seen(hub, k->waiter[i].key);
	hub->knot_seen_n = 0;
	for (unsigned i = 0; i < k->waiters; i++)
		if (!k->waiter[i].is_free)
			hub->knot_seen[hub->knot_seen_n++] = k->waiter[i].key;
}

static void tell_thread(struct shmhub *hub, uint64_t serial)
{
	pthread_mutex_lock(&hub->knot_lock);
	for (struct hub_knot_wait *w = hub->knot; w; w = w->next)
		if (w->serial == serial)
			hub_put32(&w->doomed, 1);
	pthread_mutex_unlock(&hub->knot_lock);
	hub_send_slots(hub); /* it has announced itself before it looks whether it is doomed */
}

static void tell(struct shmhub *hub, const struct waiter *w)
{
	if (!w->is_peers) {
		tell_thread(hub, w->key);
		return;
	}
	struct hub_pend *p = &hub->pend[(w->call & 0xffff) - 1];
	const uint32_t gen = HUB_PEND_GEN(hub_get64(&p->word));

	if (hub_pend_id(p, gen) == w->call)
		hub_call_fail(hub, p, gen, -EDEADLK);
}

/* One of them, which lets others go on, until nobody is left: threads of the host first. */
static struct waiter *choose(struct knot *k)
{
	for (unsigned i = 0; i < k->waiters; i++) {
		struct waiter *w = &k->waiter[i];

		if (!w->is_free && w->again && (!w->is_peers || ours_by(k, w->call, w->peer)))
			return w;
	}
	return NULL;
}

static void untie(struct knot *k)
{
	struct waiter *w;

	while ((w = choose(k))) {
		tell(k->hub, w);
		w->is_free = true;
		loosen(k);
	}
}

/* ---- a pass ------------------------------------------------------------------------------- */

static bool make_room(struct knot *k)
{
	struct shmhub *hub = k->hub;
	const unsigned peers = hub->map.header.peers_max + 1;
	bool ok;

	k->ours_n = hub_get32(&hub->pend_top);
	if (!hub->knot_seen)
		hub->knot_seen = calloc(most_waiters(hub), sizeof(*hub->knot_seen));
	k->waiter = calloc(most_waiters(hub), sizeof(*k->waiter));
	k->ours = calloc(k->ours_n + 1, sizeof(*k->ours));
	k->theirs = calloc((size_t)peers * HUB_PEER_CALLS, sizeof(*k->theirs));
	ok = hub->knot_seen && k->waiter && k->ours && k->theirs;
	for (unsigned i = 0; i < hub->map.class_count; i++)
		ok &= (k->slot[i] = calloc(hub->map.klass[i].max, sizeof(*k->slot[i]))) != NULL;
	return ok;
}

static void free_room(struct knot *k)
{
	for (unsigned i = 0; i < HUB_CLASSES_MAX; i++)
		free(k->slot[i]);
	free(k->theirs);
	free(k->ours);
	free(k->waiter);
}

static void run(struct hub_work *work)
{
	struct shmhub *hub = (struct shmhub *)((char *)work - offsetof(struct shmhub, knot_work));
	struct knot k = { .hub = hub };

	/* acq_rel W2: from here on it may be queued again; pairs with hub_knot_tick() */
	atomic_exchange_explicit(&hub->knot_queued, 0, memory_order_acq_rel);
	if (make_room(&k)) {
		k.waiters = copy_waiters(hub, k.waiter);
		copy_ours(&k);
		copy_theirs(&k);
		copy_slots(&k);
		compare_waiters(&k);
		loosen(&k);
		remember(&k);
		untie(&k);
	}
	free_room(&k);
	/* relaxed: a lone counter */
	atomic_fetch_add_explicit(&hub->knot_passes, 1, memory_order_relaxed);
}

static bool does_anybody_wait(struct shmhub *hub)
{
	pthread_mutex_lock(&hub->knot_lock);
	bool any = hub->knot;

	pthread_mutex_unlock(&hub->knot_lock);
	for (unsigned i = 1; i <= hub->map.header.peers_max && !any; i++)
		any = hub_link_is_open(&hub->link[i]) && wants_of(&hub->link[i]);
	return any;
}

void hub_knot_tick(struct shmhub *hub)
{
	if (!does_anybody_wait(hub))
		return;
	/* acq_rel W2: one work item; pairs with run() */
	if (!atomic_exchange_explicit(&hub->knot_queued, 1, memory_order_acq_rel))
		hub_work_push_own(hub, &hub->knot_work);
}
