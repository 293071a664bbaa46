#include <stdlib.h>
#include <string.h>

#include "lib/report/report_priv.h"
#include "lib/state/ends.h"

static void put_frame(const struct paper *p, unsigned indent, unsigned i,
		      const struct state_frame *f)
{
	char name[512], place[256] = "";

	if (f->function)
		snprintf(name, sizeof(name), "%s", f->function);
	else if (f->module)
		snprintf(name, sizeof(name), "%s+0x%llx", f->module, (unsigned long long)f->offset);
	else
		snprintf(name, sizeof(name), "0x%llx", (unsigned long long)f->offset);
	if (f->function && f->file && f->line)
		snprintf(place, sizeof(place), "%s:%d", f->file, f->line);
	else if (f->function && f->module)
		snprintf(place, sizeof(place), "%s", f->module);
	else if (!f->function && !f->module)
		snprintf(place, sizeof(place), "(code of no file)");
	/* a name that is followed by nothing is not filled up */
	paper_put(p, "%*s#%-2u %-*s%s%s%s%s\n", (int)indent, "", i, *place ? 22 : 0, name,
		  *place ? " " : "", place,
		  f->inlined ? " (inlined)" : "", f->guessed ? " (guessed)" : "");
}

void report_frames(const struct paper *p, unsigned indent, const struct state_stack *s)
{
	for (size_t i = 0; i < s->frames; i++)
		put_frame(p, indent, (unsigned)i, &s->frame[i]);
	if (s->end)
		paper_put(p, "%*s(ends here: %s)\n", (int)indent + 4, "", s->end);
}

/* ---- who has it ----------------------------------------------------------------------------- */

struct group { /* threads with one stack */
	const struct state_process *process;
	const struct state_thread *thread;
	unsigned n, processes;
	uint64_t blocked_us; /* the longest */
};

static void add_to_groups(const struct state *st, struct group *group)
{
	for (size_t i = 0; i < st->processes; i++) {
		const struct state_process *pr = &st->process[i];

		for (size_t k = 0; k < pr->threads; k++) {
			const struct state_thread *t = &pr->thread[k];

			if (t->stack < 0 || (size_t)t->stack >= st->stacks)
				continue;
			struct group *g = &group[t->stack];

			g->processes += g->process != pr;
			g->process = pr;
			g->thread = g->n++ ? g->thread : t;
			if (t->blocked_us > g->blocked_us)
				g->blocked_us = t->blocked_us;
		}
	}
}

static const struct state_peer *peer_of(const struct state *st, const struct state_process *pr)
{
	for (size_t i = 0; i < st->hubs; i++)
		for (size_t k = 0; k < st->hub[i].peers; k++)
			if (st->hub[i].peer[k].id &&
			    st->hub[i].peer[k].process == (int)(pr - st->process))
				return &st->hub[i].peer[k];
	return NULL;
}

static void put_who(const struct paper *p, const struct state *st, const struct group *g)
{
	const struct state_peer *peer = peer_of(st, g->process);
	const char *name = g->process->name ? g->process->name : "-";

	if (g->processes > 1)
		paper_put(p, "%u processes", g->processes);
	else if (peer)
		paper_put(p, "%s(%u) %d", peer->name ? peer->name : name, peer->id,
			  g->process->pid);
	else
		paper_put(p, "%s %d", name, g->process->pid);
	if (g->n == 1 && g->thread->name && strcmp(g->thread->name, name) != 0)
		paper_put(p, " %s", g->thread->name);
}

static void put_group(const struct paper *p, const struct report *r, const char *label,
		      unsigned index, const struct group *g)
{
	const struct state_thread *t = g->thread;
	char age[UNITS_TEXT], watched[ENDS_TEXT];

	paper_ink(p, INK_BOLD, "%-*sS%-3u", REPORT_COLUMN, label, r->number[index]);
	paper_put(p, "%u thread%s   ", g->n, g->n == 1 ? " " : "s");
	put_who(p, r->st, g);
	paper_put(p, "   %s",
		  t->wait_text	    ? t->wait_text
		  : t->state == 'R' ? "running"
				    : "unknown wait");
	if (g->blocked_us)
		paper_put(p, ", %s", units_span(age, g->blocked_us * 1000));
	paper_put(p, "%s%s\n", t->disturbed ? "   (interrupted to be read)" : "",
		  t->own ? "   (of libsigdump)" : "");
	if (g->n == 1 && ends_text(g->process, t, watched)[0])
		paper_label(p, REPORT_COLUMN + 6, "watches", REPORT_COLUMN + 14, INK_PLAIN, watched);
}

static bool is_named(const struct report *r, unsigned index)
{
	for (size_t i = 0; i < r->findings->n; i++)
		if (r->findings->list[i]->where.stack == (int)index)
			return true;
	return false;
}

/* Stacks that a finding names, and of threads that do not just wait for work. */
static bool is_wanted(const struct paper *p, const struct report *r, unsigned index,
		      const struct group *g)
{
	return p->verbose || is_named(r, index) || thread_doing(r->st, g->thread) != THREAD_IDLE;
}

static void put_missing(const struct paper *p, const struct state *st)
{
	enum { SHOWN = 10 };
	size_t n = 0;

	for (size_t i = 0; i < st->processes; i++) {
		const struct state_process *pr = &st->process[i];

		for (size_t k = 0; k < pr->threads; k++) {
			const struct state_thread *t = &pr->thread[k];

			if (t->stack >= 0 || !t->reason || n++ >= SHOWN)
				continue;
			paper_put(p, "%*s-   %s %d tid %d   no stack (state %c): %s\n",
				  REPORT_COLUMN, "", pr->name ? pr->name : "-", pr->pid, t->tid,
				  t->state, t->reason);
		}
	}
	if (n > SHOWN)
		paper_put(p, "%*s(%zu more threads without a stack)\n", REPORT_COLUMN, "",
			  n - SHOWN);
}

enum { STACKS_SHOWN = 50 };

void report_stacks(const struct paper *p, const struct report *r)
{
	struct group *group = calloc(r->st->stacks + 1, sizeof(*group));
	size_t shown = 0, left_out = 0;

	if (!group)
		return;
	add_to_groups(r->st, group);
	for (unsigned i = 0; i < r->st->stacks; i++) {
		const unsigned index = r->order[i];

		if (!group[index].n)
			continue;
		if (!is_wanted(p, r, index, &group[index]) ||
		    (!p->verbose && shown >= STACKS_SHOWN)) {
			left_out++;
			continue;
		}
		put_group(p, r, shown++ ? "" : "STACKS", index, &group[index]);
		report_frames(p, REPORT_COLUMN + 6, &r->st->stack[index]);
	}
	if (left_out)
		paper_put(p, "%-*s(%zu %sstacks, of threads that wait for work: -v)\n",
			  REPORT_COLUMN, shown ? "" : "STACKS", left_out, shown ? "more " : "");
	put_missing(p, r->st);
	free(group);
}
