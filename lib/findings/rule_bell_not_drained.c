/*
 * bell-not-drained: the bell was rung, the consumer sleeps in its loop and does not notice.
 *
 * A bell with unread bytes makes every loop that watches it runnable at once. So a thread that
 * sleeps in its poll with unread bytes, twice, with the ring unmoved, does not watch it. From
 * the file alone (no bytes, no threads) a stopped or starved consumer looks the same: then it
 * is only suspected.
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

static bool is_not_drained(const struct scene_end *end)
{
	const struct state_ring *r = end->ring;

	if (!r->waiting || end->consumer.stopped == STATE_YES || end->doing != DOING_ASLEEP)
		return false;
	return r->bell > 0 || (r->bell < 0 && end->rung);
}

static void describe(struct candidates *out, const struct scene_end *end, struct candidate *c)
{
	const struct state_ring *r = end->ring;
	const char *did = what_it_does(out, &end->consumer);
	const char *waiting = plural(out, r->waiting, "message", "messages");
	const char *rung = text(out, "rung %s, last %s before this look",
				plural(out, r->bells, "time", "times"),
				span(out, scene_age(end->peer->now_us, r->bell_us)));

	if (c->proof == PROOF_NONE) {
		c->sentence = text(out,
				   "%s has not taken %s for {held}, although its bell was rung",
				   who(out, &end->consumer), waiting);
		c->brief = text(out, "%lu waiting, rung %lu times, not taken",
				(unsigned long)r->waiting, (unsigned long)r->bells);
		candidate_next(
			c,
			"it may have been stopped, starved, or deaf to its bell: its feed, or a look "
			"at the running process (shmtop, sigdump dump), would tell");
	} else {
		c->sentence =
			text(out,
			     "%s hangs: deaf to its bell, which was rung %s ago, with %s waiting",
			     who(out, &end->consumer), "{held}", waiting);
		c->brief = text(out, "%lu waiting, bell %ld unread", (unsigned long)r->waiting,
				(long)r->bell);
		candidate_next(c, text(out,
				       "is the doorbell still in the event loop's set of %s? "
				       "(epoll_ctl, edge-triggered or one-shot flags, a dup of "
				       "the fd)",
				       end->consumer.name));
	}
	c->also = text(out, "%s is deaf to its bell", who_short(out, &end->consumer));
	c->evidence = text(out, "%s; %s; %s%s{unchanged}", ring_text(out, end), rung, did,
			   *did ? ", " : "");
	ring_facts(c, end);
	fact_number(c, "bells_rung", (int64_t)r->bells);
	if (end->consumer.reachable)
		candidate_next(c, text(out, "ls -l /proc/%d/fd; cat /proc/%d/fdinfo/*   (which fds "
					    "its epoll set holds)",
				       end->consumer.pid, end->consumer.pid));
}

static void look_at_end(const struct scene_end *end, struct candidates *out)
{
	if (!is_not_drained(end))
		return;
	struct candidate *c = candidate_of_end(out, end, &end->consumer);

	c->since_us = end->still_us ? scene_later(end->still_us, end->ring->bell_us) : 0;
	c->fingerprint = end->ring->tail;
	c->proof = end->ring->bell > 0 && end->doing_seen ? PROOF_DWELL : PROOF_NONE;
	candidate_stuck_end(c, end);
	describe(out, end, c);
}

static void look(const struct scene *scene, struct candidates *out)
{
	scene_each_end(scene, look_at_end, out);
}

const struct rule rule_bell_not_drained = {
	.name = "bell-not-drained",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 2 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE,
	.look = look,
	.means = "The bell was rung, but the sleeping consumer does not listen to it.",
	.summary =
		"Messages wait, the producer rang the doorbell as it should, the bytes lie "
		"unread in the doorbell socket, and the consumer sleeps in its event loop all "
		"the same: the loop does not watch the doorbell (any more).",
	.detection =
		"Messages wait, the doorbell holds unread bytes, the consumer's thread sleeps in "
		"epoll_wait, poll or select, and no message was taken, in two looks over the dwell "
		"time. A hub file knows neither bytes nor threads: it tells \"rung N times, not "
		"taken\", which is then only suspected.",
	.causes =
		"The doorbell was removed from the epoll set, or closed and its number used "
		"again; it was added edge-triggered or one-shot and not drained or re-armed; a "
		"modal inner loop waits for other descriptors only.",
	.fix =
		"Keep the doorbell in the loop's set, level-triggered, for as long as the peer is "
		"attached, and call check() and drain() after every wake-up, whatever it was for.",
	.confused_with =
		"missed-wakeup (nobody rang); consumer-stalled (the loop itself is busy or "
		"blocked); peer-stopped (SIGSTOP: the bytes lie unread there, too).",
};
