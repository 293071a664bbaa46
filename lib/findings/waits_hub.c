/*
 * waits_hub - waits that lead through the calls of a hub.
 *
 * A thread of the host waits in call x to a peer. If the peer has made call y in the handler of
 * x, then y is answered first, by the host's own handler: the thread waits for that one. If it
 * has not, and its loop is in a handler, the thread waits for the loop. A loop that blocks in a
 * call of its own waits for the host's handler of that call.
 *
 * A call names its caller's thread and the call in whose handler it was made, and a link names
 * the thread of its handler: nothing here is guessed by time. Only of several handlers that
 * serve one peer at once just the last is known; the waits for the others stay unknown.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/findings/waits_priv.h"

enum { CLOCK_SLACK_US = 10000 }; /* beats come from a coarse clock */

/* ---- calls by what they were made for ------------------------------------------------------ */

struct made { /* the peers' calls, by peer and by the call in whose handler they were made */
	const struct state_call **call;
	size_t n;
};

static int compare_made(uint16_t by, uint32_t for_call, const struct state_call *c)
{
	if (by != c->by)
		return by < c->by ? -1 : 1;
	return for_call < c->for_call ? -1 : for_call > c->for_call;
}

static int by_reason(const void *a, const void *b)
{
	const struct state_call *x = *(const struct state_call *const *)a;
	const struct state_call *y = *(const struct state_call *const *)b;
	const int r = compare_made(x->by, x->for_call, y);

	return r ? r : (x->id > y->id) - (x->id < y->id);
}

static int list_made(struct scene *scene, const struct state_hub *h, struct made *made)
{
	made->n = 0;
	made->call = arena_take(&scene->arena, (h->calls + 1) * sizeof(*made->call));
	if (!made->call)
		return -ENOMEM;
	for (size_t i = 0; i < h->calls; i++)
		if (h->call[i].by && h->call[i].call_state == HUB_CALL_PENDING)
			made->call[made->n++] = &h->call[i];
	qsort(made->call, made->n, sizeof(*made->call), by_reason);
	return 0;
}

/* The first call that the peer made in the handler of `x`. */
static const struct state_call *made_for(const struct made *made, const struct state_call *x)
{
	size_t lo = 0, hi = made->n;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (compare_made(x->peer, x->id, made->call[mid]) > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < made->n && compare_made(x->peer, x->id, made->call[lo]) == 0 ? made->call[lo]
										  : NULL;
}

/* ---- who is at the other end --------------------------------------------------------------- */

/* The host's thread that serves the peer's call; NULL: none yet, or not known. */
static struct waits_node *handler_of(struct waits *w, const struct scene_peer *peer,
				     const struct state_call *call)
{
	const struct state_peer *p = peer->p;
	const struct state_beat *beat = &p->host_beat;

	if (!p->host_handler_tid || beat->state != HUB_BEAT_HANDLER ||
	    beat->method != call->method || beat->since_us + CLOCK_SLACK_US < call->started_us)
		return NULL;
	return waits_node_of(w, peer->hub->host.process, (int32_t)p->host_handler_tid);
}

static struct waits_node *loop_of(struct waits *w, const struct scene_peer *peer)
{
	const struct scene_party *party = &peer->end[HUB_RECV].consumer;

	return party->process && party->thread
		       ? waits_node_of(w, party->process, party->thread->tid)
		       : NULL;
}

/* ---- the host's threads ------------------------------------------------------------------ */

static bool is_call_function(const char *function)
{
	return function && (strncmp(function, "shmhub_", 7) == 0 ||
			    strncmp(function, "hub_call_", 9) == 0);
}

/* Where the stack has names it tells whether the thread is in a call at all: one may be pending
 * that nobody waits in. */
static bool may_be_in_call(const struct state *st, const struct state_thread *t)
{
	bool has_names = false;

	if (t->stack < 0 || (size_t)t->stack >= st->stacks)
		return true;
	const struct state_stack *s = &st->stack[t->stack];

	for (size_t i = 0; i < s->frames; i++) {
		if (is_call_function(s->frame[i].function))
			return true;
		has_names |= s->frame[i].function != NULL;
	}
	return !has_names;
}

static bool is_free_to_wait(const struct waits_node *node)
{
	const struct state_thread *t = node->thread;

	return node->to < 0 && t->state != 'R' && !t->moved && t->state != 'T' && t->state != 't';
}

/* Of several calls of one thread the oldest with somebody at its end counts. */
static bool is_better(const struct waits_node *node, const struct state_call *x)
{
	return !node->call || x->started_us < node->call->started_us ||
	       (x->started_us == node->call->started_us && x->id < node->call->id);
}

static void add_call(struct waits *w, const struct scene_hub *hub, const struct made *made,
		     const struct state_call *x)
{
	const struct scene_peer *peer = scene_peer(hub, x->peer);
	struct waits_node *node = waits_node_of(w, hub->host.process, (int32_t)x->tid);

	if (!peer || !peer->usable || !node || node->kind == WAITS_HANDLER ||
	    (node->kind != WAITS_CALL && !is_free_to_wait(node)) || !is_better(node, x) ||
	    !may_be_in_call(hub->st, node->thread))
		return;
	const struct state_call *y = made_for(made, x);
	const struct waits_node *to = y ? handler_of(w, peer, y) : NULL;

	if (!to && !y && peer->p->beat.state == HUB_BEAT_HANDLER)
		to = loop_of(w, peer);
	if (!to)
		return;
	node->kind = WAITS_CALL;
	node->to = (int)(to - w->node);
	node->hub = hub->h;
	node->peer = peer->p;
	node->call = x;
	node->back = y;
	node->is_sure = true;
	node->from_us = node->to_us = 0;
}

/* ---- the peers' loops ---------------------------------------------------------------------- */

/* Inside a handler, and not on its way out of it: a blocking call of its own. */
static void add_own_call(struct waits *w, const struct scene_hub *hub, const struct state_call *y)
{
	const struct scene_peer *peer = scene_peer(hub, y->by);
	struct waits_node *node = peer && peer->usable ? loop_of(w, peer) : NULL;

	if (!node || !is_free_to_wait(node) || peer->p->beat.state != HUB_BEAT_HANDLER ||
	    y->started_us + CLOCK_SLACK_US < peer->p->beat.since_us)
		return;
	const struct waits_node *to = handler_of(w, peer, y);

	if (!to)
		return;
	node->kind = WAITS_HANDLER;
	node->to = (int)(to - w->node);
	node->hub = hub->h;
	node->peer = peer->p;
	node->call = y;
	node->is_sure = true;
}

int waits_of_hub(struct waits *w, struct scene *scene, const struct scene_hub *hub)
{
	struct made made;

	if (!hub->sees_tables || hub->ended || !hub->h->calls || !hub->host.process || !w->n)
		return 0;
	if (list_made(scene, hub->h, &made))
		return -ENOMEM;
	for (size_t i = 0; i < hub->h->calls; i++) {
		const struct state_call *x = &hub->h->call[i];

		if (!x->by && x->call_state == HUB_CALL_PENDING && x->tid)
			add_call(w, hub, &made, x);
	}
	for (size_t i = 0; i < made.n; i++)
		add_own_call(w, hub, made.call[i]);
	return 0;
}
