/*
 * consumer-stalled: the consumer is awake, or waits for something of its own, and reads nothing
 * although messages wait; or a call is in its handler for long and nothing comes out.
 *
 * Healthy look-alikes: a slow consumer that moves (the ring's last take is recent: still_us);
 * a consumer that was just woken (it moves within the dwell), or is starved on a busy machine
 * (what it got of the CPUs tells; where that is not known, the dwell is longer);
 * a long handler with nobody waiting (beat-late, and only much later).
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

enum {
	CALL_DWELL_US = 5 * SECOND_US,    /* a handler may take a while where only its caller waits */
	UNKNOWN_DWELL_US = 5 * SECOND_US, /* it may only wait for a CPU */
};

/* A peer has one thread for its loop and its handlers; the host's handlers have their own. */
static bool is_in_handler(const struct scene_end *end)
{
	return end->dir == HUB_RECV && end->beat.state == HUB_BEAT_HANDLER;
}

static bool is_reading_nothing(const struct scene_end *end)
{
	const struct state_ring *r = end->ring;

	if (!r->waiting)
		return false;
	if (end->doing == DOING_RUNNING || end->doing == DOING_BLOCKED)
		return true;
	/* in its loop's wait, the bell rung and taken: it woke and did not read */
	return end->doing == DOING_ASLEEP && end->rung && r->bell == 0 && end->doing_seen &&
	       !r->sending_tid;
}

/* A call is in work and its caller waits. */
static bool is_busy_with_call(const struct scene_end *end)
{
	return is_in_handler(end) && end->peer->p->calls_pending > 0;
}

static const char *what_holds_it(struct candidates *out, const struct scene_end *end)
{
	const struct state_thread *t = end->consumer.thread;
	const char *where = is_in_handler(end)
				    ? text(out, " in its handler of method %u", end->beat.method)
				    : "";

	if (end->doing == DOING_BLOCKED && t && t->wait_text)
		return text(out, "blocked in %s%s", t->wait_text, where);
	if (end->doing == DOING_ASLEEP)
		return *where ? text(out, "waiting%s", where) : "asleep again after it was woken";
	return text(out, "%s%s",
		    end->doing_seen && end->doing == DOING_RUNNING ? "running" : "busy",
		    *where ? where : " outside its handlers");
}

/* What its handler waits for, where the hub knows: the host, space, a slot. */
static void add_dependencies(const struct scene_end *end, struct candidate *c)
{
	const struct state_hub *h = end->hub->h;
	const unsigned id = end->peer->p->id;

	for (size_t i = 0; i < h->calls; i++) {
		const struct state_call *call = &h->call[i];

		if (call->call_state != HUB_CALL_PENDING)
			continue;
		if (call->by == id)
			candidate_waits_for(c, NODE_LINK, end->hub, id);
		/* made by the host to serve this peer's call */
		if (!call->by && call->for_peer == id && call->for_call)
			candidate_waits_for(c, NODE_PEER, end->hub, call->peer);
	}
	if (end->flag & HUB_ASLEEP_SPACE)
		candidate_waits_for(c, NODE_LINK, end->hub, id);
}

static void describe(struct candidates *out, const struct scene_end *end, struct candidate *c)
{
	const struct state_ring *r = end->ring;
	const char *held_by = what_holds_it(out, end);
	const char *behind = r->waiting ? text(out, "%s waiting", plural(out, r->waiting, "message",
									 "messages"))
					: "its caller waiting";
	const char *at = end->consumer.peer ? "" : text(out, " at %s", c->place_text);
	const char *did = what_it_does(out, &end->consumer);
	const char *beat = is_in_handler(end)
				   ? text(out, ", in handler of method %u for %s", end->beat.method,
					  span(out,
					       scene_age(end->peer->now_us, end->beat.since_us)))
				   : "";

	c->sentence = text(out, "%s stalls%s: %s for {held} with %s", who(out, &end->consumer), at,
			   held_by, behind);
	c->also = text(out, "%s stalls%s", who_short(out, &end->consumer), at);
	c->brief = text(out, "%lu waiting, %s", (unsigned long)r->waiting, held_by);
	c->evidence = text(out, "%s%s%s%s{cpu}, {unchanged}", ring_text(out, end),
			   *did ? ", " : "", did, beat);
	ring_facts(c, end);
	fact_text(c, "doing", held_by);
	if (is_in_handler(end))
		fact_number(c, "method", end->beat.method);
	if (c->where.site)
		candidate_next(c, text(out, "%s", c->where.site));
	if (end->consumer.reachable)
		candidate_next(c,
			       text(out,
				    "sigdump dump -p %d   (where it is; twice, to see whether it "
				    "moves)",
				    end->consumer.pid));
}

static void look_at_end(const struct scene_end *end, struct candidates *out)
{
	const bool waiting = is_reading_nothing(end);

	if (end->doing == DOING_STOPPED || (!waiting && !is_busy_with_call(end)))
		return;
	struct candidate *c = candidate_of_end(out, end, &end->consumer);

	c->since_us = waiting ? end->still_us : end->beat.since_us;
	c->dwell_us = waiting ? 0 : CALL_DWELL_US;
	/* neither "runs" nor a beat tells a handler without end from one that gets no CPU */
	candidate_watch_cpu(c, end->consumer.thread,
			    end->doing_seen && end->doing != DOING_RUNNING ? 0 : UNKNOWN_DWELL_US);
	c->fingerprint = end->ring->tail ^ (is_in_handler(end) ? end->beat.since_us : 0);
	candidate_stuck_end(c, end);
	if (end->dir == HUB_RECV) {
		add_dependencies(end, c);
	} else { /* one thread reads all rings of the host: one of them stands for the rest */
		candidate_stuck(c, NODE_HOST, end->hub, 0);
		candidate_waits_for(c, NODE_HOST, end->hub, 0);
	}
	describe(out, end, c);
}

static void look(const struct scene *scene, struct candidates *out)
{
	scene_each_end(scene, look_at_end, out);
}

const struct rule rule_consumer_stalled = {
	.name = "consumer-stalled",
	.severity = SEVERITY_WARNING,
	.dwell_us = 2 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "The consumer is not asleep in its loop, but it does not read its ring.",
	.summary =
		"Messages wait and their consumer is awake, or waits for something of its own: "
		"a handler runs for ever, or blocks on a file, a lock, a socket. Its event loop "
		"does not come round to the ring.",
	.detection =
		"Messages wait, none was taken for the dwell time in two looks, and the consumer's "
		"thread runs, or is blocked outside its loop's own wait. On a busy machine a "
		"handler that gets no CPU looks like one without end. So the thread's time on "
		"the CPUs is watched as well: one that ran, or slept, for less than half a second "
		"and less than half of the time is only suspected. Where that is not known (a "
		"single look at one that runs, or a hub file, in which its beat says \"in handler M "
		"since T\") it has to last 5 s. A call that is in work for 5 s with its caller "
		"waiting counts as well.",
	.causes =
		"An endless loop on unexpected input; a blocking read, lock, connect or flock "
		"inside a handler; a handler that waits for somebody who waits for it.",
	.fix =
		"The stack says where. Do long work outside the loop's thread, or in pieces; give "
		"every wait inside a handler a deadline.",
	.confused_with =
		"missed-wakeup and bell-not-drained (asleep in its own loop); peer-stopped; "
		"ring-full (slow, but reading); call-cycle (what it waits for waits for it).",
};
