#include "tests/state_build.h"

#include <stdarg.h>
#include <stdlib.h>

#include "tests/t.h"

static const char *const names[] = { "ingest", "thumbs",  "search", "export", "fonts", "images",
				     "markdown", "code-exec", "css", "html", "feeds", "mail",
				     "maps", "audio", "video", "index" };

enum { BELLS = 40, TAKEN = 1034 };

uint64_t build_ago(uint64_t now_us, double seconds)
{
	return now_us - (uint64_t)(seconds * 1e6);
}

struct state *build_state(double seconds)
{
	struct state *st = calloc(1, sizeof(*st));

	state_init(st);
	st->now_us = BUILD_NOW_US + (uint64_t)(seconds * 1e6);
	st->real_offset_us = INT64_C(1795266000000000) - (int64_t)BUILD_NOW_US;
	st->sources = STATE_LIVE;
	st->sees_processes = st->sees_bells = true;
	return st;
}

void build_free(struct state *st)
{
	state_fini(st);
	free(st);
}

void build_as_file(struct state *st)
{
	st->sources = STATE_HUB_FILE;
	st->single_moment = true;
	st->sees_processes = st->sees_bells = false;
	st->processes = 0;
	for (size_t i = 0; i < st->hubs; i++) {
		struct state_hub *h = &st->hub[i];

		h->source = STATE_HUB_FILE;
		h->host_alive = STATE_NO;
		h->last_alive_us = h->seen_us;
		for (size_t k = 0; k < h->peers; k++) {
			h->peer[k].process = -1;
			h->peer[k].alive = STATE_NO;
			h->peer[k].stopped = STATE_UNKNOWN;
			h->peer[k].ring[0].bell = h->peer[k].ring[1].bell = -1;
		}
	}
}

/* ---- a healthy hub -------------------------------------------------------------------------- */

/* Since then nothing has happened; the same moment in every look. */
static uint64_t idle_since(void)
{
	return build_ago(BUILD_NOW_US, 20);
}

static void add_idle_ring(struct state_ring *r)
{
	r->head = r->tail = r->published = r->written = r->read = TAKEN;
	r->capacity = BUILD_HUB_CELLS;
	r->bell = 0;
	r->bells = BELLS;
	r->bell_head = TAKEN;
	r->bell_us = r->take_us = idle_since();
}

static struct state_process *add_process(struct state *st, int32_t pid, const char *name)
{
	struct state_process *p = state_add_process(st);

	p->pid = pid;
	p->start = 77;
	p->name = name;
	p->alive = STATE_YES;
	p->state = 'S';
	p->source = STATE_LIVE;
	p->seen_us = p->dump_us = st->now_us;
	p->all_threads = true;
	build_thread(st, p, pid, name)->blocked_us = 20 * 1000000;
	return p;
}

static void add_peer(struct state *st, struct state_hub *hub, unsigned id)
{
	struct state_peer *p = state_add_peer(st, hub, id);

	p->name = id <= sizeof(names) / sizeof(names[0]) ? names[id - 1]
							 : arena_printf(&st->arena, "peer%u", id);
	p->pid = (int32_t)(BUILD_HOST_PID + id);
	p->start = 77;
	p->state = HUB_PEER_LIVE;
	p->alive = STATE_YES;
	p->stopped = STATE_NO;
	p->incarnation = 1;
	p->started_us = build_ago(BUILD_NOW_US, 600);
	p->beat = (struct state_beat){ HUB_BEAT_ASLEEP, 0, idle_since() };
	p->loop_tid = (uint32_t)p->pid;
	p->host_tid = BUILD_HOST_PID;
	p->flag = p->host_flag = HUB_ASLEEP_MESSAGE;
	p->flag_us = p->host_flag_us = idle_since();
	add_idle_ring(&p->ring[HUB_RECV]);
	add_idle_ring(&p->ring[HUB_SEND]);
	add_process(st, p->pid, p->name);
}

struct state_hub *build_hub(struct state *st, unsigned peers)
{
	struct state_hub *hub = state_add_hub(st);

	hub->path = "/dev/shm/demo.hub";
	hub->id = 0x1234;
	hub->source = STATE_LIVE;
	hub->seen_us = hub->last_alive_us = st->now_us;
	hub->file_version = 1;
	hub->writer = "0.1.0";
	hub->created_us = build_ago(BUILD_NOW_US, 600);
	hub->file_bytes = 256 << 20;
	hub->host_pid = BUILD_HOST_PID;
	hub->host_start = 77;
	hub->host_alive = STATE_YES;
	hub->ring_cells = BUILD_HUB_CELLS;
	hub->calls_max = 8192;
	hub->slots_listed = true;
	add_process(st, BUILD_HOST_PID, "hostd");
	for (unsigned id = 1; id <= peers; id++)
		add_peer(st, hub, id);
	if (state_join(st))
		T_FAIL("state_join");
	return &st->hub[st->hubs - 1];
}

struct state_peer *build_peer(struct state_hub *hub, unsigned id)
{
	struct state_peer *p = state_find_peer(hub, id);

	if (!p)
		T_FAIL("no peer %u", id);
	return p;
}

struct state_process *build_process(struct state *st, const struct state_peer *peer)
{
	return &st->process[peer->process];
}

struct state_process *build_host_process(struct state *st)
{
	return state_find_process(st, BUILD_HOST_PID, 0);
}

struct state_thread *build_loop(struct state *st, const struct state_peer *peer)
{
	return &build_process(st, peer)->thread[0];
}

/* ---- trouble -------------------------------------------------------------------------------- */

void build_waiting(struct state *st, struct state_peer *peer, int dir, unsigned n, double seconds)
{
	struct state_ring *r = &peer->ring[dir];

	r->head = r->published = r->tail + n;
	r->written = r->read + n;
	r->waiting = n;
	r->oldest = (struct state_message){ .is_there = true,
					    .time_us = build_ago(st->now_us, seconds),
					    .position = r->tail,
					    .kind = HUB_KIND_CALL };
	r->newest = r->oldest;
	r->newest.position = r->head - 1;
}

void build_lost_bell(struct state *st, struct state_peer *peer, int dir, double seconds)
{
	build_waiting(st, peer, dir, 7, seconds);
}

void build_deaf(struct state *st, struct state_peer *peer, double seconds)
{
	struct state_ring *r = &peer->ring[HUB_RECV];

	build_waiting(st, peer, HUB_RECV, 7, seconds);
	peer->flag = 0;
	r->bell = 1;
	r->bells++;
	r->bell_head = r->tail + 1;
	r->bell_us = r->oldest.time_us;
}

void build_handler(struct state *st, struct state_peer *peer, unsigned method, double seconds)
{
	struct state_thread *t = build_loop(st, peer);

	peer->flag = 0;
	peer->beat = (struct state_beat){ HUB_BEAT_HANDLER, (uint16_t)method,
					  build_ago(st->now_us, seconds) };
	peer->ring[HUB_RECV].take_us = peer->beat.since_us;
	t->state = 'R';
	t->wait = STATE_WAIT_NONE;
	t->wait_text = NULL;
	t->captured = "signal";
	t->disturbed = true;
}

void build_spinning(struct state *st, struct state_peer *peer, double seconds)
{
	build_handler(st, peer, 5, seconds);
	build_waiting(st, peer, HUB_RECV, 3, seconds - 0.1);
}

void build_blocked(struct state *st, struct state_peer *peer, double seconds)
{
	struct state_thread *t = build_loop(st, peer);

	build_spinning(st, peer, seconds);
	t->state = 'S';
	t->wait = STATE_WAIT_READ;
	t->wait_text = "read on pipe:[1234]";
	t->captured = "peek";
	t->disturbed = false;
}

void build_stopped(struct state *st, struct state_peer *peer)
{
	peer->stopped = STATE_YES;
	build_process(st, peer)->state = 'T';
	build_loop(st, peer)->state = 'T';
}

void build_cpu(struct state *st, struct state_thread *t, double ran, double queued)
{
	t->cpu = (struct state_cpu){ st->now_us, (uint64_t)(ran * 1e6), (uint64_t)(queued * 1e6) };
}

/* ---- stacks --------------------------------------------------------------------------------- */

int build_stack(struct state *st, const char *const *functions)
{
	struct state_stack *s = state_add_stack(st);

	while (functions[s->frames])
		s->frames++;
	s->frame = arena_take(&st->arena, s->frames * sizeof(*s->frame));
	for (size_t i = 0; i < s->frames; i++) {
		const bool libc = i == 0;

		s->frame[i] = (struct state_frame){
			.function = functions[i],
			.file = libc ? NULL : "main.c",
			.line = libc ? 0 : (int)(10 * i),
			.module = libc ? "libc.so.6" : "search",
			.offset = 0x1000 + i,
			.build_id = "abcd",
		};
		for (const char *c = functions[i]; *c; c++) /* other functions, other places */
			s->frame[i].offset += (uint64_t)(unsigned char)*c << 8;
	}
	return (int)(s - st->stack);
}

/* ---- threads that sleep --------------------------------------------------------------------- */

struct state_thread *build_thread(struct state *st, struct state_process *p, int32_t tid,
				  const char *name)
{
	struct state_thread *t = state_add_thread(st, p);

	t->tid = tid;
	t->name = name;
	t->state = 'S';
	t->wait = STATE_WAIT_POLL;
	t->wait_text = "epoll_wait";
	t->sys = 232;
	t->captured = "peek";
	return t;
}

struct state_lock *build_sleep(struct state *st, struct state_process *p, int32_t tid,
			       enum state_lock_kind kind, uint64_t addr, const char *name,
			       int32_t owner, double seconds)
{
	struct state_thread *t = state_find_thread(p, tid);
	struct state_lock *lock = arena_take(&st->arena, sizeof(*lock));

	if (!t || !lock)
		T_FAIL("no thread %d", tid);
	t->wait = kind == STATE_LOCK_FILE ? STATE_WAIT_LOCK : STATE_WAIT_FUTEX;
	t->wait_text = "futex";
	t->sys = kind == STATE_LOCK_FILE ? 73 : 202;
	t->arg[1] = 128;
	t->still_us = build_ago(st->now_us, seconds);
	t->lock = lock;
	*lock = (struct state_lock){
		.kind = kind,
		.sure = true,
		.addr = addr,
		.name = name,
		.word = kind == STATE_LOCK_FILE ? 0 : addr,
		.expected = 2,
		.value = { 2, 2 },
		.looks = kind == STATE_LOCK_FILE ? 1 : 2,
		.is_private = true,
		.from_us = build_ago(st->now_us, seconds),
		.to_us = build_ago(st->now_us, 0.001),
		.owner_tid = owner,
		.owner_pid = owner ? p->pid : 0,
		.owner_alive = owner ? STATE_YES : STATE_UNKNOWN,
	};
	return lock;
}

/* ---- slots and calls ------------------------------------------------------------------------ */

struct state_class *build_class(struct state *st, struct state_hub *hub, uint32_t bytes,
				uint32_t slots)
{
	if (ARENA_GROW(&st->arena, hub->klass, hub->classes, hub->classes_room))
		T_FAIL("no memory");
	struct state_class *k = &hub->klass[hub->classes];

	*k = (struct state_class){ .index = (uint32_t)hub->classes, .bytes = bytes, .slots = slots,
				   .slots_max = slots };
	k->count[HUB_SLOT_FREE] = slots;
	hub->classes++;
	return k;
}

static void list_slots(struct state *st, struct state_hub *hub, struct state_class *k,
		       const struct state_owner *o)
{
	for (uint32_t i = 0; i < o->n; i++) {
		if (ARENA_GROW(&st->arena, hub->slot, hub->slots, hub->slots_room))
			T_FAIL("no memory");
		hub->slot[hub->slots++] = (struct state_slot){
			.klass = k->index,
			.index = k->slots - k->count[HUB_SLOT_FREE] - o->n + i,
			.slot_state = o->slot_state,
			.direction = o->direction,
			.peer = o->peer,
			.incarnation = o->incarnation,
			.generation = 9,
			.time_us = o->oldest_us,
			.bytes = 100,
		};
	}
}

void build_owner(struct state *st, struct state_hub *hub, struct state_class *k,
		 const struct state_peer *peer, unsigned direction, unsigned slot_state, uint32_t n,
		 double seconds)
{
	struct state_owner *more = arena_take(&st->arena, (k->owners + 1) * sizeof(*more));

	for (size_t i = 0; i < k->owners; i++)
		more[i] = k->owner[i];
	k->owner = more;
	struct state_owner *o = &k->owner[k->owners++];

	*o = (struct state_owner){ .peer = peer->id,
				   .incarnation = (uint16_t)peer->incarnation,
				   .direction = (uint8_t)direction,
				   .slot_state = (uint8_t)slot_state,
				   .n = n,
				   .oldest_us = build_ago(st->now_us, seconds) };
	k->count[HUB_SLOT_FREE] -= n;
	k->count[slot_state] += n;
	if (seconds > 1)
		list_slots(st, hub, k, o);
}

struct state_call *build_call(struct state *st, struct state_hub *hub, unsigned by, unsigned peer,
			      uint32_t id, double seconds)
{
	if (ARENA_GROW(&st->arena, hub->call, hub->calls, hub->calls_room))
		T_FAIL("no memory");
	struct state_call *call = &hub->call[hub->calls++];

	*call = (struct state_call){ .by = (uint16_t)by,
				     .id = id,
				     .call_state = HUB_CALL_PENDING,
				     .peer = (uint16_t)peer,
				     .method = 5,
				     .enqueued_peer = (uint16_t)peer,
				     .enqueued_at = TAKEN,
				     .started_us = build_ago(st->now_us, seconds),
				     .tid = BUILD_HOST_PID + 500,
				     .bytes = 64 };
	if (!by) {
		hub->calls_pending++;
		build_peer(hub, peer)->calls_pending++;
	}
	return call;
}

/* ---- judging -------------------------------------------------------------------------------- */

struct judge *build_judge(struct state *first, ...)
{
	struct judge *judge = judge_create(NULL);
	va_list ap;

	va_start(ap, first);
	for (struct state *st = first; st; st = va_arg(ap, struct state *)) {
		T_EQ(judge_look(judge, st), 0);
		build_free(st);
	}
	va_end(ap);
	return judge;
}

const struct finding *build_find(const struct judge *judge, const char *rule,
				 enum finding_state state)
{
	const struct findings *f = judge_findings(judge);

	for (size_t i = 0; i < f->n; i++)
		if (f->list[i]->rule == rules_find(rule) && f->list[i]->state == state)
			return f->list[i];
	return NULL;
}

unsigned build_count(const struct judge *judge, enum finding_state state)
{
	const struct findings *f = judge_findings(judge);
	unsigned n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->list[i]->state == state && f->list[i]->rule->severity != SEVERITY_INFO;
	return n;
}
