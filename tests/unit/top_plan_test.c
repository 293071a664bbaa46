#include "shmtop/plan.h"

#include "tests/t.h"

static int rows_of(const struct plan *p)
{
	return p->verdict + p->findings + p->more + 1 + p->peers + p->slots + p->memory +
	       p->detail + p->gap * ((p->slots > 0) + (p->memory > 0));
}

TEST(with_room_everybody_gets_what_they_want)
{
	const struct plan_wants w = { .verdict = 1, .findings = 3, .more = 1, .peers = 4,
				      .slots = 3, .slots_least = 3, .memory = 4 };
	const struct plan p = plan_make(22, &w);

	T_EQ(p.peers, 4);
	T_EQ(p.memory, 4);
	T_EQ(p.gap, 1);
	T_EQ(rows_of(&p), 19);
}

TEST(no_plan_needs_more_rows_than_there_are_and_the_verdict_stays)
{
	for (int rows = 2; rows < 60; rows++) {
		for (int peers = 1; peers < 40; peers += 3) {
			for (int findings = 0; findings < 5; findings++) {
				const struct plan_wants w = {
					.verdict = 2, .findings = findings, .more = findings > 0,
					.peers = peers, .slots = 6, .slots_least = 4, .memory = 4,
					.detail = rows > 30 ? 6 : 0,
				};
				const struct plan p = plan_make(rows, &w);

				if (rows >= 4)
					T_EQ(p.verdict, 2);
				T_OK(rows_of(&p) <= (rows < 4 ? 4 : rows));
				T_OK(p.slots == 0 || p.slots >= 4);
				T_OK(p.findings <= findings && p.peers <= peers);
			}
		}
	}
}

TEST(a_few_peers_come_before_findings_and_all_peers_before_memory)
{
	const struct plan_wants w = { .verdict = 1, .findings = 3, .more = 1, .peers = 30,
				      .slots = 2, .slots_least = 2, .memory = 4 };

	T_EQ(plan_make(8, &w).peers, 5);
	T_EQ(plan_make(8, &w).findings, 1);
	T_EQ(plan_make(22, &w).peers, 15);
	T_EQ(plan_make(22, &w).slots, 2);
	T_EQ(plan_make(22, &w).memory, 0);
}
