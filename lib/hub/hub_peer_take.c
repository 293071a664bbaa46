#include "lib/hub/hub_peer.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* What may lie in the private queue: what the host may have on its way to us. */
static unsigned queue_max(const struct shmhub_peer *peer)
{
	return peer->map.header.calls_max / 4 + 2 * HUB_NOTIFY_WINDOW +
	       HUB_PEER_CALLS * HUB_BODY_WINDOW;
}

/* ---- in ----------------------------------------------------------------------------------- */

static int take_slot(struct shmhub_peer *peer, const struct hub_message *m,
		     struct hub_slot_ref *slot, int *error)
{
	const struct hub_slot_end host = { peer->end.peer, peer->end.incarnation, HUB_TO_PEER };

	slot->ref = HUB_NO_SLOT;
	*error = 0;
	if (m->slot == HUB_NO_SLOT)
		return 0;
	const int r = hub_slot_take(&peer->pool.slots, m->slot, m->slot_gen, m->len, host,
				    m->time_ms, slot);

	if (r == -EBADMSG)
		return r;
	*error = r ? -EBADMSG : 0;
	return 0;
}

/* Numbers that somebody may be waiting for: never queued. 1: there is more to it (a function to
 * be told at the top level); 0: done; -EBADMSG. */
static int deliver_now(struct shmhub_peer *peer, const struct hub_message *m)
{
	switch (m->kind) {
	case HUB_KIND_CREDIT:
		return m->flags & HUB_FLAG_ANSWER ? hub_peer_serve_credit(peer, m) :
						    hub_peer_call_credit(peer, m);
	case HUB_KIND_CANCEL:
		hub_peer_serve_cancel(peer, m->call);
		return 1;
	case HUB_KIND_LEAVE:
		peer->host_left = true;
		return 0;
	default:
		return 1;
	}
}

/* At the top level: the application is told. */
static void deliver(struct shmhub_peer *peer, const struct hub_message *m,
		    struct hub_slot_ref *slot, void *copy, int error)
{
	switch (m->kind) {
	case HUB_KIND_CALL:
	case HUB_KIND_NOTIFY:
		hub_peer_serve(peer, m, slot, error);
		break;
	case HUB_KIND_REPLY:
		hub_peer_call_answer(peer, m, slot, copy, error, true);
		break;
	case HUB_KIND_BODY:
		if (m->flags & HUB_FLAG_ANSWER)
			hub_peer_call_answer(peer, m, slot, copy, error, true);
		else if (!error)
			hub_peer_serve_body(peer, m, slot);
		break;
	case HUB_KIND_CREDIT:
		hub_peer_serve_credit_told(peer, m->call);
		break;
	case HUB_KIND_CANCEL:
		hub_peer_serve_cancel_told(peer, m->call);
		break;
	default:
		break;
	}
	hub_pool_free(&peer->pool, slot);
}

static bool is_answer(const struct hub_message *m)
{
	return m->kind == HUB_KIND_REPLY ||
	       (m->kind == HUB_KIND_BODY && (m->flags & HUB_FLAG_ANSWER));
}

static bool makes_sense(const struct shmhub_peer *peer, const struct hub_message *m)
{
	return m->kind > HUB_KIND_NONE && m->kind <= HUB_KIND_LEAVE &&
	       m->peer == ((uint32_t)peer->end.peer | (uint32_t)peer->end.incarnation << 16);
}

/*
 * An answer leaves its slot: it lies here until the handler returns that runs now, and that may
 * be waiting for a slot itself, or be what somebody with a slot waits for. A request keeps its
 * (hub_spill.c).
 */
static int queue(struct shmhub_peer *peer, const struct hub_message *m, struct hub_slot_ref *slot)
{
	void *const copy = is_answer(m) ? hub_payload_spill(&peer->pool, m, slot) : NULL;
	const int r = hub_frames_add(&peer->queue, m, slot, copy);

	if (r) { /* no memory to remember it: as if it had been lost with us */
		hub_pool_free(&peer->pool, slot);
		free(copy);
	}
	slot->ref = HUB_NO_SLOT;
	return r ? -EBADMSG : 0;
}

/* Takes one message off the ring. top: application code may run. 1, 0, -EBADMSG. */
static int take_one(struct shmhub_peer *peer, bool top)
{
	struct hub_message m;
	struct hub_slot_ref slot;
	int error, r = hub_end_next(&peer->end, &m);

	if (r <= 0)
		return r;
	r = makes_sense(peer, &m) ? take_slot(peer, &m, &slot, &error) : -EBADMSG;
	if (!r)
		r = deliver_now(peer, &m);
	if (r <= 0)
		return r ? r : 1;
	if (is_answer(&m) && !top && hub_peer_call_answer(peer, &m, &slot, NULL, error, false))
		return 1;
	if (top)
		deliver(peer, &m, &slot, NULL, error);
	else if ((r = queue(peer, &m, &slot)))
		return r;
	return 1;
}

int hub_peer_take(struct shmhub_peer *peer)
{
	struct hub_frame *frame = hub_frames_take(&peer->queue);

	if (!frame) {
		const int r = take_one(peer, true);

		peer->broken |= r < 0;
		return r;
	}
	peer->end.took_ms = (hub_coarse_ns() - peer->map.header.created_ns) / 1000000;
	/* of a message whose slot could not be had, the frame says so */
	const bool is_lost = frame->m.slot != HUB_NO_SLOT && frame->slot.ref == HUB_NO_SLOT &&
			     !frame->copy;

	deliver(peer, &frame->m, &frame->slot, frame->copy, is_lost ? -EBADMSG : 0);
	free(frame);
	return 1;
}

bool hub_peer_has_work(struct shmhub_peer *peer)
{
	return peer->queue.n || !hub_ring_is_empty(&peer->end.rx);
}

/* Into the private queue, as far as there is room in it. */
static int absorb(struct shmhub_peer *peer)
{
	int r = 1;

	if (HUB_FAULT_IS(consume_blocked))
		return 0;
	while (r > 0 && peer->queue.n < queue_max(peer))
		r = take_one(peer, false);
	peer->broken |= r < 0;
	return r < 0 ? r : 0;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static uint32_t wanted_bits(const struct shmhub_peer *peer, uint32_t bits)
{
	if (peer->queue.n < queue_max(peer) && !HUB_FAULT_IS(consume_blocked))
		bits |= HUB_ASLEEP_MESSAGE;
	return bits;
}

static bool nothing_to_absorb(const struct shmhub_peer *peer, uint32_t bits)
{
	return !(bits & HUB_ASLEEP_MESSAGE) || hub_ring_is_empty(&peer->end.rx);
}

int hub_peer_wait(struct shmhub_peer *peer, uint32_t bits, bool (*is_over)(struct shmhub_peer *, void *),
		  void *arg, uint64_t deadline_ns)
{
	struct pollfd bell = { .fd = peer->end.bell, .events = POLLIN };
	int r;

	for (;;) {
		if ((r = absorb(peer)) || (r = hub_peer_health(peer)) || is_over(peer, arg))
			return r;
		const uint32_t wanted = wanted_bits(peer, bits);

		hub_end_announce(&peer->end, wanted);
		int n = 1;

		if (!is_over(peer, arg) && nothing_to_absorb(peer, wanted)) {
			hub_end_slept(&peer->end);
			n = poll(&bell, 1, hub_left_ms(deadline_ns));
			HUB_SLEPT(n);
			if (n && hub_end_drain_bell(&peer->end) < 0)
				peer->host_dead = true;
		}
		hub_end_withdraw(&peer->end, wanted);
		if (n == 0)
			return is_over(peer, arg) ? 0 : -ETIMEDOUT;
	}
}

/* ---- out ------------------------------------------------------------------------------------- */

struct hub_slot_end hub_peer_own(const struct shmhub_peer *peer)
{
	return (struct hub_slot_end){ peer->end.peer, peer->end.incarnation, HUB_TO_HOST };
}

struct put { /* what a wait for space is for */
	unsigned cells;
	bool urgent, is_notify;
};

static bool can_put(struct shmhub_peer *peer, void *arg)
{
	const struct put *put = arg;

	if (put->is_notify && hub_ring_credit(&peer->end.tx) == -EAGAIN)
		return false;
	return hub_ring_has_room(&peer->end.tx, put->cells, put->urgent);
}

static struct put put_of(const struct hub_message *m)
{
	return (struct put){
		hub_ring_cells(m->slot == HUB_NO_SLOT ? m->len : 0),
		m->kind == HUB_KIND_REPLY || m->kind == HUB_KIND_CREDIT ||
			m->kind == HUB_KIND_CANCEL || m->kind == HUB_KIND_LEAVE,
		m->kind == HUB_KIND_NOTIFY,
	};
}

static int put(struct shmhub_peer *peer, struct hub_message *m, const void *payload,
	       struct hub_slot_ref *slot, const struct put *put, uint64_t *at)
{
	int r = put->is_notify ? hub_ring_credit(&peer->end.tx) : 0;

	if (!r)
		r = hub_ring_claim(&peer->end.tx, put->cells, put->urgent);
	if (r)
		return r;
	if (slot && slot->ref != HUB_NO_SLOT) {
		r = hub_slot_send(&peer->pool.slots, slot, m->len, m->call, m->method,
				  hub_end_ms(&peer->end));
		if (r)
			return r;
		if (HUB_FAULT(0, HUB_FAULT_LOSE_DESCRIPTOR)) {
			slot->ref = HUB_NO_SLOT;
			return 0;
		}
	}
	if (at)
		*at = peer->end.tx.position;
	r = hub_end_send(&peer->end, m, payload, NULL, &peer->rang);
	if (r)
		return r;
	if (slot)
		slot->ref = HUB_NO_SLOT; /* the host's now */
	return 0;
}

int hub_peer_send(struct shmhub_peer *peer, struct hub_message *m, const void *payload,
		  struct hub_slot_ref *slot, uint64_t deadline_ns, uint64_t *at)
{
	struct put what = put_of(m);
	int r = hub_peer_health(peer);

	if (r)
		return r;
	r = put(peer, m, payload, slot, &what, at);
	if (r == -EAGAIN && deadline_ns)
		hub_end_waited(&peer->end);
	while (r == -EAGAIN && deadline_ns) {
		peer->depth++;
		r = hub_peer_wait(peer, HUB_ASLEEP_SPACE, can_put, &what, deadline_ns);
		peer->depth--;
		if (!r)
			r = put(peer, m, payload, slot, &what, at);
	}
	peer->broken |= r == -EBADMSG;
	return r;
}

/* ---- slots -------------------------------------------------------------------------------------- */

struct want { /* what a slot is for */
	unsigned klass;
	size_t bytes;
	bool is_answer;
	bool waits;
	uint32_t likely; /* a slot that is probably free */
	struct hub_slot_ref *slot;
	int result; /* -EAGAIN until it is settled */
};

/* The count is corrected when it seems used up. */
static bool has_share(struct shmhub_peer *peer, unsigned klass, bool is_answer)
{
	const uint32_t share = hub_slot_share(&peer->pool.slots, klass, is_answer);

	if (peer->share[klass] < share)
		return true;
	peer->share[klass] = hub_slot_count(&peer->pool.slots, klass, hub_peer_own(peer));
	return peer->share[klass] < share;
}

static int claim_in(struct shmhub_peer *peer, unsigned klass, const struct want *w)
{
	if (!has_share(peer, klass, w->is_answer))
		return -EAGAIN;
	const int r = hub_slot_claim(&peer->pool.slots, klass, (uint32_t)w->bytes, hub_peer_own(peer),
				     w->is_answer, w->likely, w->slot);

	peer->share[klass] += !r;
	if (r && r != -EAGAIN) /* one was taken for a moment: who looked just then must look again */
		peer->pool.wake(&peer->pool);
	return r;
}

static void announce(struct shmhub_peer *peer, unsigned klass)
{
	hub_slot_announce(&peer->pool.slots, klass);
	if (klass + 1 < peer->map.class_count)
		hub_slot_announce(&peer->pool.slots, klass + 1);
}

static bool try_claim(struct shmhub_peer *peer, void *arg)
{
	struct want *w = arg;

	if (w->result != -EAGAIN) /* hub_peer_wait() asks again: a second slot would be lost */
		return true;
	if (w->waits) /* before the look: whoever frees one later tells the host, the host us */
		announce(peer, w->klass);
	w->result = claim_in(peer, w->klass, w);
	if (w->result == -EAGAIN && hub_slot_may_go_up(&peer->pool.slots, w->klass + 1)) {
		w->result = claim_in(peer, w->klass + 1, w);
		if (!w->result)
			hub_add_shared(&hub_map_class(&peer->map, w->klass + 1)->upward, 1);
	}
	/* the host ends what waits for itself so (hub_knot.c); or its caller has given up */
	if (w->result == -EAGAIN && w->waits && !w->is_answer && hub_peer_serve_is_over(peer))
		w->result = -ECANCELED;
	return w->result != -EAGAIN;
}

/* Tells the host of a wait for a slot: what it has and nobody reads shall give up its own. */
static void say_wanted(struct shmhub_peer *peer, unsigned klass)
{
	/* release B2: before the bell; pairs with acquire B2 in hub_spill.c */
	atomic_store_explicit(&peer->entry->peer_wants, UINT32_C(1) << klass, memory_order_release);
	hub_end_ring(&peer->end);
}

int hub_peer_claim(struct shmhub_peer *peer, size_t bytes, bool is_answer, uint64_t deadline_ns,
		   struct hub_slot_ref *slot)
{
	const int klass = hub_slot_class_for(&peer->pool.slots, bytes);
	int r = hub_peer_health(peer);

	if (klass < 0) {
		hub_add(&peer->entry->too_large, 1);
		hub_put64(&peer->entry->too_large_bytes, bytes);
		return klass;
	}
	if (r)
		return r;
	if (!is_answer && deadline_ns)
		hub_pace_wait(&peer->end.pace, bytes, peer->spin_ns);
	struct want want = { (unsigned)klass, bytes, is_answer, false,
			     hub_pace_slot(&peer->end.pace, bytes), slot, -EAGAIN };

	if (!try_claim(peer, &want) && deadline_ns) {
		want.waits = true;
		peer->depth++;
		say_wanted(peer, want.klass);
		r = hub_peer_wait(peer, HUB_ASLEEP_SLOT, try_claim, &want, deadline_ns);
		hub_put32(&peer->entry->peer_wants, 0);
		peer->depth--;
	}
	if (r && !want.result) /* it came, but the peer can no longer use it */
		hub_pool_free(&peer->pool, slot);
	r = r ? r : want.result;
	if (r == -ENOSPC)
		hub_add(&peer->entry->no_space, 1);
	if (r == -EAGAIN || r == -ETIMEDOUT)
		hub_add(&peer->entry->alloc_failed, 1);
	return r;
}

int hub_peer_payload(struct shmhub_peer *peer, const void *data, size_t len, uint64_t deadline_ns,
		     struct hub_message *m, struct hub_slot_ref *slot)
{
	const bool is_answer = m->flags & HUB_FLAG_ANSWER;

	uint32_t room;

	slot->ref = m->slot = HUB_NO_SLOT;
	m->len = 0;
	if (len > UINT32_MAX)
		return -EMSGSIZE;
	if (len <= HUB_INLINE_MAX) {
		m->len = (uint32_t)len;
		return 0;
	}
	const int r = hub_peer_claim(peer, len, is_answer, deadline_ns, slot);

	if (r)
		return r;
	memcpy(hub_slot_payload(&peer->pool.slots, slot->ref, &room), data, len);
	m->len = (uint32_t)len;
	m->slot = slot->ref;
	m->slot_gen = (uint32_t)HUB_SLOT_GENERATION(slot->word);
	return 0;
}

int hub_peer_buf(struct shmhub_peer *peer, const struct shmhub_buf *buf, size_t len,
		 struct hub_message *m, struct hub_slot_ref *slot)
{
	struct hub_slot_end end;

	if (!hub_payload_buf_slot(&peer->pool, buf, slot, &end) || len > buf->size) {
		slot->ref = m->slot = HUB_NO_SLOT;
		return -EINVAL;
	}
	m->len = (uint32_t)len;
	m->slot = slot->ref;
	m->slot_gen = (uint32_t)HUB_SLOT_GENERATION(slot->word);
	return 0;
}
