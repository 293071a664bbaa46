#include <string.h>

#include "lib/findings/findings.h"
#include "tests/t.h"

TEST(every_rule_explains_itself)
{
	size_t n;
	const struct rule *const *rules = rules_all(&n);

	T_OK(n >= 20);
	for (size_t i = 0; i < n; i++) {
		const struct rule *r = rules[i];
		const char *const texts[] = { r->name, r->means, r->summary, r->detection,
					      r->causes, r->fix, r->confused_with };

		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
			if (!texts[k] || strlen(texts[k]) < 5)
				T_FAIL("text %zu of rule %s is missing", k, r->name);
			if (k && texts[k][strlen(texts[k]) - 1] != '.' &&
			    texts[k][strlen(texts[k]) - 1] != ')')
				T_FAIL("text %zu of rule %s does not end: %s", k, r->name,
				       texts[k]);
		}
		T_OK(r->look);
		T_OK(r->sources);
		T_OK(rules_find(r->name) == r);
	}
}

/* Names are part of the interface: scripts and tickets quote them. */
TEST(names_and_severities_are_fixed)
{
	static const struct {
		const char *name;
		enum severity severity;
	} known[] = {
		{ "missed-wakeup", SEVERITY_CRITICAL },
		{ "bell-not-drained", SEVERITY_CRITICAL },
		{ "deadlock", SEVERITY_CRITICAL },
		{ "owner-dead", SEVERITY_CRITICAL },
		{ "stale-wait", SEVERITY_CRITICAL },
		{ "call-cycle", SEVERITY_CRITICAL },
		{ "call-lost", SEVERITY_CRITICAL },
		{ "slots-leaked", SEVERITY_CRITICAL },
		{ "slots-exhausted", SEVERITY_CRITICAL },
		{ "calls-exhausted", SEVERITY_CRITICAL },
		{ "hub-corrupted", SEVERITY_CRITICAL },
		{ "consumer-stalled", SEVERITY_WARNING },
		{ "peer-stopped", SEVERITY_WARNING },
		{ "ring-full", SEVERITY_WARNING },
		{ "in-flight-stuck", SEVERITY_WARNING },
		{ "beat-late", SEVERITY_WARNING },
		{ "peer-dead", SEVERITY_INFO },
		{ "feed-gap", SEVERITY_INFO },
		{ "symbols-missing", SEVERITY_INFO },
		{ "input-partial", SEVERITY_INFO },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct rule *r = rules_find(known[i].name);

		if (!r)
			T_FAIL("no rule %s", known[i].name);
		T_EQ(r->severity, known[i].severity);
	}
}

TEST(a_wrong_name_finds_the_nearest_right_one)
{
	T_OK(!rules_find("missed-wakup"));
	T_STR(rules_nearest("missed-wakup")->name, "missed-wakeup");
	T_STR(rules_nearest("wakeup")->name, "missed-wakeup");
	T_STR(rules_nearest("slots-leak")->name, "slots-leaked");
	T_STR(rules_nearest("slot-leaked")->name, "slots-leaked");
	T_STR(rules_nearest("peerdead")->name, "peer-dead");
	T_OK(!rules_nearest("zzz"));
	T_OK(!rules_nearest("nonsense"));
	T_OK(!rules_nearest(""));
}
