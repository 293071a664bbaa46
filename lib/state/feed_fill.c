#include "lib/state/feed_fill.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/grow.h"
#include "lib/feed/feed_get.h"
#include "lib/state/ends.h"
#include "lib/state/hub_time.h"
#include "lib/state/lock.h"
#include "lib/state/names.h"
#include "lib/state/wait.h"

struct fill_hub { /* a hub of this dump: numbers in its records are relative to these */
	uint64_t h;
	size_t index; /* in state->hub */
	uint64_t created_us;
};

struct fill {
	struct state *st;
	struct feed_stream *s;
	size_t process;     /* index in state->process */
	unsigned look;      /* which look's records are taken */
	uint64_t look_us;
	bool carried;       /* the transport's part is */
	struct fill_hub *hub;
	size_t hubs, hubs_room;
	const json_t **stack; /* those taken so far, by their index in the state - stack_first */
	size_t stacks, stacks_room, stack_first;
	size_t slept;       /* thread that the last word was of: they come in order */
	bool no_memory;
};

static const char *copy(struct fill *f, const char *text)
{
	const char *made = arena_strdup(&f->st->arena, text);

	f->no_memory |= text && !made;
	return made;
}

static const char *copy_field(struct fill *f, const json_t *rec, const char *key)
{
	return copy(f, feed_text(rec, key));
}

/* A time of the machine's clock; 0 stays 0: never. */
static uint64_t mono_field(const struct fill *f, const json_t *rec, const char *key)
{
	const uint64_t t = feed_u64(rec, key, 0);

	return t ? t + (uint64_t)f->s->shift_us : 0;
}

/* Of a process or thread, as we see it. */
static int32_t number_field(const struct fill *f, const json_t *rec, const char *key)
{
	return feed_stream_number(f->s, (int32_t)feed_u32(rec, key, 0));
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash && slash[1] ? slash + 1 : path;
}

/* ---- stacks and threads ------------------------------------------------------------------ */

static void take_frame(struct fill *f, const json_t *pc, struct state_frame *frame)
{
	const json_t *number = json_array_get(pc, 0);
	const char *flags = json_string_value(json_array_get(pc, 2));
	const json_t *module = NULL;

	feed_value_u64(json_array_get(pc, 1), &frame->offset);
	if (json_is_integer(number) && json_integer_value(number) >= 0)
		module = feed_words_find(&f->s->module, (uint64_t)json_integer_value(number));
	frame->guessed = flags && strchr(flags, 'g');
	frame->exact = flags && strchr(flags, 'x');
	if (!module)
		return;
	const char *kind = feed_text(module, "kind");

	frame->path = copy_field(f, module, "path");
	frame->module = frame->path ? base_name(frame->path) : copy(f, kind);
	frame->build_id = copy_field(f, module, "build_id");
}

static void take_stack(struct fill *f, const json_t *rec)
{
	const json_t *frames = json_object_get(rec, "frames");
	const char *end = feed_text(rec, "end");
	struct state_stack *s = state_add_stack(f->st);

	if (s && json_array_size(frames))
		s->frame = arena_take(&f->st->arena, json_array_size(frames) * sizeof(*s->frame));
	if (!s || (json_array_size(frames) && !s->frame)) {
		f->no_memory = true;
		return;
	}
	s->frames = json_array_size(frames);
	if (end && strcmp(end, "bottom") != 0)
		s->end = copy(f, end);
	for (size_t i = 0; i < s->frames; i++)
		take_frame(f, json_array_get(frames, i), &s->frame[i]);
}

/* The index of a stack in the state, which is made when it is first referred to; -1. */
static int stack_index(struct fill *f, const json_t *thread)
{
	uint64_t number;
	const json_t *rec;

	if (!feed_get_u64(thread, "stack", &number))
		return -1;
	rec = feed_words_find(&f->s->stack, number);
	if (!rec)
		return -1;
	for (size_t i = 0; i < f->stacks; i++)
		if (f->stack[i] == rec)
			return (int)(f->stack_first + i);
	if (!GROW(f->stack, f->stacks, f->stacks_room)) {
		f->no_memory = true;
		return -1;
	}
	f->stack[f->stacks++] = rec;
	take_stack(f, rec);
	return (int)(f->stack_first + f->stacks - 1);
}

static const char *captured_word(const json_t *rec)
{
	static const char *const words[] = { "peek", "signal", "ptrace", "core", "proc" };
	const char *text = feed_text(rec, "captured");

	for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i], text) == 0)
			return words[i];
	return NULL;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns how many bytes the hex text has, as far as there is room. */
static size_t take_hex(const char *text, uint8_t *bytes, size_t room)
{
	size_t n = 0;

	while (text && n < room && digit(text[2 * n]) >= 0 && digit(text[2 * n + 1]) >= 0) {
		bytes[n] = (uint8_t)(digit(text[2 * n]) << 4 | digit(text[2 * n + 1]));
		n++;
	}
	return n;
}

static void take_wait(struct fill *f, const json_t *rec, struct state_thread *t)
{
	const char *on = feed_text(rec, "on");
	const json_t *args = json_object_get(rec, "args");
	uint8_t address[sizeof(struct sockaddr_storage)];
	struct proc_wait w;

	t->sys = (int)feed_i64(rec, "sys", -1);
	for (size_t i = 0; i < 6; i++)
		feed_value_u64(json_array_get(args, i), &t->arg[i]);
	proc_wait_decode(t->sys, t->arg, &w);
	w.child = feed_stream_number(f->s, w.child);
	if (on && w.fd >= 0)
		snprintf(w.object, sizeof(w.object), "%s", on);
	const size_t n = take_hex(feed_text(rec, "to"), address, sizeof(address));

	if (n >= sizeof(sa_family_t) && w.kind == PROC_WAIT_CONNECT)
		proc_wait_set_address(&w, address, n);
	if (n && w.kind == PROC_WAIT_OPEN)
		proc_wait_set_path(&w, address, n);
	if (feed_text(rec, "wchan"))
		proc_wait_set_place(&w, feed_text(rec, "wchan"));
	wait_set(f->st, t, &w);
}

/* At least so long: as the feed says, or since an earlier dump found it at the same mark. */
static uint64_t blocked_for(const struct fill *f, const json_t *rec, char letter)
{
	const uint64_t told_us = feed_u64(rec, "blocked_ms", 0) * 1000;
	const uint64_t since_us = letter == 'R' ? 0 : feed_stream_rest(f->s, rec);
	const uint64_t at_us = feed_u64(rec, "mono_us", 0) + (uint64_t)f->s->shift_us;
	const uint64_t rest_us = since_us && at_us > since_us ? at_us - since_us : 0;

	return told_us > rest_us ? told_us : rest_us;
}

static void take_cpu(const struct fill *f, const json_t *rec, struct state_cpu *cpu)
{
	if (feed_get_u64(rec, "ran_us", &cpu->ran_us) &&
	    feed_get_u64(rec, "queued_us", &cpu->queued_us) &&
	    feed_get_u64(rec, "mono_us", &cpu->at_us))
		cpu->at_us += (uint64_t)f->s->shift_us;
	else
		*cpu = (struct state_cpu){ 0 };
}

static void take_thread(struct fill *f, const json_t *rec)
{
	struct state_process *p = &f->st->process[f->process];
	struct state_thread *t = state_add_thread(f->st, p);
	const char *letter = feed_text(rec, "state");

	if (!t) {
		f->no_memory = true;
		return;
	}
	t->tid = number_field(f, rec, "tid");
	t->inner_tid = t->tid != (int32_t)feed_u32(rec, "tid", 0) ? (int32_t)feed_u32(rec, "tid", 0)
							       : (int32_t)feed_u32(rec, "inner", 0);
	t->name = copy_field(f, rec, "name");
	if (letter && letter[0])
		t->state = letter[0];
	feed_get_u64(rec, "sp", &t->sp);
	feed_get_u64(rec, "pc", &t->pc);
	t->captured = captured_word(rec);
	t->reason = copy_field(f, rec, "reason");
	t->disturbed = feed_is(rec, "disturbed");
	t->moved = feed_is(rec, "moved");
	t->own = feed_is(rec, "own");
	t->still_us = feed_stream_rest(f->s, rec);
	t->blocked_us = blocked_for(f, rec, t->state);
	take_cpu(f, rec, &t->cpu);
	t->stack = stack_index(f, rec);
	take_wait(f, rec, t);
	if (t->tid == p->pid)
		p->state = t->state;
}

/* ---- what threads sleep on --------------------------------------------------------------- */

enum { HOLDERS = 8, MEMORY = 1024 };

static size_t take_holders(const struct fill *f, const json_t *rec, struct state_holder *holder)
{
	const json_t *list = json_object_get(rec, "holders");
	size_t n = 0;

	for (; n < HOLDERS && n < json_array_size(list); n++) {
		const json_t *h = json_array_get(list, n);
		const char *letter = feed_text(h, "state");

		holder[n] = (struct state_holder){ .tid = (int32_t)feed_u32(h, "tid", 0),
						   .pid = number_field(f, h, "pid"),
						   .state = letter && letter[0] ? letter[0] : '?',
						   .name = feed_text(h, "name") };
	}
	return n;
}

/* The module that the variable lies in. */
static void take_place(struct fill *f, const json_t *rec, struct lock_look *look)
{
	const json_t *in = json_object_get(rec, "in");
	uint64_t number;

	if (!feed_value_u64(json_array_get(in, 0), &number) ||
	    !feed_value_u64(json_array_get(in, 1), &look->offset))
		return;
	const json_t *module = feed_words_find(&f->s->module, number);

	look->path = module ? feed_text(module, "path") : NULL;
	look->build_id = module ? feed_text(module, "build_id") : NULL;
}

/* Words stand behind their thread, and again in the order of the threads. */
static struct state_thread *thread_of_word(struct fill *f, int32_t tid)
{
	const struct state_process *p = &f->st->process[f->process];

	for (size_t i = 0; i < p->threads; i++) {
		const size_t at = (f->slept + i) % p->threads;

		if (p->thread[at].tid != tid)
			continue;
		f->slept = at;
		return &p->thread[at];
	}
	return NULL;
}

static void take_word(struct fill *f, const json_t *rec)
{
	struct state_thread *t = thread_of_word(f, number_field(f, rec, "of"));
	struct state_holder holder[HOLDERS];
	uint8_t bytes[MEMORY];
	struct lock_look look = {
		.look = feed_u32(rec, "look", 1),
		.still = feed_is(rec, "still"),
		.addr = feed_u64(rec, "addr", 0),
		.value = feed_u32(rec, "value", 0),
		.at_us = mono_field(f, rec, "mono_us"),
		.bytes = bytes,
		.bytes_addr = feed_u64(rec, "at", 0),
		.bytes_n = take_hex(feed_text(rec, "bytes"), bytes, sizeof(bytes)),
		.holder = holder,
		.holders = take_holders(f, rec, holder),
	};

	if (!t)
		return;
	take_place(f, rec, &look);
	f->no_memory |= lock_take(f->st, t, &look) != 0;
}

/* ---- open files and their locks ---------------------------------------------------------- */

enum { ENDS = 64 };

static void take_ends(struct fill *f, const json_t *rec)
{
	struct state_thread *t = thread_of_word(f, number_field(f, rec, "of"));
	const json_t *list = json_object_get(rec, "ends");
	const int32_t set = (int32_t)feed_i64(rec, "set", -1);
	struct ends_given given[ENDS];
	size_t n = 0;

	if (!t || (!list && ends_share(&f->st->process[f->process], t, set)))
		return;
	for (; n < ENDS && n < json_array_size(list); n++) {
		const json_t *e = json_array_get(list, n);

		given[n] = (struct ends_given){ .fd = (int32_t)feed_i64(e, "fd", -1),
						.events = feed_u32(e, "events", 0),
						.is = feed_text(e, "is"),
						.peer = feed_u64(e, "peer", 0),
						.is_fifo = feed_is(e, "fifo") };
	}
	f->no_memory |= ends_take(f->st, t, given, n, feed_u32(rec, "n", 0), set) != 0;
	t->ends_more = feed_is(rec, "more");
}

/* The one that is known to hold it; of several the first. */
static void take_file_lock(struct fill *f, const json_t *rec)
{
	struct state_thread *t = thread_of_word(f, number_field(f, rec, "of"));
	const json_t *h = json_array_get(json_object_get(rec, "holders"), 0);
	const char *letter = feed_text(h, "state"), *name = feed_text(h, "name");
	const char *file = feed_text(rec, "file");
	const uint32_t n = feed_u32(rec, "n", 0);
	struct proc_wait w;

	if (!t)
		return;
	proc_wait_decode(t->sys, t->arg, &w);
	snprintf(w.object, sizeof(w.object), "%s", file ? file : "");
	w.holder = number_field(f, h, "pid");
	w.holder_ended = letter && letter[0] == 'X';
	w.holder_unnamed = h && !w.holder;
	w.holders_more = n ? n - 1 : 0;
	snprintf(w.holder_name, sizeof(w.holder_name), "%s", name ? name : "");
	wait_set(f->st, t, &w);
	f->no_memory |= lock_take_file(f->st, t, file, w.holder,
				       mono_field(f, rec, "mono_us")) != 0;
}

static void take_open(struct fill *f, const json_t *rec)
{
	const json_t *list = json_object_get(rec, "fds");

	for (size_t i = 0; i < json_array_size(list) && !f->no_memory; i++) {
		const json_t *o = json_array_get(list, i);
		const char *is = json_string_value(json_array_get(o, 1));
		const char *mode = json_string_value(json_array_get(o, 2));

		if (is && mode)
			f->no_memory |= ends_open(f->st, &f->st->process[f->process],
						  (int32_t)json_integer_value(json_array_get(o, 0)),
						  is, strchr(mode, 'r'), strchr(mode, 'w')) != 0;
	}
}

enum { WHO = 16 };

/* Who has the other end of what threads wait on. Nobody of them may have run while it was asked. */
static void take_other(struct fill *f, const json_t *rec)
{
	const json_t *list = json_object_get(rec, "who");
	const char *is = feed_text(rec, "file");
	struct ends_who who[WHO];
	size_t n = 0;

	for (; n < WHO && n < json_array_size(list); n++) {
		const json_t *w = json_array_get(list, n);
		const char *mode = feed_text(w, "mode");

		who[n] = (struct ends_who){ .pid = number_field(f, w, "pid"),
					    .fd = (int32_t)feed_i64(w, "fd", -1),
					    .reads = mode && strchr(mode, 'r'),
					    .writes = mode && strchr(mode, 'w'),
					    .name = feed_text(w, "name") };
	}
	if (is)
		f->no_memory |= ends_asked(f->st, &f->st->process[f->process], is, who, n,
					   feed_u32(rec, "n", UINT32_MAX),
					   feed_is(rec, "all") && feed_is(rec, "still")) != 0;
}

/* Those that its call may end for: all of them, or the one that it names. */
static void take_children(struct fill *f, const json_t *rec)
{
	struct state_thread *t = thread_of_word(f, number_field(f, rec, "of"));
	const json_t *list = json_object_get(rec, "pids");
	const size_t n = json_array_size(list);
	struct state_party *child = n ? arena_take(&f->st->arena, n * sizeof(*child)) : NULL;
	const int32_t which = t ? wait_child_of(t) : WAIT_NO_CHILD;

	f->no_memory |= n && !child;
	if (!child || which == WAIT_NO_CHILD)
		return;
	for (size_t i = 0; i < n; i++) {
		const int32_t pid = (int32_t)json_integer_value(json_array_get(list, i));

		if (which == WAIT_ANY_CHILD || which == pid)
			child[t->children++] = (struct state_party){
				.pid = feed_stream_number(f->s, pid), .fd = -1
			};
	}
	t->child = child;
	if (feed_is(rec, "more"))
		t->children = 0;
}

/* ---- hubs -------------------------------------------------------------------------------- */

static struct state_hub *find_hub(struct fill *f, const json_t *rec, uint64_t *created_us)
{
	const uint64_t h = feed_u64(rec, "h", 0);

	for (size_t i = 0; i < f->hubs; i++) {
		if (f->hub[i].h != h)
			continue;
		*created_us = f->hub[i].created_us;
		return &f->st->hub[f->hub[i].index];
	}
	return NULL;
}

static void take_hub(struct fill *f, const json_t *rec)
{
	struct state_hub *hub = state_add_hub(f->st);

	if (!hub || !GROW(f->hub, f->hubs, f->hubs_room)) {
		f->no_memory = true;
		return;
	}
	hub->path = copy_field(f, rec, "path");
	hub->id = feed_u64(rec, "id", 0);
	hub->source = STATE_FEED;
	hub->seen_us = f->look_us;
	hub->file_version = feed_u32(rec, "version", 0);
	hub->writer = copy_field(f, rec, "writer");
	hub->created_us = mono_field(f, rec, "created_us");
	hub->file_bytes = feed_u64(rec, "file_bytes", 0);
	hub->last_alive_us = mono_field(f, rec, "last_alive_us");
	hub->host_pid = number_field(f, rec, "host_pid");
	hub->host_start = feed_u64(rec, "host_start", 0);
	hub->ring_cells = feed_u32(rec, "ring_cells", 0);
	hub->calls_max = feed_u32(rec, "calls_max", 0);
	hub->calls_pending = feed_u32(rec, "calls_pending", 0);
	hub->calls_waited = feed_u64(rec, "calls_waited", 0);
	hub->calls_refused = feed_u64(rec, "calls_refused", 0);
	hub->no_space = feed_u64(rec, "no_space", 0);
	hub->no_space_us = mono_field(f, rec, "no_space_us");
	hub->stopping = feed_is(rec, "stopping") || feed_u64(rec, "stopping", 0);
	hub->damage = copy_field(f, rec, "error");
	hub->carried = f->carried;
	f->hub[f->hubs++] = (struct fill_hub){
		.h = feed_u64(rec, "h", 0),
		.index = (size_t)(hub - f->st->hub),
		.created_us = hub->created_us,
	};
}

static void take_beat(const struct fill *f, const json_t *rec, uint64_t created_us, bool host,
		      struct state_beat *beat)
{
	const int state = names_find(&names_beat, feed_text(rec, host ? "host_beat" : "beat"));

	beat->state = state > 0 ? (uint8_t)state : HUB_BEAT_NONE;
	beat->method = (uint16_t)feed_u32(rec, host ? "host_beat_method" : "beat_method", 0);
	beat->since_us = hub_time_long_us(created_us, f->look_us,
					  feed_u64(rec, host ? "host_beat_ms" : "beat_ms", 0));
}

static uint64_t ms_field(const struct fill *f, const json_t *rec, const char *key,
			 uint64_t created_us)
{
	return hub_time_us(created_us, f->look_us, (uint32_t)feed_u64(rec, key, 0));
}

static void take_peer(struct fill *f, const json_t *rec)
{
	uint64_t created_us;
	struct state_hub *hub = find_hub(f, rec, &created_us);
	struct state_peer *p = hub ? state_add_peer(f->st, hub, feed_u32(rec, "peer", 0)) : NULL;

	if (!p) {
		f->no_memory |= hub != NULL;
		return;
	}
	const int state = names_find(&names_peer_state, feed_text(rec, "state"));

	p->name = copy_field(f, rec, "name");
	p->pid = number_field(f, rec, "pid");
	p->start = feed_u64(rec, "start", 0);
	p->state = state > 0 ? (uint32_t)state : HUB_PEER_UNUSED;
	p->incarnation = feed_u32(rec, "incarnation", 0);
	p->restarts = feed_u32(rec, "restarts", 0);
	p->exit_status = (int32_t)feed_i64(rec, "exit_status", -1);
	p->started_us = mono_field(f, rec, "started_us");
	p->died_us = mono_field(f, rec, "died_us");
	take_beat(f, rec, created_us, false, &p->beat);
	take_beat(f, rec, created_us, true, &p->host_beat);
	p->loop_tid = (uint32_t)number_field(f, rec, "loop_tid");
	p->host_tid = (uint32_t)number_field(f, rec, "host_tid");
	p->host_handler_tid = (uint32_t)number_field(f, rec, "host_handler_tid");
	p->flag = feed_u32(rec, "flag", 0);
	p->host_flag = feed_u32(rec, "host_flag", 0);
	p->flag_us = ms_field(f, rec, "flag_ms", created_us);
	p->host_flag_us = ms_field(f, rec, "host_flag_ms", created_us);
	p->calls_pending = feed_u32(rec, "calls_pending", 0);
	p->slots_held = feed_u32(rec, "slots_held", 0);
	p->alloc_failed = feed_u64(rec, "alloc_failed", 0);
	p->host_alloc_failed = feed_u64(rec, "host_alloc_failed", 0);
	p->handled = feed_u64(rec, "handled", 0);
	p->carried = f->carried;
}

static void take_message(const struct fill *f, const json_t *ring, const char *key,
			 uint64_t created_us, struct state_message *m)
{
	const json_t *rec = json_object_get(ring, key);

	if (!json_is_object(rec))
		return;
	const int kind = names_find(&names_kind, feed_text(rec, "kind"));

	m->is_there = true;
	m->time_us = ms_field(f, rec, "time_ms", created_us);
	m->position = feed_u64(rec, "pos", 0);
	m->call = feed_u32(rec, "call", 0);
	m->len = feed_u32(rec, "len", 0);
	m->slot = feed_u32(rec, "slot", HUB_NO_SLOT);
	m->kind = kind > 0 ? (uint8_t)kind : HUB_KIND_NONE;
	m->flags = json_is_true(json_object_get(rec, "quiet")) ? HUB_FLAG_QUIET : 0;
	m->method = (uint16_t)feed_u32(rec, "method", 0);
}

static void take_ring(struct fill *f, const json_t *rec)
{
	uint64_t created_us;
	struct state_hub *hub = find_hub(f, rec, &created_us);
	const int dir = names_find(&names_ring, feed_text(rec, "dir"));
	struct state_peer *p = NULL;

	if (hub && dir >= 0)
		p = state_find_peer(hub, feed_u32(rec, "peer", UINT32_MAX));
	if (!p)
		return;
	struct state_ring *r = &p->ring[dir];

	r->head = feed_u64(rec, "head", 0);
	r->tail = feed_u64(rec, "tail", 0);
	r->published = feed_u64(rec, "published", r->head);
	r->waiting = feed_u64(rec, "waiting", 0);
	r->read = feed_u64(rec, "taken", 0);
	r->written = r->read + r->waiting;
	r->capacity = feed_u32(rec, "capacity", 0);
	r->sending_tid = (uint32_t)number_field(f, rec, "sending");
	r->bell = feed_i64(rec, "bell", -1);
	r->bells = feed_u64(rec, "bells", 0);
	r->bell_head = feed_u64(rec, "bell_head", 0);
	r->bell_us = ms_field(f, rec, "bell_ms", created_us);
	r->bytes = feed_u64(rec, "bytes", 0);
	r->sleeps = feed_u64(rec, "sleeps", 0);
	r->full = feed_u64(rec, "full", 0);
	r->full_waits = feed_u64(rec, "full_waits", 0);
	r->rescues = feed_u64(rec, "rescues", 0);
	r->refused = feed_u64(rec, "refused", 0);
	r->take_us = ms_field(f, rec, "take_ms", created_us);
	take_message(f, rec, "oldest", created_us, &r->oldest);
	take_message(f, rec, "newest", created_us, &r->newest);
	r->damage = copy_field(f, rec, "damage");
	if (!r->damage && r->waiting > r->capacity)
		r->damage = arena_printf(&f->st->arena,
					 "%" PRIu64 " messages waiting in a ring of %" PRIu32 " cells",
					 r->waiting, r->capacity);
	if (r->damage) {
		r->waiting = 0;
		r->written = r->read;
		r->oldest = r->newest = (struct state_message){ 0 };
	}
}

/* ---- slots and calls --------------------------------------------------------------------- */

static void take_owners(struct fill *f, const json_t *rec, uint64_t created_us,
			struct state_class *class)
{
	const json_t *owners = json_object_get(rec, "owners");
	const size_t n = json_array_size(owners);

	if (!n)
		return;
	class->owner = arena_take(&f->st->arena, n * sizeof(*class->owner));
	if (!class->owner) {
		f->no_memory = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *o = json_array_get(owners, i);
		const int state = names_find(&names_slot_state, feed_text(o, "state"));
		const int dir = names_find(&names_direction, feed_text(o, "dir"));

		if (state <= HUB_SLOT_FREE || dir < 0)
			continue;
		class->owner[class->owners++] = (struct state_owner){
			.peer = (uint16_t)feed_u32(o, "peer", 0),
			.incarnation = (uint16_t)feed_u32(o, "incarnation", 0),
			.direction = (uint8_t)dir,
			.slot_state = (uint8_t)state,
			.n = feed_u32(o, "n", 0),
			.oldest_us = ms_field(f, o, "oldest_ms", created_us),
		};
	}
}

static void take_class(struct fill *f, const json_t *rec)
{
	uint64_t created_us;
	struct state_hub *hub = find_hub(f, rec, &created_us);

	if (!hub)
		return;
	if (ARENA_GROW(&f->st->arena, hub->klass, hub->classes, hub->classes_room)) {
		f->no_memory = true;
		return;
	}
	struct state_class *class = &hub->klass[hub->classes++];

	class->index = feed_u32(rec, "class", 0);
	class->bytes = feed_u32(rec, "bytes", 0);
	class->slots = feed_u32(rec, "slots", 0);
	class->slots_max = feed_u32(rec, "max", class->slots);
	class->answers = feed_u32(rec, "answers", 0);
	for (unsigned state = 0; state < HUB_SLOT_STATES; state++)
		class->count[state] = feed_u32(rec, names_of(&names_slot_state, state), 0);
	class->bad = feed_u32(rec, "bad", 0);
	class->first_bad = feed_u32(rec, "first_bad", 0);
	class->first_bad_word = feed_u64(rec, "first_bad_word", 0);
	class->first_bad_at = feed_u64(rec, "first_bad_at", 0);
	class->damage = copy_field(f, rec, "damage");
	class->waiters = feed_u32(rec, "waiters", 0);
	class->claims = feed_u64(rec, "claims", 0);
	class->failed = feed_u64(rec, "failed", 0);
	class->no_space = feed_u64(rec, "no_space", 0);
	class->owners_left_out = feed_u32(rec, "owners_left_out", 0);
	take_owners(f, rec, created_us, class);
	hub->slots_listed = true;
}

static void take_slot(struct fill *f, const json_t *rec)
{
	uint64_t created_us;
	struct state_hub *hub = find_hub(f, rec, &created_us);
	const int state = names_find(&names_slot_state, feed_text(rec, "state"));
	const int dir = names_find(&names_direction, feed_text(rec, "dir"));

	if (!hub || state <= HUB_SLOT_FREE || dir < 0)
		return;
	if (ARENA_GROW(&f->st->arena, hub->slot, hub->slots, hub->slots_room)) {
		f->no_memory = true;
		return;
	}
	hub->slot[hub->slots++] = (struct state_slot){
		.klass = feed_u32(rec, "class", 0),
		.index = feed_u32(rec, "slot", 0),
		.slot_state = (uint8_t)state,
		.direction = (uint8_t)dir,
		.peer = (uint16_t)feed_u32(rec, "peer", 0),
		.incarnation = (uint16_t)feed_u32(rec, "incarnation", 0),
		.generation = feed_u64(rec, "generation", 0),
		.time_us = ms_field(f, rec, "time_ms", created_us),
		.bytes = feed_u32(rec, "bytes", 0),
		.call = feed_u32(rec, "call", 0),
		.method = feed_u32(rec, "method", 0),
	};
}

static void take_call(struct fill *f, const json_t *rec)
{
	uint64_t created_us;
	struct state_hub *hub = find_hub(f, rec, &created_us);
	const int state = names_find(&names_call_state, feed_text(rec, "state"));

	if (!hub || state <= HUB_CALL_FREE)
		return;
	if (ARENA_GROW(&f->st->arena, hub->call, hub->calls, hub->calls_room)) {
		f->no_memory = true;
		return;
	}
	hub->call[hub->calls++] = (struct state_call){
		.by = (uint16_t)feed_u32(rec, "by", 0),
		.id = feed_u32(rec, "id", 0),
		.call_state = (uint8_t)state,
		.peer = (uint16_t)feed_u32(rec, "peer", 0),
		.method = (uint16_t)feed_u32(rec, "method", 0),
		.enqueued_peer = (uint16_t)feed_u32(rec, "enqueued_peer", 0),
		.enqueued_at = feed_u64(rec, "enqueued_at", 0),
		.started_us = mono_field(f, rec, "started_us"),
		.tid = (uint32_t)number_field(f, rec, "tid"),
		.deadline_ms = feed_u32(rec, "deadline_ms", 0),
		.bytes = feed_u32(rec, "bytes", 0),
		.for_call = feed_u32(rec, "for_call", 0),
		.for_peer = (uint16_t)feed_u32(rec, "for_peer", 0),
	};
}

/* ---- the dump ---------------------------------------------------------------------------- */

static const struct {
	const char *type;
	void (*take)(struct fill *f, const json_t *rec);
	bool of_a_look;
} takers[] = {
	{ "hub", take_hub, true },     { "peer", take_peer, true }, { "ring", take_ring, true },
	{ "class", take_class, true }, { "slot", take_slot, true }, { "call", take_call, true },
	{ "thread", take_thread, false }, { "word", take_word, false },
	{ "ends", take_ends, false },  { "lock", take_file_lock, false }, { "open", take_open, false },
	{ "children", take_children, false }, { "other", take_other, false },
};

static void take(struct fill *f, const json_t *rec)
{
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		if (!feed_is_type(rec, takers[i].type))
			continue;
		if (!takers[i].of_a_look || feed_u32(rec, "look", 1) == f->look)
			takers[i].take(f, rec);
		return;
	}
}

static int add_process(struct fill *f, const struct feed_dump *d, bool carried)
{
	struct feed_stream *s = f->s;
	struct state_process *p = state_add_process(f->st);
	const char *by = feed_text(s->head, "by");
	const char *name = feed_text(d->begin, "name");

	if (!p)
		return -ENOMEM;
	f->process = (size_t)(p - f->st->process);
	p->pid = feed_stream_pid(s);
	p->start = feed_stream_start(s);
	p->boot = copy_field(f, s->head, "boot");
	p->pid_ns = feed_u64(s->head, "pidns", 0);
	p->inner_pid = feed_stream_inner(s);
	p->name = copy(f, name ? name : feed_stream_name(s));
	p->host = copy_field(f, s->head, "host");
	p->exe = copy_field(f, s->head, "exe");
	p->alive = carried ? STATE_UNKNOWN : STATE_YES;
	p->source = STATE_FEED;
	p->feed = copy(f, feed_chain_path(s->chain));
	p->library = by && strcmp(by, "self") == 0;
	p->seen_us = p->dump_us = d->mono_us;
	p->family = d->family;
	p->left_out = feed_u32(d->done, "left_out", 0);
	p->all_threads = d->done && !feed_is(d->done, "timeout") && !d->lost && !p->left_out;
	p->carried = carried;
	return 0;
}

int feed_fill(struct state *st, struct feed_stream *s, const struct feed_dump *d,
	      unsigned look, bool carried)
{
	struct fill f = {
		.st = st,
		.s = s,
		.look = look <= d->looks ? look : d->looks,
		.stack_first = st->stacks,
	};

	f.carried = carried || f.look != look;
	f.look_us = d->look_us[f.look] ? d->look_us[f.look] : d->mono_us;
	int e = add_process(&f, d, carried);

	for (size_t i = 0; !e && i < d->n; i++) {
		take(&f, d->rec[i]);
		if (f.no_memory)
			e = -ENOMEM;
	}
	free(f.hub);
	free(f.stack);
	return e;
}

static int add_child(struct state *st, struct feed_stream *s, const struct feed_dump *d,
		     const json_t *rec, char letter)
{
	struct state_process *p = state_add_process(st);

	if (!p)
		return -ENOMEM;
	p->pid = feed_stream_number(s, (int32_t)feed_u32(rec, "pid", 0));
	p->start = feed_u64(rec, "start", 0);
	p->name = arena_strdup(&st->arena, feed_text(rec, "name"));
	p->boot = arena_strdup(&st->arena, feed_text(s->head, "boot"));
	p->host = arena_strdup(&st->arena, feed_text(s->head, "host"));
	p->source = STATE_FEED;
	p->seen_us = d->mono_us;
	p->family = d->family;
	p->state = letter;
	p->alive = strchr("XZ", letter) ? STATE_NO : STATE_YES;
	return 0;
}

/* It wrote nothing this time: what its own feed told earlier is not its state now. */
static void update_child(struct state_process *p, const struct feed_dump *d, char letter)
{
	if (!p->carried || !strchr("TtXZ", letter))
		return;
	p->carried = false;
	p->seen_us = d->mono_us;
	p->family = d->family;
	p->state = letter;
	p->alive = strchr("XZ", letter) ? STATE_NO : STATE_YES;
	p->threads = 0;
	p->all_threads = false;
}

/* By the number that its parent knows, which for a look from outside may be an inner one. */
static struct state_process *find_child(struct state *st, struct feed_stream *s, int32_t pid,
					uint64_t start)
{
	const uint64_t ns = feed_u64(s->head, "pidns", 0);
	struct state_process *known = state_find_process(st, pid, start);

	for (size_t i = 0; !known && i < st->processes; i++)
		if (st->process[i].inner_pid == pid && st->process[i].start == start &&
		    st->process[i].pid_ns == ns)
			known = &st->process[i];
	return known;
}

int feed_fill_children(struct state *st, struct feed_stream *s, const struct feed_dump *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const json_t *rec = d->rec[i];
		const char *letter = feed_text(rec, "state");
		const char *reason = feed_text(rec, "reason");
		const char *name = feed_text(rec, "name");
		const int32_t pid = feed_stream_number(s, (int32_t)feed_u32(rec, "pid", 0));

		if (!feed_is_type(rec, "child") || pid <= 0)
			continue;
		struct state_process *known = find_child(st, s, pid, feed_u64(rec, "start", 0));

		if (known) {
			if (letter && letter[0])
				update_child(known, d, letter[0]);
			continue;
		}
		if (letter && letter[0] && add_child(st, s, d, rec, letter[0]))
			return -ENOMEM;
		if (!feed_is(rec, "told"))
			state_note_unseen(st, "%s (pid %d): not dumped: %s", name ? name : "?", pid,
					  reason ? reason : "no reason given");
	}
	return 0;
}
