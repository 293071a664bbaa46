#include "lib/findings/candidate_priv.h"

bool owner_is_at_host(const struct state_owner *o)
{
	return (o->direction == HUB_TO_HOST) == (o->slot_state == HUB_SLOT_HELD);
}

bool owner_is_host(const struct state_owner *o)
{
	return (o->slot_state == HUB_SLOT_HELD && o->direction == HUB_TO_HOST) ||
	       (o->slot_state == HUB_SLOT_ALLOCATED && o->direction == HUB_TO_PEER) ||
	       o->slot_state == HUB_SLOT_PUNCHING || o->slot_state == HUB_SLOT_FREE;
}

bool owner_is_earlier(const struct state_owner *o, const struct state_peer *p)
{
	/* nine bits in a slot word */
	const unsigned behind = (p->incarnation - o->incarnation) & 0x1ff;

	return behind && behind < 0x100;
}

bool owner_is_dead(const struct state_hub *hub, const struct state_owner *owner)
{
	const struct state_peer *p = state_find_peer(hub, owner->peer);

	if (!p || owner_is_host(owner))
		return false;
	if (p->state == HUB_PEER_DEAD || p->state == HUB_PEER_GONE ||
	    p->state == HUB_PEER_QUARANTINED)
		return true;
	/* after the host's end the system only tells that everybody is gone by now */
	if (p->alive == STATE_NO && hub->host_alive != STATE_NO)
		return true;
	return owner_is_earlier(owner, p);
}
