#include "tests/rule_test.h"

struct state *rule_state(double at, trouble *make)
{
	struct state *st = build_state(at);
	struct state_hub *hub = build_hub(st, 16);

	make(st, hub, build_peer(hub, 3), at);
	return st;
}

struct judge *rule_looks(trouble *make, double later)
{
	return build_judge(rule_state(0, make), rule_state(later, make), NULL);
}

struct judge *rule_file(trouble *make)
{
	struct state *st = rule_state(0, make);

	build_as_file(st);
	return build_judge(st, NULL);
}

static void show_all(const struct judge *judge)
{
	const struct findings *f = judge_findings(judge);

	for (size_t i = 0; i < f->n; i++)
		fprintf(stderr, "      %s %s: %s\n", finding_state_name(f->list[i]->state),
			f->list[i]->rule->name, f->list[i]->evidence_text);
}

const struct finding *rule_only(struct judge *judge, const char *name)
{
	const struct finding *f = build_find(judge, name, FINDING_CONFIRMED);
	unsigned roots = 0;

	for (size_t i = 0; i < judge_findings(judge)->n; i++) {
		const struct finding *g = judge_findings(judge)->list[i];

		roots += g->state == FINDING_CONFIRMED && g->rule->severity != SEVERITY_INFO &&
			 !g->consequence_of;
	}
	if (!f || roots != 1) {
		show_all(judge);
		T_FAIL("%s is not the one confirmed finding (%u are)", name, roots);
	}
	return f;
}

void rule_none(struct judge *judge, const char *name)
{
	if (build_count(judge, FINDING_CONFIRMED) || build_find(judge, name, FINDING_SUSPECTED)) {
		show_all(judge);
		T_FAIL("%s or another finding where there is none", name);
	}
	judge_destroy(judge);
}
