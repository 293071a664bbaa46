#include "lib/findings/candidate_priv.h"

#include <string.h>

/* ---- places --------------------------------------------------------------------------------- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int place_compare(const struct place *a, const struct place *b)
{
	int r = compare_u64(a->hub, b->hub);

	r = r ? r : strcmp(a->hub_path, b->hub_path);
	r = r ? r : compare_u64(a->kind, b->kind);
	r = r ? r : compare_u64(a->peer, b->peer);
	return r ? r : compare_u64(a->what, b->what);
}

struct place place_of_state(uint64_t what)
{
	return (struct place){ .kind = PLACE_STATE, .hub_path = "", .what = what };
}

struct place place_of_hub(const struct scene_hub *hub, enum place_kind kind, uint64_t what)
{
	/* a hub has one identity under all its paths; one whose header is lost has only a path */
	return (struct place){ .kind = kind,
			       .hub = hub->h->id,
			       .hub_path = hub->h->id || !hub->h->path ? "" : hub->h->path,
			       .what = what };
}

struct place place_of_peer(const struct scene_peer *peer, uint64_t what)
{
	struct place place = place_of_hub(peer->hub, PLACE_PEER, what);

	place.peer = peer->p->id;
	return place;
}

struct place place_of_end(const struct scene_end *end)
{
	return place_of_peer(end->peer, (uint64_t)end->dir);
}

struct place place_of_threads(const struct state_process *p, uint64_t what)
{
	return (struct place){ .kind = PLACE_THREADS, .hub = p->start, .hub_path = "",
			       .peer = (uint32_t)p->pid, .what = what };
}

/* ---- adding --------------------------------------------------------------------------------- */

static const struct finding_where nowhere = {
	.peer = -1, .pid = -1, .tid = -1, .class_bytes = -1, .slot = -1, .stack = -1, .offset = -1,
};

struct candidate *candidate_add(struct candidates *out, struct place place)
{
	struct candidate *c = &out->spare;

	if (ARENA_GROW(&out->arena, out->list, out->n, out->room) == 0) {
		struct candidate *room = arena_take(&out->arena, sizeof(*room));

		if (room)
			c = out->list[out->n++] = room;
	}
	if (c == &out->spare)
		out->failed = true;
	*c = (struct candidate){
		.rule = out->rule,
		.rank = out->rank,
		.place = place,
		.where = nowhere,
	};
	c->now_us = out->now_us;
	c->place_text = c->sentence = c->also = c->brief = c->evidence = "";
	c->means = out->rule->means;
	return c;
}

struct candidate *candidate_of_hub(struct candidates *out, const struct scene_hub *hub,
				   enum place_kind kind, uint64_t what)
{
	struct candidate *c = candidate_add(out, place_of_hub(hub, kind, what));

	c->now_us = hub->now_us;
	c->from_file = hub->h->source == STATE_HUB_FILE;
	c->where.hub = hub->name;
	c->place_text = hub->name;
	return c;
}

struct candidate *candidate_of_peer(struct candidates *out, const struct scene_peer *peer,
				    uint64_t what)
{
	struct candidate *c = candidate_add(out, place_of_peer(peer, what));

	c->now_us = peer->now_us;
	c->from_file = peer->hub->h->source == STATE_HUB_FILE;
	c->where.hub = peer->hub->name;
	c->where.name = peer->name;
	c->where.peer = peer->p->id;
	c->where.pid = peer->p->pid > 0 ? peer->p->pid : -1;
	c->place_text = text(out, "%s(%u)", peer->name, peer->p->id);
	return c;
}

struct candidate *candidate_of_end(struct candidates *out, const struct scene_end *end,
				   const struct scene_party *whose)
{
	struct candidate *c = candidate_of_peer(out, end->peer, (uint64_t)end->dir);

	c->where.ring = ring_name(end->dir);
	c->where.pid = whose->pid > 0 ? whose->pid : -1;
	c->place_text = text(out, "%s(%u) %s ring", end->peer->name, end->peer->p->id,
			     c->where.ring);
	candidate_stack(out, c, end->hub->st, whose->thread);
	return c;
}

/* Frames of the C library tell how a thread waits, the first one above them where. */
static bool is_own_code(const struct state_frame *f)
{
	static const char *const libraries[] = { "libc.so", "libc-", "libpthread", "ld-linux",
						 "libsigdump", "[vdso]", "libshmhub" };

	if (!f->function || !f->module)
		return false;
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		if (strncmp(f->module, libraries[i], strlen(libraries[i])) == 0)
			return false;
	return true;
}

/* Frames from `i` on that lie in a libshmhub linked into the program: in its files, out to a
 * function of its interface. */
static size_t frames_of_hub(const struct state_stack *s, size_t i)
{
	size_t end = i;

	while (end < s->frames && s->frame[end].file &&
	       strncmp(s->frame[end].file, "hub_", strlen("hub_")) == 0)
		end++;
	const char *outer = end > i ? s->frame[end - 1].function : NULL;

	return outer && strncmp(outer, "shmhub_", strlen("shmhub_")) == 0 ? end - i : 0;
}

const char *site_of(struct candidates *out, const struct state *st, const struct state_thread *t)
{
	if (t->stack < 0 || (size_t)t->stack >= st->stacks)
		return NULL;
	const struct state_stack *s = &st->stack[t->stack];

	for (size_t i = 0; i < s->frames; i++) {
		i += frames_of_hub(s, i);
		if (i == s->frames)
			break;
		const struct state_frame *f = &s->frame[i];

		if (!is_own_code(f))
			continue;
		return f->file && f->line ? text(out, "%s %s:%d", f->function, f->file, f->line)
					  : text(out, "%s", f->function);
	}
	return NULL;
}

void candidate_stack(struct candidates *out, struct candidate *c, const struct state *st,
		     const struct state_thread *t)
{
	if (!t)
		return;
	c->where.tid = t->tid;
	if (t->stack < 0 || (size_t)t->stack >= st->stacks)
		return;
	c->where.stack = t->stack;
	c->where.site = site_of(out, st, t);
}

void candidate_watch_cpu(struct candidate *c, const struct state_thread *t,
			 uint64_t unknown_dwell_us)
{
	c->cpu = (struct candidate_cpu){ .wanted = true, .unknown_dwell_us = unknown_dwell_us };
	if (!t)
		return;
	c->cpu.tid = t->tid;
	c->cpu.runs = t->state == 'R' || t->moved;
	c->cpu.use = t->cpu;
}

/* ---- of threads ------------------------------------------------------------------------------- */

/* The hub that the process has a part in, and as which peer; NULL for the host, or neither. */
static const struct scene_hub *part_of(const struct scene *scene, const struct state_process *p,
				       const struct scene_peer **peer_of)
{
	*peer_of = NULL;
	for EACH_HUB(scene, hub) {
		if (hub->host.process == p)
			return hub;
		for EACH_PEER(hub, peer) {
			if (peer->end[HUB_RECV].consumer.process != p)
				continue;
			*peer_of = peer;
			return hub;
		}
	}
	return NULL;
}

const char *who_process(struct candidates *out, const struct scene *scene,
			const struct state_process *p)
{
	const struct scene_peer *peer;
	const struct scene_hub *hub = part_of(scene, p, &peer);

	if (hub)
		return who(out, peer ? &peer->end[HUB_RECV].consumer : &hub->host);
	return text(out, "%s (pid %d)", p->name ? p->name : "process", p->pid);
}

struct candidate *candidate_of_thread(struct candidates *out, const struct scene *scene,
				      const struct state_process *p, const struct state_thread *t,
				      uint64_t what)
{
	struct candidate *c = candidate_add(out, place_of_threads(p, what));
	const struct scene_peer *peer;
	const struct scene_hub *hub = part_of(scene, p, &peer);

	c->where.pid = p->pid;
	c->where.name = peer ? peer->name : p->name;
	c->place_text = p->name ? p->name : text(out, "pid %d", p->pid);
	if (hub)
		c->where.hub = hub->name;
	if (peer) {
		c->where.peer = peer->p->id;
		c->place_text = text(out, "%s(%u)", peer->name, peer->p->id);
	}
	c->place_text = text(out, "%s tid %d", c->place_text, t->tid);
	candidate_stack(out, c, scene->st, t);
	return c;
}

void candidate_edge(struct candidates *out, struct candidate *c, const struct scene *scene,
		    const struct waits_node *node, const struct state_process *home)
{
	char who_text[WAITS_TEXT], what[WAITS_TEXT], whom[WAITS_TEXT];

	if (c->edges == FINDING_EDGES)
		return;
	waits_whom(&scene->waits, node, home, whom);
	c->edge[c->edges++] = (struct finding_edge){
		.pid = node->process->pid,
		.tid = node->thread->tid,
		.who = text(out, "%s", waits_who(node, home, who_text)),
		.waits_for = text(out, "%s", waits_what(node, what)),
		.whom = whom[0] ? text(out, "%s", whom) : NULL,
		.site = site_of(out, scene->st, node->thread),
	};
}

void candidate_next(struct candidate *c, const char *what_to_do)
{
	for (size_t i = 0; i < FINDING_NEXT; i++) {
		if (!c->next[i]) {
			c->next[i] = what_to_do;
			return;
		}
	}
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static void add_node(struct node nodes[CANDIDATE_NODES], struct node node)
{
	for (size_t i = 0; i < CANDIDATE_NODES; i++) {
		if (nodes[i].kind == NODE_NONE) {
			nodes[i] = node;
			return;
		}
	}
}

void candidate_stuck(struct candidate *c, enum node_kind kind, const struct scene_hub *hub,
		     uint32_t id)
{
	add_node(c->stuck, (struct node){ kind, hub->h->id, id });
}

void candidate_waits_for(struct candidate *c, enum node_kind kind, const struct scene_hub *hub,
			 uint32_t id)
{
	add_node(c->waits_for, (struct node){ kind, hub->h->id, id });
}

struct node node_of_consumer(const struct scene_end *end)
{
	return (struct node){ end->dir == HUB_RECV ? NODE_PEER : NODE_LINK, end->hub->h->id,
			      end->peer->p->id };
}

void candidate_stuck_end(struct candidate *c, const struct scene_end *end)
{
	add_node(c->stuck, node_of_consumer(end));
}

void candidate_waits_for_end(struct candidate *c, const struct scene_end *end)
{
	add_node(c->waits_for, node_of_consumer(end));
}

/* One thread: what of each hub stands still with it. */
static void add_nodes_of_thread(struct candidate *c, const struct scene *scene,
				const struct waits_node *node)
{
	const uint32_t tid = (uint32_t)node->thread->tid;

	for EACH_HUB(scene, hub) {
		uint32_t links = 0, link = 0;

		for EACH_PEER(hub, peer) {
			if (peer->end[HUB_RECV].consumer.process == node->process &&
			    peer->p->loop_tid == tid)
				candidate_stuck(c, NODE_PEER, hub, peer->p->id);
			if (hub->host.process != node->process)
				continue;
			if (peer->p->host_handler_tid == tid)
				candidate_stuck(c, NODE_LINK, hub, peer->p->id);
			if (peer->p->host_tid != tid)
				continue;
			links++;
			link = peer->p->id;
		}
		/* one thread reads all rings of the host: they stand still together */
		if (links)
			candidate_stuck(c, links > 1 ? NODE_HOST : NODE_LINK, hub, links > 1 ? 0 : link);
	}
}

enum { STANDS = 1, GOES_ON, ASKED };

/* Whether the path of node i leads to one that stands; remembered for all nodes on the way. */
static void follow(const struct waits *w, uint8_t *mark, int i)
{
	int at = i;

	while (at >= 0 && !mark[at]) {
		mark[at] = ASKED;
		at = w->node[at].to;
	}
	const uint8_t found = at >= 0 && mark[at] == STANDS ? STANDS : GOES_ON;

	for (at = i; at >= 0 && mark[at] == ASKED; at = w->node[at].to)
		mark[at] = found;
}

void candidate_stuck_threads(struct candidates *out, struct candidate *c, const struct scene *scene,
			     const struct waits_node *node)
{
	const struct waits *w = &scene->waits;
	uint8_t *mark = arena_take(&out->arena, w->n + 1);

	if (!mark) {
		out->failed = true;
		return;
	}
	mark[node - w->node] = STANDS;
	for (size_t i = 0; i < w->n; i++) {
		follow(w, mark, (int)i);
		if (mark[i] == STANDS)
			add_nodes_of_thread(c, scene, &w->node[i]);
	}
}

uint64_t mix(uint64_t fingerprint, uint64_t number)
{
	const uint64_t h = (fingerprint ^ number) * UINT64_C(0x9e3779b97f4a7c15);

	return h ^ h >> 29;
}

/* ---- facts ---------------------------------------------------------------------------------- */

static void add_fact(struct candidate *c, struct finding_fact fact)
{
	if (c->facts < FINDING_EVIDENCE)
		c->fact[c->facts++] = fact;
}

void fact_number(struct candidate *c, const char *key, int64_t value)
{
	add_fact(c, (struct finding_fact){ .key = key, .value = value });
}

void fact_text(struct candidate *c, const char *key, const char *text_)
{
	add_fact(c, (struct finding_fact){ .key = key, .text = text_, .value = FINDING_UNKNOWN });
}
