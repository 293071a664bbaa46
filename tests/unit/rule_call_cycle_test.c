#include "tests/rule_test.h"

/* The host calls peer a (x); its handler calls the host (y); that handler calls peer b (z). */
static void chain(struct state *st, struct state_hub *hub, unsigned a, unsigned b, uint32_t id,
		  double at)
{
	struct state_peer *p = build_peer(hub, a);

	build_call(st, hub, 0, a, id, 3 + at);
	struct state_call *y = build_call(st, hub, a, 0, id + 1, 2.9 + at);

	y->for_call = id;
	struct state_call *z = build_call(st, hub, 0, b, id + 2, 2.8 + at);

	z->for_peer = (uint16_t)a;
	z->for_call = id + 1;
	build_handler(st, p, 5, 3 + at);
	build_loop(st, p)->state = 'S';
	build_loop(st, p)->wait = STATE_WAIT_POLL;
	build_loop(st, p)->wait_text = "epoll_wait";
}

static void reentrant(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	chain(st, hub, p->id, p->id, 100, at);
	build_waiting(st, p, HUB_RECV, 1, 2.8 + at);
}

TEST(a_handler_that_waits_for_a_host_that_waits_for_it_is_a_cycle)
{
	struct judge *judge = rule_looks(reentrant, 0.05);
	const struct finding *f = rule_only(judge, "call-cycle");

	T_EQ(f->where.peer, 3);
	T_HAS(f->sentence,
	      "search and hostd have waited for each other for 2.8 s: search(3) waits in its handler "
	      "for call 101 to hostd, whose handler waits for call 102 to search(3)");
	judge_destroy(judge);
	judge = rule_file(reentrant);
	T_OK(rule_only(judge, "call-cycle"));
	judge_destroy(judge);
}

static void of_three(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)p;
	chain(st, hub, 7, 3, 300, at);
	chain(st, hub, 3, 5, 100, at);
	chain(st, hub, 5, 7, 200, at);
	chain(st, hub, 9, 3, 400, at); /* waits for the circle, is not in it */
}

TEST(a_cycle_over_several_peers_is_told_with_every_edge)
{
	struct judge *judge = rule_looks(of_three, 0.05);
	const struct finding *f = build_find(judge, "call-cycle", FINDING_CONFIRMED);

	T_OK(f);
	T_EQ(f->where.peer, 3);
	T_HAS(f->sentence, "3 peers and hostd have waited for each other");
	T_HAS(f->evidence_text, "search(3) waits in its handler for call 101");
	T_HAS(f->evidence_text, "fonts(5) waits in its handler for call 201");
	T_HAS(f->evidence_text, "markdown(7) waits in its handler for call 301");
	judge_destroy(judge);
}

/* ---- rings ---------------------------------------------------------------------------------- */

static void both_full(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_waiting(st, p, HUB_RECV, 246, 3 + at);
	build_waiting(st, p, HUB_SEND, 246, 3 + at);
	p->flag = p->host_flag = HUB_ASLEEP_SPACE;
	build_loop(st, p)->wait_text = "poll, for space";
}

TEST(two_full_rings_whose_sides_wait_for_each_other_are_a_cycle)
{
	struct judge *judge = rule_looks(both_full, 1);
	const struct finding *f = rule_only(judge, "call-cycle");

	T_HAS(f->sentence,
	      "search (peer 3, pid 4003) and hostd have waited for each other for 4.0 s: both rings");
	T_EQ(build_find(judge, "ring-full", FINDING_CONFIRMED)->consequence_of == f, 1);
	judge_destroy(judge);
	judge = rule_file(both_full);
	T_OK(rule_only(judge, "call-cycle"));
	judge_destroy(judge);
}

/* Its event thread serves the other peers meanwhile, and one look or the other sees it run. */
static void host_awake(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	both_full(st, hub, p, at);
	build_host_process(st)->thread[0].state = 'R';
	build_cpu(st, &build_host_process(st)->thread[0], 0.9 * at, 0.1 * at);
}

static void host_starved(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	host_awake(st, hub, p, at);
	build_cpu(st, &build_host_process(st)->thread[0], 0.01 * at, 0.9 * at);
}

TEST(a_host_that_does_other_things_beside_is_in_the_cycle_all_the_same)
{
	struct judge *judge = rule_looks(host_awake, 1);

	T_OK(rule_only(judge, "call-cycle"));
	judge_destroy(judge);
	judge = build_judge(rule_state(0, both_full), rule_state(0.5, host_awake), NULL);
	T_OK(rule_only(judge, "call-cycle"));
	judge_destroy(judge);
	judge = rule_looks(host_starved, 20); /* it may be about to read the ring */
	T_OK(!build_find(judge, "call-cycle", FINDING_CONFIRMED));
	judge_destroy(judge);
}

/* ---- what it is not ------------------------------------------------------------------------- */

static void other_thread(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	reentrant(st, hub, p, at);
	hub->call[2].for_call = 0; /* some other thread of the host calls the same peer */
	hub->call[2].for_peer = 0;
}

TEST(another_thread_that_calls_the_busy_peer_makes_no_cycle)
{
	struct judge *judge = rule_looks(other_thread, 1);

	T_OK(!build_find(judge, "call-cycle", FINDING_CONFIRMED));
	T_OK(!build_find(judge, "call-cycle", FINDING_SUSPECTED));
	judge_destroy(judge);
}

static void passes(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	chain(st, hub, p->id, p->id, 100 + (uint32_t)(at * 100), 0);
}

TEST(calls_that_change_from_look_to_look_are_no_closed_cycle)
{
	struct judge *judge = rule_looks(passes, 1);

	T_OK(!build_find(judge, "call-cycle", FINDING_CONFIRMED));
	judge_destroy(judge);
}

static void goes_on(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	reentrant(st, hub, p, at);
	p->beat = (struct state_beat){ HUB_BEAT_ASLEEP, 0, build_ago(st->now_us, 1) };
	p->flag = HUB_ASLEEP_MESSAGE;
	build_waiting(st, p, HUB_RECV, 0, 0);
}

TEST(a_peer_that_answers_later_from_its_loop_blocks_nobody)
{
	rule_none(rule_looks(goes_on, 1), "call-cycle");
}

static void a_chain(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	chain(st, hub, p->id, 5, 100, at);
}

TEST(a_chain_of_calls_that_ends_is_no_cycle)
{
	struct judge *judge = rule_looks(a_chain, 1);

	T_OK(!build_find(judge, "call-cycle", FINDING_SUSPECTED));
	T_OK(!build_find(judge, "call-cycle", FINDING_CONFIRMED));
	judge_destroy(judge);
}

static void full_and_stopped(struct state *st, struct state_hub *hub, struct state_peer *p,
			     double at)
{
	both_full(st, hub, p, at);
	build_stopped(st, p);
}

TEST(full_rings_of_a_stopped_peer_are_no_cycle)
{
	struct judge *judge = rule_looks(full_and_stopped, 2);

	T_OK(!build_find(judge, "call-cycle", FINDING_CONFIRMED));
	judge_destroy(judge);
}

/* ---- a lock in the circle ------------------------------------------------------------------- */

enum { CALLER = 4140, HANDLER = 4143, LOCK = 0x55d0c0a8 };

/* ask-1 holds a mutex and calls search; search asks the host, whose handler wants the mutex. */
static void lock_and_call(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_process *host = build_host_process(st);

	build_thread(st, host, CALLER, "ask-1");
	build_thread(st, host, HANDLER, "hub-handler");
	build_sleep(st, host, HANDLER, STATE_LOCK_MUTEX, LOCK, "locked", CALLER, 2.9 + at);
	build_call(st, hub, 0, p->id, 100, 3 + at)->tid = CALLER;
	struct state_call *y = build_call(st, hub, p->id, 0, 101, 2.9 + at);

	y->for_call = 100;
	y->method = 34;
	p->host_handler_tid = HANDLER;
	p->host_beat = (struct state_beat){ HUB_BEAT_HANDLER, 34, build_ago(st->now_us, 2.9 + at) };
}

TEST(a_mutex_and_a_call_that_wait_for_each_other_are_a_cycle)
{
	struct judge *judge = rule_looks(lock_and_call, 0.05);
	const struct finding *f = rule_only(judge, "call-cycle");

	T_EQ(f->where.peer, 3);
	T_EQ(f->where.tid, CALLER);
	T_STR(f->sentence,
	      "search and hostd have waited for each other for 2.9 s: tid 4140 \"ask-1\" waits for call "
	      "100 to search(3) which waits for its call 101, served by tid 4143 \"hub-handler\"; tid 4143 "
	      "\"hub-handler\" waits for mutex 0x55d0c0a8 (locked) held by tid 4140 \"ask-1\"");
	T_HAS(f->next[0], "mutex 0x55d0c0a8 (locked) is held during a call");
	T_OK(!build_find(judge, "deadlock", FINDING_CONFIRMED));
	judge_destroy(judge);
}

TEST(such_a_circle_has_to_be_seen_twice)
{
	struct judge *judge = build_judge(rule_state(0, lock_and_call), NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void of_another_handler(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	lock_and_call(st, hub, p, at);
	p->host_beat.method = 7;
}

TEST(a_handler_that_serves_another_call_closes_no_circle)
{
	rule_none(rule_looks(of_another_handler, 3), "call-cycle");
}

static void not_made_for_it(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	lock_and_call(st, hub, p, at);
	hub->call[1].for_call = 0;
}

TEST(a_call_that_the_peer_made_on_its_own_account_closes_no_circle)
{
	rule_none(rule_looks(not_made_for_it, 3), "call-cycle");
}

static void elsewhere(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	const char *const frames[] = { "poll", "wait_for_user", "main", NULL };

	lock_and_call(st, hub, p, at);
	state_find_thread(build_host_process(st), CALLER)->stack = build_stack(st, frames);
}

TEST(a_thread_that_is_not_in_its_call_waits_for_something_else)
{
	rule_none(rule_looks(elsewhere, 3), "call-cycle");
}

/* search's loop is in its handler and wants a file lock that the host has. */
static void file_and_call(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	build_handler(st, p, 5, 2.9 + at);
	build_sleep(st, build_process(st, p), p->pid, STATE_LOCK_FILE, 0, "/var/lib/db", 0, 2.9 + at)
		->owner_pid = BUILD_HOST_PID;
	build_loop(st, p)->state = 'S';
	build_loop(st, p)->disturbed = false;
	build_call(st, hub, 0, p->id, 100, 3 + at)->tid = BUILD_HOST_PID;
}

TEST(a_file_that_the_caller_has_locked_and_the_peer_wants_is_a_cycle)
{
	struct judge *judge = rule_looks(file_and_call, 0.05);

	T_HAS(rule_only(judge, "call-cycle")->sentence,
	      "tid 4000 \"hostd\" waits for call 100 to search(3) served by tid 4003 \"search\" of search "
	      "(pid 4003); tid 4003 \"search\" of search (pid 4003) waits for file lock of /var/lib/db "
	      "held by pid 4000 (hostd)");
	judge_destroy(judge);
}
