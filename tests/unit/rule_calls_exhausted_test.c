#include "tests/rule_test.h"

static void swallowed(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	hub->calls_max = 64;
	for (uint32_t i = 0; i < 16; i++)
		build_call(st, hub, 0, p->id, 100 + i, 5 + at - i * 0.1);
	hub->calls_refused = 4;
}

TEST(a_peer_that_swallows_its_share_of_calls_is_named_with_method_and_oldest)
{
	struct judge *judge = rule_looks(swallowed, 1);
	const struct finding *f = rule_only(judge, "calls-exhausted");

	T_EQ(f->where.peer, 3);
	T_HAS(f->sentence,
	      "hostd cannot call search (peer 3, pid 4003) any more: 16 calls pending (limit 16) "
	      "and none answered for 6.0 s");
	T_HAS(f->evidence_text, "oldest: call 100, method 5, 6.0 s old; refused so far 4");
	judge_destroy(judge);
	judge = rule_file(swallowed);
	T_OK(rule_only(judge, "calls-exhausted"));
	judge_destroy(judge);
}

static void busy(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	hub->calls_max = 64;
	for (uint32_t i = 0; i < 16; i++)
		build_call(st, hub, 0, p->id, 100 + i + (uint32_t)(at * 1000), 0.01);
}

TEST(a_share_that_is_used_up_while_calls_are_answered_is_load)
{
	rule_none(rule_looks(busy, 3), "calls-exhausted");
}

static void peers_own(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	for (uint32_t i = 0; i < HUB_PEER_CALLS; i++)
		build_call(st, hub, p->id, 0, 100 + i, 5 + at);
}

TEST(a_peer_whose_own_calls_are_used_up_is_found)
{
	struct judge *judge = rule_looks(peers_own, 1);

	T_HAS(rule_only(judge, "calls-exhausted")->sentence,
	      "search(3) cannot call hostd (host, pid 4000)");
	judge_destroy(judge);
}

static void whole_table(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)p;
	hub->calls_max = 64;
	for (uint32_t i = 0; i < 64; i++)
		build_call(st, hub, 0, 1 + i % 8, 100 + i, 5 + at);
}

TEST(a_table_that_many_peers_fill_together_is_found)
{
	struct judge *judge = rule_looks(whole_table, 1);

	T_HAS(rule_only(judge, "calls-exhausted")->sentence, "hostd cannot call any peer any more");
	judge_destroy(judge);
}

static void behind_a_stopped_peer(struct state *st, struct state_hub *hub, struct state_peer *p,
				  double at)
{
	swallowed(st, hub, p, at);
	build_stopped(st, p);
}

TEST(calls_used_up_behind_a_stopped_peer_are_its_consequence)
{
	struct judge *judge = rule_looks(behind_a_stopped_peer, 2);
	const struct finding *f = rule_only(judge, "peer-stopped");

	T_OK(build_find(judge, "calls-exhausted", FINDING_CONFIRMED)->consequence_of == f);
	judge_destroy(judge);
}
