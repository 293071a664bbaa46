/* peer-dead: a peer has ended. An observation, not a fault; what it left behind others tell. */
#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

#include <string.h>
#include <sys/wait.h>

static const char *how_it_ended(struct candidates *out, int32_t status)
{
	if (status < 0)
		return "how is not known";
	if (WIFSIGNALED(status))
		return text(out, "killed by signal %d (SIG%s)", WTERMSIG(status),
			    sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	return text(out, "exit status %d", WEXITSTATUS(status));
}

/* Ended while its hub lives on, and not because it was asked to leave. */
static bool is_dead(const struct scene_peer *peer)
{
	const struct state_peer *p = peer->p;

	if (!peer->looked_at || peer->living || peer->hub->h->stopping)
		return false;
	if (p->state == HUB_PEER_GONE && p->exit_status == 0)
		return false;
	return p->state != HUB_PEER_STARTING || p->pid > 0;
}

static void look_at_peer(const struct scene_peer *peer, struct candidates *out)
{
	const struct state_peer *p = peer->p;
	struct candidate *c = candidate_of_peer(out, peer, 0);
	const char *how = how_it_ended(out, p->exit_status);

	c->now_us = peer->hub->now_us;
	c->proof = PROOF_AT_ONCE;
	c->since_us = p->died_us;
	c->fingerprint = p->incarnation;
	c->sentence = text(out, "%s ended {held} ago: %s", who(out, &peer->end[HUB_RECV].consumer),
			   how);
	c->also = text(out, "%s(%u) has ended", peer->name, p->id);
	c->brief = how;
	c->evidence = text(out, "%s; started %s", how,
			   plural(out, p->restarts + 1, "time", "times"));
	fact_number(c, "exit_status", p->exit_status < 0 ? FINDING_UNKNOWN : p->exit_status);
	fact_number(c, "restarts", p->restarts);
	candidate_next(c,
		       p->exit_status >= 0 && WIFSIGNALED(p->exit_status)
			       ? "coredumpctl, or its feed: a last dump is written on fatal signals"
			       : "its own log, or its feed");
}

static void look(const struct scene *scene, struct candidates *out)
{
	for EACH_HUB(scene, hub)
		for EACH_PEER(hub, peer)
			if (is_dead(peer))
				look_at_peer(peer, out);
}

const struct rule rule_peer_dead = {
	.name = "peer-dead",
	.severity = SEVERITY_INFO,
	.dwell_us = 0,
	.sources = STATE_LIVE | STATE_FEED | STATE_HUB_FILE | STATE_CORE,
	.look = look,
	.means = "The process has ended; its host goes on without it.",
	.summary = "A peer of the hub has ended and was not restarted (yet). Its calls were failed "
		   "with -EOWNERDEAD and what it held was taken back, unless another finding says "
		   "otherwise.",
	.detection =
		"The hub records the death and how waitpid() reported it, or the process is not "
		"there any more. A peer that was asked to leave and ended with status 0 is not "
		"listed, nor those that ended together with their host.",
	.causes = "A crash, an OOM kill, a kill by hand, an exit on error.",
	.fix = "See its exit status or signal, its core file, its feed's last records.",
	.confused_with =
		"peer-stopped (alive, but stopped); slots-leaked (what a dead peer left behind).",
};
