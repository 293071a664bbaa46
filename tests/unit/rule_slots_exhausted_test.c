#include "tests/rule_test.h"

static void hoarder(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_class *k = build_class(st, hub, 4 << 20, 8);

	build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_HELD, 8, 3 + at);
	k->failed = 12;
}

TEST(one_peer_that_holds_a_whole_class_is_named)
{
	struct judge *judge = rule_looks(hoarder, 1);
	const struct finding *f = rule_only(judge, "slots-exhausted");

	T_EQ(f->where.peer, 3);
	T_EQ(f->where.class_bytes, 4 << 20);
	T_STR(f->sentence, "no slot of 4M is free for 4.0 s: search(3) holds 8 of 8");
	judge_destroy(judge);
	judge = rule_file(hoarder);
	T_OK(rule_only(judge, "slots-exhausted"));
	judge_destroy(judge);
}

static void turning_over(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_class *k = build_class(st, hub, 4 << 20, 8);

	(void)at;
	build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_HELD, 5, 0.2);
	build_owner(st, hub, k, build_peer(hub, 5), HUB_TO_PEER, HUB_SLOT_HELD, 3, 0.1);
	k->failed = 12;
	k->waiters = 2;
}

TEST(a_class_used_to_its_last_slot_under_load_is_well_sized)
{
	struct judge *judge = build_judge(rule_state(0, turning_over), rule_state(1, turning_over),
					  rule_state(2, turning_over), rule_state(3, turning_over),
					  NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void unwanted(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	hoarder(st, hub, p, at);
	hub->klass[0].failed = 0;
}

TEST(a_class_that_nobody_wants_more_of_is_not_exhausted)
{
	rule_none(rule_looks(unwanted, 3), "slots-exhausted");
}

static void kept_for_answers(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	hoarder(st, hub, p, at);
	hub->klass[0].count[HUB_SLOT_FREE]++;
	hub->klass[0].slots++;
	hub->klass[0].slots_max++;
	hub->klass[0].answers = 1;
}

TEST(slots_that_are_free_for_answers_only_are_none_for_a_request)
{
	struct judge *judge = rule_looks(kept_for_answers, 3);
	const struct finding *f = rule_only(judge, "slots-exhausted");

	T_HAS(f->sentence, "is free for a request");
	T_HAS(f->brief, "kept for answers");
	judge_destroy(judge);
}

static void may_grow(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	hoarder(st, hub, p, at);
	hub->klass[0].slots_max = 64;
}

static void hub_at_its_limit(struct state *st, struct state_hub *hub, struct state_peer *p,
			     double at)
{
	may_grow(st, hub, p, at);
	hub->klass[0].waiters = 1;
}

TEST(a_class_that_does_not_grow_while_somebody_waits_is_exhausted)
{
	struct judge *judge = rule_looks(hub_at_its_limit, 1);

	T_HAS(rule_only(judge, "slots-exhausted")->evidence_text, "the hub is at its limit");
	judge_destroy(judge);
}

TEST(a_class_that_can_grow_and_that_nobody_misses_is_not_exhausted)
{
	struct judge *judge = rule_looks(may_grow, 3);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void failing(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	may_grow(st, hub, p, at);
	hub->klass[0].failed += (uint64_t)(at * 1000);
}

TEST(claims_that_go_on_failing_count_between_two_looks)
{
	struct judge *judge = rule_looks(failing, 1);

	T_OK(rule_only(judge, "slots-exhausted"));
	judge_destroy(judge);
}

static void no_space(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)p, (void)at;
	build_class(st, hub, 4 << 20, 8)->no_space = 3;
	hub->no_space = 3;
	hub->no_space_us = build_ago(st->now_us, 0.5);
}

TEST(a_full_filesystem_is_told_at_once)
{
	struct judge *judge = rule_looks(no_space, 1);
	const struct finding *f = rule_only(judge, "slots-exhausted");

	T_HAS(f->sentence, "no space on its filesystem");
	T_STR(f->next[0], "df -h /dev/shm/demo.hub   (and what else lies there)");
	judge_destroy(judge);
	judge = rule_file(no_space);
	T_OK(rule_only(judge, "slots-exhausted"));
	judge_destroy(judge);
}

static void was_full(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	no_space(st, hub, p, at);
	hub->no_space_us = build_ago(st->now_us, 30);
}

TEST(a_filesystem_that_was_full_some_time_ago_is_not)
{
	rule_none(rule_looks(was_full, 1), "slots-exhausted");
}

static void behind_a_dead_peer(struct state *st, struct state_hub *hub, struct state_peer *p,
			       double at)
{
	hoarder(st, hub, p, at);
	p->state = HUB_PEER_DEAD;
	p->alive = STATE_NO;
	p->died_us = build_ago(st->now_us, 3 + at);
}

TEST(a_class_that_a_dead_peer_took_along_is_a_consequence_of_the_leak)
{
	struct judge *judge = rule_looks(behind_a_dead_peer, 1);
	const struct finding *f = rule_only(judge, "slots-leaked");

	T_OK(build_find(judge, "slots-exhausted", FINDING_CONFIRMED)->consequence_of == f);
	judge_destroy(judge);
}
