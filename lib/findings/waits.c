#include "lib/findings/waits_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/state/lock.h"

/* ---- nodes ------------------------------------------------------------------------------- */

static int compare_process(const struct state_process *a, const struct state_process *b)
{
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return strcmp(a->boot ? a->boot : "", b->boot ? b->boot : "");
}

static int by_thread(const void *a, const void *b)
{
	const struct waits_node *x = a, *y = b;
	const int r = x->process == y->process ? 0 : compare_process(x->process, y->process);

	return r ? r : (x->thread->tid > y->thread->tid) - (x->thread->tid < y->thread->tid);
}

static bool has_ended(const struct state_thread *t)
{
	return t->state == 'Z' || t->state == 'X';
}

static bool is_looked_at(const struct state_process *p)
{
	return !p->carried && p->alive != STATE_NO;
}

static int list_threads(struct waits *w, struct scene *scene)
{
	const struct state *st = scene->st;
	size_t room = 1;

	for (size_t i = 0; i < st->processes; i++)
		room += is_looked_at(&st->process[i]) ? st->process[i].threads : 0;
	w->node = arena_take(&scene->arena, room * sizeof(*w->node));
	if (!w->node)
		return -ENOMEM;
	for (size_t i = 0; i < st->processes; i++) {
		const struct state_process *p = &st->process[i];

		for (size_t k = 0; is_looked_at(p) && k < p->threads; k++)
			if (!p->thread[k].own && !has_ended(&p->thread[k]))
				w->node[w->n++] = (struct waits_node){
					.process = p, .thread = &p->thread[k], .to = -1, .circle = -1
				};
	}
	qsort(w->node, w->n, sizeof(*w->node), by_thread);
	return 0;
}

struct waits_node *waits_node_of(struct waits *w, const struct state_process *p, int32_t tid)
{
	const struct state_thread thread = { .tid = tid };
	const struct waits_node key = { .process = p, .thread = &thread };

	return w->n ? bsearch(&key, w->node, w->n, sizeof(key), by_thread) : NULL;
}

const struct waits_node *waits_find(const struct waits *w, const struct state_process *p,
				    const struct state_thread *t)
{
	return waits_node_of((struct waits *)w, p, t->tid);
}

static int index_of(const struct waits *w, const struct waits_node *node)
{
	return (int)(node - w->node);
}

static bool same_machine(const struct state_process *a, const struct state_process *b)
{
	return !a->boot || !b->boot || strcmp(a->boot, b->boot) == 0;
}

/* The process of that number as `from` sees it; nodes are in order of it. */
static const struct waits_node *first_of_pid(const struct waits *w, const struct waits_node *from,
					     int32_t pid)
{
	size_t lo = 0, hi = w->n;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (w->node[mid].process->pid < pid)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < w->n && w->node[lo].process->pid == pid; lo++)
		if (same_machine(w->node[lo].process, from->process))
			return &w->node[lo];
	return NULL;
}

int waits_first_of(const struct waits *w, const struct waits_node *from, int32_t pid)
{
	const struct waits_node *first = first_of_pid(w, from, pid);

	return first ? index_of(w, first) : -1;
}

/* ---- locks and joins ----------------------------------------------------------------------- */

static bool is_asleep(const struct state_thread *t)
{
	return t->state != 'R' && !t->moved;
}

/* All threads of a core stand still together; a live look has to come twice. */
static bool is_seen_well(const struct waits_node *node)
{
	return node->lock->looks == 2 || node->lock->kind == STATE_LOCK_FILE ||
	       node->process->source == STATE_CORE;
}

static void add_owner(struct waits *w, struct waits_node *node)
{
	const struct state_lock *lock = node->thread->lock;
	const struct waits_node *to;

	if (!lock || lock->kind == STATE_LOCK_FILE || !lock_has_owner(lock->kind) || lock->moved ||
	    !lock->owner_tid || lock->owner_alive == STATE_NO || !is_asleep(node->thread))
		return;
	to = lock->owner_pid == node->process->pid || lock->owner_pid <= 0
		     ? waits_node_of(w, node->process, lock->owner_tid)
		     : NULL;
	if (!to && lock->owner_pid > 0) {
		const struct waits_node *there = first_of_pid(w, node, lock->owner_pid);

		to = there ? waits_node_of(w, there->process, lock->owner_tid) : NULL;
	}
	if (!to)
		return;
	node->kind = lock->kind == STATE_LOCK_JOIN ? WAITS_JOIN : WAITS_LOCK;
	node->lock = lock;
	node->to = index_of(w, to);
	node->is_sure = is_seen_well(node);
	node->from_us = lock->from_us;
	node->to_us = lock->to_us;
}

/* ---- file locks -------------------------------------------------------------------------- */

/*
 * A process has the file locked, and any of its threads may give it back. If it has one, that
 * is the one. Else the one that waits stands for them all, and that is sure only if none of
 * them goes on.
 */
static const struct waits_node *who_gives_back(const struct waits *w, const struct waits_node *first,
					       bool *is_sure)
{
	const struct waits_node *found = NULL;
	size_t n = 0, waiting = 0;

	for (const struct waits_node *at = first;
	     at < w->node + w->n && at->process == first->process; at++) {
		const struct state_lock *lock = at->thread->lock;
		const bool waits = at->to >= 0 || (lock && lock->kind == STATE_LOCK_FILE);

		n++;
		waiting += waits;
		if (waits && !found)
			found = at;
	}
	*is_sure = waiting == n || n == 1;
	return n == 1 ? first : found;
}

static void add_file_holder(struct waits *w, struct waits_node *node)
{
	const struct state_lock *lock = node->thread->lock;
	const struct waits_node *first;

	if (!lock || lock->kind != STATE_LOCK_FILE || lock->owner_pid <= 0 ||
	    lock->owner_alive == STATE_NO || !is_asleep(node->thread))
		return;
	first = first_of_pid(w, node, lock->owner_pid);
	if (!first)
		return;
	const struct waits_node *to = who_gives_back(w, first, &node->is_sure);

	if (!to)
		return;
	node->kind = WAITS_FILE;
	node->lock = lock;
	node->to = index_of(w, to);
	/* the system's list was read at one moment: only who slept on was not seen in between */
	node->is_sure &= first->process->all_threads && lock->from_us < lock->to_us;
	node->from_us = lock->from_us;
	node->to_us = lock->to_us;
}

/* ---- circles ----------------------------------------------------------------------------- */

static void close_circle(struct waits *w, int at)
{
	int first = at, i = at;

	do {
		w->node[i].circle = (int)w->circles;
		first = i < first ? i : first;
		i = w->node[i].to;
	} while (i != at);
	w->circle[w->circles++] = first;
}

/* Each node has one way on, so every walk ends, meets an older one, or closes a circle. */
static int find_circles(struct waits *w, struct scene *scene)
{
	unsigned *walk = arena_take(&scene->arena, (w->n + 1) * sizeof(*walk));

	w->circle = arena_take(&scene->arena, (w->n + 1) * sizeof(*w->circle));
	if (!walk || !w->circle)
		return -ENOMEM;
	for (size_t i = 0; i < w->n; i++) {
		int at = (int)i;

		while (at >= 0 && !walk[at]) {
			walk[at] = (unsigned)i + 1;
			at = w->node[at].to;
		}
		if (at >= 0 && walk[at] == i + 1)
			close_circle(w, at);
	}
	return 0;
}

static bool is_through_hub(const struct waits_node *node)
{
	return node->kind == WAITS_CALL || node->kind == WAITS_HANDLER;
}

bool waits_is_proven(const struct waits *w, int circle)
{
	const int first = w->circle[circle];
	uint64_t from_us = 0, to_us = UINT64_MAX;
	int i = first;

	do {
		const struct waits_node *node = &w->node[i];

		if (!node->is_sure || is_through_hub(node))
			return false;
		from_us = scene_later(from_us, node->from_us);
		to_us = node->to_us < to_us ? node->to_us : to_us;
		i = node->to;
	} while (i != first);
	return from_us <= to_us || w->node[first].process->source == STATE_CORE;
}

bool waits_has(const struct waits *w, int circle, enum waits_kind kind)
{
	const int first = w->circle[circle];
	int i = first;

	do {
		if (w->node[i].kind == kind)
			return true;
		i = w->node[i].to;
	} while (i != first);
	return false;
}

/* ---- all of it --------------------------------------------------------------------------- */

int waits_build(struct waits *w, struct scene *scene)
{
	*w = (struct waits){ 0 };
	if (list_threads(w, scene))
		return -ENOMEM;
	for (size_t i = 0; i < w->n; i++)
		add_owner(w, &w->node[i]);
	for (size_t i = 0; i < w->n; i++)
		add_file_holder(w, &w->node[i]);
	for EACH_HUB(scene, hub)
		if (waits_of_hub(w, scene, hub))
			return -ENOMEM;
	if (waits_of_ends(w, scene))
		return -ENOMEM;
	return find_circles(w, scene);
}

struct waits_and_scene { /* what waits_create() returns: the graph lies in the scene's memory */
	struct waits waits;
	struct scene scene;
};

struct waits *waits_create(const struct state *st)
{
	struct waits_and_scene *both = calloc(1, sizeof(*both));

	if (both && scene_build(&both->scene, st) == 0) {
		both->waits = both->scene.waits;
		return &both->waits;
	}
	if (both)
		scene_fini(&both->scene);
	free(both);
	return NULL;
}

void waits_destroy(struct waits *w)
{
	struct waits_and_scene *both = (struct waits_and_scene *)w;

	if (!both)
		return;
	scene_fini(&both->scene);
	free(both);
}
