#include "lib/findings/judge_priv.h"
#include "tests/t.h"

static struct track track[4];
static struct finding finding[4];

/* Finding i of the given rank keeps node `stuck` and waits for node `waits_for` (0: none). */
static void set(size_t i, unsigned rank, uint32_t stuck, uint32_t waits_for)
{
	size_t n;

	track[i] = (struct track){ .c.rank = rank, .shown_begin_us = 100 + i };
	track[i].c.stuck[0] = (struct node){ stuck ? NODE_PEER : NODE_NONE, 1, stuck };
	track[i].c.waits_for[0] = (struct node){ waits_for ? NODE_PEER : NODE_NONE, 1, waits_for };
	finding[i] = (struct finding){ .rule = rules_all(&n)[rank], .state = FINDING_CONFIRMED };
}

TEST(a_chain_of_consequences_points_to_its_root)
{
	set(0, 9, 0, 2);
	set(1, 5, 2, 1);
	set(2, 2, 1, 0);
	T_EQ(causes_find(track, finding, 3), 0);
	T_OK(finding[0].consequence_of == &finding[2]);
	T_OK(finding[1].consequence_of == &finding[2]);
	T_OK(!finding[2].consequence_of);
}

TEST(two_that_wait_for_each_other_leave_the_older_as_root)
{
	set(0, 5, 1, 2);
	set(1, 5, 2, 1);
	T_EQ(causes_find(track, finding, 2), 0);
	T_OK(!finding[0].consequence_of);
	T_OK(finding[1].consequence_of == &finding[0]);
}

TEST(a_later_rule_never_explains_an_earlier_one)
{
	set(0, 2, 0, 1);
	set(1, 5, 1, 0);
	T_EQ(causes_find(track, finding, 2), 0);
	T_OK(!finding[0].consequence_of);
}

TEST(what_has_passed_or_is_only_suspected_explains_nothing_certain)
{
	set(0, 9, 0, 1);
	set(1, 2, 1, 0);
	finding[1].state = FINDING_SUSPECTED;
	T_EQ(causes_find(track, finding, 2), 0);
	T_OK(!finding[0].consequence_of);
	finding[1].state = FINDING_CLEARED;
	finding[0].state = FINDING_SUSPECTED;
	T_EQ(causes_find(track, finding, 2), 0);
	T_OK(!finding[0].consequence_of);
}

TEST(another_hub_has_other_nodes)
{
	set(0, 9, 0, 1);
	set(1, 2, 1, 0);
	track[1].c.stuck[0].hub = 2;
	T_EQ(causes_find(track, finding, 2), 0);
	T_OK(!finding[0].consequence_of);
}

TEST(a_host_that_stands_still_explains_every_ring_it_does_not_read)
{
	set(0, 9, 0, 1);
	set(1, 2, 1, 0);
	track[0].c.waits_for[0].kind = NODE_LINK;
	track[1].c.stuck[0] = (struct node){ NODE_HOST, 1, 0 };
	T_EQ(causes_find(track, finding, 2), 0);
	T_OK(finding[0].consequence_of == &finding[1]);
	track[0].c.waits_for[0].kind = NODE_PEER;
	T_EQ(causes_find(track, finding, 2), 0);
	T_OK(!finding[0].consequence_of);
}
