#include "tests/rule_test.h"

#include <linux/futex.h>

enum { HEIR = 4140, GONE = 4139, INDEX = 0x55d0c0a8 };

static struct state_lock *lock_of(struct state *st, int32_t tid)
{
	return state_find_thread(build_host_process(st), tid)->lock;
}

static void orphan(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_process *host = build_host_process(st);

	(void)hub, (void)p;
	build_thread(st, host, HEIR, "heir");
	build_thread(st, host, HEIR + 1, "second");
	for (int32_t tid = HEIR; tid <= HEIR + 1; tid++)
		build_sleep(st, host, tid, STATE_LOCK_MUTEX, INDEX, "index_lock", GONE, 4 + at)
			->owner_alive = STATE_NO;
}

TEST(a_lock_whose_owner_has_ended_is_told_at_the_first_look)
{
	struct judge *judge = build_judge(rule_state(0, orphan), NULL);
	const struct finding *f = rule_only(judge, "owner-dead");

	T_EQ(f->where.pid, BUILD_HOST_PID);
	T_EQ(f->where.tid, HEIR);
	T_STR(f->sentence,
	      "hostd (host, pid 4000) hangs: 2 threads (tid 4140 \"heir\", 4141) wait since at "
	      "least 4.0 s for mutex 0x55d0c0a8 (index_lock), whose owner tid 4139 has ended");
	T_EQ(f->edges, 2);
	T_HAS(f->next[0], "index_lock");
	judge_destroy(judge);
}

static void alive(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	orphan(st, hub, p, at);
	lock_of(st, HEIR)->owner_alive = lock_of(st, HEIR + 1)->owner_alive = STATE_YES;
}

TEST(an_owner_that_lives_is_none)
{
	rule_none(rule_looks(alive, 3), "owner-dead");
}

static void unknown(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	orphan(st, hub, p, at);
	lock_of(st, HEIR)->owner_alive = lock_of(st, HEIR + 1)->owner_alive = STATE_UNKNOWN;
}

TEST(an_owner_of_whom_nothing_is_known_is_none)
{
	rule_none(rule_looks(unknown, 3), "owner-dead");
}

static void moved(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	orphan(st, hub, p, at);
	lock_of(st, HEIR + 1)->moved = true;
}

TEST(a_lock_whose_sleepers_went_on_has_an_owner)
{
	rule_none(rule_looks(moved, 3), "owner-dead");
}

static void by_bytes(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	orphan(st, hub, p, at);
	lock_of(st, HEIR)->sure = lock_of(st, HEIR + 1)->sure = false;
}

TEST(what_only_looks_like_a_mutex_is_suspected)
{
	struct judge *judge = rule_looks(by_bytes, 3);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_OK(build_find(judge, "owner-dead", FINDING_SUSPECTED));
	judge_destroy(judge);
}

static void marked(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	orphan(st, hub, p, at);
	for (int32_t tid = HEIR; tid <= HEIR + 1; tid++) {
		struct state_lock *lock = lock_of(st, tid);

		lock->owner_tid = 0;
		lock->owner_alive = STATE_UNKNOWN;
		lock->owner_died = true;
		lock->value[0] = lock->value[1] = FUTEX_WAITERS | FUTEX_OWNER_DIED;
	}
}

static void just_marked(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	marked(st, hub, p, at - 3.5);
}

TEST(the_kernels_mark_counts_when_nobody_took_the_lock_for_two_seconds)
{
	struct judge *judge = rule_looks(just_marked, 1);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
	judge = rule_looks(marked, 1);
	T_HAS(rule_only(judge, "owner-dead")->next[0], "pthread_mutex_consistent");
	judge_destroy(judge);
}

static void in_a_core(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	unknown(st, hub, p, at);
	st->sources = STATE_CORE;
	build_host_process(st)->source = STATE_CORE;
	st->single_moment = true;
}

TEST(a_core_has_all_threads_so_who_is_not_there_has_ended)
{
	struct judge *judge = build_judge(rule_state(0, in_a_core), NULL);

	rule_only(judge, "owner-dead");
	judge_destroy(judge);
}

/* search's loop is one of those who wait. */
static void stalls_a_peer(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_blocked(st, p, 4 + at);
	build_sleep(st, build_process(st, p), p->pid, STATE_LOCK_MUTEX, INDEX, "index_lock", GONE, 4 + at)
		->owner_alive = STATE_NO;
}

TEST(a_peer_that_stalls_because_of_it_is_its_consequence)
{
	struct judge *judge = rule_looks(stalls_a_peer, 3);
	const struct finding *f = rule_only(judge, "owner-dead");

	T_EQ(f->where.peer, 3);
	T_EQ(build_find(judge, "consumer-stalled", FINDING_CONFIRMED)->consequence_of == f, 1);
	judge_destroy(judge);
}
