/*
 * What a peer sends is copied once, then judged here. Nonsense - a kind that does not exist, a
 * slot reference outside the tables, more frames or notifications than there was credit for,
 * somebody else's id - comes from a process gone wild: its link is quarantined (it is killed
 * first), the hub goes on. A slot that is not in flight from that peer may be somebody else's
 * scribbling: the message is refused and its call fails, the peer lives.
 */
#include "lib/hub/hub_priv.h"

static bool is_from(const struct hub_link *link, const struct hub_message *m)
{
	return m->peer == ((uint32_t)link->id | (uint32_t)link->end.incarnation << 16);
}

/* The payload's slot, if there is one. *error: why the payload cannot be had although the
 * message makes sense. */
static int take_slot(struct shmhub *hub, struct hub_link *link, const struct hub_message *m,
		     struct hub_slot_ref *slot, int *error)
{
	slot->ref = HUB_NO_SLOT;
	*error = 0;
	if (m->slot == HUB_NO_SLOT)
		return 0;
	const int r = hub_slot_take(&hub->pool.slots, m->slot, m->slot_gen, m->len,
				    hub_link_end(link, HUB_TO_HOST), m->time_ms, slot);

	hub_send_backed(hub);
	if (r == -EBADMSG)
		return r;
	if (r == -ESTALE)
		hub_put64(&link->end.rx.ring->refused, ++link->end.rx.refused);
	*error = r == -ESTALE ? -EBADMSG : r;
	return 0;
}

static int credit(struct shmhub *hub, struct hub_link *link, const struct hub_message *m)
{
	return m->flags & HUB_FLAG_ANSWER ? hub_request_credit(link, m) :
					    hub_pend_credit(hub, link, m);
}

static int body(struct shmhub *hub, struct hub_link *link, const struct hub_message *m,
		struct hub_slot_ref *slot)
{
	return m->flags & HUB_FLAG_ANSWER ? hub_pend_body(hub, link, m, slot) :
					    hub_request_body(hub, link, m, slot);
}

static int deliver(struct shmhub *hub, struct hub_link *link, const struct hub_message *m)
{
	struct hub_slot_ref slot;
	int error, r = is_from(link, m) ? take_slot(hub, link, m, &slot, &error) : -EBADMSG;

	if (r)
		return r;
	switch (m->kind) {
	case HUB_KIND_REPLY:
		r = hub_pend_answer(hub, link, m, &slot, error);
		break;
	case HUB_KIND_CALL:
	case HUB_KIND_NOTIFY:
		r = hub_request_in(hub, link, m, &slot, error);
		break;
	case HUB_KIND_BODY:
		r = error ? 0 : body(hub, link, m, &slot);
		break;
	case HUB_KIND_CREDIT:
		r = credit(hub, link, m);
		break;
	case HUB_KIND_CANCEL:
		hub_request_cancel(link, m->call);
		break;
	case HUB_KIND_LEAVE:
		hub_life_leaving(hub, link);
		break;
	default:
		r = -EBADMSG;
	}
	hub_pool_free(&hub->pool, &slot); /* what nobody took */
	return r;
}

int hub_take(struct shmhub *hub, struct hub_link *link, unsigned max)
{
	struct hub_message m;

	for (unsigned n = 0; n < max; n++) {
		int r = hub_end_next(&link->end, &m);

		if (r == 0)
			return (int)n;
		if (r == 1)
			r = deliver(hub, link, &m);
		if (r < 0) {
			hub_life_quarantine(hub, link);
			return r;
		}
	}
	return (int)max;
}
