/*
 * Requests of the host. A handler runs in the loop, one at a time; its answer waits for ring
 * space or a slot if it must, taking in messages meanwhile (hub_peer_take.c).
 */
#include "lib/hub/hub_peer.h"

#include <stdlib.h>
#include <string.h>

static const struct hub_request_ops peer_ops;

/* ---- table: requests that live (deferred, or being handled) ---------------------------------- */

static struct shmhub_request **bucket_of(struct shmhub_peer *peer, uint32_t call)
{
	return &peer->request[call % HUB_PEER_BUCKETS];
}

static struct shmhub_request *find(struct shmhub_peer *peer, uint32_t call)
{
	struct shmhub_request *r = *bucket_of(peer, call);

	while (r && r->call != call)
		r = r->next;
	return r;
}

static void forget(struct shmhub_request *r)
{
	struct shmhub_request **at = bucket_of(r->self, r->call);

	while (*at && *at != r)
		at = &(*at)->next;
	if (*at)
		*at = r->next;
}

static void remember(struct shmhub_peer *peer, struct shmhub_request *r)
{
	struct shmhub_request **at = bucket_of(peer, r->call);

	r->next = *at;
	*at = r;
}

void hub_peer_serve_drop_all(struct shmhub_peer *peer)
{
	for (unsigned i = 0; i < HUB_PEER_BUCKETS; i++)
		while (peer->request[i])
			hub_request_end(peer->request[i]);
}

/* ---- in ----------------------------------------------------------------------------------- */

static const struct hub_handler *handler_of(const struct shmhub_peer *peer, unsigned method)
{
	const struct hub_handler *h = peer->handler[method % HUB_PEER_BUCKETS];

	while (h && h->method != method)
		h = h->next;
	return h;
}

static void handle(struct shmhub_peer *peer, struct shmhub_request *r)
{
	const struct hub_handler *h = handler_of(peer, r->method);

	if (r->error || !h) {
		shmhub_reply(r, r->error ? r->error : -ENOSYS, NULL, 0);
		return;
	}
	h->fn(r, h->arg);
	if (!r->deferred && !r->over) /* deferred: another thread may be answering it */
		shmhub_reply(r, -ENOMSG, NULL, 0);
	hub_add(&peer->entry->handled, 1);
}

void hub_peer_retire(struct shmhub_peer *peer, struct shmhub_request *r)
{
	if (peer->spare)
		free(r);
	else
		peer->spare = r;
}

void hub_peer_serve(struct shmhub_peer *peer, const struct hub_message *m, struct hub_slot_ref *slot,
		    int error)
{
	const bool is_call = m->kind == HUB_KIND_CALL;
	struct shmhub_request *r;

	if (is_call && HUB_FAULT(0, HUB_FAULT_SWALLOW))
		return;
	if (is_call) /* the answer is probably as long as the last one */
		hub_ring_ask(peer->end.tx.ring, peer->end.tx.mask, peer->end.tx.last_cells);
	r = hub_request_new(&peer_ops, m, slot, peer->spare);
	if (!r)
		return; /* no memory: its caller waits until its deadline, as for a slow one */
	peer->spare = NULL;
	r->self = peer;
	r->error = error;
	if (is_call)
		remember(peer, r);
	const uint32_t outer = peer->serving;

	peer->serving = m->call;
	peer->depth++;
	/* as of when it was taken; RUNNING is said when the turn ends (shmhub_peer_drain()) */
	hub_put64(&peer->entry->beat, HUB_BEAT(HUB_BEAT_HANDLER, m->method, peer->end.took_ms));
	peer->said_handler = true;
	HUB_STEP("peer.handler");
	handle(peer, r);
	peer->depth--;
	peer->serving = outer;
	hub_request_unref(r);
	if (!is_call)
		hub_end_handled(&peer->end);
}

/* ---- further frames, credit, cancellation ------------------------------------------------------ */

static void grant(struct shmhub_peer *peer, struct shmhub_request *r)
{
	struct hub_message m = { .kind = HUB_KIND_CREDIT, .call = r->call,
				 .aux = (int32_t)r->frames_read, .slot = HUB_NO_SLOT };

	if (!hub_peer_send(peer, &m, NULL, NULL, r->deadline_ns, NULL))
		r->frames_read = 0;
}

/* Application code around a request that lives: it may answer it in there. */
static void begin(struct shmhub_peer *peer, struct shmhub_request *r, uint32_t *outer)
{
	/* relaxed: one thread; held while the function runs, as during a handler */
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	*outer = peer->serving;
	peer->serving = r->call;
	peer->depth++;
	hub_peer_beat(peer, HUB_BEAT_HANDLER, r->method);
}

static void done(struct shmhub_peer *peer, struct shmhub_request *r, uint32_t outer)
{
	hub_peer_beat(peer, HUB_BEAT_RUNNING, 0);
	peer->depth--;
	peer->serving = outer;
	hub_request_unref(r);
}

void hub_peer_serve_body(struct shmhub_peer *peer, const struct hub_message *m,
			 struct hub_slot_ref *slot)
{
	struct shmhub_request *r = find(peer, m->call);
	struct shmhub_msg msg;
	uint32_t outer;

	if (!r || !r->more_to_come)
		return; /* answered meanwhile */
	r->more_to_come = m->flags & HUB_FLAG_MORE;
	begin(peer, r, &outer);
	if (r->on_body) {
		hub_payload_open(&peer->pool, m, slot, true, false, &msg);
		r->on_body(r, &msg, r->on_body_arg);
		shmhub_msg_release(&msg);
	}
	if (!r->over && r->more_to_come && ++r->frames_read >= HUB_BODY_WINDOW / 2)
		grant(peer, r);
	done(peer, r, outer);
}

int hub_peer_serve_credit(struct shmhub_peer *peer, const struct hub_message *m)
{
	struct shmhub_request *r = find(peer, m->call);
	const int e = r ? hub_request_add_credit(r, m->aux) : 0;

	return e ? e : r && r->on_credit ? 1 : 0;
}

void hub_peer_serve_credit_told(struct shmhub_peer *peer, uint32_t call)
{
	struct shmhub_request *r = find(peer, call);
	uint32_t outer;

	if (!r || !r->on_credit)
		return;
	begin(peer, r, &outer);
	r->on_credit(r, r->on_credit_arg);
	done(peer, r, outer);
}

void hub_peer_serve_cancel(struct shmhub_peer *peer, uint32_t call)
{
	struct shmhub_request *r = find(peer, call);

	if (r)
		hub_put32(&r->cancelled, 1);
}

bool hub_peer_serve_is_over(struct shmhub_peer *peer)
{
	const struct shmhub_request *r = peer->serving ? find(peer, peer->serving) : NULL;

	return r && hub_get32(&r->cancelled);
}

void hub_peer_serve_cancel_told(struct shmhub_peer *peer, uint32_t call)
{
	struct shmhub_request *r = find(peer, call);
	uint32_t outer;

	if (!r || !r->on_body || !r->more_to_come)
		return;
	r->more_to_come = false;
	begin(peer, r, &outer);
	r->on_body(r, NULL, r->on_body_arg);
	done(peer, r, outer);
}

/* ---- out ---------------------------------------------------------------------------------------- */

static int reply(struct shmhub_request *r, int status, const void *data, struct shmhub_buf *buf,
		 size_t len, bool more)
{
	struct shmhub_peer *peer = r->self;
	struct hub_message m;
	struct hub_slot_ref slot = { HUB_NO_SLOT, 0 };
	int e;

	if (r->began && !r->credit && more)
		return -EAGAIN;
	hub_request_answer(r, status, more, &m);
	e = buf ? hub_peer_buf(peer, buf, len, &m, &slot) :
		  hub_peer_payload(peer, data, len, r->deadline_ns, &m, &slot);
	if (e == -EOWNERDEAD)
		return e;
	if (e) { /* a small message instead of the payload that could not be had */
		m.aux = e == -EINVAL ? e : e == -EMSGSIZE || e == -ENOSPC ? e : -ENOBUFS;
		m.flags &= (uint8_t)~HUB_FLAG_MORE;
		m.len = 0;
	}
	const int sent = hub_peer_send(peer, &m, data, &slot, r->deadline_ns, NULL);

	if (sent && buf)
		return sent; /* still the application's */
	if (buf && !e)
		memset(buf, 0, sizeof(*buf));
	hub_pool_free(&peer->pool, &slot); /* what was not sent */
	if (!sent && r->began && r->credit)
		r->credit--;
	r->frame_no += r->began;
	r->began = true;
	return e ? e : sent;
}

static int reserve(struct shmhub_request *r, size_t size, int timeout_ms, struct shmhub_buf *buf)
{
	struct hub_slot_ref slot;
	const int e = hub_peer_claim(r->self, size, true, hub_deadline_ns(timeout_ms), &slot);

	if (!e)
		hub_payload_buf(&r->self->pool, &slot, hub_peer_own(r->self), size, buf);
	return e;
}

/* Frames come by shmhub_request_on_body() here: nothing may wait for them in the loop. */
static int read_body(struct shmhub_request *r, int timeout_ms, struct shmhub_msg *msg)
{
	(void)r;
	(void)timeout_ms;
	(void)msg;
	return -EDEADLK;
}

static const struct hub_request_ops peer_ops = { reply, reserve, read_body, forget, NULL };
