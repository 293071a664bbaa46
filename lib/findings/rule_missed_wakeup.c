/*
 * missed-wakeup: the consumer sleeps in its loop, a message waits, and nobody rang.
 *
 * What looks the same and is not:
 *	- the producer is between publication and bell (sending is set): it is starved, stopped
 *	  or dead; the first passes, the second is peer-stopped
 *	- the bell was rung and the consumer does not notice: bell-not-drained
 *	- the consumer is awake, or waits inside a handler: consumer-stalled
 *	- a quiet answer waits for its caller, who is awake elsewhere and will come for it: nobody is
 *	  to ring
 *	- the consumer has announced its sleep but not yet looked once more: it is running, and
 *	  where that cannot be seen the dwell covers it
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

static bool is_missed(const struct scene_end *end)
{
	const struct state_ring *r = end->ring;

	if (!r->waiting || r->sending_tid || r->bell > 0 || end->rung || end->quiet)
		return false;
	return end->doing == DOING_ASLEEP && end->consumer.stopped != STATE_YES;
}

/*
 * Without its flag, "asleep" is proven only for a peer whose one thread was seen in its loop's
 * wait. In the host another thread may have the consumer's role by now.
 */
static enum proof proof_of(const struct scene_end *end)
{
	/* past its bell, by its own word, when it was stopped: what was found before still holds */
	if (end->producer.stopped == STATE_YES)
		return PROOF_UNSURE;
	return (end->flag & HUB_ASLEEP_MESSAGE) || (end->dir == HUB_RECV && end->doing_seen)
		       ? PROOF_DWELL
		       : PROOF_NONE;
}

static const char *how_it_sleeps(struct candidates *out, const struct scene_end *end)
{
	const struct state_thread *t = end->consumer.thread;

	return t && t->wait_text ? t->wait_text : text(out, "asleep by its %s",
						       end->flag ? "waiting flag" : "beat");
}

static void describe(struct candidates *out, const struct scene_end *end, struct candidate *c)
{
	const struct state_ring *r = end->ring;
	const char *at = end->consumer.peer ? "" : text(out, " at %s", c->place_text);
	const char *did = what_it_does(out, &end->consumer);
	const char *bell = r->bell_us
				   ? text(out, "; last bell %s before this look",
					  span(out, scene_age(end->peer->now_us, r->bell_us)))
				   : "; no bell so far";

	c->sentence = text(out,
			   "%s hangs%s: asleep for {held} with %s waiting; nobody rang its bell",
			   who(out, &end->consumer), at,
			   plural(out, r->waiting, "message", "messages"));
	c->also = text(out, "%s sleeps%s with %s waiting", who_short(out, &end->consumer), at,
		       plural(out, r->waiting, "message", "messages"));
	c->brief = text(out, "%lu waiting, %s, bell %s", (unsigned long)r->waiting,
			how_it_sleeps(out, end), r->bell < 0 ? "-" : "0");
	c->evidence = text(out, "%s, %s%s{unchanged}%s", ring_text(out, end), did,
			   *did ? ", " : "", bell);
	ring_facts(c, end);
	fact_number(c, "bells_rung", (int64_t)r->bells);
	candidate_next(c, text(out,
			       "in %s, where messages to %s are published: is the waiting flag "
			       "tested after the publication, with a full fence between?",
			       end->producer.name, end->consumer.name));
	if (end->producer.reachable)
		candidate_next(c, text(out, "sigdump dump -p %d   (what %s does meanwhile)",
				       end->producer.pid, end->producer.name));
}

static void look_at_end(const struct scene_end *end, struct candidates *out)
{
	if (!is_missed(end))
		return;
	struct candidate *c = candidate_of_end(out, end, &end->consumer);

	c->since_us = end->still_us ? scene_later(end->still_us, end->flag ? end->flag_us : 0) : 0;
	c->fingerprint = end->ring->tail;
	c->proof = proof_of(end);
	candidate_stuck_end(c, end);
	describe(out, end, c);
}

static void look(const struct scene *scene, struct candidates *out)
{
	scene_each_end(scene, look_at_end, out);
}

const struct rule rule_missed_wakeup = {
	.name = "missed-wakeup",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 2 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "The producer filled the ring but did not wake the sleeping consumer.",
	.summary =
		"The consumer of a ring sleeps in its event loop, and messages wait in that "
		"ring. Before it slept it set its waiting flag; whoever publishes a message has "
		"to see the flag and ring the doorbell. Nobody did, and nobody will: the next "
		"publication may wake it by chance, until then every caller waits.",
	.detection =
		"Messages wait, none was taken since, the waiting flag is still set (the one "
		"who rings takes it away), the bell holds no unread byte, the last bell is "
		"older than the oldest waiting message, no producer stands between publication "
		"and bell, and neither side is stopped. All of it unchanged for the dwell time, "
		"in two looks; in a hub file of a dead host by the ages of message, flag and "
		"last sign of life.",
	.causes =
		"The producer tests the flag before its publication is visible (no full fence "
		"between the two, on either side); an early return between publication and "
		"bell; the bell rung on another peer's socket; a thread that gives up the "
		"consumer's role without handing it over.",
	.fix =
		"Publish, then exchange the flag (both sequentially consistent), then ring if "
		"it was set; on the other side set the flag, then look at the ring once more, "
		"then sleep. See libshmhub's ordering ledger (hub_format.h, label B1).",
	.confused_with =
		"bell-not-drained (the bell was rung, the consumer does not listen); "
		"consumer-stalled (awake, or waiting for something else); peer-stopped (SIGSTOP "
		"of either side, also between publication and bell).",
};
