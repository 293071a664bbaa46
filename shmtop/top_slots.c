#include "shmtop/top_slots.h"

struct state_owner top_slot_owner(const struct state_slot *s)
{
	return (struct state_owner){ .peer = s->peer,
				     .incarnation = s->incarnation,
				     .direction = s->direction,
				     .slot_state = s->slot_state };
}

bool top_slot_is_dead(const struct state_hub *hub, const struct state_slot *s)
{
	const struct state_owner owner = top_slot_owner(s);

	return owner_is_dead(hub, &owner);
}

uint32_t top_owner_id(const struct state_hub *hub, const struct state_owner *o)
{
	return owner_is_at_host(o) && !owner_is_dead(hub, o) ? 0 : o->peer;
}

static uint64_t held_by(const struct state_hub *hub, const struct state_class *k, uint32_t peer)
{
	uint64_t n = 0;

	for (size_t i = 0; i < k->owners; i++)
		if (top_owner_id(hub, &k->owner[i]) == peer)
			n += k->owner[i].n;
	return n;
}

static void find_largest_owner(const struct state_hub *hub, const struct state_class *k,
			       struct top_class *out)
{
	out->owner = -1;
	for (size_t i = 0; i < k->owners; i++) {
		const uint32_t peer = top_owner_id(hub, &k->owner[i]);
		const uint64_t n = held_by(hub, k, peer);

		if (n > out->owner_slots) {
			out->owner = (int)peer;
			out->owner_slots = n;
		}
	}
}

struct top_class top_class_of(const struct state_hub *hub, const struct state_class *k,
			      uint64_t now_us)
{
	struct top_class out = {
		.bytes = k->bytes,
		.total = k->slots,
		.free = k->count[HUB_SLOT_FREE] + (uint64_t)k->count[HUB_SLOT_PUNCHING],
		.allocated = k->count[HUB_SLOT_ALLOCATED],
		.in_flight = k->count[HUB_SLOT_IN_FLIGHT],
		.held = k->count[HUB_SLOT_HELD],
		.bad = k->bad,
		.oldest_us = -1,
	};

	out.used = out.allocated + out.in_flight + out.held + out.bad;
	for (size_t i = 0; i < k->owners; i++) {
		const struct state_owner *o = &k->owner[i];
		uint64_t *const states[] = { [HUB_SLOT_ALLOCATED] = &out.allocated,
					     [HUB_SLOT_IN_FLIGHT] = &out.in_flight,
					     [HUB_SLOT_HELD] = &out.held };

		if (o->oldest_us && o->oldest_us <= now_us &&
		    (int64_t)(now_us - o->oldest_us) > out.oldest_us)
			out.oldest_us = (int64_t)(now_us - o->oldest_us);
		if (o->slot_state < HUB_SLOT_ALLOCATED || o->slot_state > HUB_SLOT_HELD ||
		    !owner_is_dead(hub, o))
			continue;
		/* the counts and the owners may have been read at different moments */
		const uint64_t n = o->n < *states[o->slot_state] ? o->n : *states[o->slot_state];
		*states[o->slot_state] -= n;
		out.dead += n;
	}
	find_largest_owner(hub, k, &out);
	return out;
}

struct top_owner top_owner_of(const struct state_hub *hub, uint32_t peer)
{
	struct top_owner out = { .peer = peer };

	for (size_t c = 0; c < hub->classes; c++) {
		const struct state_class *k = &hub->klass[c];

		for (size_t i = 0; i < k->owners; i++) {
			const struct state_owner *o = &k->owner[i];

			if (top_owner_id(hub, o) != peer)
				continue;
			out.slots += o->n;
			if (owner_is_dead(hub, o))
				out.dead += o->n;
		}
	}
	return out;
}

const char *top_owner_name(const struct state_hub *hub, uint32_t peer)
{
	const struct state_peer *p = state_find_peer(hub, peer);

	if (p && p->name)
		return p->name;
	return peer == 0 ? "host" : "?";
}
