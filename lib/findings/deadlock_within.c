/*
 * deadlock_within - all threads of a process sleep, and each waits for a wake-up that only another one
 * of them could give: by a semaphore, a condition variable, a word of their own memory. Nobody owns
 * these, so no path leads from one to the next; but when none of them is left, who should do it? Locks
 * of Python, Java and Go are of this kind, and so is every queue.
 *
 * It is suspected, not confirmed: a program may mean to stand so, until somebody ends it, with a
 * pool of threads that never got work; and a handler of a signal may wake one. A thread that is
 * alone is left out for that reason. But nobody sleeps for ever on a lock of the C library on
 * purpose: a fork has copied one that another thread held, and that is certain.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/findings/candidate_priv.h"
#include "lib/findings/rules_priv.h"
#include "lib/findings/waits_priv.h"
#include "lib/state/lock.h"

enum { STILL_US = 2 * SECOND_US };

struct group { /* the threads of a process, which stand together */
	const struct waits *w;
	int first, end;
	uint64_t still_us; /* since when none of them has run; 0: not known */
};

static bool is_inside(const struct group *g, int i)
{
	return i >= g->first && i < g->end;
}

/* It was not woken: a wake-up that got lost is stale-wait's. */
static bool is_unchanged(const struct state_lock *lock)
{
	return !lock->looks || lock->value[lock->looks - 1] == lock->expected;
}

/* Whoever could end its wait is a thread of this process. */
static bool needs_another(const struct group *g, int i)
{
	const struct waits_node *node = &g->w->node[i];
	const struct state_lock *lock = node->thread->lock;

	if (node->circle >= 0 || node->any.n || !lock || lock->moved || node->thread->state != 'S' ||
	    node->thread->moved)
		return false;
	if (lock_has_owner(lock->kind))
		return is_inside(g, node->to) && !lock->is_timed;
	return node->to < 0 && waits_is_own(node->thread) && is_unchanged(lock);
}

/* Of the C library, in a process that has no other thread. */
static bool is_copied_lock(const struct group *g)
{
	return g->end - g->first == 1 &&
	       g->w->node[g->first].thread->lock->kind == STATE_LOCK_LOW;
}

static bool is_stuck(struct group *g)
{
	const struct state_process *p = g->w->node[g->first].process;
	bool is_known = true;

	if (!p->all_threads || p->left_out)
		return false;
	for (int i = g->first; i < g->end; i++) {
		const uint64_t still = g->w->node[i].thread->still_us;

		if (!needs_another(g, i))
			return false;
		is_known &= still != 0;
		g->still_us = scene_later(g->still_us, still);
	}
	g->still_us = is_known ? g->still_us : 0;
	return g->end - g->first > 1 || is_copied_lock(g);
}

/* ---- words ---------------------------------------------------------------------------------- */

static bool has_function(const struct state *st, const struct state_thread *t, const char *function)
{
	if (t->stack < 0 || (size_t)t->stack >= st->stacks)
		return false;
	const struct state_stack *s = &st->stack[t->stack];

	for (size_t i = 0; i < s->frames; i++)
		if (s->frame[i].function && strcmp(s->frame[i].function, function) == 0)
			return true;
	return false;
}

static bool is_python(const struct scene *scene, const struct group *g)
{
	for (int i = g->first; i < g->end; i++)
		if (has_function(scene->st, g->w->node[i].thread, "PyThread_acquire_lock_timed"))
			return true;
	return false;
}

static void add_advice(struct candidates *out, struct candidate *c, const struct scene *scene,
		       const struct group *g)
{
	const struct state_process *p = g->w->node[g->first].process;

	if (g->end - g->first == 1)
		candidate_next(c, "a fork copied the lock while another thread held it, and not that "
				  "thread: between fork and exec call only what is async-signal-safe");
	else
		candidate_next(c, "who should have woken the first of them: did it send the wake-up "
				  "before anybody slept, or does it wait here itself?");
	if (is_python(scene, g))
		candidate_next(c, text(out, "locks of Python are semaphores without an owner: py-spy dump "
					    "-p %" PRId32 ", or faulthandler, tells the lines", p->pid));
	if (p->source == STATE_LIVE)
		candidate_next(c, text(out, "sigdump dump -p %" PRId32 "   (every stack in full)", p->pid));
}

static const char *proof_text(const struct candidate *c, const struct state_process *p)
{
	if (c->proof == PROOF_AT_ONCE)
		return "none of them has run since, and none has a time limit";
	if (p->handles == STATE_NO)
		return c->asks_again ? "not seen for long enough: look again"
				     : "they may be meant to stand so until the process is ended";
	return p->handles == STATE_YES ? "a handler of a signal may wake one of them"
				       : "whether a handler of a signal may wake one of them is not known";
}

/* "the only thread", "both threads", "all 5 threads" */
static const char *all_of(struct candidates *out, unsigned n)
{
	return n == 1 ? "the only thread" : n == 2 ? "both threads" : text(out, "all %u threads", n);
}

static void describe(struct candidates *out, const struct scene *scene, struct candidate *c,
		     const struct group *g)
{
	const struct waits_node *first = &g->w->node[g->first];
	const unsigned n = (unsigned)(g->end - g->first);
	const char *since = g->still_us ? " for at least {held}" : "";
	const char *whose = who_process(out, scene, first->process), *all = all_of(out, n);
	const char *wait = n == 1 ? "waits" : "wait";
	const char *or_signal = first->process->handles == STATE_NO ? "" : ", or a handler of a signal,";

	c->brief = n == 1 ? text(out, "%s waits for a wake-up that only another one%s could give", all,
				 or_signal)
			  : text(out, "%s wait for wake-ups that only they%s could give", all, or_signal);
	c->also = text(out, "%s of %s %s for each other", all, whose, wait);
	c->sentence = text(out, "%s of %s %s%s for wake-ups that only %s%s could give: %s", all, whose, wait,
			   since, n == 1 ? "another one" : "they", or_signal,
			   edges_text(out, c, 4, n));
	c->evidence = text(out, "%s; %s; {unchanged}", edges_text(out, c, FINDING_EDGES, n),
			   proof_text(c, first->process));
	fact_number(c, "threads", n);
}

/* ---- the rule ------------------------------------------------------------------------------- */

/* The main thread, where it is there, is the one that people know. */
static const struct waits_node *face_of(const struct group *g)
{
	for (int i = g->first; i < g->end; i++)
		if (g->w->node[i].thread->tid == g->w->node[i].process->pid)
			return &g->w->node[i];
	return &g->w->node[g->first];
}

static void report(const struct scene *scene, struct candidates *out, const struct group *g)
{
	const struct waits_node *face = face_of(g);
	const struct state_process *p = face->process;
	struct candidate *c = candidate_of_thread(out, scene, p, face->thread, (uint64_t)p->pid << 32);
	const bool is_settled = g->still_us && scene_age(c->now_us, g->still_us) >= STILL_US;
	const bool is_sure = is_copied_lock(g) && p->handles == STATE_NO && p->alive == STATE_YES;

	for (int i = g->first; i < g->end; i++) {
		c->fingerprint = mix(c->fingerprint, (uint32_t)g->w->node[i].thread->tid);
		candidate_edge(out, c, scene, &g->w->node[i], p);
		candidate_stuck_threads(out, c, scene, &g->w->node[i]);
	}
	c->since_us = g->still_us ? g->still_us : c->now_us;
	c->is_exact = true;
	c->proof = is_sure && is_settled ? PROOF_AT_ONCE : PROOF_NONE;
	c->asks_again = !is_settled;
	describe(out, scene, c, g);
	add_advice(out, c, scene, g);
}

/* From a feed nobody can ask again: what is not settled there is the moment, and no finding. */
static bool is_worth_it(const struct group *g, const struct scene *scene)
{
	const struct state_process *p = g->w->node[g->first].process;

	return p->alive == STATE_YES ||
	       (g->still_us && scene_age(scene->st->now_us, g->still_us) >= STILL_US);
}

void deadlock_within(const struct scene *scene, struct candidates *out)
{
	const struct waits *w = &scene->waits;

	for (int i = 0; i < (int)w->n;) {
		struct group g = { .w = w, .first = i };

		while (i < (int)w->n && w->node[i].process == w->node[g.first].process)
			i++;
		g.end = i;
		if (is_stuck(&g) && is_worth_it(&g, scene))
			report(scene, out, &g);
	}
}
