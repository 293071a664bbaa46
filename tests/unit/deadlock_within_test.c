/*
 * All threads of a process wait for each other's wake-ups; and the many ways not to.
 */
#include <string.h>

#include "tests/rule_test.h"

enum { PYTHON = 700, WORKER = 701, OTHER = 702 };

static struct state_process *process(struct state *st)
{
	struct state_process *p = state_find_process(st, PYTHON, 0);

	if (p)
		return p;
	p = state_add_process(st);
	p->pid = PYTHON;
	p->name = "python3";
	p->source = STATE_LIVE;
	p->alive = STATE_YES;
	p->handles = STATE_NO;
	p->all_threads = true;
	return p;
}

static struct state_lock *sleeps(struct state *st, int32_t tid, enum state_lock_kind kind, int32_t owner,
				 double seconds)
{
	build_thread(st, process(st), tid, tid == PYTHON ? "python3" : "worker");
	return build_sleep(st, process(st), tid, kind, 0x1000u * (unsigned)tid, NULL, owner, seconds);
}

/* main joins a worker that waits for its queue; nobody fills it any more. */
static struct state *stuck(double seconds)
{
	struct state *st = build_state(0);

	sleeps(st, PYTHON, STATE_LOCK_JOIN, WORKER, seconds + 1)->is_private = false;
	sleeps(st, WORKER, STATE_LOCK_COND, 0, seconds + 2);
	sleeps(st, OTHER, STATE_LOCK_SEM, 0, seconds);
	return st;
}

static struct state_lock *lock_of(struct state *st, int32_t tid)
{
	return state_find_thread(process(st), tid)->lock;
}

static void is(struct state *st, unsigned confirmed, unsigned suspected, bool asks_again)
{
	struct judge *judge = build_judge(st, NULL);

	T_EQ(build_count(judge, FINDING_CONFIRMED), confirmed);
	T_EQ(build_count(judge, FINDING_SUSPECTED), suspected);
	T_EQ(judge_findings(judge)->wants_threads, asks_again);
	judge_destroy(judge);
}

/* They may be meant to stand so. */
static const struct finding *suspected(struct judge *judge)
{
	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	return build_find(judge, "deadlock", FINDING_SUSPECTED);
}

TEST(threads_of_which_none_is_left_to_wake_another_are_suspected_of_a_deadlock)
{
	struct judge *judge = build_judge(stuck(3), NULL);
	const struct finding *f = suspected(judge);

	T_STR(f->sentence,
	      "all 3 threads of python3 (pid 700) wait for at least 3.0 s for wake-ups that only they could "
	      "give: tid 700 \"python3\" waits for the end of tid 701; tid 701 \"worker\" waits for condition "
	      "variable 0x2bd000; tid 702 \"worker\" waits for semaphore 0x2be000");
	T_STR(f->brief, "all 3 threads wait for wake-ups that only they could give");
	T_EQ(f->where.tid, PYTHON);
	T_EQ(f->edges, 3);
	T_HAS(f->evidence_text, "they may be meant to stand so until the process is ended");
	T_EQ(judge_findings(judge)->wants_threads, false);
	judge_destroy(judge);
}

TEST(locks_of_python_are_called_so)
{
	const char *const frames[] = { "sem_wait", "PyThread_acquire_lock_timed", "main", NULL };
	struct state *st = stuck(3);

	state_find_thread(process(st), OTHER)->stack = build_stack(st, frames);
	struct judge *judge = build_judge(st, NULL);

	T_HAS(suspected(judge)->next[1], "py-spy dump -p 700");
	judge_destroy(judge);
}

TEST(what_has_hardly_begun_is_looked_at_again)
{
	is(stuck(0.5), 0, 1, true);
	struct state *st = stuck(3);

	state_find_thread(process(st), OTHER)->still_us = 0; /* just now, as far as is known */
	is(st, 0, 0, true);
}

TEST(a_handler_may_wake_one)
{
	struct state *st = stuck(3);
	struct judge *judge;

	process(st)->handles = STATE_YES;
	judge = build_judge(st, NULL);
	T_HAS(suspected(judge)->sentence, "that only they, or a handler of a signal, could give");
	T_EQ(judge_findings(judge)->wants_threads, false);
	judge_destroy(judge);
	st = stuck(3);
	process(st)->handles = STATE_UNKNOWN;
	is(st, 0, 1, false);
}

TEST(one_that_may_go_on_may_wake_the_others)
{
	struct state *st = stuck(100);

	lock_of(st, OTHER)->is_timed = true;
	is(st, 0, 0, false);
	st = stuck(100); /* in an event loop */
	build_thread(st, process(st), 703, "loop");
	is(st, 0, 0, false);
	st = stuck(100); /* another process can reach the word */
	lock_of(st, OTHER)->is_private = false;
	is(st, 0, 0, false);
	st = stuck(100); /* on its way already */
	state_find_thread(process(st), OTHER)->moved = true;
	is(st, 0, 0, false);
	st = stuck(100);
	state_find_thread(process(st), OTHER)->state = 'R';
	is(st, 0, 0, false);
	st = stuck(100); /* some were not looked at */
	process(st)->left_out = 1;
	is(st, 0, 0, false);
	st = stuck(100);
	process(st)->all_threads = false;
	is(st, 0, 0, false);
}

TEST(our_own_thread_wakes_nobody_of_the_program)
{
	struct state *st = stuck(3);

	build_thread(st, process(st), 704, "sigdump")->own = true;
	is(st, 0, 1, false);
}

TEST(a_circle_of_locks_among_them_is_told_once)
{
	struct state *st = stuck(3);

	sleeps(st, 705, STATE_LOCK_MUTEX, 706, 3);
	sleeps(st, 706, STATE_LOCK_MUTEX, 705, 3);
	struct judge *judge = build_judge(st, NULL);

	T_EQ(rule_only(judge, "deadlock")->edges, 2);
	judge_destroy(judge);
}

TEST(one_that_is_alone_may_mean_to_sleep_for_ever)
{
	struct state *st = build_state(0);

	sleeps(st, PYTHON, STATE_LOCK_SEM, 0, 100);
	is(st, 0, 0, false);
}

TEST(a_lock_of_the_c_library_that_a_fork_has_copied_is_never_given_back)
{
	struct state *st = build_state(0);

	sleeps(st, PYTHON, STATE_LOCK_LOW, 0, 3);
	struct judge *judge = build_judge(st, NULL);
	const struct finding *f = rule_only(judge, "deadlock");

	T_HAS(f->sentence, "the only thread of python3 (pid 700) waits for at least 3.0 s for wake-ups that "
			   "only another one could give");
	T_HAS(f->evidence_text, "none of them has run since, and none has a time limit");
	T_HAS(f->next[0], "between fork and exec");
	judge_destroy(judge);
	st = build_state(0);
	sleeps(st, PYTHON, STATE_LOCK_LOW, 0, 3);
	process(st)->handles = STATE_YES;
	is(st, 0, 1, false);
}

TEST(from_a_feed_it_is_told_once_it_has_lasted)
{
	struct state *st = stuck(3);

	process(st)->alive = STATE_UNKNOWN;
	process(st)->handles = STATE_UNKNOWN;
	is(st, 0, 1, false);
	st = stuck(0.5);
	process(st)->alive = STATE_UNKNOWN;
	is(st, 0, 0, false);
}
