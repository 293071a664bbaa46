/*
 * hub_payload - a message's payload as the application sees it: shmhub_msg and shmhub_buf.
 */
#ifndef SHMSCOPE_HUB_PAYLOAD_H
#define SHMSCOPE_HUB_PAYLOAD_H

#include "lib/hub/hub_ring.h"
#include "lib/hub/hub_slot.h"
#include "lib/hub/shmhub.h"

/* The slots of one end, and what to do when one is freed that others wait for. */
struct hub_pool {
	struct hub_slots slots;
	void (*wake)(struct hub_pool *pool);
};

/* hub_pool_free - give a slot back and wake whoever waits for one. Safety: MT-safe. */
void hub_pool_free(struct hub_pool *pool, struct hub_slot_ref *slot);

/*
 * hub_payload_open - make a message of what was taken.
 *
 * m     copied as far as needed.  slot  taken (emptied): freed here, or with the message.
 * hold  in place whenever it lies in a slot; else only from SHMHUB_HOLD_MIN bytes on.
 * copy  never in place, unless there is no memory for the copy.
 *
 * Safety: MT-safe (different messages).
 */
void hub_payload_open(struct hub_pool *pool, const struct hub_message *m, struct hub_slot_ref *slot,
		      bool hold, bool copy, struct shmhub_msg *out);

/* hub_payload_open_copy - make a message of what had to leave its slot; copy is taken.
 * Safety: MT-safe (different messages). */
void hub_payload_open_copy(const struct hub_message *m, void *copy, struct shmhub_msg *out);

/*
 * hub_payload_spill - copy a payload out of its slot and give the slot back (slot is emptied).
 * The caller frees what is returned. NULL: it lies in none, or there is no memory and it stays.
 * Safety: MT-safe.
 */
void *hub_payload_spill(struct hub_pool *pool, const struct hub_message *m,
			struct hub_slot_ref *slot);

/* hub_payload_buf - a reserved slot as a buffer of `size` bytes: so many are backed. slot is
 * taken. Safety: MT-safe. */
void hub_payload_buf(struct hub_pool *pool, struct hub_slot_ref *slot, struct hub_slot_end end,
		     size_t size, struct shmhub_buf *buf);

/* hub_payload_buf_slot - the slot and end behind a buffer of this pool; false: not such a one.
 * Safety: MT-safe. */
bool hub_payload_buf_slot(const struct hub_pool *pool, const struct shmhub_buf *buf,
			  struct hub_slot_ref *slot, struct hub_slot_end *end);

#endif
