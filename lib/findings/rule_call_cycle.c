/*
 * call-cycle: processes wait for each other through calls, or through full rings.
 *
 * Calls: a peer that blocks in a call of its own inside a handler serves nobody. Its call is
 * answered when the host's handler for it ends; that one may have made calls itself, to peers
 * that block in the same way. An edge A -> B is: A blocks in call y, the host made call z while
 * serving y, z goes to B, and B blocks. Each call names the call in whose handler it was made,
 * so a cycle of such edges is a proof, not a guess by times.
 *
 * Locks: a thread of the host holds a lock while it calls a peer, and to answer the peer asks the
 * host, whose handler needs the lock; or what the peer needs is a lock of its own that leads back.
 * Such a circle goes through threads: it is found in the wait-for graph (waits.h).
 *
 * Rings: both rings of a peer are full, neither is read, and each side waits for space.
 */
#include <stdlib.h>

#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

enum { WHAT_CALLS, WHAT_RINGS, LOCKS_DWELL_US = 2 * SECOND_US, RINGS_DWELL_US = 2 * SECOND_US, CLOCK_SLACK_US = 10000 };

/* ---- calls ---------------------------------------------------------------------------------- */

struct knot { /* a peer as a node of the graph */
	const struct scene_peer *peer;
	const struct state_call *own;  /* the call it blocks in; NULL: it does not */
	const struct state_call *edge; /* of the cycle: the host's call made for it */
	uint8_t mark;                  /* 0 new, 1 on the path, 2 done */
};

struct graph {
	const struct scene_hub *hub;
	struct knot *knot; /* as hub->peer */
	const struct state_call **made; /* the host's for peers, by for_peer, for_call, id */
	size_t n_made;
};

static bool may_block(const struct scene_peer *peer)
{
	const struct scene_end *end = &peer->end[HUB_RECV];

	return peer->usable && peer->p->beat.state == HUB_BEAT_HANDLER &&
	       end->doing != DOING_STOPPED && !(end->doing_seen && end->doing == DOING_RUNNING);
}

/* Made in its present handler: a handler that blocks makes no other after it. The beat comes
 * from a coarse clock. */
static bool is_of_handler(const struct scene_peer *peer, const struct state_call *call)
{
	return call->started_us + CLOCK_SLACK_US >= peer->p->beat.since_us;
}

static bool is_later(const struct state_call *a, const struct state_call *b)
{
	return a->started_us != b->started_us ? a->started_us > b->started_us : a->id > b->id;
}

static int by_request(const void *a, const void *b)
{
	const struct state_call *x = *(const struct state_call *const *)a;
	const struct state_call *y = *(const struct state_call *const *)b;

	if (x->for_peer != y->for_peer)
		return x->for_peer < y->for_peer ? -1 : 1;
	if (x->for_call != y->for_call)
		return x->for_call < y->for_call ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static int build_graph(const struct scene_hub *hub, struct graph *g, struct candidates *out)
{
	const struct state_hub *h = hub->h;

	*g = (struct graph){ .hub = hub };
	g->knot = arena_take(&out->arena, hub->peers * sizeof(*g->knot));
	g->made = arena_take(&out->arena, h->calls * sizeof(*g->made));
	if (!g->knot || !g->made)
		return -1;
	for (size_t i = 0; i < hub->peers; i++)
		g->knot[i].peer = &hub->peer[i];
	for (size_t i = 0; i < h->calls; i++) {
		const struct state_call *call = &h->call[i];

		if (call->call_state != HUB_CALL_PENDING)
			continue;
		if (!call->by && call->for_call)
			g->made[g->n_made++] = call;
		const struct scene_peer *peer = call->by ? scene_peer(hub, call->by) : NULL;

		if (!peer || !may_block(peer) || !is_of_handler(peer, call))
			continue;
		struct knot *k = &g->knot[peer - hub->peer];

		if (!k->own || is_later(call, k->own))
			k->own = call;
	}
	qsort(g->made, g->n_made, sizeof(*g->made), by_request);
	return 0;
}

/* The first of the calls that the host made to serve `own`. */
static size_t first_made_for(const struct graph *g, const struct state_call *own)
{
	size_t lo = 0, hi = g->n_made;
	const struct state_call least = { .for_peer = own->by, .for_call = own->id };
	const struct state_call *key = &least;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (by_request(&g->made[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const char *cycle_text(struct candidates *out, const struct graph *g, struct knot *first)
{
	const char *words = "";
	struct knot *k = first;

	do {
		words = text(
			out,
			"%s%s%s(%u) waits in its handler for call %u to %s, whose handler waits "
			"for call %u to %s(%u)",
			words, *words ? "; " : "", k->peer->name, k->peer->p->id, k->own->id,
			g->hub->host.name, k->edge->id, scene_peer(g->hub, k->edge->peer)->name,
			k->edge->peer);
		k = &g->knot[scene_peer(g->hub, k->edge->peer) - g->hub->peer];
	} while (k != first);
	return words;
}

static void report_cycle(const struct graph *g, struct knot *k, struct candidates *out)
{
	struct knot *first = k;
	struct knot *at = k;
	uint64_t since = 0, fingerprint = 0;
	unsigned n = 0;

	do { /* the peer with the lowest id gives the cycle its name */
		if (at->peer->p->id < first->peer->p->id)
			first = at;
		at = &g->knot[scene_peer(g->hub, at->edge->peer) - g->hub->peer];
	} while (at != k);
	struct candidate *c = candidate_of_peer(out, first->peer, WHAT_CALLS);

	at = first;
	do {
		since = scene_later(since, scene_later(at->own->started_us, at->edge->started_us));
		fingerprint += (uint64_t)at->own->id << 32 | at->edge->id;
		candidate_stuck(c, NODE_PEER, g->hub, at->peer->p->id);
		n++;
		at = &g->knot[scene_peer(g->hub, at->edge->peer) - g->hub->peer];
	} while (at != first);
	const char *words = cycle_text(out, g, first);
	const char *name = first->peer->name;

	c->place.kind = PLACE_TABLES;
	c->now_us = g->hub->now_us;
	c->since_us = since;
	c->fingerprint = fingerprint;
	candidate_stack(out, c, g->hub->st, first->peer->end[HUB_RECV].consumer.thread);
	c->sentence = n == 1 ? text(out, "%s and %s have waited for each other for {held}: %s",
				    name, g->hub->host.name, words)
			     : text(out,
				    "%u peers and %s have waited for each other for {held}: %s", n,
				    g->hub->host.name, words);
	c->also = text(out, "%s and %s wait for each other", name, g->hub->host.name);
	c->brief = text(out, "cycle of %u: call %u <-> call %u", n, first->own->id,
			first->edge->id);
	c->evidence = text(out, "%s; {unchanged}", words);
	fact_text(c, "cycle", words);
	fact_number(c, "peers", n);
	fact_number(c, "call", first->own->id);
	fact_number(c, "made_for_it", first->edge->id);
	candidate_next(
		c,
		"break the cycle at one call: make it asynchronous, or answer before calling back");
	candidate_next(c, "a deadline on either call ends the wait, not its cause");
}

/* Walks from knot k along its edges; an edge into the path closes a cycle. */
static void walk(const struct graph *g, struct knot *k, struct candidates *out)
{
	k->mark = 1;
	for (size_t i = first_made_for(g, k->own); i < g->n_made; i++) {
		const struct state_call *z = g->made[i];

		if (z->for_peer != k->own->by || z->for_call != k->own->id)
			break;
		const struct scene_peer *to = scene_peer(g->hub, z->peer);
		struct knot *next = to ? &g->knot[to - g->hub->peer] : NULL;

		if (!next || !next->own || next->mark == 2)
			continue;
		k->edge = z;
		if (next->mark == 1)
			report_cycle(g, next, out);
		else
			walk(g, next, out); /* at most as deep as there are peers: 1024 */
	}
	k->mark = 2;
}

static void look_at_calls(const struct scene_hub *hub, struct candidates *out)
{
	struct graph g;

	if (!hub->sees_tables || !hub->peers || !hub->h->calls)
		return;
	if (build_graph(hub, &g, out)) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < hub->peers; i++)
		if (g.knot[i].own && !g.knot[i].mark)
			walk(&g, &g.knot[i], out);
}

/* ---- locks and calls ------------------------------------------------------------------------ */

/* The thread whose call leads out of the host. */
static const struct waits_node *caller_of(const struct waits *w, int circle)
{
	const struct waits_node *at = &w->node[w->circle[circle]];

	while (at->kind != WAITS_CALL)
		at = &w->node[at->to];
	return at;
}

static bool is_of_locks_and_calls(const struct waits *w, int circle)
{
	return waits_has(w, circle, WAITS_CALL) &&
	       (waits_has(w, circle, WAITS_LOCK) || waits_has(w, circle, WAITS_JOIN) ||
		waits_has(w, circle, WAITS_FILE));
}

/* How long it has lasted: no younger than the youngest call in it. That it is closed rests on the
 * same calls and locks in two looks. */
static unsigned add_waits(struct candidates *out, const struct scene *scene, struct candidate *c,
			  const struct waits_node *first)
{
	const struct waits_node *at = first;
	unsigned n = 0;

	do {
		if (at->call) {
			c->since_us = scene_later(c->since_us, at->call->started_us);
			c->since_us = scene_later(c->since_us, at->back ? at->back->started_us : 0);
			c->fingerprint = mix(c->fingerprint, at->call->id);
			c->fingerprint = mix(c->fingerprint, at->back ? at->back->id : 0);
		} else {
			c->fingerprint = mix(c->fingerprint, at->lock->addr);
		}
		c->fingerprint = mix(c->fingerprint, (uint32_t)at->thread->tid);
		if (!at->is_sure)
			c->proof = PROOF_NONE;
		candidate_edge(out, c, scene, at, first->process);
		at = &scene->waits.node[at->to];
		n++;
	} while (at != first);
	return n;
}

static void report_locks(const struct scene *scene, int circle, struct candidates *out)
{
	const struct waits_node *first = caller_of(&scene->waits, circle);
	const struct waits_node *holder = first;
	const char *peer = first->peer->name ? first->peer->name : "peer";

	while (!holder->lock)
		holder = &scene->waits.node[holder->to];
	struct candidate *c = candidate_of_thread(out, scene, first->process, first->thread,
						  first->call->id);
	const unsigned n = add_waits(out, scene, c, first);
	const char *words = edges_text(out, c, FINDING_EDGES, n);
	const char *host = first->process->name ? first->process->name : "the host";
	char what[WAITS_TEXT];

	waits_what(holder, what);
	c->dwell_us = LOCKS_DWELL_US;
	c->asks_again = true;
	c->where.name = peer;
	c->where.peer = first->peer->id;
	c->place_text = text(out, "%s(%u)", peer, first->peer->id);
	candidate_stuck_threads(out, c, scene, first);
	c->sentence = text(out, "%s and %s have waited for each other for {held}: %s", peer, host, words);
	c->also = text(out, "%s and %s wait for each other over a lock", peer, host);
	c->brief = text(out, "%s is held during call %u to %s(%u), which needs it", what,
			first->call->id, peer, first->peer->id);
	c->evidence = text(out, "%s; {unchanged}", words);
	fact_text(c, "cycle", words);
	fact_text(c, "lock", what);
	fact_number(c, "call", first->call->id);
	if (first->back)
		fact_number(c, "made_for_it", first->back->id);
	candidate_next(c, text(out, "%s is held during a call%s%s: give it back before calling", what,
			       c->where.site ? ": " : "", c->where.site ? c->where.site : ""));
	candidate_next(c, "a deadline on either call ends the wait, not its cause");
}

static void look_at_locks(const struct scene *scene, struct candidates *out)
{
	for (size_t i = 0; i < scene->waits.circles; i++)
		if (is_of_locks_and_calls(&scene->waits, (int)i))
			report_locks(scene, (int)i, out);
}

/* ---- rings ---------------------------------------------------------------------------------- */

/* The peer's one thread is awake: it has just been woken, or does not wait for space. */
static bool is_awake(const struct scene_end *recv)
{
	return recv->doing_seen && recv->doing == DOING_RUNNING;
}

static void look_at_rings(const struct scene_peer *peer, struct candidates *out)
{
	const struct scene_end *recv = &peer->end[HUB_RECV], *send = &peer->end[HUB_SEND];

	if (!peer->usable || !recv->usable || !send->usable || !recv->full || !send->full)
		return;
	if (!(recv->producer_flag & HUB_ASLEEP_SPACE) || !(send->producer_flag & HUB_ASLEEP_SPACE))
		return;
	if (recv->doing == DOING_STOPPED || send->doing == DOING_STOPPED)
		return;
	struct candidate *c = candidate_of_peer(out, peer, WHAT_RINGS);
	const char *host = peer->hub->host.name;

	c->since_us = recv->still_us && send->still_us ? scene_later(recv->still_us, send->still_us)
						       : 0;
	c->dwell_us = RINGS_DWELL_US;
	if (is_awake(recv))
		c->proof = PROOF_UNSURE;
	/* the host's event thread has more to do than to read this ring; if it gets no CPU, it may
	 * be about to */
	candidate_watch_cpu(c, send->consumer.thread, 0);
	c->fingerprint = recv->ring->tail * 3 + send->ring->tail;
	c->place_text = text(out, "%s both rings", c->place_text);
	candidate_stuck_end(c, recv);
	candidate_stuck_end(c, send);
	candidate_stack(out, c, peer->hub->st, recv->consumer.thread);
	c->sentence = text(
		out,
		"%s and %s have waited for each other for {held}: both rings are full and each "
		"waits for space in the other's",
		who(out, &recv->consumer), host);
	c->also = text(out, "%s and %s wait for each other", peer->name, host);
	c->brief = text(out, "both rings full: recv %lu, send %lu waiting",
			(unsigned long)recv->ring->waiting, (unsigned long)send->ring->waiting);
	c->evidence = text(out,
			   "recv ring: %s; send ring: %s; both sides announced to wait for space"
			   "{cpu}; {unchanged}",
			   ring_text(out, recv), ring_text(out, send));
	fact_number(c, "recv_waiting", (int64_t)recv->ring->waiting);
	fact_number(c, "send_waiting", (int64_t)send->ring->waiting);
	fact_number(c, "capacity", recv->ring->capacity);
	candidate_next(
		c, "whoever reads a ring must go on reading while it waits for space in the other");
}

static void look(const struct scene *scene, struct candidates *out)
{
	look_at_locks(scene, out);
	for EACH_HUB(scene, hub) {
		look_at_calls(hub, out);
		for EACH_PEER(hub, peer)
			look_at_rings(peer, out);
	}
}

const struct rule rule_call_cycle = {
	.name = "call-cycle",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 0, /* a closed cycle does not open by itself: two looks are enough */
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "Processes wait for each other in a circle; none of them can go on.",
	.summary =
		"A handler waits for an answer that can only come after it has returned: a "
		"peer's handler calls the host, whose handler for that call calls the same "
		"peer, or others that come back to it. Or that handler needs a mutex which the "
		"caller holds during its call. Or both rings of a peer are full and each side "
		"waits for the other to read.",
	.detection =
		"Pending calls name the call in whose handler they were made. Followed from "
		"peer to peer over those that block inside a handler, they lead back to where "
		"they began; the same calls in two looks. With locks: from the thread in a call to "
		"the host's handler that the peer has asked for meanwhile, and from there to the "
		"owner of the lock it waits for, for 2 s. For rings: both full, neither read "
		"for 2 s, both sides announced to wait for space.",
	.causes =
		"A blocking call inside a handler of a single-threaded peer (libshmhub refuses "
		"it with -EDEADLK); a callback into the caller; a lock held during a call; a loop "
		"that stops reading while it waits for space.",
	.fix =
		"Make one call of the circle asynchronous, pass what the callback would ask for "
		"along with the request, or answer first. Hold no lock during a call. Keep reading while waiting for space.",
	.confused_with =
		"deadlock (no call is part of it); consumer-stalled (a handler that blocks on something outside the circle; of a "
		"peer in the circle it is listed as a consequence); ring-full (one direction "
		"only).",
};
