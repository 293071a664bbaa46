#include "tests/rule_test.h"

enum { FLUSH = 4140, QUERY = 4143, LATE = 4150, INDEX = 0x55d0c0a8, CACHE = 0x55d0c0e0 };

static const char *const flush_frames[] = { "pthread_mutex_lock", "index_flush", "flush_main", NULL };
static const char *const query_frames[] = { "pthread_mutex_lock", "cache_lookup", "query_main", NULL };

static struct state_process *host(struct state *st)
{
	return build_host_process(st);
}

/* flush holds cache_lock and wants index_lock, query-1 the other way round. */
static void circle(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub, (void)p;
	build_thread(st, host(st), FLUSH, "flush")->stack = build_stack(st, flush_frames);
	build_thread(st, host(st), QUERY, "query-1")->stack = build_stack(st, query_frames);
	build_sleep(st, host(st), FLUSH, STATE_LOCK_MUTEX, INDEX, "index_lock", QUERY, 6 + at);
	build_sleep(st, host(st), QUERY, STATE_LOCK_MUTEX, CACHE, "cache_lock", FLUSH, 7 + at);
}

static struct state_lock *lock_of(struct state *st, int32_t tid)
{
	return state_find_thread(host(st), tid)->lock;
}

TEST(two_threads_that_wait_for_each_other_are_a_deadlock_at_the_first_look)
{
	struct judge *judge = build_judge(rule_state(0, circle), NULL);
	const struct finding *f = rule_only(judge, "deadlock");

	T_EQ(f->where.pid, BUILD_HOST_PID);
	T_EQ(f->where.tid, FLUSH);
	T_STR(f->where.site, "index_flush main.c:10");
	T_STR(f->sentence,
	      "2 threads of hostd (host, pid 4000) wait for each other for at least 6.0 s: tid "
	      "4140 \"flush\" (index_flush main.c:10) waits for mutex 0x55d0c0a8 (index_lock) held by "
	      "tid 4143 \"query-1\"; tid 4143 \"query-1\" (cache_lookup main.c:10) waits for mutex "
	      "0x55d0c0e0 (cache_lock) held by tid 4140 \"flush\"");
	T_STR(f->also, "2 threads of hostd wait for each other");
	T_STR(f->brief, "2 threads wait for each other");
	T_STR(f->next[0], "the two take index_lock and cache_lock in different order: index_flush "
			  "main.c:10, cache_lookup main.c:10");
	T_EQ(f->edges, 2);
	T_STR(f->edge[0].who, "tid 4140 \"flush\"");
	T_STR(f->edge[0].waits_for, "mutex 0x55d0c0a8 (index_lock)");
	T_STR(f->edge[0].whom, "held by tid 4143 \"query-1\"");
	T_EQ(f->edge[1].tid, QUERY);
	judge_destroy(judge);
}

/* ---- kinds of circles ----------------------------------------------------------------------- */

static void alone(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub, (void)p;
	build_thread(st, host(st), FLUSH, "flush")->stack = build_stack(st, flush_frames);
	build_sleep(st, host(st), FLUSH, STATE_LOCK_MUTEX, INDEX, "index_lock", FLUSH, 3 + at);
}

TEST(a_thread_that_locks_what_it_has_waits_for_itself)
{
	struct judge *judge = build_judge(rule_state(0, alone), NULL);
	const struct finding *f = rule_only(judge, "deadlock");

	T_HAS(f->sentence, "a thread of hostd (host, pid 4000) waits for itself for at least 3.0 s");
	T_HAS(f->next[0], "asks for index_lock while it has it: index_flush main.c:10");
	judge_destroy(judge);
}

static void alone_for_a_moment(struct state *st, struct state_hub *hub, struct state_peer *p,
			       double at)
{
	(void)hub, (void)p, (void)at;
	build_thread(st, host(st), FLUSH, "flush")->stack = build_stack(st, flush_frames);
	build_sleep(st, host(st), FLUSH, STATE_LOCK_MUTEX, INDEX, "index_lock", FLUSH, 0.1);
}

TEST(a_thread_that_just_had_what_it_waits_for_is_only_suspected)
{
	struct judge *judge = build_judge(rule_state(0, alone_for_a_moment), NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void joined(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	circle(st, hub, p, at);
	build_sleep(st, host(st), FLUSH, STATE_LOCK_JOIN, 0x7f00, NULL, QUERY, 6 + at);
}

TEST(a_join_may_be_part_of_a_circle)
{
	struct judge *judge = build_judge(rule_state(0, joined), NULL);
	const struct finding *f = rule_only(judge, "deadlock");

	T_HAS(f->sentence, "for the end of tid 4143; tid 4143");
	T_HAS(f->next[0], "a thread is joined while the joiner holds what it needs");
	judge_destroy(judge);
}

/* Peers 3 and 5 have each locked the file that the other one wants. */
static void files(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_peer *other = build_peer(hub, 5);
	struct state_process *a = build_process(st, p), *b = build_process(st, other);

	build_sleep(st, a, p->pid, STATE_LOCK_FILE, 0, "/var/lib/b", 0, 4 + at)->owner_pid = b->pid;
	build_sleep(st, b, other->pid, STATE_LOCK_FILE, 0, "/var/lib/a", 0, 3 + at)->owner_pid = a->pid;
}

TEST(file_locks_of_two_processes_are_a_circle)
{
	struct judge *judge = build_judge(rule_state(0, files), NULL);
	const struct finding *f = rule_only(judge, "deadlock");

	T_HAS(f->sentence, "2 threads of different processes wait for each other for at least "
			   "3.0 s: tid 4003 \"search\" of search (pid 4003) waits for file lock of "
			   "/var/lib/b held by pid 4005 (fonts)");
	T_EQ(f->where.peer, 3);
	judge_destroy(judge);
}

static void files_and_a_free_thread(struct state *st, struct state_hub *hub, struct state_peer *p,
				    double at)
{
	build_thread(st, build_process(st, build_peer(hub, 5)), 4500, "helper");
	files(st, hub, p, at);
}

TEST(a_thread_beside_that_could_give_the_file_back_leaves_a_suspicion)
{
	struct judge *judge = rule_looks(files_and_a_free_thread, 3);

	T_OK(build_find(judge, "deadlock", FINDING_SUSPECTED));
	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void across(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_process *a = build_process(st, p);
	struct state_lock *lock;

	(void)hub;
	build_thread(st, host(st), FLUSH, "flush");
	lock = build_sleep(st, host(st), FLUSH, STATE_LOCK_MUTEX, INDEX, NULL, p->pid, 6 + at);
	lock->is_private = false;
	lock->owner_pid = p->pid;
	lock = build_sleep(st, a, p->pid, STATE_LOCK_MUTEX, CACHE, NULL, FLUSH, 6 + at);
	lock->is_private = false;
	lock->owner_pid = BUILD_HOST_PID;
}

TEST(shared_mutexes_of_two_processes_are_a_circle)
{
	struct judge *judge = build_judge(rule_state(0, across), NULL);
	const struct finding *f = rule_only(judge, "deadlock");

	T_HAS(f->sentence, "tid 4140 \"flush\" of hostd (pid 4000) waits for mutex 0x55d0c0a8 held by "
			   "tid 4003 \"search\" of search (pid 4003)");
	judge_destroy(judge);
}

/* ---- what hangs behind it --------------------------------------------------------------------- */

static void the_loop_waits_behind(struct state *st, struct state_hub *hub, struct state_peer *p,
				  double at)
{
	circle(st, hub, p, at);
	for (size_t i = 0; i < hub->peers; i++) {
		build_waiting(st, &hub->peer[i], HUB_SEND, 5, 4 + at);
		hub->peer[i].host_flag = 0;
	}
	build_sleep(st, host(st), BUILD_HOST_PID, STATE_LOCK_MUTEX, INDEX, "index_lock", QUERY, 5 + at);
}

TEST(rings_that_nobody_reads_because_of_it_are_its_consequences)
{
	struct judge *judge = rule_looks(the_loop_waits_behind, 3);
	const struct finding *f = rule_only(judge, "deadlock");
	const struct finding *stalled = build_find(judge, "consumer-stalled", FINDING_CONFIRMED);

	T_OK(stalled);
	T_EQ(stalled->consequence_of == f, 1);
	judge_destroy(judge);
}

/* ---- what it is not ------------------------------------------------------------------------- */

static void a_chain(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	circle(st, hub, p, at);
	build_sleep(st, host(st), QUERY, STATE_LOCK_SEM, CACHE, "jobs", 0, 6 + at);
}

TEST(a_queue_behind_an_owner_that_waits_for_work_is_none)
{
	rule_none(rule_looks(a_chain, 3), "deadlock");
}

static void one_moved(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	circle(st, hub, p, at);
	lock_of(st, QUERY)->moved = true;
	lock_of(st, QUERY)->looks = 1;
}

TEST(a_circle_in_which_somebody_moved_is_none)
{
	rule_none(rule_looks(one_moved, 1), "deadlock");
}

static void of_two_moments(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	circle(st, hub, p, at);
	lock_of(st, QUERY)->from_us = build_ago(st->now_us, 0.1);
	lock_of(st, FLUSH)->to_us = build_ago(st->now_us, 0.2);
}

TEST(waits_without_a_common_moment_prove_nothing)
{
	struct judge *judge = rule_looks(of_two_moments, 3);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_OK(build_find(judge, "deadlock", FINDING_SUSPECTED));
	judge_destroy(judge);
}

static void seen_once(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	circle(st, hub, p, at);
	lock_of(st, QUERY)->looks = 1;
}

TEST(a_lock_that_was_looked_at_once_proves_nothing)
{
	struct judge *judge = rule_looks(seen_once, 3);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void in_a_core(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	seen_once(st, hub, p, at);
	host(st)->source = STATE_CORE;
	st->sources = STATE_CORE;
	st->single_moment = true;
}

TEST(in_a_core_everything_stands_still)
{
	struct judge *judge = build_judge(rule_state(0, in_a_core), NULL);

	rule_only(judge, "deadlock");
	judge_destroy(judge);
}

/* ---- over time ------------------------------------------------------------------------------ */

/* A look at the main thread only, as most of a live view are. */
static void shallow(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub, (void)p, (void)at;
	host(st)->all_threads = false;
	host(st)->dump_us = 0;
}

TEST(a_look_that_sees_no_locks_does_not_clear_it_and_one_that_does_does)
{
	struct judge *judge = build_judge(rule_state(0, circle), rule_state(1, shallow), NULL);

	rule_only(judge, "deadlock");
	struct state *st = build_state(2);

	build_hub(st, 16);
	T_EQ(judge_look(judge, st), 0);
	build_free(st);
	T_OK(build_find(judge, "deadlock", FINDING_CLEARED));
	judge_destroy(judge);
}
