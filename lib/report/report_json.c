/*
 * report_json - the report as one JSON object.
 *
 * Unknown is null, never 0. What may exceed 2^53 is a string "0x...". Keys are only added: the
 * text views may change, scripts rest on this.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/report/report_priv.h"
#include "lib/state/lock.h"
#include "lib/state/names.h"

/* Text from files and processes: jansson refuses what is not UTF-8. */
static json_t *text_or_null(const char *text)
{
	char clean[4096];

	if (!text)
		return json_null();
	json_t *s = json_string(text);

	if (s)
		return s;
	text_printable(clean, sizeof(clean), text, strlen(text));
	return json_string(clean);
}

static json_t *hex(uint64_t n)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "0x%" PRIx64, n);
	return json_string(buf);
}

static json_t *number_or_null(bool known, int64_t n)
{
	return known ? json_integer(n) : json_null();
}

/* A counter: beyond 2^53 readers would round it. */
static json_t *counter(uint64_t n)
{
	return n > UINT64_C(1) << 53 ? hex(n) : json_integer((json_int_t)n);
}

static json_t *positive_or_null(int64_t n)
{
	return number_or_null(n >= 0, n);
}

static json_t *time_or_null(const struct state *st, uint64_t us)
{
	char buf[REPORT_TIME];
	const char *text = report_rfc3339(buf, st, us);

	return text ? json_string(text) : json_null();
}

static json_t *seconds(uint64_t us)
{
	return json_real((double)(us / 1000) / 1000);
}

static json_t *answer(enum state_answer a)
{
	return a == STATE_UNKNOWN ? json_null() : json_boolean(a == STATE_YES);
}

static void set(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value);
}

static void append(json_t *array, json_t *value)
{
	json_array_append_new(array, value);
}

static json_t *stack_id(const struct report *r, int index)
{
	char buf[16];

	if (index < 0 || (size_t)index >= r->st->stacks)
		return json_null();
	snprintf(buf, sizeof(buf), "S%u", r->number[index]);
	return json_string(buf);
}

/* ---- findings ------------------------------------------------------------------------------- */

static json_t *where_json(const struct report *r, const struct finding_where *w)
{
	json_t *o = json_object();

	set(o, "hub", text_or_null(w->hub));
	set(o, "name", text_or_null(w->name));
	set(o, "peer", positive_or_null(w->peer));
	set(o, "pid", positive_or_null(w->pid));
	set(o, "tid", positive_or_null(w->tid));
	set(o, "ring", text_or_null(w->ring));
	set(o, "class", positive_or_null(w->class_bytes));
	set(o, "slot", positive_or_null(w->slot));
	set(o, "site", text_or_null(w->site));
	set(o, "stack", stack_id(r, w->stack));
	set(o, "gauge", text_or_null(w->gauge));
	set(o, "file", text_or_null(w->file));
	set(o, "offset", positive_or_null(w->offset));
	return o;
}

static json_t *evidence_json(const struct finding *f)
{
	json_t *o = json_object();

	for (size_t i = 0; i < f->facts; i++) {
		const struct finding_fact *fact = &f->fact[i];

		set(o, fact->key,
		    fact->text ? text_or_null(fact->text)
			       : number_or_null(fact->value != FINDING_UNKNOWN, fact->value));
	}
	return o;
}

/* Who waits for whom; of findings that are made of waits. */
static json_t *edges_json(const struct finding *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->edges; i++) {
		const struct finding_edge *e = &f->edge[i];
		json_t *o = json_object();

		set(o, "pid", json_integer(e->pid));
		set(o, "tid", json_integer(e->tid));
		set(o, "who", text_or_null(e->who));
		set(o, "waits_for", text_or_null(e->waits_for));
		set(o, "whom", text_or_null(e->whom));
		set(o, "site", text_or_null(e->site));
		append(array, o);
	}
	return array;
}

static json_t *next_json(const struct finding *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < FINDING_NEXT && f->next[i]; i++)
		append(array, text_or_null(f->next[i]));
	return array;
}

static json_t *finding_id(const struct finding *f)
{
	char buf[16];

	if (!f)
		return json_null();
	snprintf(buf, sizeof(buf), "F%u", f->number);
	return json_string(buf);
}

json_t *report_finding_json(const struct report *r, const struct finding *f)
{
	json_t *o = json_object();

	set(o, "v", json_integer(1));
	set(o, "kind", json_string("finding"));
	set(o, "id", finding_id(f));
	set(o, "name", json_string(f->rule->name));
	set(o, "severity", json_string(severity_name(f->rule->severity)));
	set(o, "state", json_string(finding_state_name(f->state)));
	set(o, "where", where_json(r, &f->where));
	set(o, "place", text_or_null(f->place));
	set(o, "consequence_of", finding_id(f->consequence_of));
	set(o, "since", time_or_null(r->st, f->since_us));
	set(o, "seconds", seconds(f->held_us));
	set(o, "cleared", time_or_null(r->st, f->cleared_us));
	set(o, "times", json_integer(f->times));
	set(o, "longest_seconds", seconds(f->longest_us));
	set(o, "samples", json_integer(f->samples));
	set(o, "dwell_seconds", seconds(f->dwell_us));
	set(o, "dwell_from_ages", json_boolean(f->dwell_from_ages));
	set(o, "unproven", json_boolean(f->unproven));
	set(o, "sentence", text_or_null(f->sentence));
	set(o, "brief", text_or_null(f->brief));
	set(o, "evidence", evidence_json(f));
	if (f->edges)
		set(o, "edges", edges_json(f));
	set(o, "evidence_text", text_or_null(f->evidence_text));
	set(o, "means", text_or_null(f->means));
	set(o, "next", next_json(f));
	return o;
}

/* ---- hubs ----------------------------------------------------------------------------------- */

/* Its slot size, by which findings name a class too. */
static json_t *class_bytes(const struct state_hub *hub, unsigned index)
{
	for (size_t i = 0; i < hub->classes; i++)
		if (hub->klass[i].index == index)
			return json_integer(hub->klass[i].bytes);
	return json_null();
}

static json_t *message_json(const struct report *r, const struct state_hub *hub,
			    const struct state_ring *ring, const struct state_message *m)
{
	const bool in_slot = m->slot != HUB_NO_SLOT;
	json_t *o = json_object();

	set(o, "cell", counter(m->position));
	set(o, "kind", json_string(names_of(&names_kind, m->kind)));
	set(o, "call", number_or_null(m->call, m->call));
	set(o, "method", json_integer(m->method));
	set(o, "bytes", json_integer(m->len));
	set(o, "class", in_slot ? class_bytes(hub, HUB_SLOT_REF_CLASS(m->slot)) : json_null());
	set(o, "slot", number_or_null(in_slot, HUB_SLOT_REF_INDEX(m->slot)));
	set(o, "status", number_or_null(m->kind == HUB_KIND_REPLY, m->aux));
	set(o, "more", json_boolean(m->flags & HUB_FLAG_MORE));
	set(o, "waiting", json_boolean(m->position >= ring->tail));
	set(o, "time", time_or_null(r->st, m->time_us));
	return o;
}

/* null: not asked for (--messages). */
static json_t *messages_json(const struct report *r, const struct state_hub *hub,
			     const struct state_ring *ring)
{
	if (!hub->has_recent)
		return json_null();
	json_t *array = json_array();

	for (size_t i = 0; i < ring->recents; i++)
		append(array, message_json(r, hub, ring, &ring->recent[i]));
	return array;
}

static json_t *ring_json(const struct report *r, const struct state_hub *hub,
			 const struct state_peer *peer, int dir)
{
	const struct state_ring *ring = &peer->ring[dir];
	const uint32_t flag = dir == HUB_RECV ? peer->flag : peer->host_flag;
	const uint64_t now = report_peer_now(hub, peer);
	const bool waits = ring->waiting && ring->oldest.is_there && ring->oldest.time_us;
	json_t *o = json_object();

	set(o, "head", counter(ring->head));
	set(o, "tail", counter(ring->tail));
	set(o, "len", counter(ring->head > ring->tail ? ring->head - ring->tail : 0));
	set(o, "capacity", json_integer(ring->capacity));
	set(o, "written", counter(ring->written));
	set(o, "read", counter(ring->read));
	set(o, "waiting", counter(ring->waiting));
	set(o, "waiting_flag", json_integer(!!(flag & HUB_ASLEEP_IN_LOOP)));
	set(o, "bell_pending", positive_or_null(ring->bell));
	set(o, "bells", counter(ring->bells));
	set(o, "sending_tid", number_or_null(ring->sending_tid, ring->sending_tid));
	set(o, "oldest_seconds",
	    waits ? seconds(now > ring->oldest.time_us ? now - ring->oldest.time_us : 0)
		  : json_null());
	set(o, "damage", text_or_null(ring->damage));
	set(o, "messages", messages_json(r, hub, ring));
	return o;
}

static json_t *beat_json(const struct report *r, const struct state_beat *b)
{
	json_t *o = json_object();

	if (b->state == HUB_BEAT_NONE) {
		json_decref(o);
		return json_null();
	}
	set(o, "state", json_string(names_of(&names_beat, b->state)));
	set(o, "method", number_or_null(b->state == HUB_BEAT_HANDLER, b->method));
	set(o, "since", time_or_null(r->st, b->since_us));
	return o;
}

/* Payloads that were refused because no slot is as large. */
static json_t *too_large_json(uint64_t n, uint64_t last_bytes)
{
	json_t *o = json_object();

	set(o, "refused", counter(n));
	set(o, "last_bytes", n ? counter(last_bytes) : json_null());
	return o;
}

static json_t *peer_json(const struct report *r, const struct state_hub *hub,
			 const struct state_peer *p)
{
	json_t *o = json_object();

	set(o, "id", json_integer(p->id));
	set(o, "name", text_or_null(p->name));
	set(o, "pid", number_or_null(p->pid > 0, p->pid));
	set(o, "state", json_string(names_of(&names_peer_state, p->state)));
	set(o, "alive", answer(p->alive));
	set(o, "stopped", answer(p->stopped));
	set(o, "carried", json_boolean(p->carried));
	set(o, "incarnation", json_integer(p->incarnation));
	set(o, "restarts", json_integer(p->restarts));
	set(o, "exit_status", positive_or_null(p->exit_status));
	set(o, "beat", beat_json(r, &p->beat));
	set(o, "recv", ring_json(r, hub, p, HUB_RECV));
	set(o, "send", ring_json(r, hub, p, HUB_SEND));
	set(o, "calls_pending", json_integer(p->calls_pending));
	set(o, "slots_held", json_integer(p->slots_held));
	set(o, "too_large_to", too_large_json(p->host_too_large, p->host_too_large_bytes));
	set(o, "too_large_from", too_large_json(p->too_large, p->too_large_bytes));
	return o;
}

static json_t *class_json(const struct state_hub *hub, const struct state_class *k)
{
	json_t *o = json_object();

	set(o, "size", json_integer(k->bytes));
	set(o, "total", json_integer(k->slots));
	set(o, "limit", json_integer(k->slots_max));
	set(o, "answers", json_integer(k->answers));
	set(o, "free", json_integer(k->count[HUB_SLOT_FREE]));
	set(o, "allocated", json_integer(k->count[HUB_SLOT_ALLOCATED]));
	set(o, "in_flight", json_integer(k->count[HUB_SLOT_IN_FLIGHT]));
	set(o, "held", json_integer(k->count[HUB_SLOT_HELD]));
	set(o, "dead_owner", json_integer(report_dead_slots(hub, k)));
	set(o, "bad", json_integer(k->bad));
	set(o, "waiters", json_integer(k->waiters));
	set(o, "failed", counter(k->failed));
	return o;
}

static json_t *method_json(const struct state_method *m)
{
	json_t *o = json_object(), *buckets = json_array();

	set(o, "method", json_integer(m->method));
	set(o, "name", text_or_null(m->name));
	set(o, "calls", counter(m->calls));
	set(o, "failed", counter(m->failed));
	set(o, "median_below_ns", counter(report_latency_ns(m, 50)));
	set(o, "p99_below_ns", counter(report_latency_ns(m, 99)));
	set(o, "longest_below_ns", counter(report_latency_ns(m, 100)));
	for (unsigned i = 0; i < HUB_LATENCY_BUCKETS; i++) {
		if (!m->bucket[i])
			continue;
		json_t *b = json_object();

		set(b, "below_ns", counter(UINT64_C(2) << i));
		set(b, "calls", counter(m->bucket[i]));
		append(buckets, b);
	}
	set(o, "latency", buckets);
	return o;
}

static json_t *slot_json(const struct report *r, const struct state_hub *hub,
			 const struct state_slot *s)
{
	json_t *o = json_object();

	set(o, "class", class_bytes(hub, s->klass));
	set(o, "slot", json_integer(s->index));
	set(o, "state", json_string(names_of(&names_slot_state, s->slot_state)));
	set(o, "direction", json_string(names_of(&names_direction, s->direction)));
	set(o, "peer", json_integer(s->peer));
	set(o, "incarnation", json_integer(s->incarnation));
	set(o, "generation", counter(s->generation));
	set(o, "bytes", json_integer(s->bytes));
	set(o, "call", number_or_null(s->call, s->call));
	set(o, "method", number_or_null(s->method, s->method));
	set(o, "since", time_or_null(r->st, s->time_us));
	return o;
}

/* null: not asked for (--slots). */
static json_t *slots_json(const struct report *r, const struct state_hub *hub)
{
	if (!hub->has_every)
		return json_null();
	json_t *array = json_array();

	for (size_t i = 0; i < hub->everys; i++)
		append(array, slot_json(r, hub, &hub->every[i]));
	return array;
}

static json_t *methods_json(const struct state_hub *hub)
{
	json_t *array = json_array();

	for (size_t i = 0; i < hub->methods; i++)
		append(array, method_json(&hub->method[i]));
	return array;
}

static json_t *hub_json(const struct report *r, const struct state_hub *h)
{
	json_t *o = json_object(), *peers = json_array(), *classes = json_array();

	for (size_t i = 0; i < h->peers; i++)
		if (h->peer[i].id)
			append(peers, peer_json(r, h, &h->peer[i]));
	for (size_t i = 0; i < h->classes; i++)
		append(classes, class_json(h, &h->klass[i]));
	set(o, "path", text_or_null(h->path));
	set(o, "id", hex(h->id));
	set(o, "layout", json_integer(h->file_version));
	set(o, "writer", text_or_null(h->writer));
	set(o, "bytes", counter(h->file_bytes));
	set(o, "host_pid", number_or_null(h->host_pid > 0, h->host_pid));
	set(o, "host_alive", answer(h->host_alive));
	set(o, "seen", time_or_null(r->st, h->seen_us));
	set(o, "last_alive", time_or_null(r->st, h->last_alive_us));
	set(o, "damage", text_or_null(h->damage));
	set(o, "calls_pending", json_integer(h->calls_pending));
	set(o, "calls_limit", json_integer(h->calls_max));
	set(o, "peers", peers);
	set(o, "classes", classes);
	set(o, "methods", methods_json(h));
	set(o, "slots", slots_json(r, h));
	return o;
}

/* ---- processes and stacks ------------------------------------------------------------------- */

static json_t *parties_json(const struct state_party *party, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		set(o, "pid", json_integer(party[i].pid));
		set(o, "name", text_or_null(party[i].name));
		set(o, "fd", positive_or_null(party[i].fd));
		append(array, o);
	}
	return array;
}

static json_t *end_json(const struct state_end *e)
{
	json_t *o = json_object();

	set(o, "fd", json_integer(e->fd));
	set(o, "kind", text_or_null(e->kind));
	set(o, "is", text_or_null(e->is));
	set(o, "where", text_or_null(e->where));
	set(o, "reads", json_boolean(e->reads));
	set(o, "writes", json_boolean(e->writes));
	set(o, "other_end", parties_json(e->party, e->parties));
	set(o, "other_end_more", json_integer(e->parties_more));
	set(o, "other_end_complete", json_boolean(e->all_known));
	set(o, "other_end_unseen", text_or_null(e->unseen));
	return o;
}

static json_t *waits_on_json(const struct state_thread *t)
{
	json_t *array = json_array();

	for (size_t i = 0; i < t->ends; i++)
		append(array, end_json(&t->end[i]));
	return array;
}

static json_t *holder_json(const struct state_lock *lock)
{
	if (!lock || (!lock->owner_tid && !lock->owner_pid))
		return json_null();
	json_t *o = json_object();

	set(o, "pid", number_or_null(lock->owner_pid > 0, lock->owner_pid));
	set(o, "tid", number_or_null(lock->owner_tid > 0, lock->owner_tid));
	set(o, "name", text_or_null(lock->owner_name));
	set(o, "alive", answer(lock->owner_alive));
	return o;
}

static json_t *lock_json(const struct state_lock *lock)
{
	if (!lock)
		return json_null();
	json_t *o = json_object();

	set(o, "kind", json_string(lock_kind_name(lock->kind)));
	set(o, "addr", lock->word ? hex(lock->addr) : json_null());
	set(o, "name", text_or_null(lock->name));
	set(o, "held_by", holder_json(lock));
	set(o, "readers", number_or_null(lock->readers > 0, lock->readers));
	return o;
}

static json_t *thread_json(const struct report *r, const struct state_thread *t)
{
	const char state[2] = { t->state, '\0' };
	json_t *o = json_object();

	set(o, "tid", json_integer(t->tid));
	set(o, "name", text_or_null(t->name));
	set(o, "state", t->state == '?' ? json_null() : json_string(state));
	set(o, "wait", text_or_null(t->wait_text));
	set(o, "lock", lock_json(t->lock));
	set(o, "waits_on", t->ends_all ? waits_on_json(t) : json_null());
	set(o, "waits_on_all", number_or_null(t->ends_all > 0, t->ends_all));
	set(o, "waits_on_children", t->children ? parties_json(t->child, t->children) : json_null());
	set(o, "blocked_seconds", t->blocked_us ? seconds(t->blocked_us) : json_null());
	set(o, "stack", stack_id(r, t->stack));
	set(o, "captured", text_or_null(t->captured));
	set(o, "reason", text_or_null(t->reason));
	set(o, "disturbed", json_boolean(t->disturbed));
	set(o, "own", json_boolean(t->own));
	return o;
}

static json_t *process_json(const struct report *r, const struct state_process *p)
{
	json_t *o = json_object(), *threads = json_array(), *memory = json_object();

	for (size_t i = 0; i < p->threads; i++)
		append(threads, thread_json(r, &p->thread[i]));
	set(memory, "rss_bytes", positive_or_null(p->rss_bytes));
	set(o, "pid", json_integer(p->pid));
	set(o, "name", text_or_null(p->name));
	set(o, "alive", answer(p->alive));
	set(o, "library", json_boolean(p->library));
	set(o, "carried", json_boolean(p->carried));
	set(o, "feed", text_or_null(p->feed));
	set(o, "dumped", time_or_null(r->st, p->dump_us));
	set(o, "fds", positive_or_null(p->fds));
	set(o, "threads", threads);
	set(o, "memory", memory);
	return o;
}

static json_t *frame_json(const struct state_frame *f)
{
	json_t *o = json_object();

	set(o, "function", text_or_null(f->function));
	set(o, "file", text_or_null(f->file));
	set(o, "line", number_or_null(f->line > 0, f->line));
	set(o, "module", text_or_null(f->module));
	set(o, "offset", hex(f->offset));
	set(o, "build_id", text_or_null(f->build_id));
	set(o, "inlined", json_boolean(f->inlined));
	set(o, "guessed", json_boolean(f->guessed));
	return o;
}

static json_t *stack_json(const struct report *r, unsigned index)
{
	const struct state_stack *s = &r->st->stack[index];
	json_t *o = json_object(), *frames = json_array();

	for (size_t i = 0; i < s->frames; i++)
		append(frames, frame_json(&s->frame[i]));
	set(o, "id", stack_id(r, (int)index));
	set(o, "count", json_integer(s->count));
	set(o, "end", text_or_null(s->end));
	set(o, "frames", frames);
	return o;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static json_t *input_json(const struct report *r, const struct state_input *in)
{
	json_t *o = json_object();

	set(o, "path", text_or_null(in->path));
	set(o, "type", text_or_null(in->type));
	set(o, "complete", json_boolean(in->complete));
	set(o, "note", text_or_null(in->note));
	set(o, "from", time_or_null(r->st, in->from_us));
	set(o, "to", time_or_null(r->st, in->to_us));
	return o;
}

static json_t *inputs_json(const struct report *r)
{
	json_t *array = json_array();

	for (size_t i = 0; i < r->st->inputs; i++)
		append(array, input_json(r, &r->st->input[i]));
	return array;
}

static json_t *findings_json(const struct report *r)
{
	json_t *array = json_array();

	for (size_t i = 0; i < r->findings->n; i++)
		append(array, report_finding_json(r, r->findings->list[i]));
	return array;
}

static json_t *unseen_json(const struct report *r)
{
	json_t *array = json_array();

	for (size_t i = 0; i < r->st->unseens; i++)
		append(array, text_or_null(r->st->unseen[i]));
	return array;
}

json_t *report_json(const struct report *r)
{
	const struct state *st = r->st;
	json_t *o = json_object(), *hubs = json_array(), *processes = json_array(),
	       *stacks = json_array();

	for (size_t i = 0; i < st->hubs; i++)
		append(hubs, hub_json(r, &st->hub[i]));
	for (size_t i = 0; i < st->processes; i++)
		append(processes, process_json(r, &st->process[i]));
	for (size_t i = 0; i < st->stacks; i++)
		append(stacks, stack_json(r, r->order[i]));
	set(o, "v", json_integer(1));
	set(o, "kind", json_string("report"));
	set(o, "version", json_string(SHMSCOPE_VERSION));
	set(o, "verdict", text_or_null(r->findings->verdict));
	set(o, "partial", json_boolean(r->partial));
	set(o, "from", time_or_null(st, r->from_us ? r->from_us : st->now_us));
	set(o, "to", time_or_null(st, st->now_us));
	set(o, "looks", json_integer(r->findings->looks));
	set(o, "inputs", inputs_json(r));
	set(o, "findings", findings_json(r));
	set(o, "hubs", hubs);
	set(o, "processes", processes);
	set(o, "stacks", stacks);
	set(o, "series", json_array());
	set(o, "sites", json_array());
	set(o, "not_seen", unseen_json(r));
	return o;
}
