#include <errno.h>
#include <linux/unix_diag.h>
#include <sys/ioctl.h>

#include "lib/as/as_diag.h"
#include "lib/as/as_record_hub.h"
#include "lib/as/as_sys.h"

enum { NONE = 0, NAMES = 8 };

/* Words of a private copy: nobody else writes them. */
static uint64_t word64(const _Atomic uint64_t *w)
{
	/* relaxed: a private copy */
	return atomic_load_explicit(w, memory_order_relaxed);
}

static uint32_t word32(const _Atomic uint32_t *w)
{
	/* relaxed: a private copy */
	return atomic_load_explicit(w, memory_order_relaxed);
}

static bool late(const struct as_record_hub_view *v)
{
	return as_sys_clock_ns(CLOCK_MONOTONIC) >= v->until_ns;
}

/* "{v, t, d, look, h": how each record of a look begins. */
static struct as_json *begin(struct as_record *r, const struct as_record_hub_view *v,
			     const char *type)
{
	struct as_json *j = &r->json;

	as_json_record(j);
	as_json_u64(j, "v", 1);
	as_json_str(j, "t", type);
	as_json_u64(j, "d", r->dump);
	as_json_u64(j, "look", v->look);
	as_json_u64(j, "h", v->h);
	return j;
}

void as_record_look(struct as_record *r, unsigned look)
{
	struct as_json *j = &r->json;

	as_json_record(j);
	as_json_u64(j, "v", 1);
	as_json_str(j, "t", "look");
	as_json_u64(j, "d", r->dump);
	as_json_u64(j, "look", look);
	as_json_u64(j, "mono_us", as_record_now_us());
	as_json_end_record(j);
}

/* A name of a table, or null for what is not in it. */
static void named(struct as_json *j, const char *key, const char *const names[NAMES], unsigned i)
{
	as_json_str(j, key, i < NAMES ? names[i] : NULL);
}

static const char *const slot_state[NAMES] = { "free", "allocated", "in_flight", "held",
					       "punching" };
static const char *const direction[NAMES] = { "to_peer", "to_host" };

/* ---- bells ---------------------------------------------------------------------------------- */

/* A descriptor of the process behind `pidfd`, if it is still the socket with that inode. */
static int borrow(int pidfd, int fd, uint64_t inode)
{
	struct stat st;

	if (pidfd < 0 || fd < 0)
		return -ENOENT;
	const int own = as_sys_pidfd_getfd(pidfd, fd);
	if (own < 0)
		return own;
	if (as_sys_fstat(own, &st) == 0 && (!inode || st.st_ino == inode))
		return own;
	as_sys_close(own);
	return -ENOENT;
}

static int64_t unread_of_fd(int pidfd, int fd, uint64_t inode)
{
	int n = 0;
	const int own = borrow(pidfd, fd, inode);

	if (own < 0)
		return -1;
	const int err = as_sys_ioctl(own, FIONREAD, &n);
	as_sys_close(own);
	return err ? -1 : n;
}

/* What the kernel says of any socket of this network namespace. */
static int64_t unread_of_inode(int diag, uint64_t inode)
{
	struct unix_diag_rqlen q;

	return as_diag_unix(diag, inode, UDIAG_SHOW_RQLEN, UNIX_DIAG_RQLEN, &q, sizeof(q))
		       ? (int64_t)q.udiag_rqueue
		       : -1;
}

/* Bytes unread at the consumer's end of a ring; -1: not known. */
static int64_t bell_of(const struct as_record_hub_view *v, const struct hub_peer *p, unsigned dir)
{
	const struct as_record_bells *b = v->bells;
	const bool at_host = dir == HUB_SEND;
	const uint64_t inode = at_host ? p->host_bell_inode : p->peer_bell_inode;
	const int fd = at_host ? p->host_bell_fd : b->own_fd;
	const int64_t n = at_host == b->host ? unread_of_fd(b->pidfd, fd, inode) : -1;

	return n >= 0 ? n : unread_of_inode(b->diag, inode);
}

/* ---- hub, peer, ring ------------------------------------------------------------------------ */

static void hub_head(struct as_json *j, const struct as_record_hub_view *v)
{
	as_json_str(j, "path", v->path);
	as_json_u64(j, "ino", v->ino);
	as_json_str(j, "role", v->host ? "host" : "peer");
	as_json_u64(j, "peer", v->peer);
}

void as_record_hub_error(struct as_record *r, const struct as_record_hub_view *v, int err)
{
	struct as_json *j = begin(r, v, "hub");
	const char *why = "its file could not be read";

	if (err == -EBADMSG)
		why = "not a hub file";
	else if (err == -ERANGE)
		why = "header: its limits cannot be: they were overwritten";
	else if (err == -EPROTO)
		why = "a version of the format that this library does not read";
	else if (err == -ESTALE || err == -ENOENT)
		why = "the file that was registered cannot be opened any more";
	hub_head(j, v);
	as_json_str(j, "error", why);
	as_json_end_record(j);
}

static void write_hub(struct as_record *r, const struct as_record_hub_view *v)
{
	const struct hub_header *head = &v->hub->header;
	struct hub_host host = { 0 };
	struct as_json *j = begin(r, v, "hub");
	size_t writer = 0;

	as_hub_host(v->hub, &host);
	while (writer < sizeof(head->writer) && head->writer[writer])
		writer++;
	hub_head(j, v);
	as_json_hex(j, "id", head->id);
	as_json_i64(j, "host_pid", head->host_pid);
	as_json_u64(j, "host_start", head->host_start);
	as_json_u64(j, "created_us", head->created_ns / 1000);
	as_json_u64(j, "created_real_us", head->created_real_ns / 1000);
	as_json_u64(j, "file_bytes", v->hub->file_bytes);
	as_json_u64(j, "version", head->version);
	as_json_mem(j, "writer", head->writer, writer);
	as_json_u64(j, "ring_cells", head->ring_cells);
	as_json_u64(j, "calls_max", head->calls_max);
	as_json_u64(j, "calls_pending", word32(&host.calls_pending));
	as_json_u64(j, "last_alive_us", word64(&host.last_alive_ns) / 1000);
	as_json_u64(j, "stopping", word32(&host.stopping));
	as_json_u64(j, "no_space", word64(&host.no_space));
	as_json_u64(j, "no_space_us", word64(&host.no_space_ns) / 1000);
	as_json_u64(j, "calls_waited", word64(&host.calls_waited));
	as_json_u64(j, "calls_refused", word64(&host.calls_refused));
	as_json_str(j, "error", v->hub->damage[0] ? v->hub->damage : NULL);
	as_json_end_record(j);
}

/* A beat is a state and since when: two fields of one word. */
static void write_beat(struct as_json *j, uint64_t word, const char *beat, const char *method,
		       const char *ms)
{
	static const char *const state[NAMES] = { NULL, "asleep", "handler", "running" };

	named(j, beat, state, (unsigned)(word >> 56));
	as_json_u64(j, method, word >> 40 & 0xffff);
	as_json_u64(j, ms, word & UINT64_C(0xffffffffff));
}

static void write_peer(struct as_record *r, const struct as_record_hub_view *v,
		       const struct hub_peer *p)
{
	static const char *const state[NAMES] = { NULL,	  "starting", "live",	    "leaving",
						  "dead", "gone",     "quarantined" };
	struct as_json *j = begin(r, v, "peer");
	size_t name = 0;

	while (name < sizeof(p->name) && p->name[name])
		name++;
	as_json_u64(j, "peer", p->id);
	as_json_mem(j, "name", p->name, name);
	as_json_i64(j, "pid", p->pid < 0 ? 0 : p->pid);
	as_json_u64(j, "start", p->start);
	named(j, "state", state, word32(&p->state));
	as_json_u64(j, "incarnation", p->incarnation);
	as_json_i64(j, "exit_status", p->exit_status);
	as_json_u64(j, "started_us", p->started_ns / 1000);
	as_json_u64(j, "died_us", p->died_ns / 1000);
	as_json_u64(j, "loop_tid", word32(&p->loop_tid));
	write_beat(j, word64(&p->beat), "beat", "beat_method", "beat_ms");
	as_json_u64(j, "flag", word32(&p->peer_asleep));
	as_json_u64(j, "flag_ms", word32(&p->peer_asleep_ms));
	as_json_u64(j, "host_flag", word32(&p->host_asleep));
	as_json_u64(j, "host_flag_ms", word32(&p->host_asleep_ms));
	as_json_u64(j, "host_tid", word32(&p->host_asleep_tid));
	write_beat(j, word64(&p->host_beat), "host_beat", "host_beat_method", "host_beat_ms");
	as_json_u64(j, "host_handler_tid", word32(&p->host_handler_tid));
	as_json_u64(j, "calls_pending", word32(&p->calls_pending));
	as_json_u64(j, "slots_held", word32(&p->slots_held));
	as_json_u64(j, "restarts", p->restarts);
	as_json_u64(j, "alloc_failed", word64(&p->alloc_failed));
	as_json_u64(j, "host_alloc_failed", word64(&p->host_alloc_failed));
	as_json_u64(j, "handled", word64(&p->handled));
	as_json_end_record(j);
}

static void write_message(struct as_json *j, const char *key, const struct as_message *m)
{
	static const char *const kind[NAMES] = { NULL,	   "call", "reply",  "notify",
						 "cancel", "body", "credit", "leave" };

	if (!m->is_there) {
		as_json_null(j, key);
		return;
	}
	as_json_obj(j, key);
	as_json_u64(j, "pos", m->position);
	as_json_u64(j, "time_ms", m->time_ms);
	as_json_u64(j, "call", m->call);
	named(j, "kind", kind, m->kind);
	as_json_u64(j, "method", m->method);
	as_json_u64(j, "len", m->len);
	if (m->slot == HUB_NO_SLOT)
		as_json_null(j, "slot");
	else
		as_json_u64(j, "slot", m->slot);
	if (m->flags & HUB_FLAG_QUIET)
		as_json_bool(j, "quiet", true);
	as_json_end(j);
}

static void write_counters(struct as_json *j, const struct hub_ring *w)
{
	as_json_u64(j, "sending", word32(&w->sending));
	as_json_u64(j, "bell_ms", word32(&w->bell_ms));
	as_json_u64(j, "messages", word64(&w->messages));
	as_json_u64(j, "bytes", word64(&w->bytes));
	as_json_u64(j, "taken", word64(&w->taken));
	as_json_u64(j, "bells", word64(&w->bells));
	as_json_u64(j, "bell_head", word64(&w->bell_head));
	as_json_u64(j, "sleeps", word64(&w->sleeps));
	as_json_u64(j, "full", word64(&w->full));
	as_json_u64(j, "full_waits", word64(&w->full_waits));
	as_json_u64(j, "rescues", word64(&w->rescues));
	as_json_u64(j, "refused", word64(&w->refused));
	as_json_u64(j, "take_ms", word32(&w->take_ms));
}

static void write_ring(struct as_record *r, const struct as_record_hub_view *v,
		       const struct hub_peer *p, unsigned dir)
{
	struct as_ring *ring = v->ring;

	if (as_ring_read(v->hub, p->id, dir, v->space, ring) != 0)
		return;
	const int64_t bell = bell_of(v, p, dir);
	struct as_json *j = begin(r, v, "ring");
	as_json_u64(j, "peer", p->id);
	as_json_str(j, "dir", dir == HUB_RECV ? "recv" : "send");
	as_json_u64(j, "head", ring->head);
	as_json_u64(j, "tail", ring->tail);
	as_json_u64(j, "published", ring->published);
	as_json_u64(j, "waiting", ring->waiting);
	as_json_u64(j, "capacity", ring->capacity);
	if (bell < 0)
		as_json_null(j, "bell");
	else
		as_json_u64(j, "bell", (uint64_t)bell);
	write_counters(j, &ring->words);
	as_json_str(j, "damage", ring->damage[0] ? ring->damage : NULL);
	write_message(j, "oldest", &ring->oldest);
	write_message(j, "newest", &ring->newest);
	as_json_end_record(j);
}

static void write_link(struct as_record *r, const struct as_record_hub_view *v, unsigned id)
{
	struct hub_peer p;

	if (as_hub_peer(v->hub, id, &p) != 0 || word32(&p.state) == HUB_PEER_UNUSED)
		return;
	p.id = (uint16_t)id; /* the entry's place decides, not what somebody wrote there */
	write_peer(r, v, &p);
	if (id) {
		write_ring(r, v, &p, HUB_RECV);
		write_ring(r, v, &p, HUB_SEND);
	}
}

/* ---- slots and calls ------------------------------------------------------------------------ */

/* Keeps the oldest of all that are offered: a heap with the youngest kept one on top. */
static unsigned keep_oldest(struct as_record_old *old, unsigned n, unsigned room,
			    struct as_record_old one)
{
	unsigned at = n;

	if (n == room) {
		if (one.age_ms <= old[0].age_ms)
			return n;
		/* the top goes; its place sinks to where `one` belongs */
		for (at = 0;;) {
			unsigned child = 2 * at + 1;
			if (child >= n)
				break;
			if (child + 1 < n && old[child + 1].age_ms < old[child].age_ms)
				child++;
			if (old[child].age_ms >= one.age_ms)
				break;
			old[at] = old[child];
			at = child;
		}
		old[at] = one;
		return n;
	}
	for (; at && old[(at - 1) / 2].age_ms > one.age_ms; at = (at - 1) / 2)
		old[at] = old[(at - 1) / 2];
	old[at] = one;
	return n + 1;
}

/* Now, as the hub's stamps count. */
static uint32_t now_ms(const struct as_record_hub_view *v)
{
	const uint64_t now = as_sys_clock_ns(CLOCK_MONOTONIC);
	const uint64_t created = v->hub->header.created_ns;

	return (uint32_t)((now > created ? now - created : 0) / 1000000);
}

static void write_class(struct as_record *r, const struct as_record_hub_view *v, unsigned index)
{
	struct as_class *c = v->klass;
	struct as_json *j = begin(r, v, "class");

	as_json_u64(j, "class", index);
	as_json_u64(j, "bytes", c->words.bytes);
	as_json_u64(j, "slots", c->slots);
	as_json_u64(j, "max", c->words.slots_max);
	as_json_u64(j, "answers", c->words.slots_answers);
	as_json_u64(j, "free", c->count[HUB_SLOT_FREE]);
	as_json_u64(j, "allocated", c->count[HUB_SLOT_ALLOCATED]);
	as_json_u64(j, "in_flight", c->count[HUB_SLOT_IN_FLIGHT]);
	as_json_u64(j, "held", c->count[HUB_SLOT_HELD]);
	as_json_u64(j, "punching", c->count[HUB_SLOT_PUNCHING]);
	as_json_u64(j, "bad", c->bad);
	if (c->bad) {
		as_json_u64(j, "first_bad", c->first_bad);
		as_json_hex(j, "first_bad_word", c->first_bad_word);
		as_json_u64(j, "first_bad_at", c->first_bad_at);
	}
	as_json_str(j, "damage", c->damage[0] ? c->damage : NULL);
	as_json_u64(j, "waiters", word32(&c->words.waiters));
	as_json_u64(j, "claims", word64(&c->words.claims));
	as_json_u64(j, "failed", word64(&c->words.failed));
	as_json_u64(j, "no_space", word64(&c->words.no_space));
	as_json_arr(j, "owners");
	for (unsigned i = 0; i < c->owners; i++) {
		const struct as_owner *o = &c->owner[i];

		as_json_obj(j, NULL);
		as_json_u64(j, "peer", o->peer);
		as_json_u64(j, "incarnation", o->incarnation);
		named(j, "dir", direction, o->direction);
		named(j, "state", slot_state, o->state);
		as_json_u64(j, "n", o->n);
		as_json_u64(j, "oldest_ms", o->oldest_ms);
		as_json_end(j);
	}
	as_json_end(j);
	if (c->owners_left_out)
		as_json_u64(j, "owners_left_out", c->owners_left_out);
	as_json_end_record(j);
}

static void write_slot(struct as_record *r, const struct as_record_hub_view *v, unsigned klass,
		       uint32_t index, const struct hub_slot *s)
{
	const uint64_t word = word64(&s->word);
	struct as_json *j = begin(r, v, "slot");

	as_json_u64(j, "class", klass);
	as_json_u64(j, "slot", index);
	named(j, "state", slot_state, HUB_SLOT_STATE(word));
	as_json_u64(j, "peer", HUB_SLOT_PEER(word));
	as_json_u64(j, "incarnation", HUB_SLOT_INCARNATION(word));
	named(j, "dir", direction, HUB_SLOT_DIRECTION(word));
	as_json_u64(j, "generation", HUB_SLOT_GENERATION(word));
	as_json_u64(j, "time_ms", word32(&s->time_ms));
	as_json_u64(j, "bytes", word32(&s->bytes));
	as_json_u64(j, "call", word32(&s->call));
	as_json_u64(j, "method", word32(&s->method));
	as_json_end_record(j);
}

/* Would a record tell of it? In somebody's hands for a second or more, and for a peer its own. */
static bool is_told(const struct as_record_hub_view *v, const struct hub_slot *s, uint32_t now,
		    uint32_t *age_ms)
{
	const uint64_t word = word64(&s->word);

	*age_ms = now - word32(&s->time_ms);
	return as_slot_is_sane(v->hub, word) && HUB_SLOT_STATE(word) != HUB_SLOT_FREE &&
	       *age_ms >= 1000 && *age_ms < UINT32_MAX / 2 &&
	       (v->host || HUB_SLOT_PEER(word) == v->peer);
}

/* Where the age of the oldest slot in flight the same way is kept; NULL: it is in no flight. */
static uint32_t *oldest_with(const struct as_record_hub_view *v, const struct hub_slot *s)
{
	const uint64_t word = word64(&s->word);

	if (HUB_SLOT_STATE(word) != HUB_SLOT_IN_FLIGHT || HUB_SLOT_PEER(word) > HUB_PEERS_MAX)
		return NULL;
	return &v->oldest_to[2 * HUB_SLOT_PEER(word) + HUB_SLOT_DIRECTION(word)];
}

/* How old a slot must be to be among the oldest AS_RECORD_SLOTS of its class; v->oldest_to is
 * filled. */
static uint32_t age_limit(const struct as_record_hub_view *v, unsigned klass, uint32_t now)
{
	struct as_ring_walk walk;
	const struct hub_slot *slot;
	uint32_t index, age;
	unsigned n = 0;

	for (unsigned i = 0; i < AS_RECORD_OLDEST_TO; i++)
		v->oldest_to[i] = 0;
	if (as_slots_begin(&walk, v->hub, klass, v->space) != 0)
		return UINT32_MAX;
	while (as_slots_next(&walk, &slot, &index) == 1) {
		if (!is_told(v, slot, now, &age))
			continue;
		uint32_t *const oldest = oldest_with(v, slot);

		if (oldest && age > *oldest)
			*oldest = age;
		n = keep_oldest(v->old, n, AS_RECORD_SLOTS, (struct as_record_old){ index, age });
	}
	return n ? v->old[0].age_ms : UINT32_MAX;
}

/*
 * The oldest slots. One who holds hundreds must not hide another's that was sent and never
 * arrived: so the oldest in flight to each peer, and from it, too.
 */
static void write_slots(struct as_record *r, const struct as_record_hub_view *v, unsigned klass)
{
	struct as_ring_walk walk;
	const struct hub_slot *slot;
	uint32_t index, age;
	unsigned n = 0;
	const uint32_t now = now_ms(v), limit = age_limit(v, klass, now);

	if (limit == UINT32_MAX || as_slots_begin(&walk, v->hub, klass, v->space) != 0)
		return;
	while (as_slots_next(&walk, &slot, &index) == 1) {
		if (!is_told(v, slot, now, &age))
			continue;
		uint32_t *const oldest = oldest_with(v, slot);

		if (age >= limit && n < AS_RECORD_SLOTS)
			n++;
		else if (!oldest || !*oldest || age < *oldest)
			continue;
		if (oldest && age >= *oldest)
			*oldest = 0; /* one of them is enough */
		write_slot(r, v, klass, index, slot);
	}
}

static void write_classes(struct as_record *r, const struct as_record_hub_view *v)
{
	for (unsigned i = 0; i < v->hub->header.classes && i < HUB_CLASSES_MAX && !late(v); i++) {
		if (v->host) {
			if (as_class_read(v->hub, i, v->space, v->klass) != 0)
				continue;
			write_class(r, v, i);
		}
		write_slots(r, v, i);
	}
}

static void write_call(struct as_record *r, const struct as_record_hub_view *v, unsigned by,
		       const struct hub_call *c)
{
	static const char *const state[NAMES] = { NULL, "pending", "answered", "failed",
						  "cancelled" };
	const uint64_t word = word64(&c->word);
	struct as_json *j = begin(r, v, "call");

	as_json_u64(j, "by", by);
	as_json_u64(j, "id", c->id);
	named(j, "state", state, HUB_CALL_STATE(word));
	as_json_u64(j, "peer", HUB_CALL_PEER(word));
	as_json_u64(j, "method", c->method);
	as_json_u64(j, "started_us", c->started_ns / 1000);
	as_json_u64(j, "tid", c->caller_tid);
	as_json_u64(j, "deadline_ms", c->deadline_ms);
	as_json_u64(j, "enqueued_peer", c->enqueued_peer);
	as_json_u64(j, "enqueued_at", c->enqueued_at);
	as_json_u64(j, "bytes", c->bytes);
	as_json_u64(j, "for_call", c->for_call);
	as_json_u64(j, "for_peer", c->for_peer);
	as_json_end_record(j);
}

static uint32_t call_age(const struct hub_call *c)
{
	const uint64_t now = as_sys_clock_ns(CLOCK_MONOTONIC);
	const uint64_t ms = now > c->started_ns ? (now - c->started_ns) / 1000000 : 0;

	return ms > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)ms;
}

static bool call_is_told(const struct hub_call *c)
{
	const unsigned state = HUB_CALL_STATE(word64(&c->word));

	return state >= HUB_CALL_PENDING && state <= HUB_CALL_CANCELLED;
}

static unsigned callee(const struct hub_call *c)
{
	const unsigned peer = HUB_CALL_PEER(word64(&c->word));

	return peer <= HUB_PEERS_MAX ? peer : 0;
}

/* How old a call must be to be among the oldest AS_RECORD_CALLS; v->oldest_to is filled. */
static uint32_t call_age_limit(const struct as_record_hub_view *v, unsigned by)
{
	struct as_ring_walk walk;
	const struct hub_call *call;
	unsigned n = 0;

	for (unsigned i = 0; i <= HUB_PEERS_MAX; i++)
		v->oldest_to[i] = 0;
	if (as_calls_begin(&walk, v->hub, by, v->space) != 0)
		return UINT32_MAX;
	while (as_calls_next(&walk, &call) == 1) {
		if (!call_is_told(call))
			continue;
		const uint32_t age = call_age(call);

		if (age > v->oldest_to[callee(call)])
			v->oldest_to[callee(call)] = age;
		n = keep_oldest(v->old, n, AS_RECORD_CALLS, (struct as_record_old){ 0, age });
	}
	return n ? v->old[0].age_ms : UINT32_MAX;
}

/*
 * The oldest calls, for what waits longest tells most. A peer that swallows thousands must not
 * hide the others: so the oldest to each peer too, and those that tell something by themselves.
 */
static void write_calls(struct as_record *r, const struct as_record_hub_view *v, unsigned by)
{
	struct as_ring_walk walk;
	const struct hub_call *call;
	unsigned n = 0, telling = 0;
	const uint32_t limit = call_age_limit(v, by);

	if (limit == UINT32_MAX || as_calls_begin(&walk, v->hub, by, v->space) != 0)
		return;
	while (as_calls_next(&walk, &call) == 1) {
		if (!call_is_told(call))
			continue;
		uint32_t *const oldest = &v->oldest_to[callee(call)];
		const uint32_t age = call_age(call);

		if (age >= limit && n < AS_RECORD_CALLS)
			n++;
		else if (as_call_is_telling(call, by) && telling < AS_RECORD_CALLS)
			telling++;
		else if (!*oldest || age < *oldest)
			continue;
		if (age >= *oldest)
			*oldest = 0; /* one of them is enough */
		write_call(r, v, by, call);
	}
}

void as_record_hub(struct as_record *r, const struct as_record_hub_view *v)
{
	const unsigned peers = as_hub_peers(v->hub);

	write_hub(r, v);
	if (!v->host) {
		write_link(r, v, v->peer);
		write_classes(r, v);
		write_calls(r, v, v->peer);
		return;
	}
	for (unsigned id = 0; id < peers && !late(v); id++)
		write_link(r, v, id);
	write_classes(r, v);
	for (unsigned by = 0; by < peers && !late(v); by++)
		write_calls(r, v, by);
}
