#include "tests/rule_test.h"

static void ring(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)st, (void)hub, (void)at;
	p->ring[HUB_RECV].damage = "tail 9007199254741 is beyond head 1041";
	build_waiting(st, p, HUB_RECV, 7, 60); /* not to be believed */
}

TEST(a_damaged_ring_is_named_and_not_judged_further)
{
	struct judge *judge = rule_looks(ring, 0.1);
	const struct finding *f = rule_only(judge, "hub-corrupted");

	T_EQ(f->where.peer, 3);
	T_STR(f->where.ring, "recv");
	T_HAS(f->evidence_text, "tail 9007199254741 is beyond head 1041");
	T_EQ(judge_findings(judge)->n, 1);
	judge_destroy(judge);
	judge = rule_file(ring);
	T_OK(rule_only(judge, "hub-corrupted"));
	judge_destroy(judge);
}

static void sound(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)st, (void)hub, (void)p, (void)at;
}

TEST(a_torn_look_at_a_living_ring_passes)
{
	rule_none(build_judge(rule_state(0, ring), rule_state(0.1, sound), NULL), "hub-corrupted");
}

TEST(one_moment_of_a_living_hub_is_only_a_suspicion)
{
	struct state *st = rule_state(0, ring);

	st->single_moment = true;
	struct judge *judge = build_judge(st, NULL);

	T_OK(build_find(judge, "hub-corrupted", FINDING_SUSPECTED));
	judge_destroy(judge);
}

static void header(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)at;
	hub->damage = "section 3 ends at 9999999, beyond the file's 268435456 bytes";
	build_lost_bell(st, p, HUB_RECV, 60);
}

TEST(of_a_hub_with_a_damaged_header_nothing_else_is_believed)
{
	struct judge *judge = rule_looks(header, 0.1);

	T_HAS(rule_only(judge, "hub-corrupted")->sentence,
	      "hub demo.hub is damaged: section 3 ends");
	T_EQ(judge_findings(judge)->n, 1);
	judge_destroy(judge);
}

static void slots(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)p, (void)at;
	struct state_class *k = build_class(st, hub, 65536, 64);

	k->bad = 3;
	k->first_bad = 9;
	k->first_bad_word = 7;
	k->first_bad_at = 123456;
	build_lost_bell(st, build_peer(hub, 7), HUB_RECV, 8);
}

TEST(slot_words_that_make_no_sense_are_told_by_class_and_everything_else_is_judged)
{
	struct judge *judge = rule_looks(slots, 0.1);
	const struct finding *f = build_find(judge, "hub-corrupted", FINDING_CONFIRMED);

	T_OK(f);
	T_EQ(f->where.class_bytes, 65536);
	T_EQ(f->where.slot, 9);
	T_EQ(f->where.offset, 123456);
	T_STR(f->sentence, "3 slot words of class 64K in hub demo.hub make no sense: the first is "
			   "slot 9 (word 0x7 at offset 123456)");
	T_HAS(f->evidence_text, "a state from 0 (free) to 4 and a peer of this hub are legal");
	f = build_find(judge, "missed-wakeup", FINDING_CONFIRMED);
	T_OK(f);
	T_OK(!f->consequence_of);
	judge_destroy(judge);
}

static void class(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_class *k = build_class(st, hub, 1000, 8);

	(void)p, (void)at;
	k->damage = "slots of 1000 bytes (a power of two is legal)";
	k->count[HUB_SLOT_FREE] = 0;
	k->waiters = 3;
}

TEST(a_class_that_contradicts_itself_is_named_and_not_judged_further)
{
	struct judge *judge = rule_looks(class, 5);

	T_STR(rule_only(judge, "hub-corrupted")->sentence,
	      "class 0 in hub demo.hub is damaged: slots of 1000 bytes (a power of two is legal)");
	T_EQ(judge_findings(judge)->n, 1);
	judge_destroy(judge);
}

static void quarantined(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	p->state = HUB_PEER_QUARANTINED;
	p->alive = STATE_NO;
	p->died_us = build_ago(st->now_us, 1 + at);
	p->ring[HUB_SEND].refused = 2;
}

TEST(a_peer_that_the_host_has_quarantined_is_told)
{
	struct judge *judge = rule_looks(quarantined, 0.1);

	T_HAS(rule_only(judge, "hub-corrupted")->evidence_text, "2 descriptors refused");
	judge_destroy(judge);
}
