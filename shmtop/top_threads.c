#include "shmtop/top_threads.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/grow.h"
#include "lib/state/lock.h"

static bool has_stack(const struct state *st, const struct state_thread *t)
{
	return t->stack >= 0 && (size_t)t->stack < st->stacks;
}

/* Threads on one line of code may wait for different locks: they are not the same. But who waits for
 * work, each on a word of its own, does the same: a pool of workers is one row. */
static bool is_same_wait(const struct top_group *g, const struct state_thread *t)
{
	if (!g->lock || !t->lock)
		return g->lock == t->lock;
	return g->lock->kind == t->lock->kind &&
	       (g->lock->addr == t->lock->addr ||
		(g->doing == THREAD_IDLE && !lock_has_owner(t->lock->kind)));
}

static struct top_group *find_group(struct top_threads *list, const struct state *st,
				    const struct state_thread *t)
{
	if (!has_stack(st, t))
		return NULL;
	for (size_t i = 0; i < list->n; i++)
		if (list->group[i].stack == t->stack && list->group[i].own == t->own &&
		    list->group[i].doing == thread_doing(st, t) &&
		    is_same_wait(&list->group[i], t))
			return &list->group[i];
	return NULL;
}

static int add_thread(struct top_threads *list, const struct state *st,
		      const struct state_thread *t, bool split)
{
	struct top_group *g = split ? NULL : find_group(list, st, t);
	const int64_t blocked_us = t->blocked_us ? (int64_t)t->blocked_us : -1;

	if (!g) {
		if (!GROW(list->group, list->n, list->room))
			return -ENOMEM;
		g = &list->group[list->n++];
		*g = (struct top_group){ .stack = has_stack(st, t) ? t->stack : -1,
					 .doing = thread_doing(st, t),
					 .longest_us = -1,
					 .name = t->name ? t->name : "-",
					 .wait_text = t->wait_text,
					 .lock = t->lock,
					 .thread = t,
					 .reason = t->reason,
					 .own = t->own,
					 .tid = t->tid };
	}
	g->count++;
	g->differ |= t->lock && t->lock->addr != g->lock->addr;
	g->disturbed |= t->disturbed;
	if (blocked_us > g->longest_us)
		g->longest_us = blocked_us;
	return 0;
}

/* Ages that double: by the microsecond, rows would change places with every look. */
static int age_class(int64_t us)
{
	int n = 0;

	for (int64_t s = us / 1000000; s > 0; s /= 2)
		n++;
	return us < 0 ? -1 : n;
}

static int compare_groups(const void *a, const void *b)
{
	const struct top_group *x = a, *y = b;
	const int x_age = age_class(x->longest_us), y_age = age_class(y->longest_us);

	if (x->own != y->own)
		return x->own ? 1 : -1;
	if (x->doing != y->doing)
		return (int)x->doing - (int)y->doing;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	if (x_age != y_age)
		return x_age < y_age ? 1 : -1;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

static void name_groups(struct top_threads *list, const struct frame *f)
{
	for (size_t i = 0; i < list->n; i++) {
		struct top_group *g = &list->group[i];
		bool is_first = g->stack >= 0;

		frame_stack_name(g->id, f, g->stack);
		for (size_t k = 0; k < i && is_first; k++)
			is_first = list->group[k].stack != g->stack;
		list->stacks += is_first;
	}
}

int top_threads_make(struct top_threads *out, const struct frame *f,
		     const struct state_process *p, bool split)
{
	*out = (struct top_threads){ 0 };
	for (size_t i = 0; i < p->threads; i++) {
		if (add_thread(out, &f->st, &p->thread[i], split)) {
			top_threads_fini(out);
			return -ENOMEM;
		}
	}
	if (out->n)
		qsort(out->group, out->n, sizeof(*out->group), compare_groups);
	name_groups(out, f);
	return 0;
}

void top_threads_fini(struct top_threads *list)
{
	free(list->group);
	*list = (struct top_threads){ 0 };
}
