#include "tests/rule_test.h"

static void frozen(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_handler(st, p, 0, 6 + at);
	p->beat.state = HUB_BEAT_RUNNING;
}

TEST(a_loop_that_does_not_come_back_is_late)
{
	struct judge *judge = rule_looks(frozen, 1);
	const struct finding *f = rule_only(judge, "beat-late");

	T_EQ(f->where.peer, 3);
	T_HAS(f->sentence,
	      "search (peer 3, pid 4003) has not come back to its loop for 7.0 s: outside its "
	      "handlers");
	judge_destroy(judge);
}

static void frozen_starved(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	frozen(st, hub, p, at);
	build_cpu(st, build_loop(st, p), 0.01 * at, 0.9 * at);
}

static void frozen_running(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	frozen(st, hub, p, at);
	build_cpu(st, build_loop(st, p), 0.9 * at, 0.1 * at);
}

TEST(a_loop_that_gets_no_cpu_is_not_late)
{
	struct judge *judge = rule_looks(frozen_starved, 20);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_HAS(build_find(judge, "beat-late", FINDING_SUSPECTED)->evidence_text,
	      "it ran 0.2 s of the 20 s watched: it may only wait for a CPU");
	judge_destroy(judge);
	judge = rule_looks(frozen_running, 1);
	T_HAS(rule_only(judge, "beat-late")->evidence_text, "it ran 0.9 s of the 1.0 s watched");
	judge_destroy(judge);
}

TEST(a_file_does_not_know_whether_a_beat_is_late)
{
	rule_none(rule_file(frozen), "beat-late");
}

static void idle(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)st, (void)hub, (void)at;
	p->beat.since_us = 1; /* asleep since the machine started */
}

TEST(an_idle_loop_is_never_late)
{
	rule_none(rule_looks(idle, 60), "beat-late");
}

static void with_work(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	frozen(st, hub, p, at);
	build_waiting(st, p, HUB_RECV, 2, 5 + at);
}

TEST(a_stuck_loop_with_messages_waiting_is_told_as_a_stall)
{
	struct judge *judge = rule_looks(with_work, 1);

	T_OK(rule_only(judge, "consumer-stalled"));
	T_OK(!build_find(judge, "beat-late", FINDING_CONFIRMED));
	judge_destroy(judge);
}

static void stopped(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	frozen(st, hub, p, at);
	build_stopped(st, p);
}

TEST(a_stopped_process_is_not_late)
{
	struct judge *judge = rule_looks(stopped, 2);

	T_OK(rule_only(judge, "peer-stopped"));
	T_OK(!build_find(judge, "beat-late", FINDING_SUSPECTED));
	judge_destroy(judge);
}

static void working(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	frozen(st, hub, p, at);
	p->beat.since_us = build_ago(st->now_us, 0.5);
}

TEST(a_busy_loop_that_comes_round_is_not_late)
{
	struct judge *judge = build_judge(rule_state(0, working), rule_state(3, working),
					  rule_state(6, working), rule_state(9, working), NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}
