/*
 * names - the words for the small numbers of the hub's format, as feeds and JSON spell them.
 * Texts for people say "in flight" where these say "in_flight".
 */
#ifndef SHMSCOPE_STATE_NAMES_H
#define SHMSCOPE_STATE_NAMES_H

#include <stddef.h>

struct names {
	const char *const *name; /* by number; NULL where the number has no name */
	unsigned n;
};

extern const struct names names_peer_state; /* enum hub_peer_state */
extern const struct names names_beat;       /* enum hub_beat_state */
extern const struct names names_kind;       /* enum hub_kind */
extern const struct names names_slot_state; /* enum hub_slot_state */
extern const struct names names_call_state; /* enum hub_call_state */
extern const struct names names_ring;       /* HUB_RECV, HUB_SEND */
extern const struct names names_direction;  /* HUB_TO_PEER, HUB_TO_HOST */

/* names_of - the word; "?" for a number that has none. Safety: MT-safe. */
const char *names_of(const struct names *names, unsigned number);

/* names_find - the number; -1 for a word that is none of these, and for NULL. Safety: MT-safe. */
int names_find(const struct names *names, const char *word);

#endif
