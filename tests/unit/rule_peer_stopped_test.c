#include "tests/rule_test.h"

static void stopped(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub, (void)at;
	build_stopped(st, p);
}

TEST(a_stopped_peer_is_confirmed_after_its_dwell)
{
	struct judge *judge = build_judge(rule_state(0, stopped), rule_state(1, stopped),
					  rule_state(2, stopped), NULL);
	const struct finding *f = rule_only(judge, "peer-stopped");

	T_EQ(f->where.peer, 3);
	T_EQ(f->where.pid, 4003);
	T_STR(f->next[0], "kill -CONT 4003");
	T_STR(judge_findings(judge)->verdict,
	      "search (peer 3, pid 4003) has been stopped for 2.0 s.");
	judge_destroy(judge);
}

static void healthy(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)st, (void)hub, (void)p, (void)at;
}

static void unread(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_stopped(st, p);
	build_waiting(st, p, HUB_RECV, 7, 6 + at);
}

TEST(what_waits_unread_tells_since_when_a_peer_is_stopped)
{
	struct judge *judge = rule_looks(unread, 0.02); /* the two looks of one dump */

	T_HAS(rule_only(judge, "peer-stopped")->sentence,
	      "has been stopped for 6.0 s with 7 messages waiting");
	judge_destroy(judge);
}

TEST(a_file_beside_feeds_that_sees_no_processes_does_not_clear_it)
{
	struct state *same = rule_state(3, unread), *moved = rule_state(3, unread);

	build_as_file(same);
	build_as_file(moved);
	struct judge *judge = build_judge(rule_state(0, unread), rule_state(1, unread), same, NULL);

	T_OK(rule_only(judge, "peer-stopped"));
	judge_destroy(judge);
	moved->hub[0].peer[2].handled += 3;
	judge = build_judge(rule_state(0, unread), rule_state(1, unread), moved, NULL);
	T_OK(build_find(judge, "peer-stopped", FINDING_CLEARED));
	judge_destroy(judge);
}

TEST(a_stop_of_a_second_passes_unconfirmed)
{
	struct judge *judge = build_judge(rule_state(0, stopped), rule_state(1, stopped),
					  rule_state(2, healthy), NULL);

	rule_none(judge, "peer-stopped");
}

static void stopped_now_and_then(struct state *st, struct state_hub *hub, struct state_peer *p,
				 double at)
{
	stopped(st, hub, p, at);
	p->handled += (uint64_t)at; /* it ran in between */
}

TEST(a_process_that_is_stopped_in_step_with_the_looks_is_not_confirmed)
{
	struct judge *judge = build_judge(rule_state(0, stopped_now_and_then),
					  rule_state(1, stopped_now_and_then),
					  rule_state(2, stopped_now_and_then),
					  rule_state(3, stopped_now_and_then), NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void host_stopped(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_host_process(st)->state = 'T';
	build_waiting(st, p, HUB_SEND, 2, 3 + at); /* rung, of course */
	p->ring[HUB_SEND].bell = 1;
	p->ring[HUB_SEND].bell_head = p->ring[HUB_SEND].head;
	p->host_flag = 0;
}

TEST(a_stopped_host_explains_what_nobody_reads)
{
	struct judge *judge = rule_looks(host_stopped, 2);
	const struct finding *f = rule_only(judge, "peer-stopped");

	T_HAS(f->sentence, "hostd (host, pid 4000) has been stopped");
	T_EQ(f->where.peer, 0);
	judge_destroy(judge);
}

static void before_ringing(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_stopped(st, p);
	build_waiting(st, p, HUB_SEND, 1, 5 + at);
	p->ring[HUB_SEND].sending_tid = 4003;
}

TEST(a_producer_stopped_before_its_bell_is_told_as_that)
{
	struct judge *judge = rule_looks(before_ringing, 2);
	const struct finding *f = rule_only(judge, "peer-stopped");

	T_HAS(f->sentence, ": stopped before ringing for what it sent to hostd");
	T_STR(f->where.ring, "send");
	T_OK(!build_find(judge, "missed-wakeup", FINDING_SUSPECTED));
	judge_destroy(judge);
}

TEST(a_file_knows_a_producer_stopped_before_its_bell)
{
	struct judge *judge = rule_file(before_ringing);
	const struct finding *f = rule_only(judge, "peer-stopped");

	T_HAS(f->sentence, "search (peer 3, pid 4003) stopped before ringing, 5.0 s ago");
	judge_destroy(judge);
}

static void starved_before_ringing(struct state *st, struct state_hub *hub, struct state_peer *p,
				   double at)
{
	before_ringing(st, hub, p, at);
	build_process(st, p)->state = build_loop(st, p)->state = 'R';
	p->stopped = STATE_NO;
}

TEST(a_producer_that_waits_for_a_cpu_before_its_bell_is_not_stopped)
{
	rule_none(rule_looks(starved_before_ringing, 2), "peer-stopped");
}

static void killed_while_sending(struct state *st, struct state_hub *hub, struct state_peer *p,
				 double at)
{
	before_ringing(st, hub, p, at);
	p->ring[HUB_SEND].oldest.time_us = build_ago(st->now_us, 0.001);
}

TEST(a_family_killed_in_the_middle_of_a_message_had_nobody_stopped)
{
	struct judge *judge = rule_file(killed_while_sending);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void host_before_ringing(struct state *st, struct state_hub *hub, struct state_peer *p,
				double at)
{
	(void)hub;
	build_host_process(st)->state = 'T';
	build_waiting(st, p, HUB_RECV, 1, 5 + at);
	p->ring[HUB_RECV].sending_tid = 4000;
}

TEST(a_host_stopped_before_its_bell_names_the_ring)
{
	struct judge *judge = rule_looks(host_before_ringing, 2);
	const struct finding *f = rule_only(judge, "peer-stopped");

	T_HAS(f->evidence_text, "recv ring of search");
	T_EQ(f->where.peer, 3);
	judge_destroy(judge);
}
