#include "tests/state_build.h"
#include "tests/t.h"

/* Peer 3 of 16 in the state that `change` makes, at `at` seconds, hanging since -8.4. */
static struct state *look_at(double at, void (*change)(struct state *st, struct state_peer *p))
{
	struct state *st = build_state(at);
	struct state_hub *hub = build_hub(st, 16);
	struct state_peer *p = build_peer(hub, 3);

	build_lost_bell(st, p, HUB_RECV, 8.4 + at);
	if (change)
		change(st, p);
	return st;
}

static struct judge *judge_two(void (*change)(struct state *st, struct state_peer *p))
{
	return build_judge(look_at(0, change), look_at(1, change), NULL);
}

TEST(a_message_that_waits_while_its_reader_sleeps_unrung_is_confirmed_after_two_looks)
{
	struct judge *judge = judge_two(NULL);
	const struct finding *f = build_find(judge, "missed-wakeup", FINDING_CONFIRMED);

	T_OK(f);
	T_EQ(f->where.peer, 3);
	T_EQ(f->where.pid, 4003);
	T_STR(f->where.ring, "recv");
	T_STR(f->where.name, "search");
	T_STR(f->place, "search(3) recv ring");
	T_EQ(f->samples, 2);
	T_EQ(f->held_us, 9400000);
	T_STR(f->sentence,
	      "search (peer 3, pid 4003) hangs: asleep for 9.4 s with 7 messages waiting; "
	      "nobody rang its bell");
	T_STR(judge_findings(judge)->verdict,
	      "search (peer 3, pid 4003) hangs: asleep for 9.4 s with 7 messages waiting; "
	      "nobody rang its bell.");
	T_HAS(f->evidence_text,
	      "7 messages waiting (written 1041, read 1034, capacity 256), waiting "
	      "flag 1, bell 0 bytes, tid 4003 in epoll_wait, unchanged in 2 "
	      "samples");
	T_EQ(build_count(judge, FINDING_CONFIRMED), 1);
	judge_destroy(judge);
}

TEST(one_look_alone_is_only_a_suspicion)
{
	struct judge *judge = build_judge(look_at(0, NULL), NULL);

	T_OK(build_find(judge, "missed-wakeup", FINDING_SUSPECTED));
	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void to_host(struct state *st, struct state_peer *p)
{
	build_waiting(st, p, HUB_RECV, 0, 0);
	p->ring[HUB_RECV].oldest.is_there = false;
	build_lost_bell(st, p, HUB_SEND, 9);
}

TEST(the_host_misses_its_wakeup_in_the_same_way)
{
	struct judge *judge = judge_two(to_host);
	const struct finding *f = build_find(judge, "missed-wakeup", FINDING_CONFIRMED);

	T_OK(f);
	T_STR(f->where.ring, "send");
	T_EQ(f->where.peer, 3);
	T_EQ(f->where.pid, BUILD_HOST_PID);
	T_HAS(f->sentence, "hostd (host, pid 4000) hangs at search(3) send ring: asleep for");
	T_EQ(build_count(judge, FINDING_CONFIRMED), 1);
	judge_destroy(judge);
}

/* ---- what it is not ------------------------------------------------------------------------- */

static void expect_not(struct judge *judge)
{
	T_OK(!build_find(judge, "missed-wakeup", FINDING_CONFIRMED));
	T_OK(!build_find(judge, "missed-wakeup", FINDING_SUSPECTED));
	judge_destroy(judge);
}

static void is_rung(struct state *st, struct state_peer *p)
{
	(void)st;
	p->ring[HUB_RECV].bell_head = p->ring[HUB_RECV].tail + 1;
	p->ring[HUB_RECV].bell = 1;
}

TEST(a_rung_bell_is_no_missed_wakeup)
{
	expect_not(judge_two(is_rung));
}

static void is_rung_for_all_a_file_tells(struct state *st, struct state_peer *p)
{
	is_rung(st, p);
	p->flag = 0;
	build_as_file(st);
}

TEST(a_rung_bell_is_no_missed_wakeup_in_a_file_either)
{
	expect_not(build_judge(look_at(0, is_rung_for_all_a_file_tells), NULL));
}

static void is_sending(struct state *st, struct state_peer *p)
{
	(void)st;
	p->ring[HUB_RECV].sending_tid = 4001;
}

TEST(a_producer_between_publication_and_bell_has_not_missed_it_yet)
{
	struct judge *judge = judge_two(is_sending);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	expect_not(judge);
}

static void host_is_stopped(struct state *st, struct state_peer *p)
{
	(void)p;
	build_host_process(st)->state = 'T';
}

TEST(a_stopped_producer_is_no_missed_wakeup)
{
	expect_not(judge_two(host_is_stopped));
}

static void is_stopped(struct state *st, struct state_peer *p)
{
	build_stopped(st, p);
}

TEST(a_stopped_consumer_is_no_missed_wakeup)
{
	expect_not(judge_two(is_stopped));
}

static void is_running(struct state *st, struct state_peer *p)
{
	build_loop(st, p)->state = 'R';
	build_loop(st, p)->wait = STATE_WAIT_NONE;
}

TEST(a_consumer_that_is_awake_has_not_missed_its_wakeup)
{
	expect_not(judge_two(is_running));
}

static void is_carried(struct state *st, struct state_peer *p)
{
	(void)st;
	p->carried = true;
}

TEST(what_is_carried_over_is_no_evidence)
{
	expect_not(judge_two(is_carried));
}

TEST(the_bell_of_a_moment_ago_is_not_missed)
{
	struct state *a = build_state(0), *b = build_state(1);

	build_lost_bell(a, build_peer(build_hub(a, 2), 1), HUB_RECV, 0.00001);
	struct state_peer *p = build_peer(build_hub(b, 2), 1);

	p->ring[HUB_RECV].tail += 900; /* it moved on, and another message has just come */
	build_lost_bell(b, p, HUB_RECV, 0.00001);
	struct judge *judge = build_judge(a, b, NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

/* ---- from the file alone -------------------------------------------------------------------- */

static void file_of_the_dead(struct state *st, struct state_peer *p)
{
	(void)p;
	build_as_file(st);
}

TEST(a_file_tells_it_by_its_ages_in_one_look)
{
	struct judge *judge = build_judge(look_at(0, file_of_the_dead), NULL);
	const struct finding *f = build_find(judge, "missed-wakeup", FINDING_CONFIRMED);

	T_OK(f);
	T_OK(f->dwell_from_ages);
	T_EQ(f->held_us, 8400000);
	T_EQ(build_count(judge, FINDING_CONFIRMED), 1);
	judge_destroy(judge);
}

static void killed_right_after(struct state *st, struct state_peer *p)
{
	p->ring[HUB_RECV].oldest.time_us = build_ago(st->now_us, 1.5);
	build_as_file(st);
}

TEST(what_was_young_when_everybody_was_killed_is_only_suspected)
{
	struct judge *judge = build_judge(look_at(0, killed_right_after), NULL);

	T_OK(build_find(judge, "missed-wakeup", FINDING_SUSPECTED));
	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_HAS(judge_findings(judge)->verdict,
	      "nothing confirmed in one look at 17 processes; suspected:");
	judge_destroy(judge);
}

static void host_died_long_ago(struct state *st, struct state_peer *p)
{
	killed_right_after(st, p);
	st->sources |= STATE_LIVE; /* looked at now, long after */
	st->now_us += 3600ull * 1000000;
}

TEST(the_clock_of_a_dead_hub_stands_still)
{
	struct state *a = look_at(0, host_died_long_ago), *b = look_at(0, host_died_long_ago);

	a->single_moment = b->single_moment = false;
	b->now_us += 5 * 1000000;
	struct judge *judge = build_judge(a, b, NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}
