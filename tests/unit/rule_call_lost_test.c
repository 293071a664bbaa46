#include "tests/rule_test.h"

static void never_enqueued(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	build_call(st, hub, 0, p->id, 77, 3 + at)->enqueued_at = 0;
	build_call(st, hub, 0, p->id, 78, 2.9 + at)->enqueued_at = 0;
}

TEST(a_call_that_was_never_enqueued_is_confirmed)
{
	struct judge *judge = rule_looks(never_enqueued, 1);
	const struct finding *f = rule_only(judge, "call-lost");

	T_EQ(f->where.peer, 3);
	T_EQ(f->where.tid, BUILD_HOST_PID + 500);
	T_STR(f->brief, "never enqueued");
	T_HAS(f->sentence,
	      "2 calls, the oldest 77, from hostd to search (peer 3, pid 4003) got lost: never "
	      "enqueued, pending for 4.0 s");
	judge_destroy(judge);
}

static void to_another(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	build_call(st, hub, 0, p->id, 77, 3 + at)->enqueued_peer = 5;
}

TEST(a_call_in_the_ring_of_another_peer_names_that_peer)
{
	struct judge *judge = rule_looks(to_another, 1);
	const struct finding *f = rule_only(judge, "call-lost");

	T_STR(f->brief, "enqueued to peer 5 (fonts)");
	T_EQ(f->where.peer, 3);
	judge_destroy(judge);
	judge = rule_file(to_another);
	T_OK(rule_only(judge, "call-lost"));
	judge_destroy(judge);
}

static void of_a_peer(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	build_call(st, hub, p->id, 0, 77, 3 + at)->enqueued_at = 0;
}

TEST(a_peers_own_call_can_get_lost_too)
{
	struct judge *judge = rule_looks(of_a_peer, 1);

	T_HAS(rule_only(judge, "call-lost")->sentence, "from search(3) to hostd (host, pid 4000)");
	judge_destroy(judge);
}

static double share;

static void caller_watched(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	never_enqueued(st, hub, p, at);
	build_cpu(st, build_thread(st, build_host_process(st), BUILD_HOST_PID + 500, "caller"),
		  share * at, (1 - share) * at);
	build_host_process(st)->thread[1].state = 'R';
}

TEST(a_caller_that_gets_no_cpu_has_not_lost_its_call)
{
	share = 0.01;
	struct judge *judge = rule_looks(caller_watched, 20);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_HAS(build_find(judge, "call-lost", FINDING_SUSPECTED)->evidence_text,
	      "never enqueued, it ran 0.2 s of the 20 s watched: it may only wait for a CPU");
	judge_destroy(judge);
	share = 0.9; /* it does other things by now */
	judge = rule_looks(caller_watched, 1);
	T_OK(rule_only(judge, "call-lost"));
	judge_destroy(judge);
}

/* ---- what it is not ------------------------------------------------------------------------- */

static void pending(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	build_call(st, hub, 0, p->id, 77, 300 + at);
}

TEST(a_call_that_takes_long_is_not_lost)
{
	rule_none(rule_looks(pending, 1), "call-lost");
}

static void young(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	build_call(st, hub, 0, p->id, (uint32_t)(77 + at * 100), 0.0001)->enqueued_at = 0;
}

TEST(a_call_between_counting_and_enqueueing_is_not_lost)
{
	struct judge *judge = rule_looks(young, 3);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void waits_for_space(struct state *st, struct state_hub *hub, struct state_peer *p,
			    double at)
{
	never_enqueued(st, hub, p, at);
	p->ring[HUB_RECV].tail += (uint64_t)(at * 1000);
	build_waiting(st, p, HUB_RECV, 246, 0.01);
}

TEST(a_call_that_waits_for_space_is_not_lost)
{
	rule_none(rule_looks(waits_for_space, 1), "call-lost");
}

static void waits_for_a_slot(struct state *st, struct state_hub *hub, struct state_peer *p,
			     double at)
{
	never_enqueued(st, hub, p, at);
	hub->call[0].bytes = hub->call[1].bytes = 10 << 20;
	build_class(st, hub, 16 << 20, 4)->waiters = 2;
}

TEST(a_call_that_waits_for_a_slot_is_not_lost)
{
	rule_none(rule_looks(waits_for_a_slot, 1), "call-lost");
}

static void large_with_slots(struct state *st, struct state_hub *hub, struct state_peer *p,
			     double at)
{
	waits_for_a_slot(st, hub, p, at);
	hub->klass[0].waiters = 0;
}

TEST(a_large_call_with_slots_to_spare_is_lost)
{
	struct judge *judge = rule_looks(large_with_slots, 1);

	T_OK(rule_only(judge, "call-lost"));
	judge_destroy(judge);
}

/* A quarter of the class lies with the peer. */
static void large_with_share_used(struct state *st, struct state_hub *hub, struct state_peer *p,
				  double at, unsigned direction)
{
	never_enqueued(st, hub, p, at);
	hub->call[0].bytes = hub->call[1].bytes = 10 << 20;
	build_owner(st, hub, build_class(st, hub, 16 << 20, 8), p, direction, HUB_SLOT_HELD, 2, 1);
}

static void share_used(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	large_with_share_used(st, hub, p, at, HUB_TO_PEER);
}

TEST(a_call_whose_peer_has_its_share_is_not_lost)
{
	rule_none(rule_looks(share_used, 1), "call-lost");
}

static void other_share_used(struct state *st, struct state_hub *hub, struct state_peer *p,
			     double at)
{
	large_with_share_used(st, hub, p, at, HUB_TO_HOST);
}

TEST(what_comes_from_a_peer_is_not_the_share_of_what_goes_to_it)
{
	struct judge *judge = rule_looks(other_share_used, 1);

	T_OK(build_find(judge, "call-lost", FINDING_CONFIRMED));
	judge_destroy(judge);
}

static void lost_descriptor(struct state *st, struct state_hub *hub, struct state_peer *p,
			    double at)
{
	struct state_class *k = build_class(st, hub, 16384, 64);

	build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_IN_FLIGHT, 1, 12 + at);
	never_enqueued(st, hub, p, at + 9);
}

TEST(a_call_whose_slot_is_in_flight_without_descriptor_is_its_consequence)
{
	struct judge *judge = rule_looks(lost_descriptor, 1);
	const struct finding *f = rule_only(judge, "in-flight-stuck");

	T_OK(build_find(judge, "call-lost", FINDING_CONFIRMED)->consequence_of == f);
	judge_destroy(judge);
}
