#include "tests/rule_test.h"

static void slow(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_ring *r = &p->ring[HUB_RECV];

	(void)hub;
	build_handler(st, p, 5, 0.02);
	r->tail += (uint64_t)(at * 40);
	r->read = r->tail;
	build_waiting(st, p, HUB_RECV, 246, 3);
	r->take_us = build_ago(st->now_us, 0.02);
	r->full_waits = 90;
	p->host_flag |= HUB_ASLEEP_SPACE;
}

TEST(a_ring_that_stays_full_while_it_moves_is_confirmed)
{
	struct judge *judge = rule_looks(slow, 1);
	const struct finding *f = rule_only(judge, "ring-full");

	T_EQ(f->where.peer, 3);
	T_STR(f->where.ring, "recv");
	T_HAS(f->sentence, "the ring from hostd to search (peer 3, pid 4003) has been full for");
	T_HAS(f->evidence_text,
	      "246 of 256 cells used, oldest message 3.0 s old, waited for space 90 times, "
	      "producer waits for space");
	judge_destroy(judge);
}

TEST(a_file_tells_it_by_the_age_of_the_oldest_message)
{
	struct judge *judge = rule_file(slow);

	T_OK(rule_only(judge, "ring-full"));
	judge_destroy(judge);
}

static void passing(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	slow(st, hub, p, at);
	p->ring[HUB_RECV].oldest.time_us = build_ago(st->now_us, 1.2);
}

static void passing_without_waiting(struct state *st, struct state_hub *hub, struct state_peer *p,
				    double at)
{
	passing(st, hub, p, at);
	p->host_flag = HUB_ASLEEP_MESSAGE;
	p->ring[HUB_RECV].full_waits = 0;
}

/* The reader's last step has woken it, and it has not come yet. */
static void passing_just_woken(struct state *st, struct state_hub *hub, struct state_peer *p,
			       double at)
{
	passing(st, hub, p, at);
	p->host_flag = 0;
	p->ring[HUB_RECV].take_us = build_ago(st->now_us, 0.2);
}

static void passing_woken_long_ago(struct state *st, struct state_hub *hub, struct state_peer *p,
				   double at)
{
	passing_just_woken(st, hub, p, at);
	p->ring[HUB_RECV].take_us = build_ago(st->now_us, 0.8);
}

TEST(a_file_takes_a_second_in_the_ring_for_slow_if_the_writer_waits)
{
	struct judge *judge = rule_file(passing);

	T_OK(rule_only(judge, "ring-full"));
	judge_destroy(judge);
	judge = rule_file(passing_just_woken);
	T_OK(rule_only(judge, "ring-full"));
	judge_destroy(judge);
	judge = rule_file(passing_without_waiting);
	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
	judge = rule_file(passing_woken_long_ago);
	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void quick(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	slow(st, hub, p, at);
	p->ring[HUB_RECV].oldest.time_us = build_ago(st->now_us, 0.02);
}

TEST(a_full_ring_that_turns_over_quickly_is_a_buffer_at_work)
{
	rule_none(rule_looks(quick, 5), "ring-full");
}

static void for_a_moment(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	if (at < 1)
		quick(st, hub, p, at);
}

TEST(a_ring_that_is_full_for_a_moment_is_not_confirmed)
{
	rule_none(rule_looks(for_a_moment, 3), "ring-full");
}

static void half_full(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	slow(st, hub, p, at);
	build_waiting(st, p, HUB_RECV, 128, 3);
}

/* Its writers are woken and slow to come: some cells are free in that look. */
static void nearly_full(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	slow(st, hub, p, at);
	build_waiting(st, p, HUB_RECV, 200, 3);
	p->host_flag = 0;
	p->ring[HUB_RECV].full_waits = 90 + (uint64_t)(at * 50);
}

TEST(a_ring_that_was_full_between_two_looks_is_full)
{
	struct judge *judge = rule_looks(nearly_full, 1);

	T_OK(rule_only(judge, "ring-full"));
	judge_destroy(judge);
}

static void nearly_full_for_nobody(struct state *st, struct state_hub *hub, struct state_peer *p,
				   double at)
{
	nearly_full(st, hub, p, at);
	p->ring[HUB_RECV].full_waits = 90;
}

TEST(a_ring_that_is_nearly_full_and_stops_nobody_is_not_full)
{
	struct judge *judge = rule_looks(nearly_full_for_nobody, 3);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

TEST(a_ring_with_room_is_not_full)
{
	rule_none(rule_looks(half_full, 3), "ring-full");
}

static void behind_a_stopped_peer(struct state *st, struct state_hub *hub, struct state_peer *p,
				  double at)
{
	(void)hub;
	build_stopped(st, p);
	build_waiting(st, p, HUB_RECV, 246, 3 + at);
}

TEST(a_ring_full_behind_a_stopped_peer_is_its_consequence)
{
	struct judge *judge = rule_looks(behind_a_stopped_peer, 2);
	const struct finding *cause = rule_only(judge, "peer-stopped");
	const struct finding *f = build_find(judge, "ring-full", FINDING_CONFIRMED);

	T_OK(f);
	T_OK(f->consequence_of == cause);
	judge_destroy(judge);
}
