/*
 * calls-exhausted: no further call can be made, because the table (or one peer's share of it)
 * is full of calls that nobody answers.
 *
 * At full load a table may well stand at its limit while calls come and go. It is trouble when
 * the oldest of them has been pending for long.
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

enum {
	SHARES = 4, /* one peer may hold a quarter of the host's table */
	ANSWERS_WITHIN_US = SECOND_US,
	WHAT_HOSTS = 0,
	WHAT_PEERS,
};

struct table { /* pending calls of one caller to one callee */
	uint32_t n;
	const struct state_call *oldest;
};

static void add(struct table *t, const struct state_call *call)
{
	t->n++;
	if (!t->oldest || call->started_us < t->oldest->started_us ||
	    (call->started_us == t->oldest->started_us && call->id < t->oldest->id))
		t->oldest = call;
}

static bool is_old(const struct scene_hub *hub, const struct state_call *oldest)
{
	return !oldest || !oldest->started_us ||
	       scene_age(hub->now_us, oldest->started_us) >= ANSWERS_WITHIN_US;
}

static void describe(struct candidates *out, struct candidate *c, const char *caller,
		     const char *callee, uint32_t n, uint32_t limit,
		     const struct state_call *oldest, const struct scene_hub *hub)
{
	const char *which = oldest ? text(out, "; oldest: call %u, method %u, %s old", oldest->id,
					  oldest->method,
					  span(out, scene_age(hub->now_us, oldest->started_us)))
				   : "";

	c->now_us = hub->now_us;
	c->since_us = oldest ? oldest->started_us : 0;
	c->sentence =
		text(out,
		     "%s cannot call %s any more: %u calls pending (limit %u) and none answered "
		     "for {held}",
		     caller, callee, n, limit);
	c->also = text(out, "calls to %s are used up", callee);
	c->brief = text(out, "%u of %u pending%s", n, limit, which);
	c->evidence = text(out,
			   "%u calls pending of at most %u%s; refused so far %lu, had to wait %lu; "
			   "seen in {samples}",
			   n, limit, which, (unsigned long)hub->h->calls_refused,
			   (unsigned long)hub->h->calls_waited);
	fact_number(c, "pending", n);
	fact_number(c, "limit", limit);
	fact_number(c, "method", oldest ? oldest->method : FINDING_UNKNOWN);
	fact_number(c, "oldest_call", oldest ? (int64_t)oldest->id : FINDING_UNKNOWN);
	fact_number(c, "refused", (int64_t)hub->h->calls_refused);
	candidate_next(c, text(out, "does %s answer%s on every path? A deferred request that is "
				    "forgotten is never answered",
			       callee, oldest ? text(out, " method %u", oldest->method) : ""));
	candidate_next(c, "give calls a deadline: a swallowed one then ends and frees its entry");
}

static void look_at_peer(const struct scene_peer *peer, const struct table *to,
			 const struct table *by, struct candidates *out)
{
	const struct scene_hub *hub = peer->hub;
	const uint32_t share = hub->h->calls_max / SHARES;

	if (share && peer->p->calls_pending >= share && is_old(hub, to->oldest)) {
		struct candidate *c = candidate_of_peer(out, peer, WHAT_HOSTS);

		candidate_waits_for(c, NODE_PEER, hub, peer->p->id);
		describe(out, c, hub->host.name, who(out, &peer->end[HUB_RECV].consumer),
			 peer->p->calls_pending, share, to->oldest, hub);
	}
	if (by->n >= HUB_PEER_CALLS && is_old(hub, by->oldest)) {
		struct candidate *c = candidate_of_peer(out, peer, WHAT_PEERS);

		candidate_waits_for(c, NODE_LINK, hub, peer->p->id);
		candidate_waits_for(c, NODE_HOST, hub, 0);
		describe(out, c, who_short(out, &peer->end[HUB_RECV].consumer),
			 who(out, &hub->host), by->n, HUB_PEER_CALLS, by->oldest, hub);
	}
}

static void look_at_table(const struct scene_hub *hub, const struct table *all,
			  struct candidates *out)
{
	const struct state_hub *h = hub->h;

	if (!h->calls_max || h->calls_pending < h->calls_max || !is_old(hub, all->oldest))
		return;
	struct candidate *c = candidate_of_hub(out, hub, PLACE_TABLES, WHAT_HOSTS);

	for EACH_PEER(hub, peer)
		if (peer->p->calls_pending >= h->calls_max / CANDIDATE_NODES)
			candidate_waits_for(c, NODE_PEER, hub, peer->p->id);
	describe(out, c, hub->host.name, "any peer", h->calls_pending, h->calls_max, all->oldest,
		 hub);
}

static void look_at_hub(const struct scene_hub *hub, struct candidates *out)
{
	const struct state_hub *h = hub->h;
	struct table *to = arena_take(&out->arena, (2 * hub->peers + 1) * sizeof(*to));
	struct table *by = to + hub->peers, *all = to + 2 * hub->peers;

	if (!to) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < h->calls; i++) {
		const struct state_call *call = &h->call[i];
		const struct scene_peer *peer = scene_peer(hub, call->by ? call->by : call->peer);

		if (call->call_state != HUB_CALL_PENDING || !peer)
			continue;
		add(&(call->by ? by : to)[peer - hub->peer], call);
		if (!call->by)
			add(all, call);
	}
	for (size_t i = 0; i < hub->peers; i++)
		if (hub->peer[i].usable)
			look_at_peer(&hub->peer[i], &to[i], &by[i], out);
	look_at_table(hub, all, out);
}

static void look(const struct scene *scene, struct candidates *out)
{
	for EACH_HUB(scene, hub)
		if (hub->sees_tables && !hub->h->stopping)
			look_at_hub(hub, out);
}

const struct rule rule_calls_exhausted = {
	.name = "calls-exhausted",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 2 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "Every entry for a pending call is taken by a call that gets no answer.",
	.summary =
		"The table of pending calls, or one peer's share of it, is full. Callers now "
		"wait, or get -EAGAIN. The calls in it were delivered and are not answered.",
	.detection =
		"As many calls are pending as are allowed (the table's limit; a quarter of it "
		"for one peer; 64 for a peer's own calls), and the oldest of them is old, in "
		"two looks over the dwell time.",
	.causes =
		"A peer that takes requests and forgets to answer some (a deferred request, an "
		"early return); calls without deadline; a peer that hangs for another reason.",
	.fix =
		"Answer on every path, failures included. Give calls deadlines. The method that is "
		"named is where to look.",
	.confused_with =
		"slots-exhausted (payloads, not calls); ring-full (descriptors); "
		"consumer-stalled or missed-wakeup of that peer (then this is listed as their "
		"consequence).",
};
