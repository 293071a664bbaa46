/*
 * in-flight-stuck: a slot is marked as sent, and no descriptor refers to it.
 *
 * A sender marks the slot in flight and then publishes its descriptor; messages are taken in
 * order, and taking one makes its slot held. So a slot in flight whose ring is empty, or whose
 * ring's oldest message was published later, is in nobody's hands. A sender that waits for
 * space in a full ring has not published yet: a full ring is passed over. A receiver has taken
 * the message before it makes its slot held: one that gets no CPU in between is only suspected.
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

#include "lib/base/units.h"

enum { PUBLISHES_WITHIN_US = SECOND_US };

struct stuck { /* slots of one ring */
	uint32_t n;
	uint64_t bytes, oldest_us;
	const struct state_slot *slot; /* the oldest, where single slots are listed */
	int64_t class_bytes;
};

static bool is_stuck(const struct scene_end *end, uint64_t sent_us)
{
	const struct state_ring *r = end->ring;

	if (!sent_us || end->full || scene_age(end->hub->now_us, sent_us) < PUBLISHES_WITHIN_US)
		return false;
	if (!r->waiting)
		return true;
	return r->oldest.is_there && r->oldest.time_us > sent_us + PUBLISHES_WITHIN_US;
}

/* Older, or as old and nearer to the front: the same one in whatever order they are listed. */
static bool is_before(const struct stuck *s, uint32_t bytes, uint64_t sent_us,
		      const struct state_slot *slot)
{
	if (sent_us != s->oldest_us)
		return sent_us < s->oldest_us;
	if (bytes != s->class_bytes)
		return bytes < s->class_bytes;
	return slot && s->slot && slot->index < s->slot->index;
}

static void add(struct stuck *s, uint32_t n, uint32_t bytes, uint64_t sent_us,
		const struct state_slot *slot)
{
	s->n += n;
	s->bytes += (uint64_t)n * bytes;
	if (s->oldest_us && !is_before(s, bytes, sent_us, slot))
		return;
	s->oldest_us = sent_us;
	s->slot = slot;
	s->class_bytes = bytes;
}

static const struct scene_end *end_of(const struct scene_hub *hub, unsigned id, unsigned direction)
{
	const struct scene_peer *peer = scene_peer(hub, id);

	return peer ? &peer->end[direction == HUB_TO_PEER ? HUB_RECV : HUB_SEND] : NULL;
}

static uint32_t class_bytes(const struct state_hub *h, uint32_t index)
{
	for (size_t i = 0; i < h->classes; i++)
		if (h->klass[i].index == index)
			return h->klass[i].bytes;
	return 0;
}

/* stuck[2 * i + dir] for peer i of the hub. */
static void count(const struct scene_hub *hub, struct stuck *stuck)
{
	const struct state_hub *h = hub->h;

	for (size_t i = 0; h->slots_listed && i < h->slots; i++) {
		const struct state_slot *slot = &h->slot[i];
		const struct scene_end *end = slot->slot_state == HUB_SLOT_IN_FLIGHT
						      ? end_of(hub, slot->peer, slot->direction)
						      : NULL;

		if (end && end->usable && is_stuck(end, slot->time_us))
			add(&stuck[2 * (end->peer - hub->peer) + end->dir], 1,
			    class_bytes(h, slot->klass), slot->time_us, slot);
	}
	for (size_t i = 0; !h->slots_listed && i < h->classes; i++) {
		for (size_t k = 0; k < h->klass[i].owners; k++) {
			const struct state_owner *o = &h->klass[i].owner[k];
			const struct scene_end *end = o->slot_state == HUB_SLOT_IN_FLIGHT
							      ? end_of(hub, o->peer, o->direction)
							      : NULL;

			if (end && end->usable && is_stuck(end, o->oldest_us))
				add(&stuck[2 * (end->peer - hub->peer) + end->dir], 1,
				    h->klass[i].bytes, o->oldest_us, NULL);
		}
	}
}

static void report(const struct scene_end *end, const struct stuck *s, struct candidates *out)
{
	struct candidate *c = candidate_of_end(out, end, &end->consumer);
	const struct state_slot *slot = s->slot;
	char size[UNITS_TEXT], bytes[UNITS_TEXT];
	const char *which = slot ? text(out, " %s#%u", units_class(size, (uint64_t)s->class_bytes),
					slot->index)
				 : "";
	const char *call = slot && slot->call
				   ? text(out, ", call %u, method %u", slot->call, slot->method)
				   : "";

	c->place.kind = PLACE_TABLES;
	c->now_us = end->hub->now_us;
	candidate_watch_cpu(c, end->consumer.thread, 0);
	c->since_us = s->oldest_us;
	c->fingerprint = slot ? slot->generation : s->oldest_us;
	c->where.class_bytes = s->class_bytes;
	c->where.slot = slot ? (int64_t)slot->index : -1;
	c->sentence =
		text(out,
		     "%s from %s to %s %s been in flight for {held}, and no descriptor refers to it",
		     s->n == 1 ? text(out, "slot%s", which)
			       : text(out, "slot%s and %u more", which, s->n - 1),
		     who_short(out, &end->producer), who(out, &end->consumer),
		     s->n == 1 ? "has" : "have");
	c->also = text(out, "%s on the way to %s never arrived", units_bytes(bytes, s->bytes),
		       who_short(out, &end->consumer));
	c->brief = text(out, "%s in flight, no descriptor", plural(out, s->n, "slot", "slots"));
	c->evidence = text(out, "%s in flight%s%s; %s{cpu}; {unchanged}",
			   plural(out, s->n, "slot", "slots"), which, call, ring_text(out, end));
	fact_number(c, "slots", s->n);
	fact_number(c, "bytes", (int64_t)s->bytes);
	fact_number(c, "call", slot && slot->call ? (int64_t)slot->call : FINDING_UNKNOWN);
	ring_facts(c, end);
	candidate_stuck(c, NODE_DESCRIPTOR, end->hub, 2 * end->peer->p->id + (uint32_t)end->dir);
	candidate_next(c, text(out,
			       "in %s: is there a way out between marking the slot as sent and "
			       "publishing its descriptor?",
			       end->producer.name));
}

static void look(const struct scene *scene, struct candidates *out)
{
	for EACH_HUB(scene, hub) {
		if (!hub->sees_tables || !hub->peers)
			continue;
		struct stuck *stuck = arena_take(&out->arena, 2 * hub->peers * sizeof(*stuck));

		if (!stuck) {
			out->failed = true;
			return;
		}
		count(hub, stuck);
		for (size_t i = 0; i < 2 * hub->peers; i++)
			if (stuck[i].n)
				report(&hub->peer[i / 2].end[i % 2], &stuck[i], out);
	}
}

const struct rule rule_in_flight_stuck = {
	.name = "in-flight-stuck",
	.severity = SEVERITY_WARNING,
	.dwell_us = 10 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "A payload was sent, but no message tells its receiver where it is.",
	.summary = "A slot is marked in flight, which means that a descriptor in a ring refers to "
		   "it. No ring holds such a descriptor, so the receiver will never take it, and "
		   "the slot stays lost for as long as both processes live.",
	.detection =
		"The slot has been in flight for the dwell time while its ring is empty, or "
		"holds only messages published later. Messages are taken in order, so its own "
		"was never there, or was taken without its slot. A full ring is not judged: its "
		"sender may still wait. A receiver that gets no CPU on a busy machine may stand "
		"between the two steps: then it is only suspected.",
	.causes = "An error return between marking the slot and publishing; a descriptor "
		  "overwritten by wild code; a consumer that advances its position without taking "
		  "the slot.",
	.fix = "Publish or free on every path. The slot comes back when either process is restarted.",
	.confused_with =
		"slots-leaked (its owner is dead); ring-full (the sender waits for space); "
		"consumer-stalled (the descriptor is there, nobody reads it).",
};
