#include "lib/findings/findings.h"

#include <string.h>

#include "lib/findings/rules_priv.h"

/*
 * The order is that of explanation: where one finding could explain another, the earlier is the
 * cause (causes.c).
 */
static const struct rule *const rules[] = {
	&rule_deadlock,
	&rule_owner_dead,
	&rule_stale_wait,
	&rule_call_cycle,
	&rule_hub_corrupted,
	&rule_peer_stopped,
	&rule_missed_wakeup,
	&rule_bell_not_drained,
	&rule_consumer_stalled,
	&rule_slots_leaked,
	&rule_in_flight_stuck,
	&rule_call_lost,
	&rule_ring_full,
	&rule_slots_exhausted,
	&rule_calls_exhausted,
	&rule_beat_late,
	&rule_peer_dead,
	&rule_feed_gap,
	&rule_input_partial,
	&rule_symbols_missing,
};
#define RULES (sizeof(rules) / sizeof(rules[0]))
_Static_assert(RULES <= (size_t)JUDGE_RULES, "judge_options has room for every rule");

const struct rule *const *rules_all(size_t *n)
{
	*n = RULES;
	return rules;
}

const struct rule *rules_find(const char *name)
{
	for (size_t i = 0; i < RULES; i++)
		if (strcmp(rules[i]->name, name) == 0)
			return rules[i];
	return NULL;
}

/* Bytes that two names share in order: tells "missed-wakup" and "wakeup" from everything else. */
static size_t likeness(const char *a, const char *b)
{
	enum { MAX = 40 };
	size_t row[MAX + 1] = { 0 };
	const size_t n = strnlen(b, MAX);

	for (size_t i = 0; a[i] && i < MAX; i++) {
		size_t diagonal = 0;

		for (size_t j = 1; j <= n; j++) {
			const size_t above = row[j];

			if (a[i] == b[j - 1])
				row[j] = diagonal + 1;
			else if (row[j - 1] > above)
				row[j] = row[j - 1];
			diagonal = above;
		}
	}
	return row[n];
}

const struct rule *rules_nearest(const char *name)
{
	const struct rule *best = NULL;
	size_t best_score = 0;

	for (size_t i = 0; i < RULES; i++) {
		const size_t same = likeness(name, rules[i]->name);
		const size_t len = strlen(name), rule_len = strlen(rules[i]->name);
		/* what is left over on either side counts against it */
		const size_t score = 4 * same * same / (len + rule_len + 1);
		/* a word out of it, or a slip of the fingers; else a guess misleads */
		const bool is_like = (len >= 4 && strstr(rules[i]->name, name)) ||
				     same * 4 >= 3 * (len > rule_len ? len : rule_len);

		if (is_like && score > best_score) {
			best_score = score;
			best = rules[i];
		}
	}
	return best;
}

const char *severity_name(enum severity s)
{
	static const char *const names[] = { "critical", "warning", "info" };

	return names[s];
}

const char *finding_state_name(enum finding_state s)
{
	static const char *const names[] = { "suspected", "confirmed", "cleared" };

	return names[s];
}
