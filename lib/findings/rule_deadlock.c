/*
 * deadlock: threads wait for each other through what they own: mutexes, rwlocks, joins, file
 * locks; in one process or in several. One that waits for what it holds itself is one, too.
 *
 * A circle is a fact when all of its waits were seen at one common moment (waits.h): then no
 * time has to pass, for nothing in it can move. One that was put together from different moments
 * is only suspected: two busy threads that take two locks one after the other may look so.
 * Circles with calls in them are call-cycle's.
 *
 * Pipes, sockets and children: nobody who could end any of these waits can go on (waits_ends.h). It
 * is a fact when none of them has run for a while, for then all of them waited at one moment. But
 * processes that have nothing to do may stand so, too: event loops that wait for each other to
 * speak. So it takes one who is blocked in the middle of its work: in a write, for a lock; or all
 * of them in reads and waits of which each has only this one reason to end.
 *
 * A process of which all threads wait for wake-ups by each other is deadlock_within.c's.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"

enum {
	TOLD = 4, /* waits that the sentence has; the evidence has all */
	SHORT_US = SECOND_US / 10,
	ITSELF_US = 2 * SECOND_US,
	STILL_US = 2 * SECOND_US, /* for which nobody in a knot has run */
};

/* A circle through open files or children, and what it depends on. */
struct knot {
	bool *in;          /* by index of a node */
	size_t n;
	uint64_t still_us; /* since when none of them has run; 0: not known */
	uint64_t until_us; /* when that was seen last, of each of them */
	bool all_known;    /* nobody else may end one of these waits */
};

static const struct waits_node *next_of(const struct waits *w, const struct waits_node *node)
{
	return &w->node[node->to];
}

static unsigned length(const struct waits *w, const struct waits_node *first)
{
	const struct waits_node *at = first;
	unsigned n = 0;

	do {
		n++;
		at = next_of(w, at);
	} while (at != first);
	return n;
}

/* The process that all of them belong to; NULL: there are several. */
static const struct state_process *home_of(const struct waits *w, const struct waits_node *first)
{
	const struct waits_node *at = first;

	do {
		if (at->process != first->process)
			return NULL;
		at = next_of(w, at);
	} while (at != first);
	return first->process;
}

static bool is_through_hub(const struct waits *w, int circle)
{
	return waits_has(w, circle, WAITS_CALL) || waits_has(w, circle, WAITS_HANDLER);
}

/* The short name of a lock: "index_lock", or what it is and where. */
static const char *lock_name(struct candidates *out, const struct waits_node *node)
{
	char buf[WAITS_TEXT];

	if (node->lock && node->lock->name)
		return node->lock->name;
	return text(out, "%s", waits_what(node, buf));
}

/* ---- words ---------------------------------------------------------------------------------- */

/* "index_lock and cache_lock": what they wait for, in the order of the circle. */
static const char *names_of_locks(struct candidates *out, const struct waits *w,
				  const struct waits_node *first)
{
	const struct waits_node *at = first;
	const char *words = "";

	do {
		const struct waits_node *next = next_of(w, at);

		words = text(out, "%s%s%s", words,
			     !*words ? "" : next == first ? " and " : ", ", lock_name(out, at));
		at = next;
	} while (at != first);
	return words;
}

/* Where they wait, each place once: the same code may run in several threads. */
static const char *sites_of(struct candidates *out, const struct candidate *c)
{
	const char *words = "";

	for (size_t i = 0; i < c->edges; i++) {
		bool is_new = c->edge[i].site != NULL;

		for (size_t k = 0; k < i && is_new; k++)
			is_new = !c->edge[k].site || strcmp(c->edge[k].site, c->edge[i].site) != 0;
		if (is_new)
			words = text(out, "%s%s%s", words, *words ? ", " : "", c->edge[i].site);
	}
	return words;
}

static bool has_wait(const struct waits *w, const struct waits_node *first, enum state_wait_kind kind)
{
	const struct waits_node *at = first;

	do {
		if (!at->lock && at->thread->wait == kind)
			return true;
		at = next_of(w, at);
	} while (at != first);
	return false;
}

static bool is_through_ends(const struct waits *w, int circle)
{
	return waits_has(w, circle, WAITS_END) || waits_has(w, circle, WAITS_CHILD);
}

static const char *advice_of_ends(const struct waits *w, const struct waits_node *first, unsigned n)
{
	const bool writes = has_wait(w, first, STATE_WAIT_WRITE);

	if (has_wait(w, first, STATE_WAIT_CHILD) && writes)
		return "a child cannot end before what it writes is read: read until its end of file, "
		       "then wait for it";
	if (has_wait(w, first, STATE_WAIT_CHILD))
		return "a child waits for its input: close the writing end (in every process that has "
		       "it) before waiting for the child";
	if (writes && n == 1)
		return "it fills what only it could read: read from it meanwhile, or in another thread";
	if (writes && has_wait(w, first, STATE_WAIT_POLL))
		return "who waits in its event loop does not read what the other has filled: is that "
		       "end in its set, and was all of it taken when it last became readable?";
	if (writes)
		return "each writes before it reads: one of them has to read while it writes (poll, or "
		       "another thread), or send no more than the other has room for";
	return "each waits for the other to speak first: is what was said still in a buffer (fflush), "
	       "or does one wait for an end of file that the other does not send (shutdown, close)?";
}

static void add_advice(struct candidates *out, struct candidate *c, const struct waits *w,
		       const struct waits_node *first, unsigned n)
{
	if (is_through_ends(w, first->circle)) {
		candidate_next(c, advice_of_ends(w, first, n));
		if (first->process->source == STATE_LIVE)
			candidate_next(c, text(out, "sigdump dump -p %" PRId32 "   (every stack in full)",
					       first->process->pid));
		return;
	}
	const char *sites = sites_of(out, c);
	const char *at = *sites ? text(out, ": %s", sites) : "";

	if (n == 1)
		candidate_next(c, text(out,
				       "it asks for %s while it has it%s: give it back before, or "
				       "leave the locking to the caller",
				       lock_name(out, first), at));
	else if (waits_has(w, first->circle, WAITS_JOIN))
		candidate_next(c, text(out,
				       "a thread is joined while the joiner holds what it needs%s: "
				       "give that back before joining",
				       at));
	else
		candidate_next(c, text(out, "the %s take %s in different order%s",
				       n == 2 ? "two" : text(out, "%u", n),
				       names_of_locks(out, w, first), at));
	if (first->process->source == STATE_LIVE)
		candidate_next(c, text(out, "sigdump dump -p %" PRId32 "   (every stack in full)",
				       first->process->pid));
}

static const char *proof_text(const struct candidate *c, const struct knot *knot)
{
	if (c->proof == PROOF_AT_ONCE)
		return knot ? "none of them has run since, and nobody else has these files open"
			    : "all of them asleep there at one common moment";
	if (knot && !knot->all_known)
		return "others may have these files open, too: not every process could be asked";
	return "not seen at one common moment: look again";
}

static void describe(struct candidates *out, const struct scene *scene, struct candidate *c,
		     const struct waits_node *first, unsigned n, const struct knot *knot)
{
	const struct state_process *home = home_of(&scene->waits, first);
	const char *whose = home ? text(out, " of %s", who_process(out, scene, home))
				 : " of different processes";
	/* how long it takes to look tells nothing */
	const char *since = scene_age(c->now_us, c->since_us) < SHORT_US ? "" : " for at least {held}";
	const unsigned told = n < TOLD ? n : TOLD;
	const char *short_whose = home ? text(out, " of %s", home->name ? home->name : "a process")
				       : whose;

	c->sentence = n == 1 ? text(out, "a thread%s waits for itself%s: %s", whose, since,
				    edges_text(out, c, told, n))
			     : text(out,
				    "%u threads%s wait for each other%s: %s",
				    n, whose, since, edges_text(out, c, told, n));
	c->also = n == 1 ? text(out, "a thread%s waits for itself", short_whose)
			 : text(out, "%u threads%s wait for each other", n, short_whose);
	c->brief = n == 1 ? "a thread waits for itself"
			  : text(out, "%u threads wait for each other", n);
	c->evidence = text(out, "%s; %s; {unchanged}", edges_text(out, c, FINDING_EDGES, n),
			   proof_text(c, knot));
	fact_number(c, "threads", n);
	fact_text(c, "waits_for", names_of_locks(out, &scene->waits, first));
}

/* ---- knots ---------------------------------------------------------------------------------- */

/* Blocked in the middle of its work, and not waiting for work. */
static bool is_at_work(const struct waits_node *node)
{
	return node->lock || node->thread->wait == STATE_WAIT_WRITE;
}

/* See above: not just processes that have nothing to do. */
static bool is_no_idleness(const struct waits *w, const struct waits_node *first)
{
	const struct waits_node *at = first;
	bool all_wait_for_one = true;

	do {
		if (is_at_work(at))
			return true;
		all_wait_for_one &= at->thread->wait != STATE_WAIT_POLL;
		at = next_of(w, at);
	} while (at != first);
	return all_wait_for_one;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Returns false without memory. */
static bool tie(struct candidates *out, const struct waits *w, int circle, struct knot *knot)
{
	*knot = (struct knot){ .in = arena_take(&out->arena, w->n * sizeof(*knot->in)),
			       .until_us = UINT64_MAX,
			       .all_known = true };
	if (!knot->in) {
		out->failed = true;
		return false;
	}
	memset(knot->in, 0, w->n * sizeof(*knot->in));
	knot->n = waits_knot(w, circle, knot->in);
	bool is_known = true;

	for (size_t i = 0; i < w->n; i++) {
		if (!knot->in[i])
			continue;
		is_known &= w->node[i].thread->still_us != 0;
		knot->still_us = scene_later(knot->still_us, w->node[i].thread->still_us);
		knot->until_us = earlier(knot->until_us, w->node[i].process->dump_us);
		knot->all_known &= !w->node[i].any.n || w->node[i].any.all_known;
	}
	knot->still_us = is_known ? knot->still_us : 0;
	return true;
}

/* Those who could end one of the waits, and wait themselves. */
static void add_rest(struct candidates *out, struct candidate *c, const struct scene *scene,
		     const struct knot *knot, int circle, const struct state_process *home)
{
	const struct waits *w = &scene->waits;

	for (size_t i = 0; i < w->n; i++)
		if (knot->in[i] && w->node[i].circle != circle) {
			c->fingerprint = mix(c->fingerprint, (uint32_t)w->node[i].thread->tid);
			candidate_edge(out, c, scene, &w->node[i], home);
		}
}

/* Nobody in it has run for a while, so there was a moment in which all of them waited: feeds tell of
 * each at another one. */
static void prove_knot(struct candidate *c, const struct knot *knot)
{
	const bool is_settled = knot->still_us &&
				scene_age(knot->until_us, knot->still_us) >= STILL_US;

	c->since_us = knot->still_us ? knot->still_us : c->now_us;
	c->is_exact = true;
	c->proof = knot->all_known && is_settled ? PROOF_AT_ONCE : PROOF_NONE;
	c->asks_again = knot->all_known;
}

/* ---- the rule ------------------------------------------------------------------------------- */

static void add_circle(struct candidates *out, struct candidate *c, const struct scene *scene,
		       const struct waits_node *first, const struct state_process *home)
{
	const struct waits_node *at = first;

	do {
		c->since_us = scene_later(c->since_us, at->from_us);
		c->fingerprint = mix(c->fingerprint, (uint32_t)at->thread->tid);
		c->fingerprint = mix(c->fingerprint, at->lock ? at->lock->addr : (uint32_t)at->thread->sys);
		candidate_edge(out, c, scene, at, home);
		at = next_of(&scene->waits, at);
	} while (at != first);
}

static void prove_circle(struct candidate *c, const struct waits *w, int circle, unsigned n)
{
	/* who had the lock a moment ago and waits for it again looks the same: its owner may have
	 * been read for another thread, before */
	const bool is_settled = n > 1 || scene_age(c->now_us, c->since_us) >= ITSELF_US;

	c->proof = waits_is_proven(w, circle) && is_settled ? PROOF_AT_ONCE : PROOF_NONE;
	c->asks_again = true;
}

static void report(struct candidates *out, const struct scene *scene, int circle)
{
	const struct waits *w = &scene->waits;
	const struct waits_node *first = &w->node[w->circle[circle]];
	const bool is_knot = is_through_ends(w, circle);
	/* names of processes only where there are several */
	const struct state_process none = { 0 }, *home = home_of(w, first);
	struct knot knot;

	if (is_knot && (!is_no_idleness(w, first) || !tie(out, w, circle, &knot)))
		return;
	struct candidate *c = candidate_of_thread(out, scene, first->process, first->thread,
						  (uint64_t)first->thread->tid);
	const unsigned n = length(w, first);

	home = home ? home : &none;
	add_circle(out, c, scene, first, home);
	if (is_knot) {
		add_rest(out, c, scene, &knot, circle, home);
		prove_knot(c, &knot);
	} else {
		prove_circle(c, w, circle, n);
	}
	candidate_stuck_threads(out, c, scene, first);
	describe(out, scene, c, first, n, is_knot ? &knot : NULL);
	add_advice(out, c, w, first, n);
}

static void look(const struct scene *scene, struct candidates *out)
{
	for (size_t i = 0; i < scene->waits.circles; i++)
		if (!is_through_hub(&scene->waits, (int)i))
			report(out, scene, (int)i);
	deadlock_within(scene, out);
}

const struct rule rule_deadlock = {
	.name = "deadlock",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 0, /* nothing in a closed circle can move */
	.sources = STATE_LIVE | STATE_FEED | STATE_CORE,
	.look = look,
	.means = "Each of these threads holds what the next one waits for; none can go on.",
	.summary =
		"Threads wait for each other in a circle of things that somebody owns: mutexes, "
		"rwlocks held by a writer, threads that are joined, file locks, the other ends of pipes "
		"and sockets, children that are waited for. They may belong to "
		"several processes. A thread that locks a plain mutex twice waits for itself.",
	.detection =
		"The kernel tells in which futex a thread sleeps, the memory there tells the "
		"lock's owner, and /proc/locks that of a file. From waiter to owner the path leads "
		"back to where it began. Confirmed at once when all of its threads were asleep at "
		"one common moment: each did not run between two looks at its lock. For pipes, sockets "
		"and children every process that has the other end is asked, and none of their "
		"threads can go on or has run for 2 s; where some process may not be asked it stays a "
		"suspicion. From feeds it takes one of each process, and two dumps of all that are 2 s "
		"apart. Event loops that just wait for each other to "
		"speak are no deadlock. And where all threads of a process have slept for 2 s without "
		"a time limit on semaphores, condition variables and words of their own memory (locks "
		"of Python are such), none is left to wake another: that is suspected, for they may "
		"be meant to stand so, or a handler of a signal may wake one.",
	.causes =
		"Two places that take the same locks in different order; a callback that is called "
		"with a lock held and asks for it again; a join while holding a lock that the "
		"joined thread needs before it ends. A program that waits for its child and does not "
		"read what the child writes; two that write to each other more than a pipe has room "
		"for, or of which each waits for the other to speak first. A wake-up that was sent "
		"before anybody slept; a queue whose last writer has gone; a fork while another thread "
		"held a lock.",
	.fix =
		"Take locks in one order everywhere; do not call out, join or wait while holding "
		"one. pthread_mutexattr_settype(PTHREAD_MUTEX_ERRORCHECK) makes the second "
		"lock of one thread an error instead of a hang.",
	.confused_with =
		"owner-dead (the owner has ended); stale-wait (nobody owns it); call-cycle (a call "
		"through a hub is part of the circle); a long queue behind an owner that works or "
		"waits for something else: its path ends at a thread that is in no circle.",
};
