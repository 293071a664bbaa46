#include "lib/state/names.h"

#include <string.h>

#include "lib/hub/hub_format.h"

#define NAMES(list) { list, sizeof(list) / sizeof((list)[0]) }

static const char *const peer_states[] = {
	[HUB_PEER_UNUSED] = "unused",   [HUB_PEER_STARTING] = "starting",
	[HUB_PEER_LIVE] = "live",       [HUB_PEER_LEAVING] = "leaving",
	[HUB_PEER_DEAD] = "dead",       [HUB_PEER_GONE] = "gone",
	[HUB_PEER_QUARANTINED] = "quarantined",
};
static const char *const beats[] = {
	[HUB_BEAT_NONE] = NULL,
	[HUB_BEAT_ASLEEP] = "asleep",
	[HUB_BEAT_HANDLER] = "handler",
	[HUB_BEAT_RUNNING] = "running",
};
static const char *const kinds[] = {
	[HUB_KIND_NONE] = NULL,       [HUB_KIND_CALL] = "call",     [HUB_KIND_REPLY] = "reply",
	[HUB_KIND_NOTIFY] = "notify", [HUB_KIND_CANCEL] = "cancel", [HUB_KIND_BODY] = "body",
	[HUB_KIND_CREDIT] = "credit", [HUB_KIND_LEAVE] = "leave",
};
static const char *const slot_states[] = {
	[HUB_SLOT_FREE] = "free",
	[HUB_SLOT_ALLOCATED] = "allocated",
	[HUB_SLOT_IN_FLIGHT] = "in_flight",
	[HUB_SLOT_HELD] = "held",
	[HUB_SLOT_PUNCHING] = "punching",
};
static const char *const call_states[] = {
	[HUB_CALL_FREE] = "free",
	[HUB_CALL_PENDING] = "pending",
	[HUB_CALL_ANSWERED] = "answered",
	[HUB_CALL_FAILED] = "failed",
	[HUB_CALL_CANCELLED] = "cancelled",
};
static const char *const rings[] = { [HUB_RECV] = "recv", [HUB_SEND] = "send" };
static const char *const directions[] = { [HUB_TO_PEER] = "to_peer", [HUB_TO_HOST] = "to_host" };

const struct names names_peer_state = NAMES(peer_states);
const struct names names_beat = NAMES(beats);
const struct names names_kind = NAMES(kinds);
const struct names names_slot_state = NAMES(slot_states);
const struct names names_call_state = NAMES(call_states);
const struct names names_ring = NAMES(rings);
const struct names names_direction = NAMES(directions);

const char *names_of(const struct names *names, unsigned number)
{
	return number < names->n && names->name[number] ? names->name[number] : "?";
}

int names_find(const struct names *names, const char *word)
{
	for (unsigned i = 0; word && i < names->n; i++)
		if (names->name[i] && strcmp(names->name[i], word) == 0)
			return (int)i;
	return -1;
}
