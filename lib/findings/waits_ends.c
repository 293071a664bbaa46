/*
 * waits_ends - paths through what any of several may end: pipes, sockets, children, event loops.
 *
 * A thread that reads from a pipe goes on as soon as any thread of any process that has it open to
 * write does its part; one in an event loop by any of its files. To say "it waits for that one" is
 * true only if nobody of them can: then it is *stuck*. Who is stuck is found by assuming it of all
 * who wait for something known, and taking it back from each that somebody who is not stuck may
 * help, until nothing changes. What remains helps itself no more, and every path in it closes.
 *
 * Not stuck, because who may end it is not known, or is a clock: waits with a time limit, timers,
 * devices, connections to elsewhere, what only the process itself could write to (its signal
 * handlers may), and whatever a source has not seen.
 */
#include <errno.h>
#include <string.h>

#include "lib/findings/waits_priv.h"

struct ends { /* by index of a node, or of the first node of a process */
	struct waits *w;
	int *first;      /* of the node's process */
	bool *is_stuck;  /* a thread */
	bool *is_free;   /* a process: some thread of it is not stuck */
	bool has_ends;   /* some path through an open file or child may be found */
};

static bool is_asleep(const struct state_thread *t)
{
	return t->state == 'S' && !t->moved;
}

/* ---- who may end it ------------------------------------------------------------------------ */

struct list { /* of processes, without doubles */
	int *first;
	size_t n, room;
	bool is_known, all_known;
};

static void add(struct list *l, int first)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->first[i] == first)
			return;
	if (first < 0 || l->n == l->room)
		l->is_known = false;
	else
		l->first[l->n++] = first;
}

static bool is_seen_whole(const struct state_process *p)
{
	return p->all_threads && !p->left_out && p->alive == STATE_YES;
}

static void add_process(const struct waits *w, const struct waits_node *node, int32_t pid, struct list *l)
{
	const int first = waits_first_of(w, node, pid);

	if (first < 0 || !is_seen_whole(w->node[first].process))
		l->is_known = false;
	else
		add(l, first);
}

/* One that the process itself may write to is a way for its signal handlers to wake it. */
static bool may_wake_itself(const struct waits_node *node, const struct state_end *e, int32_t pid)
{
	return e->reads && pid == node->process->pid &&
	       (node->process->handles != STATE_NO || node->thread->wait != STATE_WAIT_READ);
}

static void add_parties(const struct waits *w, const struct waits_node *node,
			const struct state_end *e, struct list *l)
{
	if (!e->other || !e->parties || e->parties_more)
		l->is_known = false;
	for (size_t i = 0; i < e->parties && l->is_known; i++) {
		if (may_wake_itself(node, e, e->party[i].pid))
			l->is_known = false;
		add_process(w, node, e->party[i].pid, l);
	}
	l->all_known &= e->all_known;
}

static void list_any(const struct waits *w, const struct waits_node *node, struct list *l)
{
	const struct state_thread *t = node->thread;

	for (size_t i = 0; i < t->ends && l->is_known; i++)
		add_parties(w, node, &t->end[i], l);
	for (size_t i = 0; i < t->children && l->is_known; i++)
		add_process(w, node, t->child[i].pid, l);
}

static bool waits_for_any(const struct state_thread *t)
{
	if (t->timed || !is_asleep(t))
		return false;
	if (t->wait == STATE_WAIT_CHILD)
		return t->children > 0;
	return t->ends && t->ends == t->ends_all && !t->ends_more &&
	       (t->wait == STATE_WAIT_READ || t->wait == STATE_WAIT_WRITE ||
		t->wait == STATE_WAIT_POLL);
}

static int set_any(struct ends *e, struct scene *scene, struct waits_node *node)
{
	const size_t room = node->thread->ends * 8 + node->thread->children;
	struct list l = { .room = room, .is_known = true, .all_known = true };

	l.first = arena_take(&scene->arena, room * sizeof(*l.first));
	if (!l.first)
		return -ENOMEM;
	list_any(e->w, node, &l);
	if (!l.is_known || !l.n)
		return 0;
	node->any = (struct waits_any){ l.first, l.n, l.all_known };
	e->has_ends = true;
	return 0;
}

/* Another thread of its process has to wake it: it is told as waiting for nobody in particular,
 * but where all of them are stuck it does not help either. */
bool waits_is_own(const struct state_thread *t)
{
	const struct state_lock *lock = t->lock;

	return lock && lock->word && lock->is_private && !lock->is_timed && !lock->moved &&
	       is_asleep(t);
}

static bool waits_for_one(const struct waits_node *node)
{
	return node->to >= 0 && node->lock && !node->lock->is_timed && is_asleep(node->thread);
}

/* ---- who is stuck -------------------------------------------------------------------------- */

static bool may_be_stuck(const struct waits_node *node)
{
	if (node->kind == WAITS_CALL || node->kind == WAITS_HANDLER)
		return false;
	return node->any.n || waits_for_one(node) || waits_is_own(node->thread);
}

static bool is_helped(const struct ends *e, int i)
{
	const struct waits_node *node = &e->w->node[i];

	for (size_t k = 0; k < node->any.n; k++)
		if (e->is_free[node->any.first[k]])
			return true;
	if (node->any.n)
		return false;
	/* any thread of a process may give a file's lock back */
	if (node->to >= 0)
		return node->kind == WAITS_FILE ? e->is_free[e->first[node->to]] : !e->is_stuck[node->to];
	return e->is_free[e->first[i]];
}

static void free_node(struct ends *e, int i)
{
	e->is_stuck[i] = false;
	e->is_free[e->first[i]] = true;
}

static void find_stuck(struct ends *e)
{
	const int n = (int)e->w->n;
	bool changed = true;

	for (int i = 0; i < n; i++) {
		e->is_stuck[i] = true;
		if (!may_be_stuck(&e->w->node[i]) || !is_seen_whole(e->w->node[i].process))
			free_node(e, i);
	}
	while (changed) {
		changed = false;
		for (int i = 0; i < n; i++) {
			if (!e->is_stuck[i] || !is_helped(e, i))
				continue;
			free_node(e, i);
			changed = true;
		}
	}
}

/* ---- paths --------------------------------------------------------------------------------- */

/* Of the threads of a process, the one that tells most about why it does not help. */
static int rank_of(const struct waits_node *node)
{
	if (node->to >= 0)
		return 3;
	if (!node->any.n)
		return 0;
	return node->thread->wait == STATE_WAIT_WRITE ? 3 : node->thread->wait == STATE_WAIT_POLL ? 1 : 2;
}

static int best_of(const struct ends *e, int first)
{
	int best = first;

	for (int i = first; i < (int)e->w->n && e->first[i] == first; i++)
		if (rank_of(&e->w->node[i]) > rank_of(&e->w->node[best]))
			best = i;
	return best;
}

/* The end that leads to that process. */
static const struct state_end *end_to(const struct state_thread *t, int32_t pid)
{
	for (size_t i = 0; i < t->ends; i++)
		for (size_t k = 0; k < t->end[i].parties; k++)
			if (t->end[i].party[k].pid == pid)
				return &t->end[i];
	return NULL;
}

static void set_path(struct ends *e, int i)
{
	struct waits_node *node = &e->w->node[i];
	int to = -1;

	for (size_t k = 0; k < node->any.n; k++) {
		const int best = best_of(e, node->any.first[k]);

		/* rather somebody else than itself */
		if (to < 0 || (best != i && rank_of(&e->w->node[best]) > rank_of(&e->w->node[to])) ||
		    to == i)
			to = best;
	}
	node->to = to;
	node->end = end_to(node->thread, e->w->node[to].process->pid);
	node->kind = node->thread->wait == STATE_WAIT_CHILD ? WAITS_CHILD : WAITS_END;
	node->is_sure = node->any.all_known;
	node->from_us = node->thread->still_us;
}

static int prepare(struct ends *e, struct scene *scene)
{
	const size_t n = e->w->n + 1;

	e->first = arena_take(&scene->arena, n * sizeof(*e->first));
	e->is_stuck = arena_take(&scene->arena, n * sizeof(*e->is_stuck));
	e->is_free = arena_take(&scene->arena, n * sizeof(*e->is_free));
	if (!e->first || !e->is_stuck || !e->is_free)
		return -ENOMEM;
	for (size_t i = 0; i < e->w->n; i++) {
		struct waits_node *node = &e->w->node[i];

		e->first[i] = i && node[-1].process == node->process ? e->first[i - 1] : (int)i;
		e->is_free[i] = false;
		if (node->to < 0 && waits_for_any(node->thread) && set_any(e, scene, node))
			return -ENOMEM;
	}
	return 0;
}

int waits_of_ends(struct waits *w, struct scene *scene)
{
	struct ends e = { .w = w };

	for (size_t i = 0; i < w->n; i++)
		e.has_ends |= w->node[i].thread->ends || w->node[i].thread->children;
	if (!e.has_ends)
		return 0;
	e.has_ends = false;
	if (prepare(&e, scene))
		return -ENOMEM;
	if (!e.has_ends)
		return 0;
	find_stuck(&e);
	for (size_t i = 0; i < w->n; i++)
		if (e.is_stuck[i] && w->node[i].any.n)
			set_path(&e, (int)i);
	return 0;
}

/* ---- all that a circle depends on ---------------------------------------------------------- */

struct knot {
	const struct waits *w;
	bool *in;
	bool grew;
	size_t n;
};

static void enter(struct knot *k, int i)
{
	if (i < 0 || k->in[i])
		return;
	k->in[i] = k->grew = true;
	k->n++;
}

/* All threads of the process that the node belongs to. */
static void enter_process(struct knot *k, int i)
{
	const struct waits_node *node = k->w->node;
	const struct state_process *p = node[i].process;

	while (i > 0 && node[i - 1].process == p)
		i--;
	for (; i < (int)k->w->n && node[i].process == p; i++)
		enter(k, i);
}

static void enter_helpers(struct knot *k, int i)
{
	const struct waits_node *node = &k->w->node[i];

	enter(k, node->to);
	for (size_t j = 0; j < node->any.n; j++)
		enter_process(k, node->any.first[j]);
	if (node->kind == WAITS_FILE)
		enter_process(k, node->to);
	else if (node->to < 0 && !node->any.n)
		enter_process(k, i);
}

size_t waits_knot(const struct waits *w, int circle, bool *in)
{
	struct knot k = { .w = w, .in = in };

	enter(&k, w->circle[circle]);
	while (k.grew) {
		k.grew = false;
		for (int i = 0; i < (int)w->n; i++)
			if (in[i])
				enter_helpers(&k, i);
	}
	return k.n;
}
