#include "tests/rule_test.h"

static void dead(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	p->state = HUB_PEER_GONE;
	p->alive = STATE_NO;
	p->exit_status = 11;
	p->died_us = build_ago(st->now_us, 41 + at);
}

TEST(a_dead_peer_is_mentioned_with_its_signal_and_is_no_reason_to_fail)
{
	struct judge *judge = rule_looks(dead, 0);
	const struct finding *f = build_find(judge, "peer-dead", FINDING_CONFIRMED);

	T_OK(f);
	T_STR(f->sentence,
	      "search (peer 3, pid 4003) ended 41 s ago: killed by signal 11 (SIGSEGV)");
	rule_none(judge, "peer-dead");
}

static void left(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	dead(st, hub, p, at);
	p->exit_status = 0;
}

TEST(a_peer_that_left_in_order_is_not_mentioned)
{
	struct judge *judge = rule_looks(left, 0);

	T_EQ(judge_findings(judge)->n, 0);
	judge_destroy(judge);
}

TEST(peers_that_ended_together_with_their_hub_are_not_mentioned)
{
	struct state *st = build_state(0);
	struct state_hub *hub = build_hub(st, 16);

	build_as_file(st);
	for (unsigned id = 1; id <= 16; id++) {
		build_peer(hub, id)->state = HUB_PEER_DEAD;
		build_peer(hub, id)->died_us = build_ago(st->now_us, 0.01);
	}
	struct judge *judge = build_judge(st, NULL);

	T_EQ(judge_findings(judge)->n, 0);
	judge_destroy(judge);
}
