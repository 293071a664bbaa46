/*
 * report_dump - a process as `sigdump dump` shows it: everything about it that was captured, for
 * somebody who asked for just this. Stacks are numbered for this process alone.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/report/report_priv.h"
#include "lib/state/ends.h"
#include "lib/state/lock.h"

struct dump_stack { /* threads of the process with one stack */
	unsigned index;
	const struct state_thread **thread;
	size_t n;
	enum thread_doing doing;
	uint64_t blocked_us;
};

struct dump {
	const struct report *r;
	const struct state_process *process;
	const struct state_hub *hub;   /* it is host or peer of; NULL */
	const struct state_peer *peer; /* NULL: the host, or no hub */
	const struct state_thread **thread; /* those with a stack, by stack and tid */
	struct dump_stack *stack;
	size_t stacks;
	size_t threads, captured, disturbed; /* of the program; own: of our library */
	size_t own;
};

static void find_role(struct dump *d)
{
	const struct state *st = d->r->st;
	const int index = (int)(d->process - st->process);

	for (size_t i = 0; i < st->hubs; i++) {
		if (st->hub[i].host_pid == d->process->pid)
			d->hub = &st->hub[i];
		for (size_t k = 0; k < st->hub[i].peers; k++) {
			if (!st->hub[i].peer[k].id || st->hub[i].peer[k].process != index)
				continue;
			d->hub = &st->hub[i];
			d->peer = &st->hub[i].peer[k];
			return;
		}
	}
}

static void count_threads(struct dump *d)
{
	for (size_t i = 0; i < d->process->threads; i++) {
		const struct state_thread *t = &d->process->thread[i];

		d->own += t->own;
		d->threads += !t->own;
		d->captured += !t->own && t->stack >= 0;
		d->disturbed += t->disturbed;
	}
	d->threads += d->process->left_out;
}

/* ---- stacks --------------------------------------------------------------------------------- */

static int by_doing(const void *a, const void *b)
{
	const struct dump_stack *x = a, *y = b;

	if (x->doing != y->doing)
		return (int)x->doing - (int)y->doing;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static int by_stack(const void *a, const void *b)
{
	const struct state_thread *x = *(const struct state_thread *const *)a;
	const struct state_thread *y = *(const struct state_thread *const *)b;

	if (x->stack != y->stack)
		return x->stack < y->stack ? -1 : 1;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Groups of the process's threads, in order of the page. */
static int group_threads(struct dump *d)
{
	size_t n = 0;

	d->thread = calloc(d->process->threads + 1, sizeof(*d->thread));
	d->stack = calloc(d->process->threads + 1, sizeof(*d->stack));
	if (!d->thread || !d->stack)
		return -1;
	for (size_t i = 0; i < d->process->threads; i++)
		if (d->process->thread[i].stack >= 0 && !d->process->thread[i].own)
			d->thread[n++] = &d->process->thread[i];
	qsort(d->thread, n, sizeof(*d->thread), by_stack);
	for (size_t i = 0; i < n; i++) {
		const struct state_thread *t = d->thread[i];
		const enum thread_doing doing = thread_doing(d->r->st, t);

		if (!i || t->stack != d->thread[i - 1]->stack)
			d->stack[d->stacks++] = (struct dump_stack){ .index = (unsigned)t->stack,
								     .thread = &d->thread[i],
								     .doing = THREAD_IDLE };
		struct dump_stack *s = &d->stack[d->stacks - 1];

		s->n++;
		s->doing = doing < s->doing ? doing : s->doing;
		s->blocked_us = t->blocked_us > s->blocked_us ? t->blocked_us : s->blocked_us;
	}
	qsort(d->stack, d->stacks, sizeof(*d->stack), by_doing);
	return 0;
}

static void put_threads(const struct paper *p, const struct dump_stack *s)
{
	const struct state_thread *first = s->thread[0], *last = s->thread[s->n - 1];

	paper_put(p, "%d", first->tid);
	if (s->n > 1)
		paper_put(p, "..%d", last->tid);
	if (first->name)
		paper_put(p, " \"%s\"", first->name);
	if (s->n > 1 && last->name && first->name && strcmp(first->name, last->name) != 0)
		paper_put(p, "..\"%s\"", last->name);
}

/* Threads that stand in the same place may wait for different things: two locks, say. */
static bool waits_differ(const struct dump_stack *s)
{
	for (size_t i = 1; i < s->n; i++) {
		const char *a = s->thread[0]->wait_text, *b = s->thread[i]->wait_text;

		if (a && b && strcmp(a, b) != 0)
			return true;
	}
	return false;
}

static void put_each_wait(const struct paper *p, const struct dump_stack *s)
{
	enum { SHOWN = 8 };

	for (size_t i = 0; i < s->n && i < SHOWN; i++) {
		const struct state_thread *t = s->thread[i];

		paper_put(p, "      tid %d \"%s\"  in %s\n", t->tid, t->name ? t->name : "-",
			  t->wait_text ? t->wait_text : "-");
	}
	if (s->n > SHOWN)
		paper_put(p, "      and %zu more\n", s->n - SHOWN);
}

/* What an event loop watches; several threads may have sets of their own. */
static void put_watched(const struct paper *p, const struct dump *d, const struct dump_stack *s)
{
	enum { SHOWN = 4 };
	const struct state_end *last = NULL;
	char text[ENDS_TEXT], label[40];
	size_t sets = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct state_thread *t = s->thread[i];

		if (!ends_text(d->process, t, text)[0] || (t->end && t->end == last) || sets++ >= SHOWN)
			continue;
		last = t->end;
		snprintf(label, sizeof(label), s->n > 1 ? "tid %d watches" : "watches", t->tid);
		paper_label(p, 6, label, 6 + strlen(label) + 1, INK_PLAIN, text);
	}
	if (sets > SHOWN)
		paper_put(p, "      and %zu more watch others\n", sets - SHOWN);
}

static void put_stack(const struct paper *p, const struct dump *d, const struct dump_stack *s,
		      unsigned number)
{
	const struct state_thread *t = s->thread[0];
	const bool differ = s->doing == THREAD_BLOCKED && waits_differ(s);
	char age[UNITS_TEXT];

	paper_ink(p, INK_BOLD, "S%-2u", number);
	paper_put(p, " %zu thread%s  ", s->n, s->n == 1 ? " " : "s");
	put_threads(p, s);
	paper_put(p, "   %s", thread_doing_word(s->doing));
	if (s->blocked_us)
		paper_put(p, " %s", units_span(age, s->blocked_us * 1000));
	if (differ)
		paper_put(p, ", not all by the same:");
	else if (s->doing != THREAD_RUNNING && t->wait_text)
		paper_put(p, " in %s", t->wait_text);
	paper_put(p, "%s\n", t->disturbed ? "   (interrupted to be read)" : "");
	if (differ)
		put_each_wait(p, s);
	put_watched(p, d, s);
	report_frames(p, 6, &d->r->st->stack[s->index]);
}

static void put_no_answers(const struct paper *p, const struct dump *d)
{
	for (size_t i = 0; i < d->process->threads; i++) {
		const struct state_thread *t = &d->process->thread[i];

		if (t->stack >= 0 || t->own)
			continue;
		paper_put(p, "-   1 thread   %d \"%s\"   no answer (state %c)%s%s\n", t->tid,
			  t->name ? t->name : "-", t->state, t->reason ? ": " : "",
			  t->reason ? t->reason : "");
	}
	if (d->process->left_out)
		paper_put(p, "-   %u threads   not looked at: there are more than room to list them\n",
			  d->process->left_out);
}

static void put_stacks(const struct paper *p, const struct dump *d)
{
	paper_ink(p, INK_BOLD, "%-*s", REPORT_COLUMN, "STACKS");
	paper_put(p, "blocked first, then running, then idle; %zu of %zu threads answered%s\n",
		  d->captured, d->threads, d->own ? ", libsigdump's own left out" : "");
	for (size_t i = 0; i < d->stacks; i++)
		put_stack(p, d, &d->stack[i], (unsigned)i + 1);
	put_no_answers(p, d);
}

/* ---- the rest of a page --------------------------------------------------------------------- */

static void put_title(const struct paper *p, const struct dump *d)
{
	const struct state *st = d->r->st;
	const char *name = d->process->name ? d->process->name : "-";
	char at[REPORT_TIME];

	paper_ink(p, INK_BOLD, "sigdump %s", SHMSCOPE_VERSION);
	if (d->peer)
		paper_put(p, "   %s(%u)", d->peer->name ? d->peer->name : name, d->peer->id);
	else
		paper_put(p, "   %s%s", name, d->hub ? " (host)" : "");
	paper_put(p, " pid %d   %s   %zu thread%s, %zu stack%s   %zu of %zu disturbed\n",
		  d->process->pid,
		  report_clock(at, st, d->process->dump_us ? d->process->dump_us : st->now_us,
			       true),
		  d->threads, d->threads == 1 ? "" : "s", d->stacks, d->stacks == 1 ? "" : "s",
		  d->disturbed, d->threads);
	if (!d->process->library)
		paper_put(p, "          looked at from outside, not by a dumper of its own\n");
}

/* Whom the dumped ones wait for, and none of them: it is what is behind their waits. */
static bool is_behind(const struct state *st, const struct finding *g)
{
	bool followed = false;

	for (size_t i = 0; i < g->edges; i++) {
		const struct state_process *p = state_find_process(st, g->edge[i].pid, 0);

		if (p && p->family)
			return false;
		followed |= report_is_followed(st, g->edge[i].pid);
	}
	return followed;
}

/* About this process, or about the hub it is the host of: a peer's hang is seen in its rings. */
static bool concerns(const struct dump *d, const struct finding *g)
{
	if (g->where.pid == d->process->pid)
		return true;
	for (size_t i = 0; i < g->edges; i++)
		if (g->edge[i].pid == d->process->pid)
			return true;
	if (d->process->family && is_behind(d->r->st, g))
		return true;
	return d->hub && !d->peer && g->where.hub && strcmp(g->where.hub, report_base_name(d->hub->path)) == 0;
}

/* What has hardly begun is the moment, not a finding: all that is busy is suspect for an instant. */
static bool is_worth_telling(const struct finding *g)
{
	return g->state == FINDING_CONFIRMED ||
	       (g->state == FINDING_SUSPECTED && g->held_us >= g->rule->dwell_us / 2);
}

/* Columns of who waits for what, as wide as the widest but not so wide that lines break. */
static int column(const struct finding *g, bool is_who, int limit)
{
	int width = 0;

	for (size_t i = 0; i < g->edges; i++) {
		const char *text = is_who ? g->edge[i].who : g->edge[i].waits_for;
		const int n = text ? (int)strlen(text) : 0;

		width = n > width && n <= limit ? n : width;
	}
	return width;
}

static void put_name(const struct paper *p, const struct finding *g)
{
	char name[32] = "";

	for (size_t i = 0; g->rule->name[i] && i + 1 < sizeof(name); i++)
		name[i] = (char)toupper((unsigned char)g->rule->name[i]);
	paper_ink(p, report_ink(g), "%-*s", REPORT_COLUMN, name);
	paper_put(p, "%s", strlen(name) < REPORT_COLUMN ? "" : "  ");
}

/* What is made of waits: who waits for what, a line each. */
static void put_waits(const struct paper *p, const struct finding *g)
{
	const int who = column(g, true, 40), what = column(g, false, 48);
	char held[UNITS_TEXT];

	put_name(p, g);
	paper_put(p, "%s", g->brief);
	if (g->held_us >= 100000)
		paper_put(p, " since at least %s", units_span(held, g->held_us * 1000));
	paper_put(p, "%s\n", g->state == FINDING_SUSPECTED ? " (suspected)" : "");
	for (size_t i = 0; i < g->edges; i++) {
		const struct finding_edge *e = &g->edge[i];

		paper_put(p, "  %-*s   waits for ", who, e->who);
		if (e->whom)
			paper_put(p, "%-*s   %s\n", what, e->waits_for, e->whom);
		else
			paper_put(p, "%s\n", e->waits_for);
	}
	for (size_t k = 0; k < FINDING_NEXT && g->next[k]; k++)
		paper_label(p, 2, k ? "" : "next", 8, INK_PLAIN, g->next[k]);
}

/* Returns how many there are. */
static size_t put_findings(const struct paper *p, const struct dump *d)
{
	const struct findings *f = d->r->findings;
	size_t told = 0;

	for (size_t i = 0; f && i < f->n; i++) {
		const struct finding *g = f->list[i];

		if (!is_worth_telling(g) || !concerns(d, g))
			continue;
		told++;
		if (g->edges) {
			put_waits(p, g);
			continue;
		}
		paper_ink(p, report_ink(g), "%s", report_mark(g));
		paper_put(p, " %s (%s)\n", g->rule->name, finding_state_name(g->state));
		paper_label(p, 2, "", 5, INK_PLAIN, g->sentence);
		for (size_t k = 0; k < FINDING_NEXT && g->next[k]; k++)
			paper_label(p, 5, k ? "" : "next", 11, INK_PLAIN, g->next[k]);
	}
	return told;
}

static bool is_c_library(const struct state_frame *f)
{
	return f->module && (strncmp(f->module, "libc.so", 7) == 0 || strncmp(f->module, "ld-linux", 8) == 0);
}

/* The function that a running thread is in: the program's own, not what it calls in the C library. */
static const char *place_of(const struct state_stack *s)
{
	for (size_t i = 0; i < s->frames; i++)
		if (s->frame[i].function && !is_c_library(&s->frame[i]))
			return s->frame[i].function;
	return s->frames && s->frame[0].function ? s->frame[0].function : "code without a name";
}

/* Its only thread waits for a wake-up by another one: by a signal's handler at most. It may mean to
 * sleep for ever, or a fork has left those behind who would wake it. */
static bool is_alone(const struct dump *d, const struct state_thread *t)
{
	const struct state_lock *lock = t->lock;

	return d->threads == 1 && lock && lock->word && lock->is_private && !lock->is_timed &&
	       !lock_has_owner(lock->kind);
}

/* Without a finding, what is everybody about? One sentence, led by the stack to look at first. */
static void put_summary(const struct paper *p, const struct dump *d)
{
	size_t n[THREAD_IDLE + 1] = { 0 }, at = 0;
	char text[640];
	int used = 0;

	for (size_t i = 0; i < d->stacks; i++)
		n[d->stack[i].doing] += d->stack[i].n;
	if (!d->stacks)
		return;
	/* nobody blocked: who runs; nobody runs: the first thread */
	while (!n[THREAD_BLOCKED] && !n[THREAD_RUNNING] && at + 1 < d->stacks &&
	       d->stack[at].thread[0]->tid != d->process->pid)
		at++;
	const struct dump_stack *s = &d->stack[at];
	const struct state_thread *t = s->thread[0];
	const size_t rest = n[s->doing] - s->n;

	used = snprintf(text, sizeof(text), "no finding; %zu thread%s %s in %s (S%zu)", s->n,
			s->n == 1 ? "" : "s", thread_doing_word(s->doing),
			s->doing == THREAD_RUNNING || !t->wait_text ? place_of(&d->r->st->stack[s->index])
								    : t->wait_text,
			at + 1);
	for (enum thread_doing k = THREAD_BLOCKED; k <= THREAD_IDLE && used < (int)sizeof(text); k++) {
		const size_t more = k == s->doing ? rest : n[k];

		if (more || (k == THREAD_RUNNING && k != s->doing))
			used += snprintf(text + used, sizeof(text) - (size_t)used, ", %zu%s %s", more,
					 k == s->doing ? " more" : "", thread_doing_word(k));
	}
	if (is_alone(d, t) && used < (int)sizeof(text))
		snprintf(text + used, sizeof(text) - (size_t)used, "; it has no other thread that could "
			 "wake it");
	paper_label(p, 0, "SUMMARY", REPORT_COLUMN, INK_PLAIN, text);
}

static void put_ring(const struct paper *p, const struct state_peer *peer, int dir, const char *of)
{
	const struct state_ring *r = &peer->ring[dir];
	const uint32_t flag = dir == HUB_RECV ? peer->flag : peer->host_flag;

	paper_put(p, "%s%s waiting %llu/%u", of, dir == HUB_RECV ? "recv" : "send",
		  (unsigned long long)r->waiting, r->capacity);
	if (r->waiting)
		paper_put(p, " (written %llu, read %llu)", (unsigned long long)r->written,
			  (unsigned long long)r->read);
	if (r->bell >= 0)
		paper_put(p, " bell %lld", (long long)r->bell);
	if (flag & HUB_ASLEEP_IN_LOOP)
		paper_put(p, ", flag 1");
}

static void put_peer_rings(const struct paper *p, const struct state_peer *peer)
{
	paper_ink(p, INK_BOLD, "%-*s", REPORT_COLUMN, "RINGS");
	put_ring(p, peer, HUB_RECV, "");
	paper_put(p, "   |   ");
	put_ring(p, peer, HUB_SEND, "");
	paper_put(p, "\n");
}

/* Of a host: the rings that are not empty; the others are counted. */
static void put_host_rings(const struct paper *p, const struct state_hub *hub)
{
	size_t empty = 0, n = 0;

	paper_ink(p, INK_BOLD, "%-*s", REPORT_COLUMN, "RINGS");
	for (size_t i = 0; i < hub->peers; i++) {
		for (int dir = 0; hub->peer[i].id && dir < 2; dir++) {
			char of[HUB_NAME + 16];

			if (!hub->peer[i].ring[dir].waiting) {
				empty++;
				continue;
			}
			snprintf(of, sizeof(of), "%s(%u) ",
				 hub->peer[i].name ? hub->peer[i].name : "peer", hub->peer[i].id);
			paper_put(p, "%*s", n++ ? REPORT_COLUMN : 0, "");
			put_ring(p, &hub->peer[i], dir, of);
			paper_put(p, "\n");
		}
	}
	paper_put(p, "%*s%zu rings empty\n", n ? REPORT_COLUMN : 0, "", empty);
}

static void put_slots(const struct paper *p, const struct dump *d)
{
	const char *sep = "";

	paper_ink(p, INK_BOLD, "%-*s", REPORT_COLUMN, "SLOTS");
	paper_put(p, "held by this process: ");
	for (size_t i = d->hub->classes; d->peer && i-- > 0;) {
		const struct state_class *k = &d->hub->klass[i];
		char size[UNITS_TEXT];
		uint32_t n = 0;

		for (size_t o = 0; o < k->owners; o++)
			if (k->owner[o].peer == d->peer->id && !owner_is_at_host(&k->owner[o]))
				n += k->owner[o].n;
		if (!n)
			continue;
		paper_put(p, "%s%s x %u", sep, units_class(size, k->bytes), n);
		sep = ", ";
	}
	paper_put(p, "%s", *sep ? "" : d->hub->classes && d->peer ? "none" : "-");
	if (d->hub->calls_max)
		paper_put(p, "   |   CALLS %u of %u",
			  d->peer ? d->peer->calls_pending : d->hub->calls_pending,
			  d->hub->calls_max);
	paper_put(p, "\n");
}

static void put_gauges(const struct paper *p, const struct dump *d)
{
	const struct state_process *pr = d->process;
	char rss[UNITS_TEXT];

	paper_ink(p, INK_BOLD, "%-*s", REPORT_COLUMN, "GAUGES");
	if (pr->rss_bytes >= 0)
		paper_put(p, "rss %s  ", units_bytes(rss, (uint64_t)pr->rss_bytes));
	if (pr->fds >= 0)
		paper_put(p, "fds %lld  ", (long long)pr->fds);
	paper_put(p, "threads %zu", d->threads);
	/* a look from outside that nobody wanted recorded was never more than memory */
	if (pr->feed && strncmp(pr->feed, "/proc/self/fd/", 14) != 0)
		paper_put(p, "   |   feed %s", pr->feed);
	paper_put(p, "\n");
}

void report_dump(const struct paper *p, const struct report *r, const struct state_process *process)
{
	struct dump d = { .r = r, .process = process };

	find_role(&d);
	count_threads(&d);
	if (group_threads(&d) == 0) {
		put_title(p, &d);
		if (!put_findings(p, &d))
			put_summary(p, &d);
		report_followed(p, r, process);
		put_stacks(p, &d);
		if (d.peer)
			put_peer_rings(p, d.peer);
		else if (d.hub)
			put_host_rings(p, d.hub);
		if (d.hub)
			put_slots(p, &d);
		put_gauges(p, &d);
	}
	free(d.thread);
	free(d.stack);
}
