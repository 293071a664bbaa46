/*
 * The host's calls. A call is an entry of the pending table (hub_pend.c), a message in the
 * peer's recv ring (hub_send.c), and somebody who waits (hub_role.c) or a function that a
 * handler thread calls.
 *
 * The entry is PENDING before its message is published: the answer may be there before the
 * sender has left hub_send().
 */
#include "lib/hub/hub_priv.h"

#include <stdlib.h>
#include <string.h>

struct start { /* a call to be made */
	struct shmhub *hub;
	struct hub_link *link;
	unsigned incarnation, method, flags;
	const void *data;
	size_t len;
	uint64_t deadline_ns;
	struct hub_slot_ref slot; /* the payload, if it came in a buffer */
	void (*fn)(void *arg, int result, struct shmhub_msg *reply);
	void *arg;
	/* set */
	struct hub_pend *pend;
	uint32_t gen;
	bool rang;
	bool waits; /* somebody will be there when the answer comes */
};

static int find_peer(struct shmhub *hub, unsigned peer, struct hub_link **link,
		     unsigned *incarnation)
{
	if (hub_get32(&hub->inherited))
		return -ESTALE;
	if (hub_is_stopping(hub))
		return -ESHUTDOWN;
	if (peer < 1 || peer > hub->map.header.peers_max)
		return -ENOENT;
	*link = &hub->link[peer];
	switch (hub_link_now(*link, incarnation)) {
	case HUB_LINK_NONE:
		return -ENOENT;
	case HUB_LINK_OPEN:
		return 0;
	default:
		return -EOWNERDEAD;
	}
}

static void note_method(struct shmhub *hub)
{
	HUB_NOTE(hub, calls_made, 1);
}

/* ---- start ------------------------------------------------------------------------------- */

static uint32_t deadline_in_ms(uint64_t deadline_ns, uint64_t now_ns)
{
	if (deadline_ns == HUB_FOREVER)
		return 0;
	return deadline_ns > now_ns ? (uint32_t)((deadline_ns - now_ns + 999999) / 1000000) : 1;
}

static void watch_deadline(struct shmhub *hub, uint64_t deadline_ns)
{
	uint64_t next = hub_get64(&hub->next_deadline_ns);

	/* relaxed: a lower bound; the event thread looks at the entries themselves */
	while (deadline_ns < next)
		if (atomic_compare_exchange_weak_explicit(&hub->next_deadline_ns, &next, deadline_ns,
							  memory_order_relaxed,
							  memory_order_relaxed)) {
			hub_event_poke(hub);
			return;
		}
}

#ifdef SHMHUB_FAULTS
/* The call's descriptor goes nowhere, or to somebody else. 1: not injected. */
static int send_wrongly(struct start *s, struct hub_message *m, const void *data)
{
	struct shmhub *hub = s->hub;
	unsigned wrong_incarnation;

	if (hub_fault(s->link->id, HUB_FAULT_DROP_CALL)) {
		hub_pool_free(&hub->pool, &s->slot);
		return 0;
	}
	struct hub_link *wrong = &hub->link[hub_get32(&hub_faults.wrong_peer)];

	if (hub_link_now(wrong, &wrong_incarnation) != HUB_LINK_OPEN ||
	    !hub_fault(s->link->id, HUB_FAULT_WRONG_PEER))
		return 1;
	return hub_send(hub, wrong, wrong_incarnation, m, data, &s->slot, s->deadline_ns, s->pend,
			&s->rang);
}
#endif

static int send_request(struct start *s, struct hub_message *m)
{
#ifdef SHMHUB_FAULTS
	const int r = send_wrongly(s, m, s->data);

	if (r <= 0)
		return r;
#endif
	return hub_send(s->hub, s->link, s->incarnation, m, s->data, &s->slot,
			s->flags & SHMHUB_NOWAIT ? 0 : s->deadline_ns, s->pend, &s->rang);
}

static int place_payload(struct start *s, struct hub_message *m)
{
	if (s->slot.ref == HUB_NO_SLOT)
		return hub_send_payload(s->hub, s->link, s->incarnation, s->data, s->len,
					s->flags & SHMHUB_NOWAIT ? 0 : s->deadline_ns, m, &s->slot);
	m->len = (uint32_t)s->len;
	m->slot = s->slot.ref;
	m->slot_gen = (uint32_t)HUB_SLOT_GENERATION(s->slot.word);
	return 0;
}

/*
 * What was taken so far goes back; a buffer's slot stays its owner's. Returns what start() says:
 * a call with a function that has failed meanwhile (its peer died) has told the function, or is
 * about to: then it was started.
 */
static int undo(struct start *s, bool has_buf, int error)
{
	unsigned state;

	if (!has_buf)
		hub_pool_free(&s->hub->pool, &s->slot);
	if (!hub_pend_lock(s->pend, s->gen, &state))
		return 0;
	if (s->pend->queued) {
		hub_pend_unlock(s->pend, state);
		return 0;
	}
	hub_pend_free(s->hub, s->pend, error);
	return error;
}

static int start(struct start *s)
{
	const bool has_buf = s->slot.ref != HUB_NO_SLOT;
	struct hub_message m;

	if (!s->method || s->method > SHMHUB_METHOD_MAX || s->len > UINT32_MAX)
		return s->len > UINT32_MAX ? -EMSGSIZE : -EINVAL;
	if (!s->deadline_ns) {
		s->flags |= SHMHUB_NOWAIT;
		s->deadline_ns = hub_now_ns();
	}
	hub_ring_ask(hub_map_ring(&s->hub->map, s->link->id, HUB_RECV),
		     s->hub->map.header.ring_cells - 1,
		     hub_ring_cells(s->len <= HUB_INLINE_MAX ? (uint32_t)s->len : 0));
	int r = hub_pend_claim(s->hub, s->link, s->incarnation, s->method, s->deadline_ns,
			       s->flags & SHMHUB_NOWAIT, &s->pend, &s->gen);

	if (r)
		return r;
	struct hub_pend *pend = s->pend;

	hub_message_init(&m, HUB_KIND_CALL, s->method);
	m.flags = (uint8_t)((s->flags & SHMHUB_MORE ? HUB_FLAG_MORE : 0) |
			    (s->fn ? 0 : HUB_FLAG_QUIET));
	pend->started_ns = hub_now_ns();
	pend->waiters = s->waits;
	pend->fn = s->fn;
	pend->arg = s->arg;
	pend->request_open = s->flags & SHMHUB_MORE;
	m.call = hub_pend_id(pend, s->gen);
	m.aux = (int32_t)deadline_in_ms(s->deadline_ns, pend->started_ns);
	hub_pend_note_start(s->hub, pend, s->gen, s->len);
	HUB_STEP("call.start.noted");
	r = place_payload(s, &m);
	if (!r) {
		pend->sent_slot = m.slot;
		pend->sent_gen = m.slot_gen;
		hub_pend_unlock(pend, HUB_PEND_PENDING);
		r = send_request(s, &m);
	} else {
		hub_pend_unlock(pend, HUB_PEND_PENDING); /* so that undo() may lock it */
	}
	note_method(s->hub);
	return r ? undo(s, has_buf, r) : 0;
}

int shmhub_call_start(struct shmhub *hub, unsigned peer, unsigned method, const void *data,
		      size_t len, int timeout_ms, unsigned flags, uint64_t *call)
{
	struct start s = { .hub = hub, .method = method, .flags = flags, .data = data, .len = len,
			   .deadline_ns = hub_deadline_ns(timeout_ms),
			   .slot = { HUB_NO_SLOT, 0 } };
	int r = find_peer(hub, peer, &s.link, &s.incarnation);

	if (!r)
		r = start(&s);
	if (r)
		return r;
	*call = hub_pend_handle(s.pend, s.gen);
	hub_event_tick(hub); /* which takes a quiet answer that nobody comes for soon */
	return 0;
}

int shmhub_call_async(struct shmhub *hub, unsigned peer, unsigned method, const void *data,
		      size_t len, int timeout_ms, unsigned flags,
		      void (*fn)(void *arg, int result, struct shmhub_msg *reply), void *arg,
		      uint64_t *call)
{
	struct start s = { .hub = hub, .method = method, .flags = flags, .data = data, .len = len,
			   .deadline_ns = hub_deadline_ns(timeout_ms), .fn = fn, .arg = arg,
			   .slot = { HUB_NO_SLOT, 0 } };
	int r = fn ? find_peer(hub, peer, &s.link, &s.incarnation) : -EINVAL;

	if (!r)
		r = start(&s);
	if (r)
		return r;
	if (call)
		*call = hub_pend_handle(s.pend, s.gen);
	watch_deadline(hub, s.deadline_ns);
	return 0;
}

/* The link, incarnation and slot of a buffer that was reserved for a message to a peer. */
static int find_buf(struct shmhub *hub, struct shmhub_buf *buf, size_t len, struct hub_link **link,
		    unsigned *incarnation, struct hub_slot_ref *slot)
{
	struct hub_slot_end end;

	if (!hub_payload_buf_slot(&hub->pool, buf, slot, &end) || len > buf->size)
		return -EINVAL;
	const int r = find_peer(hub, end.peer, link, incarnation);

	if (!r && *incarnation != end.incarnation)
		return -EOWNERDEAD;
	return r;
}

int shmhub_call_start_buf(struct shmhub *hub, unsigned method, struct shmhub_buf *buf, size_t len,
			  int timeout_ms, unsigned flags, uint64_t *call)
{
	struct start s = { .hub = hub, .method = method, .flags = flags, .len = len,
			   .deadline_ns = hub_deadline_ns(timeout_ms) };
	int r = find_buf(hub, buf, len, &s.link, &s.incarnation, &s.slot);

	if (!r)
		r = start(&s);
	if (r)
		return r;
	memset(buf, 0, sizeof(*buf));
	*call = hub_pend_handle(s.pend, s.gen);
	hub_event_tick(hub); /* see shmhub_call_start() */
	return 0;
}

/* ---- wait -------------------------------------------------------------------------------- */

static void tell_cancelled(struct shmhub *hub, const struct hub_pend *pend, uint32_t gen)
{
	struct hub_message m = { .kind = HUB_KIND_CANCEL, .call = hub_pend_id(pend, gen),
				 .slot = HUB_NO_SLOT };

	/* without room it is left out: the answer will be late and thrown away */
	hub_send(hub, &hub->link[pend->peer], pend->incarnation, &m, NULL, NULL, 0, NULL, NULL);
}

void hub_call_fail(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, int error)
{
	struct hub_pend was = { .index = pend->index };
	unsigned state;

	if (!hub_pend_lock(pend, gen, &state))
		return;
	was.peer = pend->peer;
	was.incarnation = pend->incarnation;
	hub_pend_unlock(pend, state);
	hub_pend_fail(hub, pend, gen, error); /* first: a peer that is told may answer at once */
	tell_cancelled(hub, &was, gen);
}

static void give_credit(struct shmhub *hub, const struct hub_pend *pend, uint32_t id, uint32_t n)
{
	struct hub_message m = { .kind = HUB_KIND_CREDIT, .flags = HUB_FLAG_ANSWER, .call = id,
				 .aux = (int32_t)n, .slot = HUB_NO_SLOT };

	if (hub_send(hub, &hub->link[pend->peer], pend->incarnation, &m, NULL, NULL, 0, NULL,
		     NULL) != -EAGAIN)
		return;
	struct hub_out *out = calloc(1, sizeof(*out));

	if (!out)
		return;
	out->m = m;
	out->slot.ref = HUB_NO_SLOT;
	hub_send_later(hub, &hub->link[pend->peer], pend->incarnation, out);
}

/* A frame, out of its entry: what is left to do with it needs no lock. */
struct taken {
	struct hub_message m;
	struct hub_slot_ref slot;
	void *copy;      /* instead of the slot */
	uint32_t credit; /* what the peer is to be told it may send */
};

/* Of a locked entry whose answer goes on. */
static unsigned state_after(struct hub_pend *pend)
{
	if (pend->more.n)
		return HUB_PEND_READY;
	if (!pend->doom)
		return HUB_PEND_PENDING;
	pend->error = pend->doom;
	return HUB_PEND_FAILED;
}

/* One frame of a locked READY entry. Unlocks it, or frees it when that was the last. */
static void take_frame(struct shmhub *hub, struct hub_pend *pend, struct taken *t)
{
	t->credit = 0;
	if (pend->m.kind != HUB_KIND_NONE) {
		hub_message_copy(&t->m, &pend->m);
		t->slot = pend->slot;
		t->copy = pend->copy;
		pend->slot.ref = HUB_NO_SLOT;
		pend->copy = NULL;
		pend->m.kind = HUB_KIND_NONE; /* from now on: those behind it */
	} else {
		struct hub_frame *frame = hub_frames_take(&pend->more);

		hub_message_copy(&t->m, &frame->m);
		t->slot = frame->slot;
		t->copy = frame->copy;
		free(frame);
		if (++pend->read >= HUB_BODY_WINDOW / 2 && (t->m.flags & HUB_FLAG_MORE)) {
			t->credit = pend->read;
			pend->read = 0;
		}
	}
	if (t->m.flags & HUB_FLAG_MORE)
		hub_pend_unlock(pend, state_after(pend));
	else
		hub_pend_free(hub, pend, t->m.aux);
}

/* Of a locked READY entry: the whole answer, in the ring: no need to take it out first. */
static bool is_small(const struct hub_pend *pend)
{
	return pend->m.kind != HUB_KIND_NONE && !(pend->m.flags & HUB_FLAG_MORE) &&
	       pend->m.slot == HUB_NO_SLOT;
}

static void open_small(struct shmhub *hub, struct hub_pend *pend, struct shmhub_msg *reply)
{
	hub_payload_open(&hub->pool, &pend->m, &pend->slot, false, false, reply);
	hub_pend_free(hub, pend, reply->status);
}

/* The deadline of the call is over: it ends, whatever comes. */
static int time_out(struct shmhub *hub, struct hub_pend *pend, uint32_t gen)
{
	unsigned state;

	tell_cancelled(hub, pend, gen);
	if (hub_pend_lock(pend, gen, &state))
		hub_pend_free(hub, pend, -ETIMEDOUT);
	return -ETIMEDOUT;
}

/* What there is now. -EAGAIN: nothing. */
static int read_entry(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, unsigned flags,
		      struct shmhub_msg *reply)
{
	unsigned state;
	struct taken t;

	while (true) {
		if (!hub_pend_lock(pend, gen, &state))
			return -ENOENT;
		if (state != HUB_PEND_READY || !pend->spilling)
			break;
		hub_pend_unlock(pend, state);
		hub_spill_settle(hub);
	}
	if (state == HUB_PEND_PENDING) {
		hub_pend_unlock(pend, state);
		return -EAGAIN;
	}
	if (state == HUB_PEND_FAILED) {
		const int error = pend->error;

		hub_pend_free(hub, pend, error);
		return error;
	}
	if (is_small(pend)) {
		open_small(hub, pend, reply);
		return 0;
	}
	take_frame(hub, pend, &t);
	if (t.credit) /* the entry is still ours: more frames follow */
		give_credit(hub, pend, hub_pend_id(pend, gen), t.credit);
	if (t.copy)
		hub_payload_open_copy(&t.m, t.copy, reply);
	else
		hub_payload_open(&hub->pool, &t.m, &t.slot, flags & SHMHUB_HOLD,
				 flags & SHMHUB_COPY, reply);
	return 0;
}

static int wait_entry(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, uint64_t until_ns,
		      unsigned flags, bool rang, struct shmhub_msg *reply)
{
	const uint64_t deadline = pend->deadline_ns;

	hub_role_wait(hub, pend, gen, until_ns < deadline ? until_ns : deadline, rang, false);
	const int r = read_entry(hub, pend, gen, flags, reply);

	if (r == -EAGAIN && deadline != HUB_FOREVER && hub_left_ms(deadline) == 0)
		return time_out(hub, pend, gen);
	return r;
}

int shmhub_wait(struct shmhub *hub, uint64_t call, int timeout_ms, unsigned flags,
		struct shmhub_msg *reply)
{
	struct shmhub_msg unwanted;
	uint32_t gen;
	struct hub_pend *pend = hub_pend_find(hub, call, &gen);

	if (hub_get32(&hub->inherited))
		return -ESTALE;
	if (!pend)
		return -ENOENT;
	if (!hub_pend_waiters(pend, gen, 1))
		return -ENOENT;
	const int r = wait_entry(hub, pend, gen, hub_deadline_ns(timeout_ms), flags, false,
				 reply ? reply : &unwanted);

	hub_pend_waiters(pend, gen, -1); /* no more, if the call is over */

	if (!r && !reply) {
		const int status = unwanted.status;

		shmhub_msg_release(&unwanted);
		return status;
	}
	return r;
}

/* Reads and drops what follows a first frame that was all its caller wanted. */
static int drop_rest(struct shmhub *hub, struct hub_pend *pend, uint32_t gen,
		     struct shmhub_msg *reply)
{
	if (!(reply->flags & SHMHUB_MORE))
		return 0;
	shmhub_msg_release(reply);
	time_out(hub, pend, gen);
	return -EMSGSIZE;
}

int shmhub_call(struct shmhub *hub, unsigned peer, unsigned method, const void *data, size_t len,
		int timeout_ms, struct shmhub_msg *reply)
{
	struct start s = { .hub = hub, .method = method, .data = data, .len = len,
			   .deadline_ns = hub_deadline_ns(timeout_ms),
			   .slot = { HUB_NO_SLOT, 0 }, .waits = true };
	struct shmhub_msg unwanted, *to = reply ? reply : &unwanted;
	int r = find_peer(hub, peer, &s.link, &s.incarnation);

	if (!r)
		r = start(&s);
	if (r)
		return r;
	r = wait_entry(hub, s.pend, s.gen, HUB_FOREVER, 0, s.rang, to);
	if (!r)
		r = drop_rest(hub, s.pend, s.gen, to);
	if (!r && !reply) {
		r = unwanted.status;
		shmhub_msg_release(&unwanted);
	}
	return r;
}

/* ---- calls with a function ------------------------------------------------------------------ */

/* On a handler thread: tells all frames there are. */
void hub_call_run(struct hub_work *work)
{
	struct hub_pend *pend = (struct hub_pend *)((char *)work - offsetof(struct hub_pend, work));
	struct shmhub *hub = pend->hub;
	const uint32_t gen = HUB_PEND_GEN(hub_get64(&pend->word));
	void (*const fn)(void *, int, struct shmhub_msg *) = pend->fn;
	void *const arg = pend->arg;
	struct shmhub_msg reply;
	unsigned state;
	int r;

	for (;;) {
		if (!hub_pend_lock(pend, gen, &state))
			return;
		if (state == HUB_PEND_PENDING) {
			pend->queued = false; /* whatever comes now queues it again */
			hub_pend_unlock(pend, state);
			return;
		}
		hub_pend_unlock(pend, state);
		r = read_entry(hub, pend, gen, 0, &reply);
		const bool last = r || !(reply.flags & SHMHUB_MORE);

		fn(arg, r, r ? NULL : &reply);
		if (!r)
			shmhub_msg_release(&reply);
		if (last)
			return;
	}
}

/* ---- cancel, further frames, notify, reserve -------------------------------------------------- */

int shmhub_cancel(struct shmhub *hub, uint64_t call)
{
	uint32_t gen;
	unsigned state;
	struct hub_pend *pend = hub_pend_find(hub, call, &gen);

	if (!pend || !hub_pend_lock(pend, gen, &state))
		return -ENOENT;
	const bool unwanted = !pend->waiters && !pend->fn;
	const bool goes_on = state != HUB_PEND_FAILED; /* as far as we know: there may be more frames */

	hub_pend_unlock(pend, state);
	if (goes_on)
		tell_cancelled(hub, pend, gen);
	if (!unwanted) {
		hub_pend_fail(hub, pend, gen, -ECANCELED);
		return 0;
	}
	if (!hub_pend_lock(pend, gen, &state))
		return -ENOENT;
	hub_pend_free(hub, pend, -ECANCELED);
	return 0;
}

static int take_credit(struct hub_pend *pend, uint32_t gen, bool last)
{
	unsigned state;
	int r = 0;

	if (!hub_pend_lock(pend, gen, &state))
		return -ENOENT;
	if (state == HUB_PEND_FAILED)
		r = pend->error;
	else if (pend->answered || !pend->request_open)
		r = -EPIPE;
	else if (!pend->credit)
		r = -EAGAIN;
	else {
		pend->credit--;
		pend->frame_no++;
		pend->request_open = !last;
	}
	hub_pend_unlock(pend, state);
	return r;
}

/* Until the peer has granted credit, answered, or is gone: woken by whoever delivers that. */
static int wait_for_credit(struct shmhub *hub, struct hub_pend *pend, uint32_t gen, bool last,
			   bool nowait)
{
	for (;;) {
		const int r = take_credit(pend, gen, last);

		if (r != -EAGAIN || nowait)
			return r;
		if (pend->deadline_ns != HUB_FOREVER && hub_left_ms(pend->deadline_ns) == 0)
			return time_out(hub, pend, gen);
		hub_role_wait(hub, pend, gen, pend->deadline_ns, false, true);
	}
}

int shmhub_call_write(struct shmhub *hub, uint64_t call, const void *data, size_t len,
		      unsigned flags)
{
	uint32_t gen;
	struct hub_pend *pend = hub_pend_find(hub, call, &gen);
	struct hub_slot_ref slot = { HUB_NO_SLOT, 0 };
	const bool nowait = flags & SHMHUB_NOWAIT;

	if (!pend)
		return -ENOENT;
	int r = wait_for_credit(hub, pend, gen, !(flags & SHMHUB_MORE), nowait);

	if (r)
		return r;
	struct hub_link *link = &hub->link[pend->peer];
	struct hub_message m = {
		.kind = HUB_KIND_BODY, .method = (uint16_t)pend->frame_no,
		.flags = flags & SHMHUB_MORE ? HUB_FLAG_MORE : 0, .call = hub_pend_id(pend, gen),
	};
	const uint64_t deadline = nowait ? 0 : pend->deadline_ns;

	r = hub_send_payload(hub, link, pend->incarnation, data, len, deadline, &m, &slot);
	if (!r)
		r = hub_send(hub, link, pend->incarnation, &m, data, &slot, deadline, NULL, NULL);
	hub_pool_free(&hub->pool, &slot);
	if (r)
		hub_pend_untake_credit(pend, gen);
	return r;
}

static int notify(struct shmhub *hub, struct hub_link *link, unsigned incarnation,
		  struct hub_message *m, const void *data, struct hub_slot_ref *slot,
		  uint64_t deadline_ns)
{
	if (!m->method)
		return -EINVAL;
	return hub_send(hub, link, incarnation, m, data, slot, deadline_ns, NULL, NULL);
}

int shmhub_notify(struct shmhub *hub, unsigned peer, unsigned method, const void *data, size_t len,
		  int timeout_ms, unsigned flags)
{
	const uint64_t deadline = flags & SHMHUB_NOWAIT ? 0 : hub_deadline_ns(timeout_ms);
	struct hub_message m;
	struct hub_slot_ref slot = { HUB_NO_SLOT, 0 };
	struct hub_link *link;
	unsigned incarnation;
	int r = find_peer(hub, peer, &link, &incarnation);

	hub_message_init(&m, HUB_KIND_NOTIFY, method);

	if (!r)
		r = hub_send_payload(hub, link, incarnation, data, len, deadline, &m, &slot);
	if (r)
		return r;
	r = notify(hub, link, incarnation, &m, data, &slot, deadline);
	hub_pool_free(&hub->pool, &slot);
	return r;
}

int shmhub_notify_buf(struct shmhub *hub, unsigned method, struct shmhub_buf *buf, size_t len,
		      int timeout_ms, unsigned flags)
{
	struct hub_slot_ref slot;
	struct hub_link *link;
	unsigned incarnation;
	int r = find_buf(hub, buf, len, &link, &incarnation, &slot);

	if (r)
		return r;
	struct hub_message m;

	hub_message_init(&m, HUB_KIND_NOTIFY, method);
	m.len = (uint32_t)len;
	m.slot = slot.ref;
	m.slot_gen = (uint32_t)HUB_SLOT_GENERATION(slot.word);

	r = notify(hub, link, incarnation, &m, NULL, &slot,
		   flags & SHMHUB_NOWAIT ? 0 : hub_deadline_ns(timeout_ms));
	if (!r)
		memset(buf, 0, sizeof(*buf));
	return r;
}

int shmhub_reserve(struct shmhub *hub, unsigned peer, size_t size, int timeout_ms,
		   struct shmhub_buf *buf)
{
	struct hub_link *link;
	unsigned incarnation;
	const int r = find_peer(hub, peer, &link, &incarnation);

	return r ? r : hub_send_reserve(hub, link, incarnation, size, false,
					hub_deadline_ns(timeout_ms), buf);
}

void shmhub_method_name(struct shmhub *hub, unsigned method, const char *name)
{
	if (method && method <= SHMHUB_METHOD_MAX)
		hub_pend_name(hub, method, name);
}
