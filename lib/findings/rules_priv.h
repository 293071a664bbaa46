/* rules - the rules, one per rule_*.c. A new one is declared here and listed in rules.c. */
#ifndef SHMSCOPE_FINDINGS_RULES_PRIV_H
#define SHMSCOPE_FINDINGS_RULES_PRIV_H

#include "lib/findings/findings.h"

extern const struct rule rule_deadlock, rule_owner_dead, rule_stale_wait, rule_call_cycle, rule_hub_corrupted, rule_peer_stopped,
	rule_missed_wakeup, rule_bell_not_drained, rule_consumer_stalled, rule_slots_leaked,
	rule_in_flight_stuck, rule_call_lost, rule_ring_full, rule_slots_exhausted,
	rule_calls_exhausted, rule_beat_late, rule_peer_dead, rule_feed_gap, rule_input_partial,
	rule_symbols_missing;

struct candidates;
struct scene;

/* deadlock_within - of rule_deadlock: processes whose threads all wait for each other's wake-ups. */
void deadlock_within(const struct scene *scene, struct candidates *out);

#endif
