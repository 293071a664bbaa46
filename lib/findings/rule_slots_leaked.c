/*
 * slots-leaked: slots are named to a peer that is dead, or to an earlier start of it.
 *
 * One end of each slot is the host. What the host itself still holds from a dead peer (a
 * message it is reading, a slot it is filling) it will give back; everything else that is named
 * to the link only the host's sweep can free, and that comes within moments of a death.
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

#include "lib/base/units.h"

struct leak { /* of one peer */
	uint32_t n, state[HUB_SLOT_STATES];
	uint64_t bytes;
	int64_t class_bytes; /* -1: of several classes */
	uint32_t class_slots; /* in that class */
};

static bool is_leaked(const struct state_owner *o, const struct scene_peer *peer)
{
	return o->peer == peer->p->id && !owner_is_host(o) &&
	       (!peer->living || owner_is_earlier(o, peer->p));
}

static void count_leak(const struct scene_peer *peer, struct leak *leak)
{
	const struct state_hub *h = peer->hub->h;

	*leak = (struct leak){ 0 };
	for (size_t i = 0; i < h->classes; i++) {
		const struct state_class *k = &h->klass[i];

		for (size_t o = 0; o < k->owners; o++) {
			if (!is_leaked(&k->owner[o], peer))
				continue;
			if (leak->n && leak->class_bytes != k->bytes)
				leak->class_bytes = -1;
			else
				leak->class_bytes = k->bytes;
			leak->class_slots = k->slots;
			leak->n += k->owner[o].n;
			leak->bytes += (uint64_t)k->owner[o].n * k->bytes;
			leak->state[k->owner[o].slot_state] += k->owner[o].n;
		}
	}
}

static const char *classes_text(struct candidates *out, const struct leak *leak)
{
	char buf[UNITS_TEXT], all[UNITS_TEXT], share[UNITS_TEXT];

	if (leak->class_bytes < 0)
		return text(out, "%s of several classes (%s)",
			    plural(out, leak->n, "slot", "slots"), units_bytes(buf, leak->bytes));
	const uint64_t whole = (uint64_t)leak->class_slots * (uint64_t)leak->class_bytes;

	return text(out, "%s of %s (%s of %s, %u%%)", plural(out, leak->n, "slot", "slots"),
		    units_class(buf, (uint64_t)leak->class_bytes), units_bytes(share, leak->bytes),
		    units_bytes(all, whole), (unsigned)(whole ? leak->bytes * 100 / whole : 0));
}

static const char *states_text(struct candidates *out, const struct leak *leak)
{
	return text(out, "%u held, %u in flight, %u allocated", leak->state[HUB_SLOT_HELD],
		    leak->state[HUB_SLOT_IN_FLIGHT], leak->state[HUB_SLOT_ALLOCATED]);
}

static void describe(struct candidates *out, const struct scene_peer *peer, const struct leak *leak,
		     struct candidate *c)
{
	const struct state_peer *p = peer->p;
	const uint64_t died_us = peer->living ? p->started_us : p->died_us;
	const char *owner = text(out, "owner %spid %d %s",
				 peer->living ? "was an earlier start of " : "", p->pid,
				 peer->living ? "(restarted)" : "ended");
	const char *ago = died_us ? text(out, " %s ago",
					 span(out, scene_age(peer->hub->now_us, died_us)))
				  : "";
	char bytes[UNITS_TEXT];

	units_bytes(bytes, leak->bytes);
	c->sentence = text(out, "%s of slots lost with %s (peer %u, pid %d), which %s{held} ago",
			   bytes, peer->name, p->id, p->pid,
			   peer->living ? "was restarted " : "died ");
	c->also = text(out, "%s of slots lost with %s", bytes, peer->name);
	c->brief = text(out, "%s: %s", classes_text(out, leak), states_text(out, leak));
	c->evidence = text(out, "%s: %s; %s%s; seen in {samples}", classes_text(out, leak),
			   states_text(out, leak), owner, ago);
	fact_number(c, "slots", leak->n);
	fact_number(c, "bytes", (int64_t)leak->bytes);
	fact_number(c, "held", leak->state[HUB_SLOT_HELD]);
	fact_number(c, "in_flight", leak->state[HUB_SLOT_IN_FLIGHT]);
	fact_number(c, "allocated", leak->state[HUB_SLOT_ALLOCATED]);
	fact_number(c, "incarnation", p->incarnation);
	candidate_next(c, text(out,
			       "%s does not take back what a dead peer owned: is the peer's death "
			       "noticed, and its sweep run?",
			       peer->hub->host.name));
	candidate_next(c, "restarting the host frees all of them");
}

static void look_at_peer(const struct scene_peer *peer, struct candidates *out)
{
	struct leak leak;

	if (!peer->looked_at || peer->p->state == HUB_PEER_STARTING)
		return;
	count_leak(peer, &leak);
	if (!leak.n)
		return;
	struct candidate *c = candidate_of_peer(out, peer, 0);

	c->place.kind = PLACE_TABLES;
	/* a host that is stopped cannot sweep */
	c->proof = peer->hub->host.stopped == STATE_YES ? PROOF_UNSURE : PROOF_DWELL;
	c->now_us = peer->hub->now_us;
	c->since_us = peer->living ? peer->p->started_us : peer->p->died_us;
	c->fingerprint = peer->p->incarnation;
	c->where.class_bytes = leak.class_bytes;
	candidate_stuck(c, NODE_LEAK, peer->hub, peer->p->id);
	describe(out, peer, &leak, c);
}

static void look(const struct scene *scene, struct candidates *out)
{
	for EACH_HUB(scene, hub)
		if (hub->sees_tables)
			for EACH_PEER(hub, peer)
				look_at_peer(peer, out);
}

const struct rule rule_slots_leaked = {
	.name = "slots-leaked",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 3 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "Slots belong to a dead process: nobody will ever give them back.",
	.summary =
		"Payload slots are still named to a peer that has ended, or to an earlier start "
		"of it. Only their holder or the host's sweep after a death can free them; the "
		"holder is gone and the sweep did not come. Each death loses more, until the "
		"class is empty.",
	.detection =
		"Slot words name a peer that is dead (by the system, or by the file's own "
		"record of its death) or an incarnation before the present one, in a state that "
		"the host does not hold itself, for longer than the dwell time after the death. "
		"When the host is dead as well, only what was lost before its own end counts.",
	.causes =
		"The host does not notice the death (a grandchild holds the doorbell open and "
		"no pidfd is watched); the sweep skips a state or a direction; ownership "
		"recorded after the claim, so that a death in between names nobody.",
	.fix =
		"Sweep all slots of the link after the death is certain, in flight in both "
		"directions included. Until then restarting the host frees them.",
	.confused_with =
		"slots-exhausted (a living peer holds them); in-flight-stuck (sent, but no "
		"descriptor tells of it); plain use (a slot that is held for long by a living "
		"process).",
};
