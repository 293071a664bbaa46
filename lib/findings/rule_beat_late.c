/*
 * beat-late: a peer's loop has not come round for long, although nothing waits for it.
 *
 * The beat is a state: {asleep since | in handler M since | running since}. An idle loop
 * sleeps, so only "not asleep" for long is late. When messages or callers wait,
 * consumer-stalled tells it with more to show.
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

static bool is_late(const struct scene_peer *peer)
{
	const struct scene_end *end = &peer->end[HUB_RECV];
	const struct state_peer *p = peer->p;

	if (p->beat.state != HUB_BEAT_HANDLER && p->beat.state != HUB_BEAT_RUNNING)
		return false;
	if (end->ring->damage || end->ring->waiting || end->doing == DOING_STOPPED)
		return false;
	return p->beat.state == HUB_BEAT_RUNNING || !p->calls_pending;
}

static void look_at_peer(const struct scene_peer *peer, struct candidates *out)
{
	const struct scene_end *end = &peer->end[HUB_RECV];
	const struct state_beat *beat = &peer->p->beat;
	struct candidate *c = candidate_of_peer(out, peer, 0);
	const char *did = what_it_does(out, &end->consumer);
	const char *what = beat->state == HUB_BEAT_HANDLER
				   ? text(out, "in its handler of method %u", beat->method)
				   : "outside its handlers";

	candidate_stack(out, c, peer->hub->st, end->consumer.thread);
	/* a file's beat stays as its writer left it, also when that was stopped or killed */
	c->proof = peer->hub->h->source == STATE_HUB_FILE ? PROOF_UNSURE : PROOF_DWELL;
	candidate_watch_cpu(c, end->consumer.thread, 0);
	c->since_us = beat->since_us;
	c->fingerprint = beat->since_us;
	candidate_stuck(c, NODE_PEER, peer->hub, peer->p->id);
	if (end->flag & HUB_ASLEEP_SPACE)
		candidate_waits_for(c, NODE_LINK, peer->hub, peer->p->id);
	c->sentence = text(out, "%s has not come back to its loop for {held}: %s",
			   who(out, &end->consumer), what);
	c->also = text(out, "the loop of %s(%u) is late", peer->name, peer->p->id);
	c->brief = text(out, "beat {held} old, %s", what);
	c->evidence =
		text(out,
		     "last beat {held} before this look, %s%s%s{cpu}, rings empty, the same beat in "
		     "{samples}",
		     what, *did ? ", " : "", did);
	fact_text(c, "beat", beat->state == HUB_BEAT_HANDLER ? "handler" : "running");
	fact_number(c, "method", beat->state == HUB_BEAT_HANDLER ? beat->method : FINDING_UNKNOWN);
	if (c->where.site)
		candidate_next(c, c->where.site);
	if (end->consumer.reachable)
		candidate_next(c, text(out, "sigdump dump -p %d", peer->p->pid));
}

static void look(const struct scene *scene, struct candidates *out)
{
	for EACH_HUB(scene, hub)
		for EACH_PEER(hub, peer)
			if (peer->usable && is_late(peer))
				look_at_peer(peer, out);
}

const struct rule rule_beat_late = {
	.name = "beat-late",
	.severity = SEVERITY_WARNING,
	.dwell_us = 5 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED,
	.look = look,
	.means = "The peer's main loop is stuck somewhere, although nobody waits for it yet.",
	.summary = "A peer tells in its beat what its loop does. It has been out of the loop for "
		   "long: in one handler, or in the program's own code between two rounds. The "
		   "next message will have to wait for it.",
	.detection =
		"The beat says \"not asleep\" with the same time for the dwell time in two "
		"looks, and neither messages nor callers wait (else it is consumer-stalled). An "
		"idle peer sleeps and is never late; one that gets no CPU on a busy machine is "
		"only suspected.",
	.causes = "Long work in the loop's thread; a blocking call in the application's own part "
		  "of the loop; an endless loop.",
	.fix = "The stack says where. Move long work out of the loop's thread.",
	.confused_with =
		"consumer-stalled (work waits already); peer-stopped; a long but wanted job.",
};
