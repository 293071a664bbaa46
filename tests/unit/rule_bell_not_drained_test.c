#include "tests/rule_test.h"

static void deaf(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_deaf(st, p, 3 + at);
}

TEST(a_sleeper_that_does_not_hear_its_bell_is_confirmed)
{
	struct judge *judge = rule_looks(deaf, 1);
	const struct finding *f = rule_only(judge, "bell-not-drained");

	T_EQ(f->where.peer, 3);
	T_STR(f->where.ring, "recv");
	T_HAS(f->sentence, "search (peer 3, pid 4003) hangs: deaf to its bell");
	T_HAS(f->evidence_text,
	      "bell 1 bytes; rung 41 times, last 4.0 s before this look; tid 4003 in "
	      "epoll_wait, unchanged in 2 samples");
	judge_destroy(judge);
}

static void deaf_host(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	deaf(st, hub, p, at);
	p->ring[HUB_SEND] = p->ring[HUB_RECV];
	p->ring[HUB_RECV] = build_peer(hub, 4)->ring[HUB_RECV];
	p->flag = HUB_ASLEEP_MESSAGE;
	p->host_flag = 0;
}

TEST(a_deaf_host_is_found_at_the_peer_it_does_not_hear)
{
	struct judge *judge = rule_looks(deaf_host, 1);
	const struct finding *f = rule_only(judge, "bell-not-drained");

	T_EQ(f->where.peer, 3);
	T_EQ(f->where.pid, BUILD_HOST_PID);
	T_STR(f->where.ring, "send");
	judge_destroy(judge);
}

TEST(a_file_can_only_suspect_it)
{
	struct judge *judge = rule_file(deaf);
	const struct finding *f = build_find(judge, "bell-not-drained", FINDING_SUSPECTED);

	T_OK(f);
	T_OK(f->unproven);
	T_HAS(f->brief, "rung 41 times, not taken");
	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

TEST(what_the_feed_confirmed_a_file_does_not_take_back)
{
	struct state *file = rule_state(2, deaf);

	build_as_file(file);
	struct judge *judge = build_judge(rule_state(0, deaf), rule_state(1, deaf), file, NULL);
	const struct finding *f = rule_only(judge, "bell-not-drained");

	T_HAS(f->sentence, "deaf to its bell");
	judge_destroy(judge);
}

static void stopped(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	deaf(st, hub, p, at);
	build_stopped(st, p);
}

TEST(a_stopped_process_is_not_deaf)
{
	struct judge *judge = rule_looks(stopped, 1);

	T_OK(!build_find(judge, "bell-not-drained", FINDING_SUSPECTED));
	T_OK(!build_find(judge, "bell-not-drained", FINDING_CONFIRMED));
	judge_destroy(judge);
}

static void starved(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	deaf(st, hub, p, at);
	build_loop(st, p)->state = 'R'; /* woken, and not on a CPU yet */
	build_loop(st, p)->wait = STATE_WAIT_NONE;
	p->ring[HUB_RECV].oldest.time_us = build_ago(st->now_us, 1.5);
	p->ring[HUB_RECV].bell_us = p->ring[HUB_RECV].oldest.time_us;
}

TEST(a_woken_consumer_that_waits_for_a_cpu_is_not_deaf)
{
	rule_none(rule_looks(starved, 0.2), "bell-not-drained");
}

static void moving(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	deaf(st, hub, p, at);
	p->ring[HUB_RECV].tail += (uint64_t)(at * 10);
	p->ring[HUB_RECV].take_us = build_ago(st->now_us, 0.01);
}

TEST(a_consumer_that_moves_is_not_deaf)
{
	struct judge *judge = rule_looks(moving, 3);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}
