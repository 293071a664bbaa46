#include "lib/state/state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/units.h"
#include "lib/state/ends.h"
#include "lib/state/lock.h"

void state_init(struct state *st)
{
	*st = (struct state){ 0 };
}

void state_fini(struct state *st)
{
	arena_fini(&st->arena);
	*st = (struct state){ 0 };
}

void state_note_unseen(struct state *st, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < st->unseens; i++)
		if (strcmp(st->unseen[i], text) == 0)
			return;
	if (ARENA_GROW(&st->arena, st->unseen, st->unseens, st->unseens_room))
		return;
	const char *copy = arena_strdup(&st->arena, text);

	if (copy)
		st->unseen[st->unseens++] = copy;
}

/* ---- adding ------------------------------------------------------------------------------ */

struct state_input *state_add_input(struct state *st)
{
	if (ARENA_GROW(&st->arena, st->input, st->inputs, st->inputs_room))
		return NULL;
	return &st->input[st->inputs++];
}

struct state_hub *state_add_hub(struct state *st)
{
	if (ARENA_GROW(&st->arena, st->hub, st->hubs, st->hubs_room))
		return NULL;
	struct state_hub *hub = &st->hub[st->hubs++];

	hub->host_alive = STATE_UNKNOWN;
	return hub;
}

struct state_peer *state_add_peer(struct state *st, struct state_hub *hub, unsigned id)
{
	if (ARENA_GROW(&st->arena, hub->peer, hub->peers, hub->peers_room))
		return NULL;
	struct state_peer *p = &hub->peer[hub->peers++];

	p->id = (uint16_t)id;
	p->alive = p->stopped = STATE_UNKNOWN;
	p->exit_status = -1;
	p->process = -1;
	p->ring[HUB_RECV].bell = p->ring[HUB_SEND].bell = -1;
	return p;
}

struct state_process *state_add_process(struct state *st)
{
	if (ARENA_GROW(&st->arena, st->process, st->processes, st->processes_room))
		return NULL;
	struct state_process *p = &st->process[st->processes++];

	p->alive = STATE_UNKNOWN;
	p->handles = STATE_UNKNOWN;
	p->state = '?';
	p->rss_bytes = p->fds = -1;
	return p;
}

struct state_thread *state_add_thread(struct state *st, struct state_process *p)
{
	if (ARENA_GROW(&st->arena, p->thread, p->threads, p->threads_room))
		return NULL;
	struct state_thread *t = &p->thread[p->threads++];

	t->state = '?';
	t->sys = -1;
	t->stack = -1;
	t->set = -1;
	return t;
}

struct state_stack *state_add_stack(struct state *st)
{
	if (ARENA_GROW(&st->arena, st->stack, st->stacks, st->stacks_room))
		return NULL;
	return &st->stack[st->stacks++];
}

/* ---- finding ----------------------------------------------------------------------------- */

struct state_process *state_find_process(const struct state *st, int32_t pid, uint64_t start)
{
	for (size_t i = 0; i < st->processes; i++)
		if (st->process[i].pid == pid &&
		    (!start || !st->process[i].start || st->process[i].start == start))
			return &st->process[i];
	return NULL;
}

struct state_thread *state_find_thread(const struct state_process *p, int32_t tid)
{
	for (size_t i = 0; i < p->threads; i++)
		if (p->thread[i].tid == tid)
			return &p->thread[i];
	return NULL;
}

struct state_peer *state_find_peer(const struct state_hub *hub, unsigned id)
{
	/* where it lies in a complete table, with and without entry 0 for the host */
	if (id < hub->peers && hub->peer[id].id == id)
		return &hub->peer[id];
	if (id && id - 1 < hub->peers && hub->peer[id - 1].id == id)
		return &hub->peer[id - 1];
	for (size_t i = 0; i < hub->peers; i++)
		if (hub->peer[i].id == id)
			return &hub->peer[i];
	return NULL;
}

/* ---- joining: one hub, several lookers --------------------------------------------------- */

/* Both looks found the ring in the same place and as often rung: what one knows holds for both. */
static bool is_unmoved(const struct state_ring *a, const struct state_ring *b)
{
	return a->head == b->head && a->tail == b->tail && a->bells == b->bells;
}

static void merge_peer(struct state_peer *into, const struct state_peer *from, bool from_is_fresher)
{
	const struct state_peer other = from_is_fresher ? *into : *from;

	if (from_is_fresher)
		*into = *from;
	for (unsigned dir = 0; dir < 2; dir++) {
		if (into->ring[dir].recents)
			continue;
		into->ring[dir].recent = other.ring[dir].recent;
		into->ring[dir].recents = other.ring[dir].recents;
	}
	if (into->alive == STATE_UNKNOWN)
		into->alive = other.alive;
	if (into->stopped == STATE_UNKNOWN)
		into->stopped = other.stopped;
	if (other.carried)
		return;
	for (unsigned dir = 0; dir < 2; dir++)
		if (into->ring[dir].bell < 0 && is_unmoved(&into->ring[dir], &other.ring[dir]))
			into->ring[dir].bell = other.ring[dir].bell;
}

static int merge_peers(struct state *st, struct state_hub *into, const struct state_hub *from)
{
	for (size_t i = 0; i < from->peers; i++) {
		const struct state_peer *theirs = &from->peer[i];
		struct state_peer *ours = state_find_peer(into, theirs->id);

		if (!ours) {
			ours = state_add_peer(st, into, theirs->id);
			if (!ours)
				return -ENOMEM;
			*ours = *theirs;
			continue;
		}
		const bool fresher = theirs->carried != ours->carried
					     ? ours->carried
					     : theirs->seen_us > ours->seen_us;

		merge_peer(ours, theirs, fresher);
	}
	return 0;
}

/* Which of two looks at one hub the other is merged into: the one that knows more about it. */
static bool is_better_base(const struct state_hub *a, const struct state_hub *b)
{
	if (!a->damage != !b->damage)
		return !a->damage;
	if (a->carried != b->carried)
		return !a->carried;
	if (!a->classes != !b->classes)
		return a->classes != 0;
	return a->seen_us > b->seen_us;
}

static bool is_same_hub(const struct state_hub *a, const struct state_hub *b)
{
	if (a->id && b->id)
		return a->id == b->id;
	return a->path && b->path && strcmp(a->path, b->path) == 0;
}

static int by_peer_id(const void *a, const void *b)
{
	return (int)((const struct state_peer *)a)->id - (int)((const struct state_peer *)b)->id;
}

/* The host's tables of a carried look fill what a fresher, partial one does not have. */
static void merge_tables(struct state_hub *into, const struct state_hub *from)
{
	if (into->classes || !from->classes)
		return;
	into->klass = from->klass;
	into->classes = from->classes;
	into->slot = from->slot;
	into->slots = from->slots;
	into->slots_listed = from->slots_listed;
	into->call = from->call;
	into->calls = from->calls;
	into->tables_us = from->tables_us;
	into->carried = true;
}

/* What only the file has, and what was asked of it. */
static void merge_details(struct state_hub *into, const struct state_hub *from)
{
	if (!into->methods) {
		into->method = from->method;
		into->methods = into->methods_room = from->methods;
	}
	if (!into->has_every) {
		into->every = from->every;
		into->everys = into->everys_room = from->everys;
		into->every_left_out = from->every_left_out;
		into->has_every = from->has_every;
	}
	into->has_recent |= from->has_recent;
}

static int merge_hub(struct state *st, size_t i, size_t j)
{
	if (is_better_base(&st->hub[j], &st->hub[i])) {
		const struct state_hub swapped = st->hub[i];

		st->hub[i] = st->hub[j];
		st->hub[j] = swapped;
	}
	struct state_hub *into = &st->hub[i];
	const struct state_hub *from = &st->hub[j];

	if (!from->damage) {
		const int r = merge_peers(st, into, from);

		if (r)
			return r;
		merge_tables(into, from);
		merge_details(into, from);
	}
	if (into->host_alive == STATE_UNKNOWN)
		into->host_alive = from->host_alive;
	if (from->seen_us > into->seen_us && !from->carried)
		into->seen_us = from->seen_us;
	memmove(&st->hub[j], &st->hub[j + 1], (st->hubs - j - 1) * sizeof(st->hub[0]));
	st->hubs--;
	return 0;
}

/* Looks of a family may lie seconds apart where its processes wait for a CPU to write theirs:
 * each peer keeps the moment in which it was seen, else its messages look older than they are. */
static void note_moments(struct state_hub *hub)
{
	if (!hub->tables_us)
		hub->tables_us = hub->seen_us;
	for (size_t i = 0; i < hub->peers; i++)
		if (!hub->peer[i].seen_us)
			hub->peer[i].seen_us = hub->seen_us;
}

static int join_hubs(struct state *st)
{
	for (size_t i = 0; i < st->hubs; i++)
		note_moments(&st->hub[i]);
	for (size_t i = 0; i < st->hubs; i++) {
		for (size_t j = i + 1; j < st->hubs;) {
			if (!is_same_hub(&st->hub[i], &st->hub[j])) {
				j++;
				continue;
			}
			const int r = merge_hub(st, i, j);

			if (r)
				return r;
		}
		if (st->hub[i].peers)
			qsort(st->hub[i].peer, st->hub[i].peers, sizeof(st->hub[i].peer[0]),
			      by_peer_id);
	}
	return 0;
}

/* ---- joining: stacks --------------------------------------------------------------------- */

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
	return h;
}

static uint64_t hash_stack(const struct state_stack *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s->frames; i++) {
		const char *module = s->frame[i].module ? s->frame[i].module : "";

		h = hash_bytes(h, module, strlen(module) + 1);
		h = hash_bytes(h, &s->frame[i].offset, sizeof(s->frame[i].offset));
	}
	return h ? h : 1; /* 0: not counted yet */
}

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same_stack(const struct state_stack *a, const struct state_stack *b)
{
	if (a->hash != b->hash || a->frames != b->frames || !is_same_text(a->end, b->end))
		return false;
	for (size_t i = 0; i < a->frames; i++)
		if (a->frame[i].offset != b->frame[i].offset ||
		    !is_same_text(a->frame[i].module, b->frame[i].module) ||
		    !is_same_text(a->frame[i].build_id, b->frame[i].build_id))
			return false;
	return true;
}

/* An open hash table of stack numbers; stack[i] becomes the first one equal to it in same[i]. */
static int find_equal_stacks(struct state *st, int *same)
{
	size_t room = 16;

	while (room < st->stacks * 2)
		room *= 2;
	int *table = malloc(room * sizeof(*table));

	if (!table)
		return -ENOMEM;
	memset(table, 0xff, room * sizeof(*table));
	for (size_t i = 0; i < st->stacks; i++) {
		size_t at = st->stack[i].hash & (room - 1);

		while (table[at] >= 0 && !is_same_stack(&st->stack[table[at]], &st->stack[i]))
			at = (at + 1) & (room - 1);
		if (table[at] < 0)
			table[at] = (int)i;
		same[i] = table[at];
	}
	free(table);
	return 0;
}

/* Turns same[] into new numbers and closes the gaps. */
static void drop_duplicates(struct state *st, int *same)
{
	size_t kept = 0;

	for (size_t i = 0; i < st->stacks; i++) {
		if (same[i] == (int)i) {
			st->stack[kept] = st->stack[i];
			same[i] = (int)kept++;
		} else {
			same[i] = same[same[i]];
		}
	}
	st->stacks = kept;
}

static int join_stacks(struct state *st)
{
	if (!st->stacks)
		return 0;
	int *same = malloc(st->stacks * sizeof(*same));

	if (!same)
		return -ENOMEM;
	const int before = (int)st->stacks;

	for (size_t i = 0; i < st->stacks; i++) {
		st->stack[i].hash = hash_stack(&st->stack[i]);
		st->stack[i].count = 0;
	}
	const int r = find_equal_stacks(st, same);

	if (!r)
		drop_duplicates(st, same);
	for (size_t i = 0; !r && i < st->processes; i++) {
		for (size_t k = 0; k < st->process[i].threads; k++) {
			struct state_thread *t = &st->process[i].thread[k];

			t->stack = t->stack >= 0 && t->stack < before ? same[t->stack] : -1;
			if (t->stack >= 0)
				st->stack[t->stack].count++;
		}
	}
	free(same);
	return r;
}

/* ---- joining: peers and processes -------------------------------------------------------- */

static void join_peer(struct state *st, struct state_peer *peer)
{
	const struct state_process *p = NULL;

	if (peer->pid > 0)
		p = state_find_process(st, peer->pid, peer->start);
	peer->process = p ? (int)(p - st->process) : -1;
	if (!p || p->carried)
		return;
	if (peer->alive == STATE_UNKNOWN)
		peer->alive = p->alive;
	if (peer->stopped == STATE_UNKNOWN && p->state != '?')
		peer->stopped = p->state == 'T' || p->state == 't' ? STATE_YES : STATE_NO;
}

/* The host's own dump proves that it lived when it wrote it. */
static void join_host(const struct state *st, struct state_hub *hub)
{
	const struct state_process *p = NULL;

	if (hub->host_pid > 0)
		p = state_find_process(st, hub->host_pid, hub->host_start);
	if (p && !p->carried && hub->host_alive == STATE_UNKNOWN)
		hub->host_alive = p->alive;
}

static void note_left_out(struct state *st, const struct state_hub *hub)
{
	char size[UNITS_TEXT];

	for (size_t i = 0; i < hub->classes; i++)
		if (hub->klass[i].owners_left_out)
			state_note_unseen(st, "%s: %u slots of %s are in more hands than can be told apart",
					  hub->path ? hub->path : "hub", hub->klass[i].owners_left_out,
					  units_class(size, hub->klass[i].bytes));
}

int state_join(struct state *st)
{
	int r = join_hubs(st);

	if (r)
		return r;
	r = join_stacks(st);
	if (r)
		return r;
	for (size_t i = 0; i < st->hubs; i++) {
		join_host(st, &st->hub[i]);
		note_left_out(st, &st->hub[i]);
		for (size_t k = 0; k < st->hub[i].peers; k++)
			join_peer(st, &st->hub[i].peer[k]);
	}
	r = lock_resolve(st);
	return r ? r : ends_resolve(st);
}
