#include "lib/hub/hub_payload.h"

#include <stdlib.h>
#include <string.h>

/* What stands in opaque[] of both public objects. */
enum { POOL, REF, WORD, EXTRA };

void hub_pool_free(struct hub_pool *pool, struct hub_slot_ref *slot)
{
	if (hub_slot_free(&pool->slots, slot))
		pool->wake(pool);
}

static void in_place(struct hub_pool *pool, const struct hub_message *m, struct hub_slot_ref *slot,
		     struct shmhub_msg *out)
{
	uint32_t room;

	out->data = hub_slot_payload(&pool->slots, slot->ref, &room);
	out->len = m->len;
	out->flags |= SHMHUB_IN_PLACE;
	out->opaque[POOL] = (uintptr_t)pool;
	out->opaque[REF] = slot->ref;
	out->opaque[WORD] = slot->word;
	slot->ref = HUB_NO_SLOT;
}

static void copied(struct hub_pool *pool, const struct hub_message *m, struct hub_slot_ref *slot,
		   void *copy, struct shmhub_msg *out)
{
	uint32_t room;

	memcpy(copy, hub_slot_payload(&pool->slots, slot->ref, &room), m->len);
	out->data = copy;
	out->len = m->len;
	out->opaque[EXTRA] = copy == out->small ? 0 : (uintptr_t)copy;
	hub_pool_free(pool, slot);
}

void hub_payload_open(struct hub_pool *pool, const struct hub_message *m, struct hub_slot_ref *slot,
		      bool hold, bool copy, struct shmhub_msg *out)
{
	out->flags = m->flags & HUB_FLAG_MORE ? SHMHUB_MORE : 0;
	out->status = m->flags & HUB_FLAG_ANSWER ? m->aux : 0;
	memset(out->opaque, 0, sizeof(out->opaque));
	if (slot->ref == HUB_NO_SLOT) {
		out->len = m->len < sizeof(out->small) ? m->len : sizeof(out->small);
		memcpy(out->small, m->small, out->len);
		out->data = out->small;
		return;
	}
	const bool wants_copy = copy || (!hold && m->len < SHMHUB_HOLD_MIN);
	void *to = !wants_copy ? NULL : m->len <= sizeof(out->small) ? out->small : malloc(m->len);

	if (to)
		copied(pool, m, slot, to, out);
	else /* wanted, or no memory for a copy */
		in_place(pool, m, slot, out);
}

void hub_payload_open_copy(const struct hub_message *m, void *copy, struct shmhub_msg *out)
{
	out->flags = m->flags & HUB_FLAG_MORE ? SHMHUB_MORE : 0;
	out->status = m->flags & HUB_FLAG_ANSWER ? m->aux : 0;
	memset(out->opaque, 0, sizeof(out->opaque));
	out->data = copy;
	out->len = m->len;
	out->opaque[EXTRA] = (uintptr_t)copy;
}

void *hub_payload_spill(struct hub_pool *pool, const struct hub_message *m,
			struct hub_slot_ref *slot)
{
	void *copy = slot->ref == HUB_NO_SLOT ? NULL : malloc(m->len + !m->len);
	uint32_t room;

	if (!copy)
		return NULL;
	memcpy(copy, hub_slot_payload(&pool->slots, slot->ref, &room), m->len);
	hub_pool_free(pool, slot);
	return copy;
}

void shmhub_msg_release(struct shmhub_msg *msg)
{
	struct hub_pool *pool = (struct hub_pool *)(uintptr_t)msg->opaque[POOL];

	if (pool) {
		struct hub_slot_ref slot = { (uint32_t)msg->opaque[REF], msg->opaque[WORD] };

		hub_pool_free(pool, &slot);
	}
	free((void *)(uintptr_t)msg->opaque[EXTRA]);
	memset(msg->opaque, 0, sizeof(msg->opaque));
	msg->data = NULL;
	msg->len = 0;
	msg->flags = 0;
}

void hub_payload_buf(struct hub_pool *pool, struct hub_slot_ref *slot, struct hub_slot_end end,
		     size_t size, struct shmhub_buf *buf)
{
	uint32_t room;

	buf->data = hub_slot_payload(&pool->slots, slot->ref, &room);
	buf->size = size;
	buf->opaque[POOL] = (uintptr_t)pool;
	buf->opaque[REF] = slot->ref;
	buf->opaque[WORD] = slot->word;
	buf->opaque[EXTRA] = (uint64_t)end.direction << 32 | (uint64_t)end.incarnation << 16 | end.peer;
	slot->ref = HUB_NO_SLOT;
}

bool hub_payload_buf_slot(const struct hub_pool *pool, const struct shmhub_buf *buf,
			  struct hub_slot_ref *slot, struct hub_slot_end *end)
{
	if (buf->opaque[POOL] != (uintptr_t)pool)
		return false;
	*slot = (struct hub_slot_ref){ (uint32_t)buf->opaque[REF], buf->opaque[WORD] };
	*end = (struct hub_slot_end){ (uint16_t)buf->opaque[EXTRA],
				      (uint16_t)(buf->opaque[EXTRA] >> 16),
				      (uint8_t)(buf->opaque[EXTRA] >> 32) };
	return true;
}

void shmhub_buf_release(struct shmhub_buf *buf)
{
	struct hub_pool *pool = (struct hub_pool *)(uintptr_t)buf->opaque[POOL];

	if (pool) {
		struct hub_slot_ref slot = { (uint32_t)buf->opaque[REF], buf->opaque[WORD] };

		hub_pool_free(pool, &slot);
	}
	memset(buf, 0, sizeof(*buf));
}
