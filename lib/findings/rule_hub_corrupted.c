/*
 * hub-corrupted: bytes in the hub that no correct writer leaves there.
 *
 * The sources say what is damaged (they check every offset and word they read). Header and slot
 * words are whole or wrong; a ring's positions may have been read across a writer's step, which
 * is gone in the next look.
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

#include "lib/base/units.h"

enum { WHAT_HEADER = 1, WHAT_QUARANTINED = 2, WHAT_CLASS = 0x100, WHAT_SLOTS = 0x200 };

static void advise(struct candidates *out, struct candidate *c, const struct scene_hub *hub)
{
	c->proof = PROOF_AT_ONCE;
	if (hub->h->path)
		candidate_next(c, text(out, "keep a copy before anything is restarted: "
					    "cp --sparse=always %s /var/tmp/", hub->h->path));
	candidate_next(c, "run the peer that wrote it under AddressSanitizer or valgrind");
}

static void look_at_header(const struct scene_hub *hub, struct candidates *out)
{
	if (!hub->h->damage || hub->h->carried)
		return;
	struct candidate *c = candidate_of_hub(out, hub, PLACE_HUB, WHAT_HEADER);

	c->where.file = hub->name;
	c->sentence = text(out, "hub %s is damaged: %s", hub->name, hub->h->damage);
	c->also = text(out, "hub %s is damaged", hub->name);
	c->brief = hub->h->damage;
	c->evidence = text(out, "%s; nothing else of this hub is believed", hub->h->damage);
	fact_text(c, "damage", hub->h->damage);
	candidate_stuck(c, NODE_HUB, hub, 0);
	advise(out, c, hub);
}

/* Positions are read one after the other while others write them: one look at a living hub is
 * only a suspicion. */
static enum proof ring_proof(const struct scene_hub *hub)
{
	if (hub->ended)
		return PROOF_AT_ONCE;
	return hub->st->single_moment && hub->h->host_alive == STATE_YES ? PROOF_NONE : PROOF_DWELL;
}

/* The words of a class contradict themselves: its size and number of slots are not known. */
static void look_at_class(const struct scene_hub *hub, const struct state_class *k,
			  struct candidates *out)
{
	if (!k->damage)
		return;
	struct candidate *c = candidate_of_hub(out, hub, PLACE_TABLES, WHAT_CLASS + k->index);

	c->place_text = text(out, "%s class %u", hub->name, k->index);
	c->sentence = text(out, "class %u in hub %s is damaged: %s", k->index, hub->name,
			   k->damage);
	c->also = text(out, "class %u is damaged", k->index);
	c->brief = k->damage;
	c->evidence = text(out, "class %u: %s; seen in {samples}; this class is not judged further",
			   k->index, k->damage);
	fact_text(c, "damage", k->damage);
	fact_number(c, "class_index", k->index);
	candidate_stuck(c, NODE_CLASS, hub, k->index);
	advise(out, c, hub);
}

/* Words of single slots: the others stand. */
static void look_at_slots(const struct scene_hub *hub, const struct state_class *k,
			  struct candidates *out)
{
	char size[UNITS_TEXT];

	if (!k->bad)
		return;
	units_class(size, k->bytes);
	struct candidate *c = candidate_of_hub(out, hub, PLACE_TABLES, WHAT_SLOTS + k->index);
	const char *first = text(out, "slot %u (word 0x%lx at offset %lu)", k->first_bad,
				 (unsigned long)k->first_bad_word, (unsigned long)k->first_bad_at);

	c->fingerprint = k->bad;
	c->where.class_bytes = k->bytes;
	c->where.slot = k->first_bad;
	c->where.file = hub->name;
	c->where.offset = (int64_t)k->first_bad_at;
	c->place_text = text(out, "%s class %s", hub->name, size);
	c->sentence = text(out, "%s of class %s in hub %s %s no sense: %s%s",
			   plural(out, k->bad, "slot word", "slot words"), size, hub->name,
			   k->bad == 1 ? "makes" : "make", k->bad == 1 ? "" : "the first is ",
			   first);
	c->also = text(out, "slot words of class %s are damaged", size);
	c->brief = text(out, "%u of %u slot words: %s", k->bad, k->slots, first);
	c->evidence = text(out,
			   "%u of %u slot words; the first: %s; a state from 0 (free) to %d and a "
			   "peer of this hub are legal; seen in {samples}",
			   k->bad, k->slots, first, HUB_SLOT_STATES - 1);
	fact_number(c, "bad", k->bad);
	fact_number(c, "slots", k->slots);
	fact_text(c, "word", text(out, "0x%lx", (unsigned long)k->first_bad_word));
	candidate_stuck(c, NODE_CLASS, hub, k->index);
	advise(out, c, hub);
}

static void look_at_ring(const struct scene_peer *peer, int dir, struct candidates *out)
{
	const struct state_ring *r = &peer->p->ring[dir];

	if (!r->damage)
		return;
	struct candidate *c = candidate_of_end(out, &peer->end[dir], &peer->end[dir].producer);

	c->where.pid = peer->p->pid > 0 ? peer->p->pid : -1;
	c->sentence = text(out, "the %s ring of %s(%u) in hub %s is damaged: %s", ring_name(dir),
			   peer->name, peer->p->id, peer->hub->name, r->damage);
	c->also = text(out, "the %s ring of %s is damaged", ring_name(dir), peer->name);
	c->brief = r->damage;
	c->evidence =
		text(out,
		     "%s (head %lu, tail %lu, capacity %u); seen in {samples}; this ring is not "
		     "judged further",
		     r->damage, (unsigned long)r->head, (unsigned long)r->tail, r->capacity);
	fact_text(c, "damage", r->damage);
	fact_text(c, "head", text(out, "0x%lx", (unsigned long)r->head)); /* may be anything */
	fact_text(c, "tail", text(out, "0x%lx", (unsigned long)r->tail));
	fact_number(c, "capacity", r->capacity);
	candidate_stuck_end(c, &peer->end[dir]);
	candidate_stuck(c, dir == HUB_RECV ? NODE_LINK : NODE_PEER, peer->hub, peer->p->id);
	advise(out, c, peer->hub);
	c->proof = ring_proof(peer->hub);
}

/* The host has closed its link itself. */
static void look_at_quarantine(const struct scene_peer *peer, struct candidates *out)
{
	const struct state_peer *p = peer->p;
	const uint64_t refused = p->ring[HUB_RECV].refused + p->ring[HUB_SEND].refused;

	if (p->state != HUB_PEER_QUARANTINED || p->ring[HUB_RECV].damage ||
	    p->ring[HUB_SEND].damage)
		return;
	struct candidate *c = candidate_of_peer(out, peer, WHAT_QUARANTINED);

	c->now_us = peer->hub->now_us;
	c->since_us = p->died_us;
	c->sentence = text(out, "%s(%u) wrote nonsense into hub %s; the host has ended it",
			   peer->name, p->id, peer->hub->name);
	c->also = text(out, "%s(%u) wrote nonsense", peer->name, p->id);
	c->brief = text(out, "quarantined, %lu descriptors refused", (unsigned long)refused);
	c->evidence = text(out, "the host quarantined it; %s refused",
			   plural(out, refused, "descriptor", "descriptors"));
	fact_number(c, "refused", (int64_t)refused);
	candidate_stuck(c, NODE_PEER, peer->hub, p->id);
	advise(out, c, peer->hub);
}

static void look(const struct scene *scene, struct candidates *out)
{
	for EACH_HUB(scene, hub) {
		look_at_header(hub, out);
		for (size_t i = 0; hub->sees_tables && i < hub->h->classes; i++) {
			look_at_class(hub, &hub->h->klass[i], out);
			look_at_slots(hub, &hub->h->klass[i], out);
		}
		for EACH_PEER(hub, peer) {
			if (!peer->looked_at)
				continue;
			look_at_ring(peer, HUB_RECV, out);
			look_at_ring(peer, HUB_SEND, out);
			look_at_quarantine(peer, out);
		}
	}
}

const struct rule rule_hub_corrupted = {
	.name = "hub-corrupted",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 0,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "Somebody wrote bytes into the hub that no correct writer leaves there.",
	.summary =
		"The header, the section table, a ring's positions or cells, or slot words of a "
		"hub hold values that cannot be. What is damaged is named and not judged "
		"further; the rest of the report stands.",
	.detection =
		"Every offset, position and word is checked when it is read: against the file's "
		"size, against its neighbours, against what its writers may leave. In a hub "
		"that is alive the damage must be there in two looks. A peer that the host "
		"itself quarantined is reported as well.",
	.causes =
		"A wild pointer, a use after free or an overrun in a process that has the hub "
		"mapped; a file that was cut or copied while it changed; a disk or copy error.",
	.fix =
		"Find the writer: the ring or slot names the peer. Run it under "
		"AddressSanitizer. The host decides from private copies and goes on; the hub is "
		"fresh after its restart.",
	.confused_with =
		"a hub of another format version (refused with both numbers); a file that is "
		"still being written (copy it, or look at it live).",
};
