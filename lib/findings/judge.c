/*
 * judge - follows candidates over time.
 *
 * A track is one place under one rule. Its life:
 *
 *	candidate seen          an episode begins: suspected
 *	dwell over, two looks   confirmed
 *	place looked at, no     the episode ends: a suspicion is forgotten, a confirmed finding is
 *	candidate               cleared and stays listed for ten minutes
 *	another fingerprint     the episode ends and another begins; what was confirmed shows as
 *	                        cleared until the new one is confirmed too, so nothing flickers
 *	place not looked at     everything stays as it was
 *
 * A suspicion is followed from its first look, but listed only once it is half a second old: in
 * each look at a busy hub some message has just come and its reader not yet woken.
 *
 * Where a thread that gets no CPU would look the same (candidate_watch_cpu()), the track follows
 * what the thread got since the episode's first look. Enough of it, and the usual dwell decides.
 * Little in much time, and it is starved: suspected until it got some. Where neither can be
 * told, as in a single look, the rule may ask for a longer dwell; a later look that tells can
 * take back what was confirmed so.
 *
 * Each look is judged on the side (candidates, then new tracks in a new arena) and takes effect
 * as a whole, so that a look for which memory did not suffice changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/units.h"
#include "lib/findings/judge_priv.h"

enum {
	/* So much time of its own tells a thread that does not get on from one that is starved:
	 * a healthy one would have got on by then. */
	OWN_ENOUGH_US = SECOND_US / 2,
	WATCHED_ENOUGH_US = SECOND_US / 10, /* less says nothing about its share of the CPUs */
	CLEARED_LISTED_US = 600 * SECOND_US,
	SUSPECTED_LISTED_US = SECOND_US / 2, /* before, it is any moment of a busy system */
};

struct page { /* everything that the last look left */
	struct arena arena;
	struct track *track; /* by rank and place */
	size_t tracks;
	struct findings findings;
	unsigned looks;
	uint64_t first_us, last_us;
};

struct judge {
	struct judge_options options;
	struct page page;
};

struct judge *judge_create(const struct judge_options *options)
{
	struct judge *judge = calloc(1, sizeof(*judge));

	if (!judge)
		return NULL;
	if (options)
		judge->options = *options;
	judge->page.findings.verdict = "nothing was looked at";
	return judge;
}

void judge_destroy(struct judge *judge)
{
	if (!judge)
		return;
	arena_fini(&judge->page.arena);
	free(judge);
}

const struct findings *judge_findings(const struct judge *judge)
{
	return &judge->page.findings;
}

/* ---- candidates ----------------------------------------------------------------------------- */

static int compare_candidates(const struct candidate *a, const struct candidate *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return place_compare(&a->place, &b->place);
}

static int by_place(const void *a, const void *b)
{
	const struct candidate *x = *(struct candidate *const *)a;
	const struct candidate *y = *(struct candidate *const *)b;
	const int r = compare_candidates(x, y);

	return r ? r : strcmp(x->evidence, y->evidence);
}

static void run_rules(const struct scene *scene, struct candidates *out)
{
	size_t n;
	const struct rule *const *rules = rules_all(&n);

	for (size_t i = 0; i < n; i++) {
		out->rule = rules[i];
		out->rank = (unsigned)i;
		if (!scene->st->sources || (rules[i]->sources & scene->st->sources))
			rules[i]->look(scene, out);
	}
	if (out->n)
		qsort(out->list, out->n, sizeof(*out->list), by_place);
	size_t kept = 0;
	/* of two candidates for one place in one state the first counts */
	for (size_t i = 0; i < out->n; i++)
		if (!kept || compare_candidates(out->list[kept - 1], out->list[i]) != 0)
			out->list[kept++] = out->list[i];
	out->n = kept;
}

/* ---- was its place looked at? --------------------------------------------------------------- */

static const struct scene_hub *hub_of(const struct scene *scene, const struct place *place)
{
	for EACH_HUB(scene, hub) {
		const struct place there = place_of_hub(hub, place->kind, place->what);

		if (there.hub == place->hub && strcmp(there.hub_path, place->hub_path) == 0)
			return hub;
	}
	return NULL;
}

/* All its threads, and not as last seen: other looks know nothing of what they sleep on. */
static bool threads_were_looked_at(const struct scene *scene, const struct place *place)
{
	const struct state_process *p =
		state_find_process(scene->st, (int32_t)place->peer, place->hub);

	if (!p) /* live sources look at all there is: it is gone */
		return scene->st->sources & STATE_LIVE;
	return !p->carried && (p->alive == STATE_NO || (p->all_threads && p->dump_us));
}

static bool was_looked_at(const struct scene *scene, const struct place *place)
{
	if (place->kind == PLACE_STATE)
		return true;
	if (place->kind == PLACE_THREADS)
		return threads_were_looked_at(scene, place);
	const struct scene_hub *hub = hub_of(scene, place);

	if (!hub) /* live sources look at all there is: it is gone */
		return scene->st->sources & STATE_LIVE;
	if (place->kind == PLACE_HUB)
		return !hub->h->carried;
	if (hub->h->damage || (place->kind == PLACE_TABLES && !hub->sees_tables))
		return false;
	if (!place->peer)
		return true;
	const struct scene_peer *peer = scene_peer(hub, place->peer);

	return peer ? peer->looked_at : scene->st->sources & STATE_LIVE;
}

/* ---- one track, one look -------------------------------------------------------------------- */

static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static void watch_cpu(struct track *t, const struct candidate_cpu *now)
{
	if (!now->use.at_us)
		return;
	if (!t->cpu.use.at_us || t->cpu.tid != now->tid) {
		t->cpu = *now;
		t->watched_us = t->own_us = 0;
		return;
	}
	const uint64_t passed_us = since(now->use.at_us, t->cpu.use.at_us);
	const uint64_t queued_us = since(now->use.queued_us, t->cpu.use.queued_us);
	/* its present wait for a CPU is in no count yet, unless it sleeps and there is none */
	const uint64_t own_us = now->runs ? since(now->use.ran_us, t->cpu.use.ran_us)
					  : since(passed_us, queued_us);

	t->watched_us = scene_later(t->watched_us, passed_us);
	t->own_us = scene_later(t->own_us, own_us < passed_us ? own_us : passed_us);
}

enum cpu_share { CPU_UNKNOWN, CPU_HAD, CPU_STARVED };

static enum cpu_share cpu_share(uint64_t own_us, uint64_t watched_us)
{
	if (own_us >= OWN_ENOUGH_US)
		return CPU_HAD;
	return watched_us < WATCHED_ENOUGH_US || own_us * 2 >= watched_us ? CPU_UNKNOWN
									   : CPU_STARVED;
}

static uint64_t dwell_of(const struct judge *judge, const struct track *t,
			 const struct candidate *c)
{
	if (judge->options.dwell_us[c->rank])
		return judge->options.dwell_us[c->rank];
	const uint64_t dwell_us = c->dwell_us ? c->dwell_us : c->rule->dwell_us;

	if (!c->cpu.wanted || cpu_share(t->own_us, t->watched_us) == CPU_HAD)
		return dwell_us;
	return scene_later(dwell_us, c->cpu.unknown_dwell_us);
}

static void end_episode(struct track *t, uint64_t now_us)
{
	if (t->confirmed) {
		t->cleared_us = now_us;
		t->confirmed = false;
	}
	t->open = false;
}

static void begin_episode(struct track *t, const struct candidate *c)
{
	t->open = true;
	t->begin_us = c->now_us;
	t->fingerprint = c->fingerprint;
	t->samples = 0;
	t->from_ages = false;
	t->wanted = false;
	t->demand = c->demand;
	t->cpu = (struct candidate_cpu){ .wanted = false };
	t->watched_us = t->own_us = 0;
	t->guessed = false;
}

/* What was confirmed by its age alone, as the first of two dumps tells it, and is starved. */
static void take_back(struct track *t)
{
	const enum cpu_share share = cpu_share(t->own_us, t->watched_us);

	if (!t->confirmed || !t->guessed || share == CPU_UNKNOWN)
		return;
	t->guessed = false;
	if (share == CPU_HAD)
		return;
	t->confirmed = false;
	t->times--;
}

static void confirm(struct track *t, const struct candidate *c, bool single_moment)
{
	t->guessed |= !t->confirmed && c->cpu.wanted &&
		      cpu_share(t->own_us, t->watched_us) == CPU_UNKNOWN;
	t->times += !t->confirmed;
	t->from_ages = !t->confirmed && single_moment && t->samples < 2 && t->dwell_us;
	t->confirmed = true;
}

static bool is_due(const struct track *t, const struct candidate *c, uint64_t held_us,
		   bool single_moment)
{
	switch (c->proof) {
	case PROOF_AT_ONCE:
		return true;
	case PROOF_DWELL:
		if (c->cpu.wanted && cpu_share(t->own_us, t->watched_us) == CPU_STARVED)
			return false;
		return t->wanted && held_us >= t->dwell_us && (t->samples >= 2 || single_moment);
	default:
		return false;
	}
}

/*
 * The candidate tells less than what is shown of the same episode: a suspicion of what was
 * confirmed, a file of what was seen at the running process, or a look at its hub without it
 * (the dump of the other side) of one that saw the thread.
 */
static bool knows_less(const struct track *t, const struct candidate *c)
{
	if (t->confirmed && c->proof == PROOF_NONE)
		return true;
	if (t->samples < 2)
		return false;
	return (c->from_file && !t->c.from_file) || (c->where.tid < 0 && t->c.where.tid >= 0);
}

/* The thread that was shown, in this state: as last seen is good enough to show its stack again. */
static int find_stack(const struct state *st, const struct finding_where *where)
{
	const struct state_process *p = where->pid > 0 ? state_find_process(st, where->pid, 0)
						       : NULL;
	const struct state_thread *t = p ? state_find_thread(p, where->tid) : NULL;

	return t && t->stack >= 0 && (size_t)t->stack < st->stacks ? t->stack : -1;
}

static void show(struct track *t, const struct candidate *c, const struct state *st,
		 uint64_t held_us)
{
	if (!t->confirmed && t->times)
		return;
	if (knows_less(t, c))
		t->c.where.stack = find_stack(st, &t->c.where);
	else
		t->c = *c;
	t->shown_begin_us = t->begin_us;
	t->shown_held_us = held_us;
	t->shown_samples = t->samples;
	t->shown_watched_us = t->watched_us;
	t->shown_own_us = t->own_us;
	if (t->confirmed && held_us > t->longest_us)
		t->longest_us = held_us;
}

static void see(const struct judge *judge, struct track *t, const struct candidate *c,
		const struct state *st)
{
	t->seen = true;
	t->c.where.stack = -1; /* of an earlier state; show() brings the present one */
	if (t->open && t->fingerprint != c->fingerprint)
		end_episode(t, st->now_us);
	if (!t->open)
		begin_episode(t, c);
	t->samples++;
	t->wanted |= !c->unwanted || c->demand > t->demand;
	watch_cpu(t, &c->cpu);
	take_back(t);
	t->dwell_us = c->proof == PROOF_AT_ONCE ? 0 : dwell_of(judge, t, c);
	if (c->since_us && (c->is_exact || c->since_us < t->begin_us))
		t->begin_us = c->since_us;
	const uint64_t held_us = scene_age(c->now_us, t->begin_us);

	if (is_due(t, c, held_us, st->single_moment))
		confirm(t, c, st->single_moment);
	show(t, c, st, held_us);
}

/* ---- the next page -------------------------------------------------------------------------- */

struct turn { /* one look being judged */
	const struct judge *judge;
	const struct state *st;
	struct scene scene;
	struct candidates seen;
	struct page page;
};

static void keep_track(struct turn *turn, const struct track *old)
{
	struct track *t = &turn->page.track[turn->page.tracks];

	*t = *old;
	t->seen = false;
	if (was_looked_at(&turn->scene, &t->c.place))
		end_episode(t, turn->st->now_us);
	if (!t->open && !t->times)
		return;
	if (!t->confirmed && t->times &&
	    scene_age(turn->st->now_us, t->cleared_us) > CLEARED_LISTED_US)
		return;
	turn->page.tracks++;
}

static void take_candidate(struct turn *turn, const struct track *old, const struct candidate *c)
{
	struct track *t = &turn->page.track[turn->page.tracks];

	if (c->proof == PROOF_UNSURE) {
		if (!old)
			return;
		/* it moved, whatever it was */
		if (old->open && old->fingerprint != c->fingerprint) {
			keep_track(turn, old);
			return;
		}
		*t = *old;
		t->seen = false;
		turn->page.tracks++;
		return;
	}
	*t = old ? *old : (struct track){ .c = *c };
	if (old && !t->confirmed && scene_age(turn->st->now_us, t->cleared_us) > CLEARED_LISTED_US)
		t->times = 0;
	see(turn->judge, t, c, turn->st);
	turn->page.tracks++;
}

/* Tracks and candidates are both in order of rank and place: one walk joins them. */
static void join(struct turn *turn)
{
	const struct page *before = &turn->judge->page;
	size_t i = 0, k = 0;

	while (i < before->tracks || k < turn->seen.n) {
		const struct track *old = i < before->tracks ? &before->track[i] : NULL;
		const struct candidate *c = k < turn->seen.n ? turn->seen.list[k] : NULL;
		const int order = !old ? 1 : !c ? -1 : compare_candidates(&old->c, c);

		if (order < 0)
			keep_track(turn, old);
		else
			take_candidate(turn, order == 0 ? old : NULL, c);
		i += order <= 0;
		k += order >= 0;
	}
}

/* ---- texts ---------------------------------------------------------------------------------- */

struct words {
	struct arena *arena;
	char held[UNITS_TEXT], samples[UNITS_TEXT + 8], unchanged[UNITS_TEXT + 24], stack[24];
	char cpu[2 * UNITS_TEXT + 80];
	bool failed;
};

static const char *copy(struct words *w, const char *text)
{
	const char *c = text ? arena_strdup(w->arena, text) : NULL;

	w->failed |= text && !c;
	return c;
}

/* Puts in what only the judge knows. */
static const char *fill_in(struct words *w, const char *text)
{
	const struct {
		const char *mark, *value;
	} marks[] = { { "{held}", w->held },
		      { "{samples}", w->samples },
		      { "{unchanged}", w->unchanged },
		      { "{stack}", w->stack },
		      { "{cpu}", w->cpu } };
	enum { MARKS = sizeof(marks) / sizeof(marks[0]) };
	char buf[8192];
	size_t n = 0;

	if (!strchr(text, '{'))
		return copy(w, text);
	while (*text && n < sizeof(buf) - 64) {
		size_t m = 0;

		while (m < MARKS && strncmp(text, marks[m].mark, strlen(marks[m].mark)) != 0)
			m++;
		if (m == MARKS) {
			buf[n++] = *text++;
			continue;
		}
		n += (size_t)snprintf(buf + n, sizeof(buf) - n, "%s", marks[m].value);
		text += strlen(marks[m].mark);
	}
	buf[n] = '\0';
	return copy(w, buf);
}

static enum finding_state state_of(const struct track *t)
{
	return t->confirmed ? FINDING_CONFIRMED : t->times ? FINDING_CLEARED : FINDING_SUSPECTED;
}

/* A track's own texts still lie in the memory of the look that made them. */
static void move_texts(struct words *w, struct track *t)
{
	struct candidate *c = &t->c;
	const char **texts[] = {
		&c->place_text, &c->sentence,	 &c->also,	 &c->brief,
		&c->evidence,	&c->where.hub,	 &c->where.name, &c->where.site,
		&c->where.file, &c->where.gauge, &c->means,	 &c->place.hub_path
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = copy(w, *texts[i]);
	for (size_t i = 0; i < FINDING_NEXT; i++)
		c->next[i] = copy(w, c->next[i]);
	for (size_t i = 0; i < c->facts; i++)
		c->fact[i].text = copy(w, c->fact[i].text);
	for (size_t i = 0; i < c->edges; i++) {
		struct finding_edge *e = &c->edge[i];

		e->who = copy(w, e->who);
		e->waits_for = copy(w, e->waits_for);
		e->whom = copy(w, e->whom);
		e->site = copy(w, e->site);
	}
	if (!t->seen)
		c->where.stack = -1;
}

static bool was_watched(const struct track *t)
{
	return t->c.cpu.wanted && t->shown_watched_us >= WATCHED_ENOUGH_US;
}

static void cpu_words(struct words *w, const struct track *t)
{
	char own[UNITS_TEXT], watched[UNITS_TEXT];
	const enum cpu_share share = cpu_share(t->shown_own_us, t->shown_watched_us);

	w->cpu[0] = '\0';
	if (was_watched(t))
		snprintf(w->cpu, sizeof(w->cpu), ", %s %s of the %s watched%s",
			 t->c.cpu.runs ? "it ran" : "it slept or ran",
			 units_age(own, t->shown_own_us * 1000),
			 units_age(watched, t->shown_watched_us * 1000),
			 share == CPU_STARVED ? ": it may only wait for a CPU" : "");
	else if (t->c.cpu.wanted && t->c.cpu.unknown_dwell_us)
		snprintf(w->cpu, sizeof(w->cpu),
			 ", whether it gets a CPU is not known: confirmed after %s",
			 units_age(own, t->dwell_us * 1000));
}

static void prepare_words(struct words *w, const struct track *t, const unsigned *stack_number)
{
	char count[UNITS_TEXT];

	units_age(w->held, t->shown_held_us * 1000);
	snprintf(w->samples, sizeof(w->samples), "%s sample%s",
		 units_count(count, t->shown_samples), t->shown_samples == 1 ? "" : "s");
	if (t->shown_samples > 1)
		snprintf(w->unchanged, sizeof(w->unchanged), "unchanged in %s", w->samples);
	else
		snprintf(w->unchanged, sizeof(w->unchanged), "seen once");
	cpu_words(w, t);
	w->stack[0] = '\0';
	if (t->c.where.stack >= 0 && stack_number)
		snprintf(w->stack, sizeof(w->stack), " (stack S%u)",
			 stack_number[t->c.where.stack]);
}

static void add_fact(struct finding *f, const char *key, uint64_t value)
{
	if (f->facts < FINDING_EVIDENCE)
		f->fact[f->facts++] = (struct finding_fact){ .key = key, .value = (int64_t)value };
}

static void fill_finding(struct words *w, const struct track *t, struct finding *f)
{
	const struct candidate *c = &t->c;

	*f = (struct finding){
		.rule = c->rule,
		.rank = c->rank,
		.state = state_of(t),
		.where = c->where,
		.place = c->place_text,
		.means = c->means,
		.facts = c->facts,
		.edges = c->edges,
		.since_us = t->shown_begin_us,
		.held_us = t->shown_held_us,
		.longest_us = t->longest_us,
		.cleared_us = t->confirmed ? 0 : t->cleared_us,
		.dwell_us = t->dwell_us,
		.samples = t->shown_samples,
		.times = t->times ? t->times : 1,
		.fingerprint = t->fingerprint,
		.dwell_from_ages = t->from_ages,
		.unproven = !t->confirmed && c->proof == PROOF_NONE,
	};
	f->sentence = fill_in(w, c->sentence);
	f->also = fill_in(w, c->also);
	f->brief = fill_in(w, c->brief);
	f->evidence_text = fill_in(w, c->evidence);
	memcpy(f->next, c->next, sizeof(f->next));
	memcpy(f->fact, c->fact, sizeof(f->fact));
	if (was_watched(t)) {
		add_fact(f, "watched_ms", t->shown_watched_us / 1000);
		add_fact(f, "own_ms", t->shown_own_us / 1000);
	}
	memcpy(f->edge, c->edge, sizeof(f->edge));
}

/* Numbers of stacks as the page shows them; only if some finding names one. */
static int number_stacks(const struct state *st, const struct page *page, unsigned **number)
{
	bool wanted = false;

	*number = NULL;
	for (size_t i = 0; i < page->tracks; i++)
		wanted |= page->track[i].seen && page->track[i].c.where.stack >= 0;
	if (!wanted)
		return 0;
	unsigned *order = malloc(2 * st->stacks * sizeof(*order));

	if (!order)
		return -ENOMEM;
	stacks_order(st, order);
	unsigned *numbers = order + st->stacks;
	for (unsigned i = 0; i < st->stacks; i++)
		numbers[order[i]] = i + 1;
	memmove(order, numbers, st->stacks * sizeof(*order));
	*number = order;
	return 0;
}

/* ---- the page ------------------------------------------------------------------------------- */

static int state_order(enum finding_state s)
{
	return s == FINDING_CONFIRMED ? 0 : s == FINDING_SUSPECTED ? 1 : 2;
}

static int by_page(const void *a, const void *b)
{
	const struct finding *x = *(const struct finding *const *)a;
	const struct finding *y = *(const struct finding *const *)b;

	if (x->state != y->state)
		return state_order(x->state) - state_order(y->state);
	if (x->rule->severity != y->rule->severity)
		return (int)x->rule->severity - (int)y->rule->severity;
	if (!x->consequence_of != !y->consequence_of)
		return x->consequence_of ? 1 : -1;
	if (x->rank != y->rank) /* a hang before what it leaves behind */
		return x->rank < y->rank ? -1 : 1;
	if (x->since_us != y->since_us)
		return x->since_us < y->since_us ? -1 : 1;
	return (x > y) - (x < y); /* both in one array, in order of place */
}

static bool is_listed(const struct finding *f, const struct state *st)
{
	return f->state != FINDING_SUSPECTED || f->held_us >= SUSPECTED_LISTED_US ||
	       (st->single_moment && !f->dwell_us); /* there will be no second look */
}

static void number_findings(struct page *page, const struct state *st, const struct finding **list)
{
	for (size_t i = 0; i < page->findings.n; i++) {
		struct finding *f = (struct finding *)list[i];

		f->number = (unsigned)i + 1;
		if (f->consequence_of && !is_listed(f->consequence_of, st))
			f->consequence_of = NULL;
		if (f->state == FINDING_CONFIRMED)
			page->findings.confirmed[f->rule->severity]++;
	}
}

static int list_findings(struct page *page, const struct state *st, struct finding *finding)
{
	const struct finding **list =
		arena_take(&page->arena, (page->tracks + 1) * sizeof(*list));
	size_t n = 0;

	if (!list || causes_find(page->track, finding, page->tracks))
		return -ENOMEM;
	for (size_t i = 0; i < page->tracks; i++)
		if (is_listed(&finding[i], st))
			list[n++] = &finding[i];
	qsort(list, n, sizeof(*list), by_page);
	page->findings = (struct findings){ .list = list, .n = n };
	number_findings(page, st, list);
	return 0;
}

static int make_page(struct turn *turn)
{
	struct page *page = &turn->page;
	struct words words = { .arena = &page->arena };
	struct finding *finding = arena_take(&page->arena, (page->tracks + 1) * sizeof(*finding));
	unsigned *stack_number;

	if (!finding || number_stacks(turn->st, page, &stack_number))
		return -ENOMEM;
	for (size_t i = 0; i < page->tracks; i++) {
		move_texts(&words, &page->track[i]);
		prepare_words(&words, &page->track[i], stack_number);
		fill_finding(&words, &page->track[i], &finding[i]);
	}
	free(stack_number);
	if (words.failed || list_findings(page, turn->st, finding))
		return -ENOMEM;
	for (size_t i = 0; i < page->tracks; i++)
		page->findings.wants_threads |= page->track[i].c.asks_again &&
						page->track[i].open && !page->track[i].confirmed;
	page->findings.looks = page->looks;
	page->findings.span_us = page->last_us - page->first_us;
	page->findings.verdict = verdict_make(&page->arena, &page->findings, turn->st);
	return page->findings.verdict ? 0 : -ENOMEM;
}

static int turn_page(struct turn *turn)
{
	const struct page *before = &turn->judge->page;

	if (scene_build(&turn->scene, turn->st))
		return -ENOMEM;
	turn->seen.now_us = turn->st->now_us;
	run_rules(&turn->scene, &turn->seen);
	if (turn->seen.failed)
		return -ENOMEM;
	turn->page.looks = before->looks + 1;
	turn->page.first_us = before->looks ? before->first_us : turn->st->now_us;
	turn->page.last_us = scene_later(before->last_us, turn->st->now_us);
	turn->page.track = arena_take(&turn->page.arena, (before->tracks + turn->seen.n + 1) *
								 sizeof(*turn->page.track));
	if (!turn->page.track)
		return -ENOMEM;
	join(turn);
	return make_page(turn);
}

int judge_look(struct judge *judge, const struct state *st)
{
	struct turn turn = { .judge = judge, .st = st };
	const int r = turn_page(&turn);

	scene_fini(&turn.scene);
	arena_fini(&turn.seen.arena);
	if (r) {
		arena_fini(&turn.page.arena);
		return r;
	}
	arena_fini(&judge->page.arena);
	judge->page = turn.page;
	return 0;
}
