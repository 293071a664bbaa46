#include "lib/hub/hub_request.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hub/hub_peer.h"

struct shmhub_request *hub_request_new(const struct hub_request_ops *ops,
				       const struct hub_message *m, struct hub_slot_ref *slot,
				       struct shmhub_request *spare)
{
	struct shmhub_request *r = spare ? spare : malloc(sizeof(*r));

	if (!r)
		return NULL;
	memset(r, 0, offsetof(struct shmhub_request, m));
	hub_message_copy(&r->m, m);
	r->ops = ops;
	hub_put32(&r->refs, 2);
	r->method = m->method;
	r->kind = m->kind;
	r->call = m->call;
	r->slot = *slot;
	r->deadline_ns = m->kind == HUB_KIND_CALL && m->aux > 0 ?
				 hub_now_ns() + (uint64_t)m->aux * 1000000 :
				 HUB_FOREVER;
	r->more_to_come = m->flags & HUB_FLAG_MORE;
	r->credit = HUB_BODY_WINDOW;
	hub_frames_init(&r->frames);
	slot->ref = HUB_NO_SLOT;
	return r;
}

struct hub_pool *hub_request_pool(const struct shmhub_request *r)
{
	return r->hub ? &r->hub->pool : hub_peer_pool(r->self);
}

void hub_request_unref(struct shmhub_request *r)
{
	/* acquire Q1: if the only reference left is ours, nobody makes another: no counting down */
	if (atomic_load_explicit(&r->refs, memory_order_acquire) != 1) {
		/* acq_rel Q1: whoever frees it sees what the other has done to it */
		if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
			return;
	}
	struct hub_pool *pool = hub_request_pool(r);

	if (r->entered)
		r->ops->leave(r);
	hub_frames_free(r->frames.first, pool);
	hub_pool_free(pool, &r->slot);
	free(r->copy);
	if (r->self)
		hub_peer_retire(r->self, r);
	else
		free(r);
}

void hub_request_end(struct shmhub_request *r)
{
	r->over = true;
	r->ops->forget(r);
	hub_request_unref(r);
}

void hub_request_answer(struct shmhub_request *r, int status, bool more, struct hub_message *m)
{
	hub_message_init(m, r->began ? HUB_KIND_BODY : HUB_KIND_REPLY,
			 r->began ? (uint16_t)(r->frame_no + 1) : r->method);
	m->flags = (uint8_t)(HUB_FLAG_ANSWER |
			     (more ? HUB_FLAG_MORE : r->began ? 0 : r->m.flags & HUB_FLAG_QUIET));
	m->call = r->call;
	m->aux = status;
}

int hub_request_add_body(struct shmhub_request *r, const struct hub_message *m,
			 struct hub_slot_ref *slot)
{
	if (!r->more_to_come || r->frames.n + r->frames_read >= HUB_BODY_WINDOW)
		return -EBADMSG;
	const int e = hub_frames_add(&r->frames, m, slot, NULL);

	if (!e)
		slot->ref = HUB_NO_SLOT;
	else
		r->error = e;
	r->more_to_come = !e && (m->flags & HUB_FLAG_MORE);
	return 0;
}

int hub_request_add_credit(struct shmhub_request *r, int32_t n)
{
	if (n <= 0 || n > HUB_BODY_WINDOW || r->credit + (uint32_t)n > HUB_BODY_WINDOW)
		return -EBADMSG;
	r->credit += (uint32_t)n;
	return 0;
}

/* ---- public ------------------------------------------------------------------------------ */

const void *shmhub_request_data(const struct shmhub_request *r)
{
	uint32_t room;

	if (r->copy)
		return r->copy;
	if (r->slot.ref != HUB_NO_SLOT)
		return hub_slot_payload(&hub_request_pool(r)->slots, r->slot.ref, &room);
	return r->m.small;
}

size_t shmhub_request_len(const struct shmhub_request *r)
{
	return r->m.len;
}

unsigned shmhub_request_method(const struct shmhub_request *r)
{
	return r->method;
}

unsigned shmhub_request_peer(const struct shmhub_request *r)
{
	return r->peer;
}

int shmhub_request_is_notify(const struct shmhub_request *r)
{
	return r->kind == HUB_KIND_NOTIFY;
}

int shmhub_request_more(const struct shmhub_request *r)
{
	return (r->m.flags & HUB_FLAG_MORE) != 0;
}

int shmhub_request_is_cancelled(struct shmhub_request *r)
{
	return hub_get32(&r->cancelled) ||
	       (r->deadline_ns != HUB_FOREVER && hub_now_ns() >= r->deadline_ns);
}

void shmhub_request_defer(struct shmhub_request *r)
{
	r->deferred = true;
}

void shmhub_request_drop(struct shmhub_request *r)
{
	hub_request_end(r);
}

int shmhub_reply(struct shmhub_request *r, int status, const void *data, size_t len)
{
	const int e = r->kind == HUB_KIND_CALL ? r->ops->reply(r, status, data, NULL, len, false) : 0;

	hub_request_end(r);
	return e;
}

int shmhub_reply_buf(struct shmhub_request *r, int status, struct shmhub_buf *buf, size_t len)
{
	const int e = r->kind == HUB_KIND_CALL ? r->ops->reply(r, status, NULL, buf, len, false) : 0;

	shmhub_buf_release(buf); /* does nothing when it was sent */
	hub_request_end(r);
	return e;
}

int shmhub_reply_part(struct shmhub_request *r, const void *data, size_t len)
{
	return r->kind == HUB_KIND_CALL ? r->ops->reply(r, 0, data, NULL, len, true) : 0;
}

int shmhub_reply_reserve(struct shmhub_request *r, size_t size, int timeout_ms,
			 struct shmhub_buf *buf)
{
	return r->ops->reserve(r, size, timeout_ms, buf);
}

int shmhub_request_read(struct shmhub_request *r, int timeout_ms, struct shmhub_msg *msg)
{
	return r->ops->read(r, timeout_ms, msg);
}

void shmhub_request_on_body(struct shmhub_request *r,
			    void (*fn)(struct shmhub_request *r, struct shmhub_msg *msg, void *arg),
			    void *arg)
{
	r->on_body = fn;
	r->on_body_arg = arg;
}

void shmhub_request_on_credit(struct shmhub_request *r,
			      void (*fn)(struct shmhub_request *r, void *arg), void *arg)
{
	r->on_credit = fn;
	r->on_credit_arg = arg;
}
