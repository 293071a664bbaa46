/*
 * peer-stopped: a process of the hub is stopped (SIGSTOP, a debugger), or stands, for all that
 * a file can tell, between publishing a message and ringing for it.
 *
 * A second of SIGSTOP is nobody's concern: the dwell. A process that is stopped and continued
 * in step with our looks moves in between: the fingerprint. Since when it is stopped the system
 * does not tell; what waits for it unread does.
 *
 * A look that sees no processes (a hub file beside feeds) says nothing for or against.
 */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

enum { WHAT_STOPPED };

/* The ring that this process has published into and not rung for; NULL: none. */
static const struct scene_end *unrung(const struct scene_peer *peer, bool host)
{
	const struct scene_end *end = &peer->end[host ? HUB_RECV : HUB_SEND];

	if (!end->usable || !end->ring->sending_tid || !end->ring->waiting)
		return NULL;
	return end->rung ? NULL : end;
}

static void describe_stopped(struct candidates *out, const struct scene_party *p,
			     const struct scene_end *end, uint64_t unread, struct candidate *c)
{
	const char letter = p->process && p->process->state != '?' ? p->process->state : 'T';

	c->sentence = text(out, "%s has been stopped for {held}%s%s", who(out, p),
			   end ? text(out, ": stopped before ringing for what it sent to %s",
				      who_short(out, &end->consumer))
			       : "",
			   unread ? text(out, " with %s waiting", plural(out, unread, "message",
									 "messages"))
				  : "");
	c->brief = text(out, "state %c%s", letter, end ? ", stopped before ringing" : "");
	c->evidence = text(out, "process state %c (%s) in {samples}", letter,
			   letter == 't' ? "held by a debugger" : "stopped by a signal");
	fact_text(c, "state", text(out, "%c", letter));
	if (letter == 't')
		candidate_next(c, text(out, "grep TracerPid /proc/%d/status   (who holds it)",
				       p->pid));
	else
		candidate_next(c, text(out, "kill -CONT %d", p->pid));
}

/* Without a look at the process: its producer's word is set, and has been for long. */
static void describe_unrung(struct candidates *out, const struct scene_party *p,
			    struct candidate *c)
{
	c->sentence = text(out, "%s stopped before ringing, {held} ago", who(out, p));
	c->brief = "stopped before ringing";
	c->evidence = "seen in {samples}";
	if (p->reachable)
		candidate_next(c,
			       text(out, "ps -o stat,wchan:32,cmd -p %d   (T: stopped)", p->pid));
}

static void add_ring(struct candidates *out, const struct scene_end *end, struct candidate *c)
{
	c->where.ring = ring_name(end->dir);
	c->evidence = text(out,
			   "%s; %s ring of %s: %s, its producer tid %u is between publication "
			   "and bell",
			   c->evidence, c->where.ring, end->peer->name, ring_text(out, end),
			   end->ring->sending_tid);
	ring_facts(c, end);
	fact_number(c, "sending", end->ring->sending_tid);
	candidate_stuck_end(c, end);
}

static uint64_t positions(const struct scene_peer *peer)
{
	const struct state_peer *p = peer->p;

	return p->ring[HUB_RECV].tail * 3 + p->ring[HUB_SEND].head * 5 + p->handled * 7;
}

/* It is stopped, and has not read what waits since then. */
static uint64_t unread_since(const struct scene_peer *peer)
{
	const struct scene_end *recv = &peer->end[HUB_RECV];

	return recv->usable && recv->ring->waiting ? recv->still_us : 0;
}

static void look_at_peer(const struct scene_peer *peer, struct candidates *out)
{
	const struct scene_party *party = &peer->end[HUB_RECV].consumer;
	const struct scene_end *end = unrung(peer, false);
	const bool stopped = party->stopped == STATE_YES;

	if (party->stopped == STATE_NO) /* a producer that is seen and not stopped is merely slow */
		return;
	struct candidate *c = candidate_of_peer(out, peer, WHAT_STOPPED);

	c->fingerprint = positions(peer);
	candidate_stack(out, c, peer->hub->st, party->thread);
	candidate_stuck(c, NODE_PEER, peer->hub, peer->p->id);
	if (stopped) {
		c->since_us = end ? end->still_us : unread_since(peer);
		describe_stopped(out, party, end,
				 unread_since(peer) ? peer->end[HUB_RECV].ring->waiting : 0, c);
	} else if (end && end->still_us) {
		c->since_us = end->still_us;
		describe_unrung(out, party, c);
	} else {
		c->proof = PROOF_UNSURE;
		return;
	}
	if (end)
		add_ring(out, end, c);
	c->also = text(out, "%s is stopped", who_short(out, party));
}

/* The host: to whom it has published and not rung, oldest message first. */
static const struct scene_end *host_unrung(const struct scene_hub *hub)
{
	const struct scene_end *found = NULL;

	for EACH_PEER(hub, peer) {
		const struct scene_end *end = unrung(peer, true);

		if (end && end->still_us && (!found || end->still_us < found->still_us))
			found = end;
	}
	return found;
}

static uint64_t host_positions(const struct scene_hub *hub)
{
	uint64_t sum = 0;

	for EACH_PEER(hub, peer)
		sum += peer->p->ring[HUB_RECV].head * 3 + peer->p->ring[HUB_SEND].tail * 5;
	return sum;
}

static void look_at_host(const struct scene_hub *hub, struct candidates *out)
{
	const struct scene_end *end = host_unrung(hub);
	const bool stopped = hub->host.stopped == STATE_YES;

	if (hub->h->damage || hub->h->stopping || hub->host.stopped == STATE_NO)
		return;
	struct candidate *c = candidate_of_hub(out, hub, PLACE_HUB, WHAT_STOPPED);

	c->where.name = hub->host.name;
	c->where.peer = end ? end->peer->p->id : 0;
	c->where.pid = hub->host.pid > 0 ? hub->host.pid : -1;
	c->place_text = text(out, "%s (host)", hub->host.name);
	c->fingerprint = host_positions(hub);
	if (stopped) {
		candidate_stuck(c, NODE_HOST, hub, 0);
		describe_stopped(out, &hub->host, end, 0, c);
	} else if (end) {
		c->since_us = end->still_us;
		describe_unrung(out, &hub->host, c);
	} else {
		c->proof = PROOF_UNSURE;
		return;
	}
	if (end)
		add_ring(out, end, c);
	c->also = text(out, "%s is stopped", hub->host.name);
}

static void look(const struct scene *scene, struct candidates *out)
{
	for EACH_HUB(scene, hub) {
		look_at_host(hub, out);
		for EACH_PEER(hub, peer)
			if (peer->usable)
				look_at_peer(peer, out);
	}
}

const struct rule rule_peer_stopped = {
	.name = "peer-stopped",
	.severity = SEVERITY_WARNING,
	.dwell_us = 2 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "The process is stopped: it does nothing until somebody continues it.",
	.summary =
		"A process of the hub (a peer, or the host) is stopped by a signal or held by a "
		"debugger. What it should read waits; what it was about to ring for is not "
		"noticed.",
	.detection =
		"Its state in /proc is T (or t: traced) and it moved nothing for the dwell time "
		"in two looks. Where processes are not seen (a hub file): the word in which a "
		"producer marks itself between publication and bell is still set, and its "
		"message is older than the dwell time while others went on: \"stopped before "
		"ringing\".",
	.causes =
		"SIGSTOP, Ctrl-Z or SIGTTIN/SIGTTOU of a job in the background; gdb or strace "
		"attached; a container that was paused (the freezer).",
	.fix =
		"kill -CONT PID, detach the debugger, unpause the container. Nothing is lost: "
		"the ring and the bell go on where they stood.",
	.confused_with =
		"missed-wakeup (a message waits and nobody rang: here the one who would ring is "
		"stopped); consumer-stalled (running or blocked, not stopped).",
};
