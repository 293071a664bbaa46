/*
 * call-lost: a call is pending whose descriptor is in no ring of the one it was made to.
 *
 * A caller counts its call first and enqueues it then; in between it may wait, quite rightly,
 * for space in the ring or for a slot, or get no CPU on a busy machine. Only a call that needs
 * none of these and is not enqueued for the dwell time was forgotten.
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

enum lost_how { LOST_NO, LOST_NEVER_ENQUEUED, LOST_ELSEWHERE, LOST_UNSURE };

struct lost { /* calls of one caller to one peer, lost in the same way */
	const struct scene_peer *peer;
	const struct state_call *oldest;
	enum lost_how how;
	bool by_host;
	uint32_t n;
};

enum { WAY_SHARE = 4 }; /* a quarter of a class each way is a peer's share */

/* Slots of the class that this peer's traffic one way holds. */
static uint32_t held_by(const struct state_class *k, unsigned peer, unsigned direction)
{
	uint32_t n = 0;

	for (size_t i = 0; i < k->owners; i++)
		if (k->owner[i].peer == peer && k->owner[i].direction == direction)
			n += k->owner[i].n;
	return n;
}

static bool may_wait_for_slot(const struct state_hub *h, const struct state_call *call)
{
	if (call->bytes <= HUB_INLINE_MAX)
		return false;
	for (size_t i = 0; i < h->classes; i++) {
		const struct state_class *k = &h->klass[i];
		const uint32_t held = call->by ? held_by(k, call->by, HUB_TO_HOST) :
						 held_by(k, call->peer, HUB_TO_PEER);

		if (call->bytes <= k->bytes && !k->waiters && k->count[HUB_SLOT_FREE] &&
		    held < (k->slots < WAY_SHARE ? 1 : k->slots / WAY_SHARE))
			return false;
	}
	return true;
}

static enum lost_how how_lost(const struct scene_peer *peer, const struct state_call *call)
{
	const struct scene_end *end = &peer->end[call->by ? HUB_SEND : HUB_RECV];

	if (call->enqueued_at)
		return !call->by && call->enqueued_peer != call->peer ? LOST_ELSEWHERE : LOST_NO;
	if (!end->usable || end->full ||
	    (end->producer_flag & (HUB_ASLEEP_SPACE | HUB_ASLEEP_SLOT)) ||
	    may_wait_for_slot(peer->hub->h, call))
		return LOST_UNSURE;
	return LOST_NEVER_ENQUEUED;
}

/* Three kinds for each side: how the call was lost, and whose it is. */
enum { KINDS = 8 };

static struct lost *lost_of(struct lost *lost, size_t peer, enum lost_how how, bool by_host)
{
	return &lost[peer * KINDS + (unsigned)how * 2 + by_host];
}

static bool is_older(const struct state_call *a, const struct state_call *b)
{
	return a->started_us != b->started_us ? a->started_us < b->started_us : a->id < b->id;
}

static void count(const struct scene_hub *hub, struct lost *lost)
{
	const struct state_hub *h = hub->h;

	for (size_t i = 0; i < h->calls; i++) {
		const struct state_call *call = &h->call[i];
		const struct scene_peer *peer = scene_peer(hub, call->by ? call->by : call->peer);

		if (call->call_state != HUB_CALL_PENDING || !peer || !peer->usable)
			continue;
		const enum lost_how how = how_lost(peer, call);

		if (how == LOST_NO)
			continue;
		struct lost *l = lost_of(lost, (size_t)(peer - hub->peer), how, !call->by);

		l->peer = peer;
		l->how = how;
		l->by_host = !call->by;
		l->n++;
		if (!l->oldest || is_older(call, l->oldest))
			l->oldest = call;
	}
}

static void describe(struct candidates *out, const struct lost *l, struct candidate *c)
{
	const struct state_call *call = l->oldest;
	const struct scene_end *end = &l->peer->end[l->by_host ? HUB_RECV : HUB_SEND];
	const struct scene_peer *elsewhere =
		l->how == LOST_ELSEWHERE ? scene_peer(l->peer->hub, call->enqueued_peer) : NULL;
	const char *what = l->how == LOST_NEVER_ENQUEUED
				   ? "never enqueued"
				   : text(out, "enqueued to peer %u%s", call->enqueued_peer,
					  elsewhere ? text(out, " (%s)", elsewhere->name) : "");
	const char *calls = l->n == 1 ? text(out, "call %u", call->id)
				      : text(out, "%u calls, the oldest %u,", l->n, call->id);

	c->sentence = text(out, "%s from %s to %s got lost: %s, pending for {held}", calls,
			   who_short(out, &end->producer), who(out, &end->consumer), what);
	c->also = text(out, "%s to %s got lost", plural(out, l->n, "call", "calls"),
		       who_short(out, &end->consumer));
	c->brief = text(out, "%s", what);
	c->evidence = text(out,
			   "call %u, method %u, %u bytes, caller tid %u, pending for {held}: "
			   "%s{cpu}; ring: %s; seen in {samples}",
			   call->id, call->method, call->bytes, call->tid, what,
			   ring_text(out, end));
	fact_number(c, "calls", l->n);
	fact_number(c, "call", call->id);
	fact_number(c, "method", call->method);
	fact_number(c, "enqueued_peer", call->enqueued_at && !call->by ? call->enqueued_peer
								       : FINDING_UNKNOWN);
	fact_number(c, "caller_tid", call->tid);
	candidate_next(c, text(out,
			       "in %s: which way leads from counting the call as pending to %s?",
			       end->producer.name,
			       l->how == LOST_ELSEWHERE ? "another peer's ring"
							: "a return without enqueueing it"));
}

static const struct state_thread *caller_of(const struct scene_end *end,
					    const struct state_call *call)
{
	const struct state_process *p = end->producer.process;

	return p && call->tid ? state_find_thread(p, (int32_t)call->tid) : NULL;
}

static void report(const struct lost *l, struct candidates *out)
{
	struct candidate *c = candidate_of_peer(out, l->peer, (uint64_t)l->how * 2 + l->by_host);
	const struct scene_end *end = &l->peer->end[l->by_host ? HUB_RECV : HUB_SEND];

	c->place.kind = PLACE_TABLES;
	c->now_us = l->peer->hub->now_us;
	c->since_us = l->oldest->started_us;
	c->fingerprint = l->oldest->id;
	if (l->how == LOST_NEVER_ENQUEUED)
		candidate_watch_cpu(c, caller_of(end, l->oldest), 0);
	if (l->how == LOST_UNSURE) { /* the same place as "never enqueued": it stays as it was */
		c->place.what = LOST_NEVER_ENQUEUED * 2 + l->by_host;
		c->proof = PROOF_UNSURE;
	}
	c->where.ring = ring_name(end->dir);
	c->where.tid = l->oldest->tid ? (int32_t)l->oldest->tid : -1;
	/* a lost descriptor explains a lost call */
	candidate_waits_for(c, NODE_DESCRIPTOR, end->hub, 2 * l->peer->p->id + (uint32_t)end->dir);
	describe(out, l, c);
}

static void look(const struct scene *scene, struct candidates *out)
{
	for EACH_HUB(scene, hub) {
		if (!hub->sees_tables || !hub->peers)
			continue;
		struct lost *lost = arena_take(&out->arena, hub->peers * KINDS * sizeof(*lost));

		if (!lost) {
			out->failed = true;
			return;
		}
		count(hub, lost);
		for (size_t i = 0; i < hub->peers * KINDS; i++)
			if (lost[i].n)
				report(&lost[i], out);
	}
}

const struct rule rule_call_lost = {
	.name = "call-lost",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 2 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means =
		"The call is counted as pending, but its message is not where its answer must come from.",
	.summary = "Somebody waits for the answer to a call, and the one who should answer has "
		   "never got it: the message was never put into a ring, or was put into the ring "
		   "of another peer.",
	.detection = "A pending call says where it was enqueued: nowhere, although the ring has "
		     "space and no slot is missing, or into a ring that is not the called peer's; "
		     "for the dwell time. A caller that gets no CPU on a busy machine is only "
		     "suspected of the first.",
	.causes = "An error path that leaves the call pending; a peer id taken from a stale "
		  "variable; a message dropped on a full queue without failing its call.",
	.fix = "Every way out of sending either enqueues the message or fails the call. Give "
	       "calls deadlines, so that a lost one at least ends.",
	.confused_with =
		"ring-full and slots-exhausted (the caller still waits for room); "
		"calls-exhausted (the peer takes calls and does not answer); missed-wakeup (the "
		"message is there).",
};
