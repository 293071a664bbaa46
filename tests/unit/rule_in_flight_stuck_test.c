#include "tests/rule_test.h"

static void lost(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_class *k = build_class(st, hub, 16384, 64);

	build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_IN_FLIGHT, 2, 12 + at);
}

TEST(a_slot_in_flight_without_a_descriptor_is_confirmed_after_ten_seconds)
{
	struct judge *judge = rule_looks(lost, 1);
	const struct finding *f = rule_only(judge, "in-flight-stuck");

	T_EQ(f->where.peer, 3);
	T_STR(f->where.ring, "recv");
	T_EQ(f->where.class_bytes, 16384);
	T_EQ(f->where.slot, 0);
	T_HAS(f->sentence,
	      "slot 16K#0 and 1 more from hostd to search (peer 3, pid 4003) have been in flight for "
	      "13 s, and no descriptor refers to it");
	judge_destroy(judge);
}

static void taken_by_a_starved(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	lost(st, hub, p, at);
	build_loop(st, p)->state = 'R';
	build_cpu(st, build_loop(st, p), 0.01 * at, 0.9 * at);
}

TEST(a_receiver_that_gets_no_cpu_may_not_have_made_it_held_yet)
{
	struct judge *judge = rule_looks(taken_by_a_starved, 10);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_HAS(build_find(judge, "in-flight-stuck", FINDING_SUSPECTED)->evidence_text,
	      "it ran 0.1 s of the 10 s watched: it may only wait for a CPU");
	judge_destroy(judge);
}

static void lost_just_now(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_class *k = build_class(st, hub, 16384, 64);

	build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_IN_FLIGHT, 2, 5 + at);
}

TEST(a_slot_in_flight_for_less_is_only_suspected)
{
	struct judge *judge = rule_looks(lost_just_now, 1);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_OK(build_find(judge, "in-flight-stuck", FINDING_SUSPECTED));
	judge_destroy(judge);
}

TEST(a_file_tells_it_by_the_age_of_the_slot)
{
	struct judge *judge = rule_file(lost);

	T_OK(rule_only(judge, "in-flight-stuck"));
	judge_destroy(judge);
}

static void lost_in_traffic(struct state *st, struct state_hub *hub, struct state_peer *p,
			    double at)
{
	lost(st, hub, p, at);
	p->ring[HUB_RECV].tail += (uint64_t)(at * 1000);
	build_waiting(st, p, HUB_RECV, 3, 0.001);
}

TEST(a_ring_with_only_younger_messages_holds_no_descriptor_of_an_old_slot)
{
	struct judge *judge = rule_looks(lost_in_traffic, 1);

	T_OK(rule_only(judge, "in-flight-stuck"));
	judge_destroy(judge);
}

static void unlisted(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	lost(st, hub, p, at);
	hub->slots_listed = false;
}

TEST(without_a_list_of_slots_the_owners_tell_it)
{
	struct judge *judge = rule_looks(unlisted, 1);
	const struct finding *f = rule_only(judge, "in-flight-stuck");

	T_EQ(f->where.slot, -1);
	judge_destroy(judge);
}

static void in_the_ring(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	lost(st, hub, p, at);
	build_waiting(st, p, HUB_RECV, 3, 12 + at);
	build_stopped(st, p);
}

TEST(a_slot_whose_message_waits_is_not_lost)
{
	struct judge *judge = rule_looks(in_the_ring, 2);

	T_OK(rule_only(judge, "peer-stopped"));
	T_OK(!build_find(judge, "in-flight-stuck", FINDING_SUSPECTED));
	judge_destroy(judge);
}

static void waits_for_space(struct state *st, struct state_hub *hub, struct state_peer *p,
			    double at)
{
	lost(st, hub, p, at);
	p->ring[HUB_RECV].tail += (uint64_t)(at * 1000);
	build_waiting(st, p, HUB_RECV, 246, 0.001); /* full, and moving */
}

TEST(a_sender_that_waits_for_space_has_lost_nothing)
{
	rule_none(rule_looks(waits_for_space, 2), "in-flight-stuck");
}
