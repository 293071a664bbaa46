#include "tests/rule_test.h"

static void spinning(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	const char *const frames[] = { "parse_all", "on_page", "main", NULL };

	(void)hub;
	build_spinning(st, p, 5 + at);
	build_loop(st, p)->stack = build_stack(st, frames);
	state_join(st);
}

TEST(a_handler_that_runs_for_ever_is_found_with_its_stack)
{
	struct judge *judge = rule_looks(spinning, 1);
	const struct finding *f = rule_only(judge, "consumer-stalled");

	T_EQ(f->where.peer, 3);
	T_EQ(f->where.tid, 4003);
	T_STR(f->where.site, "on_page main.c:10");
	T_HAS(f->sentence,
	      "search (peer 3, pid 4003) stalls: running in its handler of method 5 for 5.9 s "
	      "with 3 messages waiting");
	T_HAS(f->evidence_text, "tid 4003 running (stack S1)");
	judge_destroy(judge);
}

static void starved(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_spinning(st, p, 3 + at);
}

TEST(a_handler_that_may_only_get_no_cpu_is_given_five_seconds)
{
	struct judge *judge = rule_looks(starved, 1);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_OK(build_find(judge, "consumer-stalled", FINDING_SUSPECTED));
	judge_destroy(judge);
}

/* ---- did it get a CPU? ---------------------------------------------------------------------- */

static double ran_each_second, queued_each_second;

static void watched(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_spinning(st, p, 1.6 + at);
	build_cpu(st, build_loop(st, p), 7 + ran_each_second * at, 5 + queued_each_second * at);
}

static void watched_asleep(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_blocked(st, p, 1.6 + at);
	build_cpu(st, build_loop(st, p), 7 + ran_each_second * at, 5 + queued_each_second * at);
}

TEST(two_seconds_are_enough_for_one_that_is_seen_to_run)
{
	ran_each_second = 0.9;
	queued_each_second = 0.1;
	struct judge *judge = rule_looks(watched, 1);
	const struct finding *f = rule_only(judge, "consumer-stalled");

	T_HAS(f->evidence_text, ", it ran 0.9 s of the 1.0 s watched, unchanged in 2 samples");
	T_EQ(f->dwell_us, 2000000);
	judge_destroy(judge);
}

TEST(one_that_gets_no_cpu_is_not_called_stalled_however_long_it_takes)
{
	ran_each_second = 0.01;
	queued_each_second = 0.99;
	struct judge *judge = rule_looks(watched, 30);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_HAS(build_find(judge, "consumer-stalled", FINDING_SUSPECTED)->evidence_text,
	      "it ran 0.3 s of the 30 s watched: it may only wait for a CPU");
	judge_destroy(judge);
}

/* As the kernel has it: a wait that is not over is in no count. */
TEST(a_wait_for_a_cpu_that_goes_on_is_no_time_of_its_own)
{
	ran_each_second = queued_each_second = 0;
	struct judge *judge = rule_looks(watched, 30);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

TEST(one_that_gets_little_is_found_once_it_had_enough_to_get_on)
{
	ran_each_second = 0.1;
	queued_each_second = 0.9;
	struct judge *judge = build_judge(rule_state(0, watched), rule_state(4, watched), NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
	judge = build_judge(rule_state(0, watched), rule_state(4, watched), rule_state(6, watched),
			    NULL);
	T_HAS(rule_only(judge, "consumer-stalled")->evidence_text,
	      "it ran 0.6 s of the 6.0 s watched, unchanged in 3 samples");
	judge_destroy(judge);
}

TEST(one_that_is_starved_and_asleep_for_a_moment_is_not_called_stalled)
{
	ran_each_second = 0.01;
	queued_each_second = 0.98;
	struct judge *judge = rule_looks(watched_asleep, 10);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_HAS(build_find(judge, "consumer-stalled", FINDING_SUSPECTED)->evidence_text,
	      "it slept or ran 0.2 s of the 10 s watched");
	judge_destroy(judge);
}

TEST(two_seconds_are_enough_for_one_that_sleeps_in_something_else)
{
	ran_each_second = queued_each_second = 0;
	struct judge *judge = rule_looks(watched_asleep, 0.5);

	T_EQ(rule_only(judge, "consumer-stalled")->dwell_us, 2000000);
	judge_destroy(judge);
}

/* It asks again and again whether something is there, and sleeps in between. */
TEST(one_that_sleeps_and_wakes_is_found_whichever_a_look_sees)
{
	ran_each_second = 0.01;
	queued_each_second = 0.01;
	struct judge *judge = build_judge(rule_state(0, watched), rule_state(1, watched_asleep),
					  rule_state(2, watched), NULL);

	rule_only(judge, "consumer-stalled");
	judge_destroy(judge);
}

/* Seen in a dump whose two looks stand close together, or in one look. */
TEST(where_its_share_is_not_known_it_has_five_seconds)
{
	ran_each_second = queued_each_second = 0;
	struct judge *judge = rule_looks(watched, 0.05);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_HAS(build_find(judge, "consumer-stalled", FINDING_SUSPECTED)->evidence_text,
	      "whether it gets a CPU is not known: confirmed after 5.0 s");
	judge_destroy(judge);
	judge = rule_looks(spinning, 1);
	T_EQ(rule_only(judge, "consumer-stalled")->dwell_us, 5000000);
	judge_destroy(judge);
}

static void old_and_watched(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_spinning(st, p, 6 + at);
	build_cpu(st, build_loop(st, p), 7 + ran_each_second * at, 5 + queued_each_second * at);
}

/* Two dumps, a second apart: the two looks of the first know nothing but its age. */
TEST(a_later_dump_takes_back_what_an_earlier_one_could_only_guess)
{
	struct judge *judge = rule_looks(old_and_watched, 0.01);

	T_OK(rule_only(judge, "consumer-stalled"));
	judge_destroy(judge);
	ran_each_second = 0.02;
	judge = build_judge(rule_state(0, old_and_watched), rule_state(0.01, old_and_watched),
			    rule_state(1, old_and_watched), NULL);
	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_EQ(build_count(judge, FINDING_CLEARED), 0);
	T_OK(build_find(judge, "consumer-stalled", FINDING_SUSPECTED));
	judge_destroy(judge);
	ran_each_second = 0.9;
	judge = build_judge(rule_state(0, old_and_watched), rule_state(0.01, old_and_watched),
			    rule_state(1, old_and_watched), NULL);
	T_OK(rule_only(judge, "consumer-stalled"));
	judge_destroy(judge);
}

static void next_call(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	p->ring[HUB_RECV].tail += at > 5;
	watched(st, hub, p, at > 5 ? at - 5 : at);
	build_cpu(st, build_loop(st, p), 7 + at * 0.2, 5);
}

TEST(what_it_ran_for_an_earlier_message_does_not_count)
{
	struct judge *judge = build_judge(rule_state(0, next_call), rule_state(1, next_call),
					  rule_state(6, next_call), rule_state(7, next_call), NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_HAS(build_find(judge, "consumer-stalled", FINDING_SUSPECTED)->evidence_text,
	      "it ran 0.2 s of the 1.0 s watched");
	judge_destroy(judge);
}

/* ---- where it is ---------------------------------------------------------------------------- */

static void blocked(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_blocked(st, p, 4 + at);
}

TEST(a_handler_that_blocks_says_in_what_and_on_what)
{
	struct judge *judge = rule_looks(blocked, 1);
	const struct finding *f = rule_only(judge, "consumer-stalled");

	T_HAS(f->sentence, "stalls: blocked in read on pipe:[1234] in its handler of method 5 for");
	judge_destroy(judge);
}

/* libshmhub linked into the program: the place to look at is where it was called. */
static void in_the_hub(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	const char *const frames[] = { "poll", "wait_here", "shmhub_peer_call", "ask_host", "main",
				       NULL };

	blocked(st, hub, p, at);
	const int stack = build_stack(st, frames);

	st->stack[stack].frame[1].file = "hub_peer_take.c";
	st->stack[stack].frame[2].file = "hub_peer_call.c";
	build_loop(st, p)->stack = stack;
	state_join(st);
}

TEST(the_site_of_a_wait_inside_libshmhub_is_its_caller)
{
	struct judge *judge = rule_looks(in_the_hub, 1);

	T_STR(rule_only(judge, "consumer-stalled")->where.site, "ask_host main.c:30");
	judge_destroy(judge);
}

static void in_poll(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	blocked(st, hub, p, at);
	build_loop(st, p)->wait = STATE_WAIT_POLL; /* a connect with a time-out, say */
	build_loop(st, p)->wait_text = "poll on socket:[77]";
}

TEST(a_poll_inside_a_handler_is_no_sleep_of_the_loop)
{
	struct judge *judge = rule_looks(in_poll, 1);

	T_HAS(rule_only(judge, "consumer-stalled")->sentence, "blocked in poll on socket:[77]");
	judge_destroy(judge);
}

static void spinning_for_long(struct state *st, struct state_hub *hub, struct state_peer *p,
			      double at)
{
	spinning(st, hub, p, at + 1);
}

TEST(a_file_tells_it_by_the_beat)
{
	struct judge *judge = rule_file(spinning_for_long);

	T_HAS(rule_only(judge, "consumer-stalled")->sentence, "busy in its handler of method 5");
	judge_destroy(judge);
}

TEST(a_file_does_not_take_a_handler_without_a_cpu_for_a_stuck_one)
{
	struct judge *judge = rule_file(starved);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_OK(build_find(judge, "consumer-stalled", FINDING_SUSPECTED));
	judge_destroy(judge);
}

static void busy_with_one_call(struct state *st, struct state_hub *hub, struct state_peer *p,
			       double at)
{
	build_handler(st, p, 5, 4.5 + at);
	build_call(st, hub, 0, 3, 100, 4.5 + at);
}

TEST(a_single_call_in_a_handler_without_end_takes_longer_to_confirm)
{
	struct judge *judge = rule_looks(busy_with_one_call, 0.4);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
	judge = rule_looks(busy_with_one_call, 1);
	T_HAS(rule_only(judge, "consumer-stalled")->sentence, "with its caller waiting");
	judge_destroy(judge);
}

static void host_blocked(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_thread *t = &build_host_process(st)->thread[0];

	t->wait = STATE_WAIT_LOCK;
	t->wait_text = "flock on /tmp/x";
	for (unsigned id = 1; id <= 16; id++)
		build_peer(hub, id)->host_flag = 0;
	build_waiting(st, p, HUB_SEND, 4, 3 + at);
	build_waiting(st, build_peer(hub, 5), HUB_SEND, 1, 2.5 + at);
}

TEST(a_blocked_host_is_one_finding_with_the_other_rings_as_its_consequences)
{
	struct judge *judge = rule_looks(host_blocked, 1);
	const struct finding *f = rule_only(judge, "consumer-stalled");

	T_HAS(f->sentence,
	      "hostd (host, pid 4000) stalls at search(3) send ring: blocked in flock");
	T_EQ(judge_findings(judge)->confirmed[SEVERITY_WARNING], 2);
	judge_destroy(judge);
}

static void drained_and_not_read(struct state *st, struct state_hub *hub, struct state_peer *p,
				 double at)
{
	(void)hub;
	build_deaf(st, p, 3 + at);
	p->ring[HUB_RECV].bell = 0;
}

TEST(a_bell_that_was_taken_without_reading_is_a_stall)
{
	struct judge *judge = rule_looks(drained_and_not_read, 1);

	T_HAS(rule_only(judge, "consumer-stalled")->sentence, "asleep again after it was woken");
	judge_destroy(judge);
}

/* ---- what it is not ------------------------------------------------------------------------- */

static void slow(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	spinning(st, hub, p, 4);
	p->beat.since_us = p->ring[HUB_RECV].take_us = build_ago(st->now_us, 0.9); /* per message */
	p->ring[HUB_RECV].tail += (uint64_t)at;
}

TEST(a_slow_consumer_that_moves_is_not_stalled)
{
	struct judge *judge = build_judge(rule_state(0, slow), rule_state(1, slow),
					  rule_state(2, slow), rule_state(3, slow), NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void stopped(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	spinning(st, hub, p, at);
	build_stopped(st, p);
}

TEST(a_stopped_process_is_not_stalled)
{
	struct judge *judge = rule_looks(stopped, 3);

	T_OK(rule_only(judge, "peer-stopped"));
	T_OK(!build_find(judge, "consumer-stalled", FINDING_CONFIRMED));
	judge_destroy(judge);
}

static void starting(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	spinning(st, hub, p, at);
	p->state = HUB_PEER_STARTING;
}

TEST(a_peer_that_has_not_attached_yet_is_not_stalled)
{
	rule_none(rule_looks(starting, 3), "consumer-stalled");
}

static void just_attached(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	spinning(st, hub, p, at);
	p->started_us = build_ago(st->now_us, 1); /* the messages waited for it */
}

TEST(what_was_sent_before_the_peer_started_does_not_count_as_waiting)
{
	struct judge *judge = rule_looks(just_attached, 0.5);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

static void waits_for_the_host(struct state *st, struct state_hub *hub, struct state_peer *p,
			       double at)
{
	blocked(st, hub, p, at);
	build_call(st, hub, 3, 0, 700, 3.5 + at);
	build_lost_bell(st, p, HUB_SEND, 3.4 + at);
}

TEST(a_handler_that_waits_for_a_host_that_hangs_is_its_consequence)
{
	struct judge *judge = rule_looks(waits_for_the_host, 1);
	const struct finding *f = rule_only(judge, "missed-wakeup");
	const struct finding *g = build_find(judge, "consumer-stalled", FINDING_CONFIRMED);

	T_OK(g);
	T_OK(g->consequence_of == f);
	judge_destroy(judge);
}
