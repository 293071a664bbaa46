/* verdict - one sentence: the causes that were confirmed, or that there is nothing. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/units.h"
#include "lib/findings/judge_priv.h"

enum { ALSO = 2 }; /* further causes that are named; the rest is counted */

static bool is_named(const struct finding *f)
{
	return f->state == FINDING_CONFIRMED && f->rule->severity != SEVERITY_INFO &&
	       !f->consequence_of;
}

static const char *also(struct arena *arena, const struct findings *all,
			const struct finding *first)
{
	const char *words = "";
	unsigned n = 0, more = 0;

	for (size_t i = 0; i < all->n; i++)
		more += is_named(all->list[i]);
	more -= 1; /* the first */
	for (size_t i = 0; words && i < all->n && n < ALSO; i++) {
		const struct finding *f = all->list[i];

		if (f == first || !is_named(f))
			continue;
		n++;
		more--;
		words = arena_printf(arena, "%s%s%s", words,
				     n == 1 ? " Also: " : more ? ", " : ", and ", f->also);
	}
	if (!words || !n)
		return words;
	return more ? arena_printf(arena, "%s, and %u more.", words, more)
		    : arena_printf(arena, "%s.", words);
}

/* ---- when there is nothing ------------------------------------------------------------------ */

static int by_pid(const void *a, const void *b)
{
	const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

/* Processes of this state, whether a hub or the system told of them. */
static size_t count_processes(const struct state *st)
{
	size_t n = 0, room = st->processes + st->hubs, distinct = 0;

	for (size_t i = 0; i < st->hubs; i++)
		room += st->hub[i].peers;
	int32_t *pid = malloc((room + 1) * sizeof(*pid));

	if (!pid)
		return st->processes;
	for (size_t i = 0; i < st->processes; i++)
		if (st->process[i].alive != STATE_NO)
			pid[n++] = st->process[i].pid;
	for (size_t i = 0; i < st->hubs; i++) {
		const struct state_hub *h = &st->hub[i];

		pid[n++] = h->host_pid;
		for (size_t k = 0; k < h->peers; k++)
			if (h->peer[k].id && (h->peer[k].state == HUB_PEER_STARTING ||
					      h->peer[k].state == HUB_PEER_LIVE ||
					      h->peer[k].state == HUB_PEER_LEAVING))
				pid[n++] = h->peer[k].pid;
	}
	qsort(pid, n, sizeof(*pid), by_pid);
	for (size_t i = 0; i < n; i++)
		distinct += pid[i] > 0 && (i == 0 || pid[i] != pid[i - 1]);
	free(pid);
	return distinct;
}

/* "5 s", not "5.0 s": nobody asks for tenths of a time in which nothing happened. */
static const char *looked_for(struct arena *arena, const struct findings *all)
{
	char buf[UNITS_TEXT];

	if (all->looks < 2)
		return "one look at";
	if (all->span_us < SECOND_US)
		return arena_printf(arena, "%s of", units_span(buf, all->span_us * 1000));
	if (all->span_us < 60 * (uint64_t)SECOND_US)
		return arena_printf(arena, "%u s of",
				    (unsigned)((all->span_us + SECOND_US / 2) / SECOND_US));
	return arena_printf(arena, "%s of", units_span(buf, all->span_us * 1000));
}

static const struct finding *first_suspected(const struct findings *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i]->state == FINDING_SUSPECTED &&
		    all->list[i]->rule->severity != SEVERITY_INFO)
			return all->list[i];
	return NULL;
}

static const char *nothing(struct arena *arena, const struct findings *all, const struct state *st)
{
	const size_t n = count_processes(st);
	const char *span = looked_for(arena, all);
	const struct finding *f = first_suspected(all);
	const char *processes = n == 1 ? "process" : "processes";

	/* silence about what could not be read is no health */
	if (!st->processes && !st->hubs)
		return "nothing to judge: no process and no hub is in what was given";
	if (!span)
		return NULL;
	if (!f)
		return arena_printf(arena, "no findings in %s %zu %s", span, n, processes);
	return arena_printf(arena, "nothing confirmed in %s %zu %s; suspected: %s", span, n,
			    processes, f->sentence);
}

const char *verdict_make(struct arena *arena, const struct findings *all, const struct state *st)
{
	for (size_t i = 0; i < all->n; i++) {
		if (!is_named(all->list[i]))
			continue;
		const char *more = also(arena, all, all->list[i]);

		return more ? arena_printf(arena, "%s.%s", all->list[i]->sentence, more) : NULL;
	}
	return nothing(arena, all, st);
}
