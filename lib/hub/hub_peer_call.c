/*
 * A peer's calls to the host: at most HUB_PEER_CALLS at a time, in a table of the peer's own
 * that is mirrored into PEERCALLS for readers.
 */
#include "lib/hub/hub_peer.h"

#include <stdlib.h>
#include <string.h>

/* ---- table ---------------------------------------------------------------------------------- */

static unsigned index_of(const struct shmhub_peer *peer, const struct hub_peer_call *call)
{
	return (unsigned)(call - peer->call);
}

static uint32_t id_of(const struct shmhub_peer *peer, const struct hub_peer_call *call)
{
	return (uint32_t)call->gen << 16 | (index_of(peer, call) + 1);
}

static struct hub_peer_call *find(struct shmhub_peer *peer, uint32_t id)
{
	const uint32_t index = (id & 0xffff) - 1;

	if (index >= HUB_PEER_CALLS || !peer->call[index].used || peer->call[index].gen != id >> 16)
		return NULL;
	return &peer->call[index];
}

static struct hub_call *mirror_of(const struct shmhub_peer *peer, const struct hub_peer_call *call)
{
	return hub_table_at(&peer->map.peercalls,
			    (uint64_t)peer->end.peer * HUB_PEER_CALLS + index_of(peer, call));
}

static void note_state(const struct shmhub_peer *peer, const struct hub_peer_call *call,
		       unsigned state)
{
	hub_put64(&mirror_of(peer, call)->word, HUB_CALL_WORD(state, peer->end.peer, call->gen));
}

static void note_start(const struct shmhub_peer *peer, const struct hub_peer_call *call, size_t len)
{
	struct hub_call *m = mirror_of(peer, call);
	const uint64_t now = hub_now_ns();

	m->id = id_of(peer, call);
	m->method = call->method;
	m->enqueued_peer = 0;
	m->enqueued_at = 0;
	m->started_ns = now;
	m->caller_tid = hub_tid();
	m->deadline_ms = call->deadline_ns == HUB_FOREVER ?
				 0 :
				 (uint32_t)((call->deadline_ns - now) / 1000000);
	m->bytes = (uint32_t)len;
	m->frames = 0;
	m->for_call = peer->serving;
	m->for_peer = 0;
	note_state(peer, call, HUB_CALL_PENDING);
}

static struct hub_peer_call *claim(struct shmhub_peer *peer)
{
	for (unsigned i = 0; peer->calls < HUB_PEER_CALLS && i < HUB_PEER_CALLS; i++) {
		struct hub_peer_call *call = &peer->call[i];

		if (call->used)
			continue;
		*call = (struct hub_peer_call){ .used = true, .gen = (uint16_t)(call->gen + 1),
						.credit = HUB_BODY_WINDOW };
		peer->calls++;
		return call;
	}
	return NULL;
}

/* Rows are filled from the first on: a free one ends the search. */
static struct hub_method *method_row(const struct shmhub_peer *peer, unsigned method)
{
	for (unsigned i = 0; i < HUB_METHODS; i++) {
		struct hub_method *row = hub_map_method(&peer->map, i);
		const uint32_t is = hub_get32(&row->method);

		if (is == method)
			return row;
		if (!is)
			break;
	}
	return NULL;
}

static void end(struct shmhub_peer *peer, struct hub_peer_call *call, int result)
{
	struct hub_method *row = method_row(peer, call->method);

	if (row)
		hub_map_count_call(row, hub_now_ns() - mirror_of(peer, call)->started_ns,
				   result != 0);
	note_state(peer, call, HUB_CALL_FREE);
	call->used = false;
	peer->calls--;
}

/* ---- what comes back -------------------------------------------------------------------------- */

/* The application is told; a blocking caller finds it when it looks. */
static void tell(struct shmhub_peer *peer, struct hub_peer_call *call, int result,
		 struct shmhub_msg *msg)
{
	void (*const fn)(void *, int, struct shmhub_msg *) = call->fn;
	void *const arg = call->arg;

	if (result || !(msg->flags & SHMHUB_MORE))
		end(peer, call, result ? result : msg->status);
	if (!fn)
		return;
	peer->depth++;
	hub_peer_beat(peer, HUB_BEAT_HANDLER, call->method);
	fn(arg, result, msg);
	hub_peer_beat(peer, HUB_BEAT_RUNNING, 0);
	peer->depth--;
}

static void give_credit(struct shmhub_peer *peer, struct hub_peer_call *call, uint32_t id)
{
	struct hub_message m = { .kind = HUB_KIND_CREDIT, .flags = HUB_FLAG_ANSWER, .call = id,
				 .aux = (int32_t)call->read, .slot = HUB_NO_SLOT };

	if (call->read >= HUB_BODY_WINDOW / 2 &&
	    !hub_peer_send(peer, &m, NULL, NULL, call->deadline_ns, NULL))
		call->read = 0;
}

static void finish_sync(struct hub_peer_call *call, int result)
{
	call->result = result;
	call->done = true;
}

static void take_sync(struct shmhub_peer *peer, struct hub_peer_call *call,
		      const struct hub_message *m, struct hub_slot_ref *slot, int error)
{
	if (error || call->done) {
		finish_sync(call, error ? error : call->result);
		return;
	}
	/* a blocking call takes one frame: more is more than it can take */
	if (m->flags & HUB_FLAG_MORE) {
		finish_sync(call, -EMSGSIZE);
		return;
	}
	hub_payload_open(&peer->pool, m, slot, false, false, call->reply);
	finish_sync(call, 0);
}

bool hub_peer_call_answer(struct shmhub_peer *peer, const struct hub_message *m,
			  struct hub_slot_ref *slot, void *copy, int error, bool may_tell)
{
	struct hub_peer_call *call = find(peer, m->call);
	struct shmhub_msg msg;

	if (call && !call->is_sync && !may_tell)
		return false;
	if (!call || (m->kind == HUB_KIND_REPLY) == call->answered) {
		hub_pool_free(&peer->pool, slot); /* late, or out of order */
		free(copy);
		return true;
	}
	call->answered = true;
	mirror_of(peer, call)->frames++;
	if (call->is_sync) {
		take_sync(peer, call, m, slot, error);
	} else if (error) {
		tell(peer, call, error, NULL);
	} else {
		const uint32_t id = m->call;

		if (copy)
			hub_payload_open_copy(m, copy, &msg);
		else
			hub_payload_open(&peer->pool, m, slot, false, false, &msg);
		call->read += m->kind == HUB_KIND_BODY;
		tell(peer, call, 0, &msg);
		shmhub_msg_release(&msg);
		if ((call = find(peer, id)))
			give_credit(peer, call, id);
	}
	hub_pool_free(&peer->pool, slot); /* what was not needed */
	return true;
}

int hub_peer_call_credit(struct shmhub_peer *peer, const struct hub_message *m)
{
	struct hub_peer_call *call = find(peer, m->call);

	if (!call)
		return 0;
	if (m->aux <= 0 || call->credit + (uint32_t)m->aux > HUB_BODY_WINDOW)
		return -EBADMSG;
	call->credit += (uint32_t)m->aux;
	return 0;
}

static void tell_cancelled(struct shmhub_peer *peer, const struct hub_peer_call *call)
{
	struct hub_message m = { .kind = HUB_KIND_CANCEL, .call = id_of(peer, call),
				 .slot = HUB_NO_SLOT };

	hub_peer_send(peer, &m, NULL, NULL, 0, NULL); /* no room: its answer will be late */
}

uint64_t hub_peer_call_deadline(const struct shmhub_peer *peer)
{
	uint64_t first = HUB_FOREVER;

	for (unsigned i = 0; peer->calls && i < HUB_PEER_CALLS; i++)
		if (peer->call[i].used && peer->call[i].deadline_ns < first)
			first = peer->call[i].deadline_ns;
	return first;
}

void hub_peer_call_expire(struct shmhub_peer *peer)
{
	if (hub_peer_call_deadline(peer) == HUB_FOREVER)
		return;
	const uint64_t now = hub_now_ns();

	for (unsigned i = 0; i < HUB_PEER_CALLS; i++) {
		struct hub_peer_call *call = &peer->call[i];

		if (!call->used || call->is_sync || call->deadline_ns > now)
			continue;
		tell_cancelled(peer, call);
		tell(peer, call, -ETIMEDOUT, NULL);
	}
}

void hub_peer_call_fail_all(struct shmhub_peer *peer, int error)
{
	for (unsigned i = 0; i < HUB_PEER_CALLS; i++) {
		struct hub_peer_call *call = &peer->call[i];

		if (call->used && !call->is_sync)
			tell(peer, call, error, NULL);
	}
}

/* ---- starting --------------------------------------------------------------------------------- */

struct start {
	unsigned method, flags;
	const void *data;
	struct shmhub_buf *buf;
	size_t len;
	uint64_t deadline_ns;
};

static int post(struct shmhub_peer *peer, struct hub_peer_call *call, const struct start *s)
{
	struct hub_message m = {
		.kind = HUB_KIND_CALL, .method = (uint16_t)s->method, .call = id_of(peer, call),
		.flags = s->flags & SHMHUB_MORE ? HUB_FLAG_MORE : 0,
		.aux = s->deadline_ns == HUB_FOREVER ? 0 : hub_left_ms(s->deadline_ns),
	};
	const uint64_t patience = s->flags & SHMHUB_NOWAIT ? 0 : s->deadline_ns;
	struct hub_slot_ref slot = { HUB_NO_SLOT, 0 };
	struct hub_call *mirror = mirror_of(peer, call);
	uint64_t at = 0;
	int r = s->buf ? hub_peer_buf(peer, s->buf, s->len, &m, &slot) :
			 hub_peer_payload(peer, s->data, s->len, patience, &m, &slot);

	if (r)
		return r;
	if (HUB_FAULT(0, HUB_FAULT_DROP_CALL)) {
		if (!s->buf)
			hub_pool_free(&peer->pool, &slot);
		return 0;
	}
	r = hub_peer_send(peer, &m, s->data, &slot, patience, &at);
	if (r) {
		if (!s->buf)
			hub_pool_free(&peer->pool, &slot);
		return r;
	}
	mirror->enqueued_peer = peer->end.peer;
	mirror->enqueued_at = at + 1;
	if (s->buf)
		memset(s->buf, 0, sizeof(*s->buf));
	return 0;
}

static int start(struct shmhub_peer *peer, struct start *s, struct hub_peer_call **started)
{
	if (!s->method || s->method > SHMHUB_METHOD_MAX)
		return -EINVAL;
	if (!s->deadline_ns) {
		s->flags |= SHMHUB_NOWAIT;
		s->deadline_ns = hub_now_ns();
	}
	int r = hub_peer_health(peer);

	if (r)
		return r;
	struct hub_peer_call *call = claim(peer);

	if (!call)
		return -EAGAIN;
	call->method = (uint16_t)s->method;
	call->deadline_ns = s->deadline_ns;
	call->request_open = s->flags & SHMHUB_MORE;
	note_start(peer, call, s->len);
	r = post(peer, call, s);
	if (r) {
		end(peer, call, r);
		return r;
	}
	*started = call;
	return 0;
}

static int start_async(struct shmhub_peer *peer, struct start *s,
		       void (*fn)(void *, int, struct shmhub_msg *), void *arg, uint64_t *id)
{
	struct hub_peer_call *call;
	const int r = fn ? start(peer, s, &call) : -EINVAL;

	if (r)
		return r;
	call->fn = fn;
	call->arg = arg;
	if (id)
		*id = id_of(peer, call);
	return 0;
}

int shmhub_peer_call_async(struct shmhub_peer *peer, unsigned method, const void *data, size_t len,
			   int timeout_ms, unsigned flags,
			   void (*fn)(void *arg, int result, struct shmhub_msg *reply), void *arg,
			   uint64_t *call)
{
	struct start s = { method, flags, data, NULL, len, hub_deadline_ns(timeout_ms) };

	return start_async(peer, &s, fn, arg, call);
}

int shmhub_peer_call_async_buf(struct shmhub_peer *peer, unsigned method, struct shmhub_buf *buf,
			       size_t len, int timeout_ms, unsigned flags,
			       void (*fn)(void *arg, int result, struct shmhub_msg *reply), void *arg,
			       uint64_t *call)
{
	struct start s = { method, flags, NULL, buf, len, hub_deadline_ns(timeout_ms) };

	return start_async(peer, &s, fn, arg, call);
}

/* ---- blocking --------------------------------------------------------------------------------- */

/* Inside a handler (a fault, else refused): nothing but this answer is delivered. */
static bool is_done(struct shmhub_peer *peer, void *arg)
{
	(void)peer;
	return ((struct hub_peer_call *)arg)->done;
}

static int wait_nested(struct shmhub_peer *peer, struct hub_peer_call *call)
{
	return hub_peer_wait(peer, 0, is_done, call, call->deadline_ns);
}

int shmhub_peer_call(struct shmhub_peer *peer, unsigned method, const void *data, size_t len,
		     int timeout_ms, struct shmhub_msg *reply)
{
	struct start s = { method, 0, data, NULL, len, hub_deadline_ns(timeout_ms) };
	struct shmhub_msg unwanted;
	struct hub_peer_call *call;
	const bool nested = peer->depth > 0;

	if (nested && !HUB_FAULT_IS(reentrant))
		return -EDEADLK;
	int r = start(peer, &s, &call);

	if (r)
		return r;
	call->is_sync = true;
	call->reply = reply ? reply : &unwanted;
	r = nested ? wait_nested(peer, call) : hub_peer_run_until(peer, &call->done, call->deadline_ns);
	if (!call->done)
		tell_cancelled(peer, call);
	r = call->done ? call->result : r;
	end(peer, call, r ? r : call->reply->status);
	if (!r && !reply) {
		r = unwanted.status;
		shmhub_msg_release(&unwanted);
	}
	return r;
}

/* ---- the rest ----------------------------------------------------------------------------------- */

int shmhub_peer_call_write(struct shmhub_peer *peer, uint64_t id, const void *data, size_t len,
			   unsigned flags)
{
	struct hub_peer_call *call = find(peer, (uint32_t)id);
	struct hub_slot_ref slot = { HUB_NO_SLOT, 0 };

	if (!call)
		return -ENOENT;
	if (call->answered || !call->request_open)
		return -EPIPE;
	if (!call->credit)
		return -EAGAIN;
	struct hub_message m = {
		.kind = HUB_KIND_BODY, .method = (uint16_t)(call->frame_no + 1), .call = (uint32_t)id,
		.flags = flags & SHMHUB_MORE ? HUB_FLAG_MORE : 0,
	};
	const uint64_t patience = flags & SHMHUB_NOWAIT ? 0 : call->deadline_ns;
	int r = hub_peer_payload(peer, data, len, patience, &m, &slot);

	if (!r)
		r = hub_peer_send(peer, &m, data, &slot, patience, NULL);
	hub_pool_free(&peer->pool, &slot);
	if (r)
		return r;
	call->credit--;
	call->frame_no++;
	call->request_open = flags & SHMHUB_MORE;
	return 0;
}

int shmhub_peer_cancel(struct shmhub_peer *peer, uint64_t id)
{
	struct hub_peer_call *call = find(peer, (uint32_t)id);

	if (!call || call->is_sync)
		return -ENOENT;
	tell_cancelled(peer, call);
	end(peer, call, -ECANCELED);
	return 0;
}

static int notify(struct shmhub_peer *peer, struct hub_message *m, const void *data,
		  struct hub_slot_ref *slot, uint64_t patience)
{
	m->kind = HUB_KIND_NOTIFY;
	return m->method ? hub_peer_send(peer, m, data, slot, patience, NULL) : -EINVAL;
}

int shmhub_peer_notify(struct shmhub_peer *peer, unsigned method, const void *data, size_t len,
		       int timeout_ms, unsigned flags)
{
	const uint64_t patience = flags & SHMHUB_NOWAIT ? 0 : hub_deadline_ns(timeout_ms);
	struct hub_message m = { .method = (uint16_t)method };
	struct hub_slot_ref slot;
	int r = hub_peer_payload(peer, data, len, patience, &m, &slot);

	if (!r)
		r = notify(peer, &m, data, &slot, patience);
	hub_pool_free(&peer->pool, &slot);
	return r;
}

int shmhub_peer_notify_buf(struct shmhub_peer *peer, unsigned method, struct shmhub_buf *buf,
			   size_t len, int timeout_ms, unsigned flags)
{
	struct hub_message m = { .method = (uint16_t)method };
	struct hub_slot_ref slot;
	int r = hub_peer_buf(peer, buf, len, &m, &slot);

	if (!r)
		r = notify(peer, &m, NULL, &slot,
			   flags & SHMHUB_NOWAIT ? 0 : hub_deadline_ns(timeout_ms));
	if (!r)
		memset(buf, 0, sizeof(*buf));
	return r;
}

int shmhub_peer_reserve(struct shmhub_peer *peer, size_t size, int timeout_ms,
			struct shmhub_buf *buf)
{
	struct hub_slot_ref slot;
	const int r = hub_peer_claim(peer, size, false, hub_deadline_ns(timeout_ms), &slot);

	if (!r)
		hub_payload_buf(&peer->pool, &slot, hub_peer_own(peer), size, buf);
	return r;
}
