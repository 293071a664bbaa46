/*
 * slots-exhausted: somebody wants a slot of a class and there is none, because living processes
 * hold them all and nothing turns over; or because the filesystem has no room for its pages.
 *
 * A class that is used to its last slot under load is well sized as long as slots come back:
 * the fingerprint is who holds what since when, so any turnover begins a new episode. The first
 * few slots of a class are for answers only: where no others are free, requests wait.
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

#include "lib/base/units.h"

enum { NO_SPACE_RECENT_US = 10 * SECOND_US, NO_SPACE = UINT32_MAX };

static bool is_exhausted(const struct state_class *k)
{
	return k->slots && !k->damage && k->count[HUB_SLOT_FREE] <= k->answers &&
	       (k->waiters || k->failed);
}

/*
 * Somebody wants a slot and gets none. Room in the file is not all: the hub as a whole has a
 * limit too, which only its host knows; but a class that could grow would not let anybody wait,
 * nor fail again (the judge watches that count). After the host's end a failure at any time has
 * to do.
 */
static bool is_wanted(const struct scene_hub *hub, const struct state_class *k)
{
	return k->waiters || k->slots >= k->slots_max || hub->ended;
}

/* Independent of the order of the owners. */
static uint64_t holders_fingerprint(const struct state_class *k)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < k->owners; i++) {
		const struct state_owner *o = &k->owner[i];
		uint64_t h = o->oldest_us;

		h = h * UINT64_C(0x9e3779b97f4a7c15) + ((uint64_t)o->peer << 32 | o->incarnation);
		h = h * UINT64_C(0x9e3779b97f4a7c15) +
		    ((uint64_t)o->n << 8 | o->slot_state << 1 | o->direction);
		sum += h * UINT64_C(0xbf58476d1ce4e5b9);
	}
	return sum;
}

/* Nothing has changed hands since; 0 where not every slot is listed with its time. */
static uint64_t still_since(const struct state_hub *h, const struct state_class *k)
{
	uint64_t newest = 0;
	uint32_t n = 0;

	for (size_t i = 0; i < h->slots; i++) {
		if (h->slot[i].klass != k->index || h->slot[i].slot_state == HUB_SLOT_FREE)
			continue;
		newest = scene_later(newest, h->slot[i].time_us);
		n++;
	}
	return n >= k->slots ? newest : 0;
}

struct holder {
	unsigned peer;
	uint32_t n;
};

/* The one that holds most; its share decides whether it is the one to blame. */
static struct holder largest(const struct state_class *k)
{
	struct holder best = { 0 };

	for (size_t i = 0; i < k->owners; i++) {
		struct holder h = { .peer = k->owner[i].peer };

		for (size_t j = 0; j < k->owners; j++)
			if (k->owner[j].peer == h.peer)
				h.n += k->owner[j].n;
		if (h.n > best.n || (h.n == best.n && h.peer < best.peer))
			best = h;
	}
	return best;
}

/* Which process does not go on while slots are in this state. */
static void waits_for_owners(const struct scene_hub *hub, const struct state_class *k,
			     struct candidate *c)
{
	for (size_t i = 0; i < k->owners; i++) {
		const struct state_owner *o = &k->owner[i];

		if (o->n * 2 < k->slots / CANDIDATE_NODES)
			continue;
		const bool at_host = o->direction == HUB_TO_HOST &&
				     o->slot_state == HUB_SLOT_IN_FLIGHT;

		candidate_waits_for(c, at_host ? NODE_LINK : NODE_PEER, hub, o->peer);
		candidate_waits_for(c, NODE_LEAK, hub, o->peer);
	}
}

static const char *owners_text(struct candidates *out, const struct scene_hub *hub,
			       const struct state_class *k)
{
	const struct holder h = largest(k);
	const struct scene_peer *peer = scene_peer(hub, h.peer);

	if (!h.n)
		return "owners not known";
	return text(out, "%s(%u) holds %u of %u", peer ? peer->name : "peer", h.peer, h.n,
		    k->slots);
}

static void look_at_class(const struct scene_hub *hub, const struct state_class *k,
			  struct candidates *out)
{
	const struct holder h = largest(k);
	const struct scene_peer *peer = scene_peer(hub, h.peer);
	char size[UNITS_TEXT];

	units_class(size, k->bytes);
	struct candidate *c = candidate_of_hub(out, hub, PLACE_TABLES, k->index);

	c->since_us = still_since(hub->h, k);
	c->fingerprint = holders_fingerprint(k);
	c->unwanted = !is_wanted(hub, k);
	c->demand = k->failed;
	c->where.class_bytes = k->bytes;
	if (peer && h.n * 2 > k->slots) {
		c->where.peer = (int)h.peer;
		c->where.name = peer->name;
		c->where.pid = peer->p->pid > 0 ? peer->p->pid : -1;
	}
	c->place_text = text(out, "%s class %s", hub->name, size);
	const char *owners = owners_text(out, hub, k);
	const uint32_t n_free = k->count[HUB_SLOT_FREE];
	const char *kept = n_free ? text(out, ", kept for answers") : "";

	c->sentence = text(out, "no slot of %s is free%s for {held}: %s", size,
			   n_free ? " for a request" : "", owners);
	c->also = text(out, "all slots of %s are taken", size);
	c->brief = text(out, "%u free of %u%s, %s", n_free, k->slots, kept, owners);
	c->evidence = text(out,
			   "%u of %u slots of %s free%s (%u allocated, %u in flight, %u held), %s "
			   "is at its limit; %s; %u waiting for one, %s so far; {unchanged}",
			   n_free, k->slots, size, kept, k->count[HUB_SLOT_ALLOCATED],
			   k->count[HUB_SLOT_IN_FLIGHT], k->count[HUB_SLOT_HELD],
			   k->slots < k->slots_max ? "the hub" : "the class", owners, k->waiters,
			   plural(out, k->failed, "failed claim", "failed claims"));
	fact_number(c, "slots", k->slots);
	fact_number(c, "free", k->count[HUB_SLOT_FREE]);
	fact_number(c, "allocated", k->count[HUB_SLOT_ALLOCATED]);
	fact_number(c, "in_flight", k->count[HUB_SLOT_IN_FLIGHT]);
	fact_number(c, "held", k->count[HUB_SLOT_HELD]);
	fact_number(c, "waiters", k->waiters);
	fact_number(c, "failed", (int64_t)k->failed);
	fact_number(c, "largest_owner", h.n ? (int64_t)h.peer : FINDING_UNKNOWN);
	fact_number(c, "largest_owner_slots", h.n ? (int64_t)h.n : FINDING_UNKNOWN);
	candidate_stuck(c, NODE_CLASS, hub, k->index);
	waits_for_owners(hub, k, c);
	candidate_next(c,
		       text(out, "what does %s do with what it holds? Messages are to be released",
			    peer ? peer->name : "the holder"));
	candidate_next(
		c, "a higher limit of the hub (or of this class) only helps if slots come back");
}

static void look_for_space(const struct scene_hub *hub, struct candidates *out)
{
	const struct state_hub *h = hub->h;

	if (!h->no_space || (h->no_space_us && hub->now_us > h->no_space_us + NO_SPACE_RECENT_US))
		return;
	struct candidate *c = candidate_of_hub(out, hub, PLACE_TABLES, NO_SPACE);

	/* without its time it may have been long ago */
	c->proof = h->no_space_us ? PROOF_AT_ONCE : PROOF_NONE;
	c->place_text = text(out, "%s (filesystem)", hub->name);
	c->where.file = hub->name;
	for (size_t i = 0; i < h->classes; i++)
		if (h->klass[i].no_space && h->klass[i].bytes > c->where.class_bytes)
			c->where.class_bytes = h->klass[i].bytes;
	const char *ago = h->no_space_us ? text(out, ", last %s before this look",
						 span(out, scene_age(hub->now_us, h->no_space_us)))
					 : "";

	c->sentence = text(out, "%s cannot get pages: no space on its filesystem", hub->name);
	c->also = text(out, "no space on the filesystem of %s", hub->name);
	c->brief = text(out, "no space on its filesystem, %s",
			plural(out, h->no_space, "time", "times"));
	c->evidence = text(out, "backing pages failed %s for want of space%s",
			   plural(out, h->no_space, "time", "times"), ago);
	fact_number(c, "no_space", (int64_t)h->no_space);
	candidate_stuck(c, NODE_CLASS, hub, NO_SPACE);
	candidate_next(c, h->path ? text(out, "df -h %s   (and what else lies there)", h->path)
				  : "df -h /dev/shm");
	candidate_next(c, "a container's /dev/shm has 64M unless told otherwise (--shm-size)");
}

static void look(const struct scene *scene, struct candidates *out)
{
	for EACH_HUB(scene, hub) {
		if (!hub->sees_tables || hub->h->stopping)
			continue;
		for (size_t i = 0; i < hub->h->classes; i++)
			if (is_exhausted(&hub->h->klass[i]))
				look_at_class(hub, &hub->h->klass[i], out);
		look_for_space(hub, out);
	}
}

const struct rule rule_slots_exhausted = {
	.name = "slots-exhausted",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 2 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "There is no room for another payload of this size, and none is coming back.",
	.summary =
		"A message needs a slot of some class and there is none: all are held by living "
		"processes that do not give them back while the hub is at its limit, or the "
		"filesystem under the hub has no room for the pages of a free one (or of a new "
		"peer's rings).",
	.detection =
		"No slot is free, save those kept for answers, somebody waits for one (or "
		"claims failed and the class has reached its limit), and the same owners hold "
		"the same slots in two looks over the dwell time. Or: the hub counted a failed fallocate (ENOSPC, EFBIG) within "
		"the last 10 s.",
	.causes =
		"A receiver that keeps messages (holds in place) without releasing them; a "
		"limit below what the traffic needs at once; a tmpfs or container /dev/shm that "
		"is too small; other files in it.",
	.fix =
		"Release messages when they were read; raise the hub's limit or the class; make "
		"room on the filesystem. Callers get -ENOSPC and go on once there is room.",
	.confused_with =
		"slots-leaked (their owner is dead); plain load (slots turn over); ring-full (the "
		"descriptors, not the payloads, have no room).",
};
