/*
 * report_followed - whom a process waits for: one line each, so that the page of a hang that somebody
 * else has caused says so before its stacks.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "lib/report/report_priv.h"

struct walk {
	const struct state *st;
	bool *seen;     /* by index of a process */
	size_t *queue;  /* indices, in the order in which they were reached */
	size_t n;
};

bool report_is_followed(const struct state *st, int32_t pid)
{
	const struct state_process *p = pid > 0 ? state_find_process(st, pid, 0) : NULL;

	return p && !p->family && !p->carried && p->source == STATE_LIVE;
}

static void reach(struct walk *w, int32_t pid)
{
	if (!report_is_followed(w->st, pid))
		return;
	const size_t i = (size_t)(state_find_process(w->st, pid, 0) - w->st->process);

	if (w->seen[i])
		return;
	w->seen[i] = true;
	w->queue[w->n++] = i;
}

/* What anybody may end, an event loop, is no wait for somebody. */
static void reach_from_thread(struct walk *w, const struct state_thread *t)
{
	if (t->lock && t->lock->kind == STATE_LOCK_FILE)
		reach(w, t->lock->owner_pid);
	for (size_t i = 0; i < t->children; i++)
		reach(w, t->child[i].pid);
	for (size_t i = 0; t->wait != STATE_WAIT_POLL && i < t->ends; i++)
		for (size_t k = 0; k < t->end[i].parties; k++)
			reach(w, t->end[i].party[k].pid);
}

static void reach_from(struct walk *w, const struct state_process *p)
{
	for (size_t i = 0; i < p->threads; i++)
		reach_from_thread(w, &p->thread[i]);
}

/* The thread that tells most of it: a blocked one, else the first. */
static const struct state_thread *teller_of(const struct state *st, const struct state_process *p)
{
	const struct state_thread *best = NULL;

	for (size_t i = 0; i < p->threads; i++)
		if (!p->thread[i].own &&
		    (!best || thread_doing(st, &p->thread[i]) < thread_doing(st, best)))
			best = &p->thread[i];
	return best;
}

static void put_line(const struct paper *p, const struct state *st, const struct state_process *pr,
		     const char *label)
{
	const struct state_thread *t = teller_of(st, pr);

	paper_ink(p, INK_BOLD, "%-*s", REPORT_COLUMN, label);
	paper_put(p, "%s, pid %" PRId32 ": ", pr->name ? pr->name : "-", pr->pid);
	if (!t) {
		paper_put(p, "no thread of it could be looked at\n");
		return;
	}
	if (pr->threads > 1)
		paper_put(p, "%zu threads, \"%s\" ", pr->threads, t->name ? t->name : "-");
	paper_put(p, "%s%s%s\n", thread_doing_word(thread_doing(st, t)), t->wait_text ? " in " : "",
		  t->wait_text ? t->wait_text : "");
}

void report_followed(const struct paper *p, const struct report *r, const struct state_process *process)
{
	struct walk w = { .st = r->st };

	w.seen = calloc(r->st->processes + 1, sizeof(*w.seen));
	w.queue = calloc(r->st->processes + 1, sizeof(*w.queue));
	if (w.seen && w.queue)
		reach_from(&w, process);
	for (size_t i = 0; i < w.n; i++) {
		put_line(p, r->st, &r->st->process[w.queue[i]], i ? "" : "WAITS FOR");
		reach_from(&w, &r->st->process[w.queue[i]]);
	}
	free(w.seen);
	free(w.queue);
}
