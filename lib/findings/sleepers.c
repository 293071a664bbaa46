#include "lib/findings/sleepers_priv.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lib/state/lock.h"

enum { NAMED = 4 }; /* threads that are named; the rest is counted */

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_word(const void *a, const void *b)
{
	const struct waits_node *x = *(const struct waits_node *const *)a;
	const struct waits_node *y = *(const struct waits_node *const *)b;
	int r = compare_u64((uint32_t)x->process->pid, (uint32_t)y->process->pid);

	r = r ? r : compare_u64(x->process->start, y->process->start);
	r = r ? r : compare_u64(x->thread->lock->word, y->thread->lock->word);
	return r ? r : compare_u64((uint32_t)x->thread->tid, (uint32_t)y->thread->tid);
}

static bool is_together(const struct waits_node *a, const struct waits_node *b)
{
	return a->process == b->process && a->thread->lock->word == b->thread->lock->word;
}

void sleepers_each(const struct scene *scene,
		   void (*look)(const struct scene *scene, const struct sleepers *group,
				struct candidates *out),
		   struct candidates *out)
{
	const struct waits *w = &scene->waits;
	const struct waits_node **list = arena_take(&out->arena, (w->n + 1) * sizeof(*list));
	size_t n = 0;

	if (!list) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < w->n; i++)
		if (w->node[i].thread->lock && w->node[i].thread->lock->word)
			list[n++] = &w->node[i];
	qsort(list, n, sizeof(*list), by_word);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && is_together(list[i], list[k]); k++)
			;
		look(scene, &(struct sleepers){ &list[i], k - i }, out);
	}
}

const char *sleepers_who(struct candidates *out, const struct sleepers *group)
{
	char buf[WAITS_TEXT];
	const char *words = text(out, "%s", waits_who(group->node[0], NULL, buf));

	if (group->n == 1)
		return words;
	for (size_t i = 1; i < group->n && i < NAMED; i++)
		words = text(out, "%s, %" PRId32, words, group->node[i]->thread->tid);
	return text(out, "%zu threads (%s%s)", group->n, words, group->n > NAMED ? ", ..." : "");
}

const char *sleepers_lock(struct candidates *out, const struct sleepers *group)
{
	char buf[LOCK_TEXT];

	return text(out, "%s", lock_text(group->node[0]->thread->lock, buf));
}

uint64_t sleepers_asleep_us(const struct sleepers *group)
{
	uint64_t us = 0;

	for (size_t i = 0; i < group->n; i++)
		us = scene_later(us, group->node[i]->thread->lock->from_us);
	return us;
}

void sleepers_add(struct candidates *out, struct candidate *c, const struct scene *scene,
		  const struct sleepers *group)
{
	for (size_t i = 0; i < group->n; i++) {
		candidate_edge(out, c, scene, group->node[i], NULL);
		candidate_stuck_threads(out, c, scene, group->node[i]);
	}
}
