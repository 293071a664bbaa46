/*
 * A request of a peer: taken (by whoever has the role), queued for a handler thread, handled,
 * answered there or later. A peer has at most HUB_PEER_CALLS calls and HUB_NOTIFY_WINDOW
 * notifications on their way, so the queue is bounded. Answers never block: what finds no room
 * is queued with the link (hub_send_later()).
 *
 * A request outlives its peer's incarnation: it is then cancelled and out of the link's table,
 * and its answer goes nowhere.
 */
#include "lib/hub/hub_request.h"

#include <stdlib.h>
#include <string.h>

static const struct hub_request_ops serve_ops;

enum { REQUESTS_MAX = 16 * HUB_PEER_CALLS }; /* of one peer that live: see enter() */

/* The request whose handler this thread runs: a call made in there names it, so that a cycle of
 * waits can be proven from the file. */
static __thread uint32_t serving_call;
static __thread uint16_t serving_peer;

uint32_t hub_serve_now(uint16_t *peer)
{
	*peer = serving_peer;
	return serving_call;
}

/* ---- the link's table, under link->lock --------------------------------------------------- */

static struct shmhub_request **place_of(struct hub_link *link, uint32_t call)
{
	const uint32_t index = (call & 0xffff) - 1;

	return index < HUB_PEER_CALLS ? &link->request[index] : NULL;
}

static struct shmhub_request *find(struct hub_link *link, uint32_t call)
{
	struct shmhub_request **place = place_of(link, call);

	return place && *place && (*place)->call == call ? *place : NULL;
}

static void forget(struct shmhub_request *r)
{
	struct hub_link *link = r->link;

	pthread_mutex_lock(&link->lock);
	struct shmhub_request **place = place_of(link, r->call);

	if (place && *place == r)
		*place = NULL;
	pthread_mutex_unlock(&link->lock);
}

/* Something changed that a handler may sleep for. */
static void bump(struct shmhub_request *r)
{
	/* seq_cst W1: after the change (under link->lock); pairs with wait_for() */
	atomic_fetch_add_explicit(&r->seq, 1, memory_order_seq_cst);
	hub_futex_wake(&r->seq, INT_MAX);
}

static void cancel(struct shmhub_request *r)
{
	hub_put32(&r->cancelled, 1);
	bump(r);
}

void hub_request_cancel(struct hub_link *link, uint32_t call)
{
	pthread_mutex_lock(&link->lock);
	struct shmhub_request *r = find(link, call);

	if (r)
		cancel(r);
	pthread_mutex_unlock(&link->lock);
}

void hub_request_orphan_all(struct hub_link *link)
{
	pthread_mutex_lock(&link->lock);
	for (unsigned i = 0; i < HUB_PEER_CALLS; i++)
		if (link->request[i]) {
			cancel(link->request[i]);
			link->request[i] = NULL;
		}
	link->notifies = 0;
	pthread_mutex_unlock(&link->lock);
}

int hub_request_body(struct shmhub *hub, struct hub_link *link, const struct hub_message *m,
		     struct hub_slot_ref *slot)
{
	(void)hub;
	pthread_mutex_lock(&link->lock);
	struct shmhub_request *r = find(link, m->call);
	const int e = r ? hub_request_add_body(r, m, slot) : 0; /* else: answered meanwhile */

	if (r)
		bump(r);
	pthread_mutex_unlock(&link->lock);
	return e;
}

int hub_request_credit(struct hub_link *link, const struct hub_message *m)
{
	pthread_mutex_lock(&link->lock);
	struct shmhub_request *r = find(link, m->call);
	const int e = r ? hub_request_add_credit(r, m->aux) : 0;

	if (r)
		bump(r);
	pthread_mutex_unlock(&link->lock);
	return e;
}

/* ---- in ----------------------------------------------------------------------------------- */

static void note_beat(struct hub_link *link, unsigned state, unsigned method)
{
	const uint64_t ms = (hub_coarse_ns() - link->hub->map.header.created_ns) / 1000000;

	hub_put64(&link->entry->host_beat, HUB_BEAT(state, method, ms));
}

/* Called by a handler thread. Of several that serve one peer, the beat tells of the last. */
static void note_begin(struct hub_link *link, unsigned method)
{
	hub_put32(&link->entry->host_handler_tid, hub_tid());
	note_beat(link, HUB_BEAT_HANDLER, method);
}

static void note_end(struct hub_link *link)
{
	if (hub_get32(&link->entry->host_handler_tid) != hub_tid())
		return;
	note_beat(link, HUB_BEAT_ASLEEP, 0);
	hub_put32(&link->entry->host_handler_tid, 0);
}

/* Small payloads leave their slot at once: it is free for others, and what the handler reads
 * cannot change under it. */
static void settle_payload(struct shmhub_request *r)
{
	uint32_t room;

	if (r->slot.ref == HUB_NO_SLOT || r->m.len >= SHMHUB_HOLD_MIN)
		return;
	r->copy = malloc(r->m.len);
	if (!r->copy)
		return; /* then it is read in place */
	memcpy(r->copy, hub_slot_payload(&r->hub->pool.slots, r->slot.ref, &room), r->m.len);
	hub_pool_free(&r->hub->pool, &r->slot);
}

static void handle(struct shmhub_request *r)
{
	const struct hub_handler *h = hub_work_handler(r->hub, r->method);

	if (r->error || !h) {
		shmhub_reply(r, r->error ? r->error : -ENOSYS, NULL, 0);
		return;
	}
	settle_payload(r);
	h->fn(r, h->arg);
	if (!r->deferred && !r->over) /* deferred: another thread may be answering it */
		shmhub_reply(r, -ENOMSG, NULL, 0);
}

static void run(struct hub_work *work)
{
	struct shmhub_request *r =
		(struct shmhub_request *)((char *)work - offsetof(struct shmhub_request, work));
	struct hub_link *link = r->link;
	const bool is_notify = r->kind == HUB_KIND_NOTIFY;
	const unsigned incarnation = r->incarnation;

	note_begin(link, r->method);
	serving_call = r->call;
	serving_peer = r->peer;
	handle(r);
	serving_call = serving_peer = 0;
	note_end(link);
	if (is_notify) {
		pthread_mutex_lock(&link->lock);
		if (link->notifies)
			link->notifies--;
		pthread_mutex_unlock(&link->lock);
		hub_send_handled(link, incarnation);
	}
	hub_request_unref(r);
}

/*
 * A peer whose call timed out uses its number again; its old request may live on in a handler.
 * So a taken place is no fault: its request has lost its caller. A peer whose requests pile up
 * that way is told -EAGAIN. More notifications than there was credit for are against the
 * protocol.
 */
static int enter(struct hub_link *link, struct shmhub_request *r)
{
	struct shmhub_request **place = place_of(link, r->call);
	int e = 0;

	pthread_mutex_lock(&link->lock);
	if (r->kind == HUB_KIND_NOTIFY) {
		e = link->notifies++ < HUB_NOTIFY_WINDOW ? 0 : -EBADMSG;
	} else if (!place) {
		e = -EBADMSG;
	} else if (link->requests >= REQUESTS_MAX) {
		r->error = -EAGAIN;
	} else {
		if (*place)
			cancel(*place);
		*place = r;
	}
	r->entered = !e;
	link->requests += r->entered;
	pthread_mutex_unlock(&link->lock);
	return e;
}

static void leave(struct shmhub_request *r)
{
	pthread_mutex_lock(&r->link->lock);
	r->link->requests--;
	pthread_mutex_unlock(&r->link->lock);
}

int hub_request_in(struct shmhub *hub, struct hub_link *link, const struct hub_message *m,
		   struct hub_slot_ref *slot, int error)
{
	struct shmhub_request *r = hub_request_new(&serve_ops, m, slot, NULL);

	if (!r)
		return -EBADMSG; /* no memory for a call: as good as a broken link */
	r->hub = hub;
	r->link = link;
	r->peer = link->id;
	r->incarnation = link->end.incarnation;
	r->error = error;
	r->work.run = run;
	if (HUB_FAULT(link->id, HUB_FAULT_SWALLOW) && m->kind == HUB_KIND_CALL) {
		hub_request_unref(r);
		hub_request_unref(r);
		return 0;
	}
	const int e = enter(link, r);

	if (e) {
		hub_request_unref(r);
		hub_request_unref(r);
		return e;
	}
	hub_work_push(hub, &r->work);
	return 0;
}

/* ---- out ---------------------------------------------------------------------------------- */

/* Sleeps until `seq` moves on; the caller has released link->lock. */
static int wait_for(struct shmhub_request *r, uint32_t seq, uint64_t deadline_ns)
{
	if (hub_is_stopping(r->hub))
		return -ESHUTDOWN;
	if (hub_get32(&r->cancelled))
		return -ECANCELED;
	hub_spill_sleep(r->hub);
	const int e = hub_futex_wait(&r->seq, seq, deadline_ns);

	hub_spill_awake(r->hub);
	return e;
}

static int take_credit(struct shmhub_request *r)
{
	for (;;) {
		pthread_mutex_lock(&r->link->lock);
		/* seq_cst W1: the number before the look; pairs with bump() */
		const uint32_t seq = atomic_load_explicit(&r->seq, memory_order_seq_cst);
		const bool mine = r->credit > 0;

		if (mine)
			r->credit--;
		pthread_mutex_unlock(&r->link->lock);
		if (mine)
			return 0;
		const int e = wait_for(r, seq, r->deadline_ns);

		if (e)
			return e;
	}
}

/* A small message instead of the payload that could not be had. */
static int give_up(struct hub_message *m, int e)
{
	m->aux = e;
	m->len = 0;
	m->flags &= (uint8_t)~HUB_FLAG_MORE;
	m->slot = HUB_NO_SLOT;
	return e;
}

/* The payload: in the ring, in `slot`, or (none free now) a copy for later. */
static int place_payload(struct shmhub_request *r, struct hub_message *m, const void *data,
			 size_t len, struct hub_slot_ref *slot, void **copy)
{
	const int e = hub_send_payload(r->hub, r->link, r->incarnation, data, len, 0, m, slot);

	if (!e)
		return 0;
	if (e != -EAGAIN)
		return give_up(m, e);
	*copy = malloc(len);
	if (!*copy)
		return give_up(m, -ENOBUFS);
	memcpy(*copy, data, len);
	m->len = (uint32_t)len;
	return 0;
}

static int send_later(struct shmhub_request *r, const struct hub_message *m, const void *small,
		      struct hub_slot_ref *slot, void *copy)
{
	struct hub_out *out = calloc(1, sizeof(*out));

	if (!out) {
		hub_pool_free(&r->hub->pool, slot);
		free(copy);
		return -ENOBUFS;
	}
	out->m = *m;
	if (m->slot == HUB_NO_SLOT && !copy)
		memcpy(out->m.small, small, m->len);
	out->slot = *slot;
	out->copy = copy;
	hub_send_later(r->hub, r->link, r->incarnation, out);
	return 0;
}

static int post(struct shmhub_request *r, struct hub_message *m, const void *small,
		struct hub_slot_ref *slot, void *copy)
{
	int e = copy ? -EAGAIN :
		       hub_send(r->hub, r->link, r->incarnation, m, small, slot, 0, NULL, NULL);

	if (e == -EAGAIN)
		return send_later(r, m, small, slot, copy);
	hub_pool_free(&r->hub->pool, slot); /* what was not sent */
	return e;
}

/* The buffer's slot, if it is one of this link's incarnation. */
static int adopt_buf(struct shmhub_request *r, struct shmhub_buf *buf, size_t len,
		     struct hub_message *m, struct hub_slot_ref *slot)
{
	struct hub_slot_end end;

	if (!hub_payload_buf_slot(&r->hub->pool, buf, slot, &end) || len > buf->size ||
	    end.peer != r->peer || end.incarnation != r->incarnation ||
	    end.direction != HUB_TO_PEER) {
		slot->ref = HUB_NO_SLOT;
		return give_up(m, -EINVAL);
	}
	m->len = (uint32_t)len;
	m->slot = slot->ref;
	m->slot_gen = (uint32_t)HUB_SLOT_GENERATION(slot->word);
	memset(buf, 0, sizeof(*buf));
	return 0;
}

static int reply(struct shmhub_request *r, int status, const void *data, struct shmhub_buf *buf,
		 size_t len, bool more)
{
	struct hub_message m;
	struct hub_slot_ref slot = { HUB_NO_SLOT, 0 };
	void *copy = NULL;
	int e = r->began ? take_credit(r) : 0;

	if (e)
		return e;
	hub_request_answer(r, status, more, &m);
	e = buf ? adopt_buf(r, buf, len, &m, &slot) : place_payload(r, &m, data, len, &slot, &copy);
	r->frame_no += r->began;
	r->began = true;
	/* before the answer is out: with it the id is the peer's again, and its next call may be
	 * here under the same index before this thread runs on */
	if (!more)
		forget(r);
	const int sent = post(r, &m, data, &slot, copy);

	return e ? e : sent;
}

static int reserve(struct shmhub_request *r, size_t size, int timeout_ms, struct shmhub_buf *buf)
{
	return hub_send_reserve(r->hub, r->link, r->incarnation, size, true,
				hub_deadline_ns(timeout_ms), buf);
}

static void grant(struct shmhub_request *r, uint32_t n)
{
	struct hub_message m = { .kind = HUB_KIND_CREDIT, .call = r->call, .aux = (int32_t)n,
				 .slot = HUB_NO_SLOT };
	struct hub_slot_ref none = { HUB_NO_SLOT, 0 };

	post(r, &m, NULL, &none, NULL);
}

/* The next frame, under link->lock. 1: here it is; 0: wait for `seq`; -ENODATA: that was all. */
static int next_frame(struct shmhub_request *r, struct hub_frame **frame, uint32_t *seq,
		      uint32_t *credit)
{
	int e = 0;

	pthread_mutex_lock(&r->link->lock);
	/* seq_cst W1: the number before the look; pairs with bump() */
	*seq = atomic_load_explicit(&r->seq, memory_order_seq_cst);
	*frame = hub_frames_take(&r->frames);
	*credit = 0;
	if (*frame) {
		e = 1;
		if (++r->frames_read >= HUB_BODY_WINDOW / 2 && r->more_to_come) {
			*credit = r->frames_read;
			r->frames_read = 0;
		}
	} else if (!r->more_to_come) {
		e = r->error ? r->error : -ENODATA;
	}
	pthread_mutex_unlock(&r->link->lock);
	return e;
}

static int read_body(struct shmhub_request *r, int timeout_ms, struct shmhub_msg *msg)
{
	const uint64_t asked = hub_deadline_ns(timeout_ms);
	const uint64_t deadline = asked < r->deadline_ns ? asked : r->deadline_ns;
	struct hub_frame *frame;
	uint32_t seq, credit;
	int e;

	while (!(e = next_frame(r, &frame, &seq, &credit))) {
		e = timeout_ms ? wait_for(r, seq, deadline) : -EAGAIN;
		if (e)
			break;
	}
	if (e < 0)
		return e;
	if (credit)
		grant(r, credit);
	hub_payload_open(&r->hub->pool, &frame->m, &frame->slot, false, false, msg);
	free(frame);
	return 0;
}

static const struct hub_request_ops serve_ops = { reply, reserve, read_body, forget, leave };
