/*
 * ring-full: a ring stays full, and whoever writes to it waits.
 *
 * A ring that is full for a moment is a buffer doing its work. It is trouble when a message
 * takes long to pass through it, look after look. Positions move here, so the fingerprint does
 * not hold them.
 *
 * On a busy machine the writer that waits for space is woken and not yet there: the ring has a
 * few free cells in that look, and its flag is down. So a ring that is nearly full goes on with
 * the episode, and its count of waits for space tells whether somebody suffers.
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

enum {
	PASSES_QUICKLY_US = SECOND_US / 10,
	PASSES_SLOWLY_US = SECOND_US,
	WOKEN_WITHIN_US = SECOND_US / 2,
};

static bool is_nearly_full(const struct scene_end *end)
{
	const uint32_t capacity = end->ring->capacity;

	return capacity > HUB_RING_RESERVED &&
	       end->used_cells * 4 >= (uint64_t)(capacity - HUB_RING_RESERVED) * 3;
}

/* It waits for space, or has just been woken by the reader's last step. */
static bool is_writer_waiting(const struct scene_end *end)
{
	const struct state_ring *r = end->ring;

	if (end->producer_flag & HUB_ASLEEP_SPACE)
		return true;
	return r->full_waits && r->take_us &&
	       scene_age(end->peer->now_us, r->take_us) < WOKEN_WITHIN_US;
}

static void describe(struct candidates *out, const struct scene_end *end, uint64_t age_us,
		     struct candidate *c)
{
	const struct state_ring *r = end->ring;
	const char *waits = (end->producer_flag & HUB_ASLEEP_SPACE) ? ", producer waits for space"
								    : "";

	c->sentence = text(out,
			   "the ring from %s to %s has been full for {held}: a message waits %s in it",
			   who_short(out, &end->producer), who(out, &end->consumer),
			   span(out, age_us));
	c->also = text(out, "the ring to %s is full", who_short(out, &end->consumer));
	c->brief = text(out, "%lu waiting, %lu of %u cells, oldest %s", (unsigned long)r->waiting,
			(unsigned long)end->used_cells, r->capacity, span(out, age_us));
	c->evidence =
		text(out,
		     "%s, %lu of %u cells used, oldest message %s old, waited for space %s%s, "
		     "seen in {samples}",
		     ring_text(out, end), (unsigned long)end->used_cells, r->capacity,
		     span(out, age_us), plural(out, r->full_waits, "time", "times"), waits);
	ring_facts(c, end);
	fact_number(c, "used_cells", (int64_t)end->used_cells);
	fact_number(c, "full_waits", (int64_t)r->full_waits);
	fact_number(c, "oldest_ms", (int64_t)(age_us / 1000));
	candidate_next(c,
		       text(out, "what does %s do with each message? (stack%s)", end->consumer.name,
			    end->consumer.reachable
				    ? text(out, ": sigdump dump -p %d", end->consumer.pid)
				    : ""));
	candidate_next(
		c, "a larger ring (ring_cells) helps against bursts, not against a slow reader");
}

static void look_at_end(const struct scene_end *end, struct candidates *out)
{
	const struct state_ring *r = end->ring;
	const uint64_t age_us = scene_age(end->peer->now_us, r->oldest.time_us);

	if (!is_nearly_full(end) || !r->waiting ||
	    (r->oldest.time_us && age_us < PASSES_QUICKLY_US))
		return;
	struct candidate *c = candidate_of_end(out, end, &end->consumer);

	c->since_us = r->oldest.time_us;
	c->unwanted = !end->full && !(end->producer_flag & HUB_ASLEEP_SPACE);
	c->demand = r->full_waits + r->full;
	/* a file does not tell since when it was full; that a message needs so long to pass while
	 * the writer waits for space, at the very end, has to do */
	if (end->hub->ended && is_writer_waiting(end)) {
		c->dwell_us = PASSES_SLOWLY_US;
		c->unwanted = false;
	}
	candidate_waits_for_end(c, end);
	if (end->dir == HUB_SEND)
		candidate_waits_for(c, NODE_HOST, end->hub, 0);
	describe(out, end, age_us, c);
}

static void look(const struct scene *scene, struct candidates *out)
{
	scene_each_end(scene, look_at_end, out);
}

const struct rule rule_ring_full = {
	.name = "ring-full",
	.severity = SEVERITY_WARNING,
	.dwell_us = 2 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "The ring stays full: its reader is slower than its writer, who has to wait.",
	.summary =
		"A ring has no room for another message, again and again, and a message needs "
		"long to pass through it. Its writers wait for space. The reader works, but too "
		"slowly for what is sent.",
	.detection =
		"Hardly room for another message (the cells reserved for replies left out), or "
		"three quarters used while the count of waits for space goes up, and the oldest "
		"waiting message is not young, in every look for the dwell time; in a file: the "
		"oldest message has waited that long, or a second while the writer is known to "
		"wait for space or was just woken.",
	.causes =
		"Slow work in the consumer's handler; a flood of notifications; one peer that all "
		"traffic goes to.",
	.fix =
		"Make the handler faster or move its work elsewhere; bound how much is sent at "
		"a time (calls bound themselves, notifications do not); spread the work over "
		"more peers.",
	.confused_with =
		"consumer-stalled, missed-wakeup, peer-stopped (the reader does not read at "
		"all: then ring-full is listed as its consequence); call-cycle (both rings of a "
		"peer are full).",
};
