#include "lib/findings/waits_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DIED_TOGETHER_US = SECOND_US }; /* a family killed at once dies within this */

uint64_t scene_later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t scene_age(uint64_t now_us, uint64_t then_us)
{
	return then_us && then_us < now_us ? now_us - then_us : 0;
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "hub";
}

/* ---- the clock of a hub --------------------------------------------------------------------- */

static uint64_t ring_sign(const struct state_ring *r)
{
	uint64_t us = scene_later(r->take_us, r->bell_us);

	us = scene_later(us, r->oldest.time_us);
	return scene_later(us, r->newest.time_us);
}

/* The last moment of which the file tells that somebody did something. */
static uint64_t last_sign(const struct state_hub *h)
{
	uint64_t us = h->last_alive_us;

	for (size_t i = 0; i < h->peers; i++) {
		const struct state_peer *p = &h->peer[i];

		us = scene_later(us, ring_sign(&p->ring[HUB_RECV]));
		us = scene_later(us, ring_sign(&p->ring[HUB_SEND]));
		us = scene_later(us, scene_later(p->beat.since_us, p->host_beat.since_us));
		us = scene_later(us, scene_later(p->flag_us, p->host_flag_us));
		us = scene_later(us, scene_later(p->started_us, p->died_us));
	}
	for (size_t i = 0; i < h->calls; i++)
		us = scene_later(us, h->call[i].started_us);
	return us;
}

static uint64_t hub_clock(const struct state *st, const struct state_hub *h, bool ended)
{
	const uint64_t seen = h->tables_us ? h->tables_us : h->seen_us ? h->seen_us : st->now_us;

	if (!ended)
		return seen;
	const uint64_t sign = last_sign(h);

	return sign && sign < seen ? sign : seen;
}

/* ---- who is at a ring ------------------------------------------------------------------------ */

/* Threads of a process by tid: a host may have thousands, and each of its rings asks. */
struct thread_index {
	const struct state_thread **by_tid;
	size_t n;
};

static int by_tid(const void *a, const void *b)
{
	const int32_t x = (*(const struct state_thread *const *)a)->tid;
	const int32_t y = (*(const struct state_thread *const *)b)->tid;

	return (x > y) - (x < y);
}

static int index_threads(struct scene *scene, const struct state_process *p,
			 struct thread_index *index)
{
	*index = (struct thread_index){ 0 };
	if (!p || !p->threads)
		return 0;
	index->by_tid = arena_take(&scene->arena, p->threads * sizeof(*index->by_tid));
	if (!index->by_tid)
		return -ENOMEM;
	for (size_t i = 0; i < p->threads; i++)
		index->by_tid[i] = &p->thread[i];
	index->n = p->threads;
	qsort(index->by_tid, index->n, sizeof(*index->by_tid), by_tid);
	return 0;
}

static const struct state_thread *index_find(const struct thread_index *index, int32_t tid)
{
	const struct state_thread wanted = { .tid = tid };
	const struct state_thread *key = &wanted;

	if (!tid || !index->n)
		return NULL;
	const struct state_thread *const *found =
		bsearch(&key, index->by_tid, index->n, sizeof(*index->by_tid), by_tid);

	return found ? *found : NULL;
}

static const struct state_process *seen_process(const struct state *st, int32_t pid, uint64_t start)
{
	const struct state_process *p = pid > 0 ? state_find_process(st, pid, start) : NULL;

	return p && !p->carried ? p : NULL;
}

static struct scene_party host_party(const struct state *st, const struct state_hub *h)
{
	const struct state_peer *entry = state_find_peer(h, 0);
	const struct state_process *p = seen_process(st, h->host_pid, h->host_start);
	struct scene_party party = { .pid = h->host_pid, .process = p, .alive = h->host_alive };

	party.reachable = h->host_pid > 0 && h->host_alive != STATE_NO;

	party.name = entry && entry->name ? entry->name : p && p->name ? p->name : "host";
	party.stopped = entry && !entry->carried ? entry->stopped : STATE_UNKNOWN;
	if (p && p->state != '?')
		party.stopped = p->state == 'T' || p->state == 't' ? STATE_YES : STATE_NO;
	return party;
}

static struct scene_party peer_party(const struct state *st, const struct scene_peer *peer)
{
	const struct state_peer *p = peer->p;
	struct scene_party party = {
		.peer = p->id,
		.name = peer->name,
		.pid = p->pid,
		.alive = peer->living ? STATE_YES : p->alive,
		.stopped = p->stopped,
		.reachable = p->pid > 0 && !peer->hub->ended,
	};

	if (p->process >= 0 && !st->process[p->process].carried)
		party.process = &st->process[p->process];
	if (party.process && p->loop_tid)
		party.thread = state_find_thread(party.process, (int32_t)p->loop_tid);
	return party;
}

/* ---- what the consumer does ----------------------------------------------------------------- */

static enum scene_doing seen_doing(const struct scene_end *end)
{
	const struct state_thread *t = end->consumer.thread;

	if (end->consumer.stopped == STATE_YES)
		return DOING_STOPPED;
	if (!t)
		return DOING_UNKNOWN;
	if (t->state == 'T' || t->state == 't')
		return DOING_STOPPED;
	if (t->state == 'R' || t->moved)
		return DOING_RUNNING;
	/* a poll inside a handler waits for something of the handler's own */
	if (t->wait == STATE_WAIT_POLL)
		return end->dir == HUB_RECV && end->beat.state == HUB_BEAT_HANDLER ? DOING_BLOCKED
										   : DOING_ASLEEP;
	/* in the host a caller that has the consumer's role may wait for it in a futex */
	if (t->wait == STATE_WAIT_FUTEX && end->dir == HUB_SEND && end->flag)
		return DOING_ASLEEP;
	return t->wait == STATE_WAIT_NONE ? DOING_UNKNOWN : DOING_BLOCKED;
}

/* What the file says: weaker, for it stays as it was when its writer is stopped or starved. */
static enum scene_doing told_doing(const struct scene_end *end)
{
	if (end->flag & HUB_ASLEEP_MESSAGE)
		return DOING_ASLEEP;
	if (end->dir == HUB_SEND)
		return DOING_UNKNOWN; /* handlers of the host have threads of their own */
	return end->beat.state == HUB_BEAT_ASLEEP    ? DOING_ASLEEP
	       : end->beat.state == HUB_BEAT_HANDLER ? DOING_RUNNING
						     : DOING_UNKNOWN;
}

/* Hardly room for another message. Its reader may have taken one or two whose place the waiting
 * writer has not filled yet, but a small ring is not full when it is half empty. */
static bool is_full(uint64_t capacity, uint64_t used)
{
	if (capacity <= HUB_RING_RESERVED)
		return false;
	const uint64_t usable = capacity - HUB_RING_RESERVED;
	const uint64_t slack = usable / 4 < 3 * HUB_MSG_CELLS ? usable / 4 : 3 * HUB_MSG_CELLS;

	return used + slack > usable;
}

/* Before half of the ring is full, see hub_bell.c. */
static bool is_quiet(const struct scene_end *end)
{
	const struct state_message *m = &end->ring->oldest;

	return (end->flag & HUB_ASLEEP_IN_LOOP) == HUB_ASLEEP_LOUD && m->is_there &&
	       m->kind == HUB_KIND_REPLY && (m->flags & HUB_FLAG_QUIET) &&
	       end->used_cells <= end->ring->capacity / 2 + HUB_MSG_CELLS;
}

static void look_at_ring(struct scene_end *end)
{
	const struct state_ring *r = end->ring;

	const uint64_t end_cell = scene_later(r->head, r->published);

	end->used_cells = end_cell > r->tail ? end_cell - r->tail : 0;
	end->full = is_full(r->capacity, end->used_cells);
	end->rung = r->waiting && r->oldest.is_there && r->bell_head > r->oldest.position;
	if (r->waiting && r->oldest.is_there && r->oldest.time_us) {
		end->still_us = scene_later(r->oldest.time_us, r->take_us);
		/* what was sent before the peer attached waited for that */
		end->still_us = scene_later(end->still_us, end->peer->p->started_us);
	}
	end->quiet = is_quiet(end);
	if (end->flag & HUB_ASLEEP_LOUD)
		end->flag |= HUB_ASLEEP_MESSAGE;
	end->doing = seen_doing(end);
	end->doing_seen = end->doing != DOING_UNKNOWN;
	if (!end->doing_seen)
		end->doing = told_doing(end);
}

static void build_end(struct scene_peer *peer, int dir, const struct thread_index *host_threads)
{
	const struct state_peer *p = peer->p;
	const struct scene_hub *hub = peer->hub;
	struct scene_end *end = &peer->end[dir];
	struct scene_party host = hub->host;
	const struct scene_party other = peer_party(hub->st, peer);

	host.thread = index_find(host_threads, (int32_t)p->host_tid);
	*end = (struct scene_end){ .hub = hub, .peer = peer, .ring = &p->ring[dir], .dir = dir };
	end->consumer = dir == HUB_RECV ? other : host;
	end->producer = dir == HUB_RECV ? host : other;
	end->beat = dir == HUB_RECV ? p->beat : p->host_beat;
	end->flag = dir == HUB_RECV ? p->flag : p->host_flag;
	end->flag_us = dir == HUB_RECV ? p->flag_us : p->host_flag_us;
	end->producer_flag = dir == HUB_RECV ? p->host_flag : p->flag;
	end->usable = peer->usable && !end->ring->damage;
	look_at_ring(end);
}

static bool is_living(const struct scene_peer *peer)
{
	const struct state_peer *p = peer->p;
	const bool in_file = p->state == HUB_PEER_STARTING || p->state == HUB_PEER_LIVE ||
			     p->state == HUB_PEER_LEAVING;

	if (peer->hub->ended) /* the system only tells that they are dead by now */
		return in_file || (p->died_us &&
				   p->died_us + DIED_TOGETHER_US >= peer->hub->now_us);
	return in_file && p->alive != STATE_NO;
}

static void build_peer(struct scene_hub *hub, struct scene_peer *peer, const struct state_peer *p,
		       const struct thread_index *host_threads)
{
	*peer = (struct scene_peer){ .hub = hub, .p = p, .name = p->name ? p->name : "peer" };
	peer->looked_at = !p->carried && !hub->h->damage;
	peer->living = is_living(peer);
	peer->now_us = hub->ended || !p->seen_us ? hub->now_us : p->seen_us;
	if (hub->ended && p->died_us && p->died_us < peer->now_us)
		peer->now_us = p->died_us;
	peer->usable = peer->looked_at && peer->living && !hub->h->stopping &&
		       p->state != HUB_PEER_STARTING && p->state != HUB_PEER_LEAVING;
	build_end(peer, HUB_RECV, host_threads);
	build_end(peer, HUB_SEND, host_threads);
}

/* ---- building ------------------------------------------------------------------------------- */

static int peer_by_id(const void *a, const void *b)
{
	return (int)((const struct scene_peer *)a)->p->id -
	       (int)((const struct scene_peer *)b)->p->id;
}

static int build_hub(struct scene *scene, struct scene_hub *hub, const struct state_hub *h)
{
	struct thread_index host_threads;

	hub->h = h;
	hub->st = scene->st;
	hub->name = base_name(h->path);
	hub->ended = h->host_alive == STATE_NO;
	hub->now_us = hub_clock(scene->st, h, hub->ended);
	hub->sees_tables = !h->damage && !h->carried;
	hub->host = host_party(scene->st, h);
	if (index_threads(scene, hub->host.process, &host_threads))
		return -ENOMEM;
	hub->peer = arena_take(&scene->arena, (h->peers + 1) * sizeof(*hub->peer));
	if (!hub->peer)
		return -ENOMEM;
	for (size_t i = 0; i < h->peers; i++)
		if (h->peer[i].id && h->peer[i].state != HUB_PEER_UNUSED)
			build_peer(hub, &hub->peer[hub->peers++], &h->peer[i], &host_threads);
	qsort(hub->peer, hub->peers, sizeof(*hub->peer), peer_by_id);
	for (size_t i = 0; i < hub->peers; i++)
		hub->peer[i].end[0].peer = hub->peer[i].end[1].peer = &hub->peer[i];
	return 0;
}

static int hub_by_id(const void *a, const void *b)
{
	const struct state_hub *x = *(const struct state_hub *const *)a;
	const struct state_hub *y = *(const struct state_hub *const *)b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->path ? x->path : "", y->path ? y->path : "");
}

int scene_build(struct scene *scene, const struct state *st)
{
	*scene = (struct scene){ .st = st, .hubs = st->hubs };
	const struct state_hub **sorted =
		arena_take(&scene->arena, (st->hubs + 1) * sizeof(*sorted));

	scene->hub = arena_take(&scene->arena, (st->hubs + 1) * sizeof(*scene->hub));
	if (!sorted || !scene->hub)
		return -ENOMEM;
	for (size_t i = 0; i < st->hubs; i++)
		sorted[i] = &st->hub[i];
	qsort(sorted, st->hubs, sizeof(*sorted), hub_by_id);
	for (size_t i = 0; i < st->hubs; i++)
		if (build_hub(scene, &scene->hub[i], sorted[i]))
			return -ENOMEM;
	return waits_build(&scene->waits, scene);
}

void scene_fini(struct scene *scene)
{
	arena_fini(&scene->arena);
}

const struct scene_peer *scene_peer(const struct scene_hub *hub, unsigned id)
{
	size_t lo = 0, hi = hub->peers;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (hub->peer[mid].p->id == id)
			return &hub->peer[mid];
		if (hub->peer[mid].p->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

void scene_each_end(const struct scene *scene,
		    void (*look)(const struct scene_end *end, struct candidates *out),
		    struct candidates *out)
{
	for EACH_HUB(scene, hub)
		for EACH_PEER(hub, peer)
			for (int dir = 0; dir < 2; dir++)
				if (peer->end[dir].usable)
					look(&peer->end[dir], out);
}
