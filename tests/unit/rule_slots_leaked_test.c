#include "tests/rule_test.h"

static void killed(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_class *k = build_class(st, hub, 65536, 64);

	p->state = HUB_PEER_DEAD;
	p->alive = STATE_NO;
	p->exit_status = 9;
	p->died_us = build_ago(st->now_us, 4 + at);
	build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_HELD, 4, 5 + at);
	build_owner(st, hub, k, p, HUB_TO_HOST, HUB_SLOT_IN_FLIGHT, 8, 5 + at);
	build_owner(st, hub, k, p, HUB_TO_HOST, HUB_SLOT_HELD, 3, 5 + at); /* the host reads them */
}

TEST(slots_of_a_dead_peer_are_told_with_class_bytes_and_states)
{
	struct judge *judge = rule_looks(killed, 1);
	const struct finding *f = rule_only(judge, "slots-leaked");

	T_EQ(f->where.peer, 3);
	T_EQ(f->where.class_bytes, 65536);
	T_STR(f->also, "768K of slots lost with search");
	T_HAS(f->evidence_text,
	      "12 slots of 64K (768K of 4.0M, 18%): 4 held, 8 in flight, 0 allocated; owner "
	      "pid 4003 ended 5.0 s ago");
	T_OK(build_find(judge, "peer-dead", FINDING_CONFIRMED));
	judge_destroy(judge);
}

TEST(a_file_tells_what_was_lost_before_its_own_end)
{
	struct judge *judge = rule_file(killed);

	T_OK(rule_only(judge, "slots-leaked"));
	judge_destroy(judge);
}

static void killed_with_all_others(struct state *st, struct state_hub *hub, struct state_peer *p,
				   double at)
{
	killed(st, hub, p, at);
	p->died_us = build_ago(st->now_us, 0.01);
}

TEST(slots_of_a_family_that_was_killed_at_once_are_not_lost)
{
	rule_none(rule_file(killed_with_all_others), "slots-leaked");
}

static void being_swept(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	killed(st, hub, p, at);
	p->died_us = build_ago(st->now_us, 0.02 + at);
}

TEST(slots_between_a_death_and_its_sweep_are_not_lost_yet)
{
	struct judge *judge = rule_looks(being_swept, 1);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void restarted(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_class *k = build_class(st, hub, 65536, 64);

	build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_HELD, 4, 20 + at);
	p->incarnation = 2;
	p->started_us = build_ago(st->now_us, 10 + at);
}

TEST(slots_of_an_earlier_start_of_a_living_peer_are_lost)
{
	struct judge *judge = rule_looks(restarted, 1);

	T_HAS(rule_only(judge, "slots-leaked")->evidence_text, "earlier start");
	judge_destroy(judge);
}

static void read_in_between(struct state *st, struct state_hub *hub, struct state_peer *p,
			    double at)
{
	restarted(st, hub, p, at);
	hub->klass[0].owner[0].incarnation = 3; /* the peer's entry was read before its restart */
}

TEST(a_later_start_than_the_peers_own_entry_tells_is_no_loss)
{
	rule_none(rule_looks(read_in_between, 9), "slots-leaked");
}

static void in_use(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_class *k = build_class(st, hub, 65536, 64);

	build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_HELD, 4, 3600 + at);
}

TEST(a_living_holder_may_hold_as_long_as_it_likes)
{
	rule_none(rule_looks(in_use, 9), "slots-leaked");
}
