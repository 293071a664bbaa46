/*
 * Circles through pipes, sockets and children, and the many ways not to be one.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/state/ends.h"
#include "tests/rule_test.h"

enum { MAKE = 10, SORT = 11, THIRD = 12 };

/* ---- how threads wait ---------------------------------------------------------------------- */

static struct state_process *process(struct state *st, int32_t pid)
{
	struct state_process *p = state_find_process(st, pid, 0);

	if (p)
		return p;
	p = state_add_process(st);
	p->pid = pid;
	p->name = pid == MAKE ? "make" : pid == SORT ? "sort" : "third";
	p->source = STATE_LIVE;
	p->alive = STATE_YES;
	p->all_threads = true;
	p->dump_us = st->now_us;
	return p;
}

static struct state_thread *asleep(struct state *st, int32_t pid, int32_t tid, double seconds)
{
	struct state_thread *t = build_thread(st, process(st, pid), tid, "main");

	t->state = 'S';
	t->still_us = build_ago(st->now_us, seconds);
	return t;
}

/* It waits in that way for what the others have open; 0 ends the list. */
static struct state_thread *waits(struct state *st, int32_t pid, enum state_wait_kind kind, double seconds,
				  const int32_t *others)
{
	struct state_thread *t = asleep(st, pid, pid, seconds);
	struct state_party *party = arena_take(&st->arena, 4 * sizeof(*party));

	t->wait = kind;
	t->sys = kind == STATE_WAIT_WRITE ? SYS_write : SYS_read;
	t->end = arena_take(&st->arena, sizeof(*t->end));
	t->ends = t->ends_all = 1;
	*t->end = (struct state_end){ .fd = 3, .is = "pipe:[7]", .other = "pipe:[7]", .party = party,
				      .reads = kind != STATE_WAIT_WRITE,
				      .writes = kind == STATE_WAIT_WRITE, .all_known = true };
	for (; *others; others++)
		party[t->end->parties++] = (struct state_party){ *others, 4, "x" };
	return t;
}

static const int32_t make[] = { MAKE, 0 }, sort[] = { SORT, 0 }, both[] = { SORT, THIRD, 0 };

static void two(struct state *st, enum state_wait_kind a, enum state_wait_kind b, double seconds)
{
	waits(st, MAKE, a, seconds, sort);
	waits(st, SORT, b, seconds + 1, make);
}

static struct judge *judge_of(struct state *st)
{
	return build_judge(st, NULL);
}

/* ---- deadlocks ----------------------------------------------------------------------------- */

TEST(two_that_write_to_each_other_and_do_not_read_are_a_deadlock)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 3);
	struct judge *judge = judge_of(st);
	const struct finding *f = rule_only(judge, "deadlock");

	T_STR(f->sentence,
	      "2 threads of different processes wait for each other for at least 3.0 s: tid 10 \"main\" of "
	      "make (pid 10) waits for room in pipe:[7] (fd 3) whose other end has tid 11 \"main\" of sort "
	      "(pid 11); tid 11 \"main\" of sort (pid 11) waits for room in pipe:[7] (fd 3) whose other end "
	      "has tid 10 \"main\" of make (pid 10)");
	T_HAS(f->evidence_text, "none of them has run since, and nobody else has these files open");
	T_HAS(f->next[0], "each writes before it reads");
	judge_destroy(judge);
}

TEST(two_that_each_wait_for_the_other_to_speak_are_a_deadlock)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_READ, STATE_WAIT_READ, 3);
	struct judge *judge = judge_of(st);

	T_HAS(rule_only(judge, "deadlock")->next[0], "waits for the other to speak first");
	judge_destroy(judge);
}

TEST(a_parent_that_waits_for_a_child_whose_output_it_does_not_read_is_a_deadlock)
{
	struct state *st = build_state(0);
	struct state_party child = { SORT, -1, "sort" };

	struct state_thread *t = asleep(st, MAKE, MAKE, 5);
	t->wait = STATE_WAIT_CHILD;
	t->sys = SYS_wait4;
	t->child = &child;
	t->children = 1;
	waits(st, SORT, STATE_WAIT_WRITE, 4, make);
	struct judge *judge = judge_of(st);
	const struct finding *f = rule_only(judge, "deadlock");

	T_HAS(f->sentence, "waits for the end of its child 11");
	T_HAS(f->next[0], "read until its end of file, then wait for it");
	judge_destroy(judge);
}

TEST(a_lock_may_be_part_of_such_a_circle)
{
	struct state *st = build_state(0);

	waits(st, MAKE, STATE_WAIT_READ, 4, sort);
	waits(st, SORT, STATE_WAIT_READ, 4, make)->tid = 111;
	build_thread(st, process(st, SORT), SORT, "helper");
	process(st, MAKE)->thread[0].end->is = "socket:[1]";
	build_sleep(st, process(st, SORT), SORT, STATE_LOCK_MUTEX, 0x1000, "jobs_lock", 111, 4);
	state_find_thread(process(st, SORT), SORT)->still_us = build_ago(st->now_us, 4);
	state_find_thread(process(st, SORT), SORT)->state = 'S';
	struct judge *judge = judge_of(st);

	T_EQ(rule_only(judge, "deadlock")->edges, 3);
	judge_destroy(judge);
}

TEST(one_that_waits_in_its_loop_for_who_has_filled_its_pipe_is_a_deadlock)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_WRITE, STATE_WAIT_POLL, 3);
	struct judge *judge = judge_of(st);

	T_HAS(rule_only(judge, "deadlock")->next[0], "does not read what the other has filled");
	judge_destroy(judge);
}

TEST(one_that_fills_its_own_pipe_waits_for_itself)
{
	struct state *st = build_state(0);

	waits(st, MAKE, STATE_WAIT_WRITE, 3, make);
	struct judge *judge = judge_of(st);

	T_HAS(rule_only(judge, "deadlock")->sentence, "waits for itself");
	judge_destroy(judge);
}

TEST(all_that_could_help_and_wait_themselves_are_told)
{
	struct state *st = build_state(0);

	waits(st, MAKE, STATE_WAIT_WRITE, 3, both);
	waits(st, SORT, STATE_WAIT_WRITE, 3, make);
	waits(st, THIRD, STATE_WAIT_READ, 3, make);
	struct judge *judge = judge_of(st);
	const struct finding *f = rule_only(judge, "deadlock");

	T_EQ(f->edges, 3);
	T_EQ(f->edge[2].pid, THIRD);
	judge_destroy(judge);
}

/* ---- suspicions ---------------------------------------------------------------------------- */

static void suspected(struct state *st, bool asks_again)
{
	struct judge *judge = judge_of(st);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_EQ(judge_findings(judge)->wants_threads, asks_again);
	judge_destroy(judge);
}

TEST(one_that_ran_a_moment_ago_leaves_a_suspicion_that_a_second_look_can_settle)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 0.1);
	suspected(st, true);
}

TEST(since_when_somebody_has_not_run_has_to_be_known)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 5);
	process(st, SORT)->thread[0].still_us = 0;
	suspected(st, true);
}

TEST(where_somebody_else_may_have_the_file_it_stays_a_suspicion)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 5);
	process(st, SORT)->thread[0].end->all_known = false;
	suspected(st, false);
}

TEST(looks_at_each_of_them_that_have_no_moment_in_common_leave_a_suspicion)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 5);
	process(st, SORT)->dump_us = build_ago(st->now_us, 4.5);
	suspected(st, true);
	st = build_state(0);
	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 5);
	process(st, SORT)->dump_us = build_ago(st->now_us, 2.5);
	struct judge *judge = judge_of(st);

	rule_only(judge, "deadlock");
	judge_destroy(judge);
}

/* ---- what it is not ------------------------------------------------------------------------- */

static void none(struct state *st)
{
	rule_none(judge_of(st), "deadlock");
}

TEST(event_loops_that_wait_for_each_other_have_nothing_to_do)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_POLL, STATE_WAIT_POLL, 100);
	none(st);
	st = build_state(0);
	two(st, STATE_WAIT_POLL, STATE_WAIT_READ, 100);
	none(st);
}

TEST(a_wait_with_a_time_limit_ends)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 100);
	process(st, SORT)->thread[0].timed = true;
	none(st);
}

TEST(another_thread_of_the_process_may_do_it)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 100);
	asleep(st, SORT, 111, 100)->wait = STATE_WAIT_SLEEP;
	none(st);
	st = build_state(0);
	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 100);
	process(st, SORT)->all_threads = false;
	none(st);
	st = build_state(0);
	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 100);
	asleep(st, SORT, 111, 100)->state = 'R';
	none(st);
}

TEST(a_third_process_that_has_the_file_may_do_it)
{
	struct state *st = build_state(0);

	waits(st, MAKE, STATE_WAIT_WRITE, 100, both);
	waits(st, SORT, STATE_WAIT_WRITE, 100, make);
	none(st); /* it was not looked at */
	st = build_state(0);
	waits(st, MAKE, STATE_WAIT_WRITE, 100, both);
	waits(st, SORT, STATE_WAIT_WRITE, 100, make);
	asleep(st, THIRD, THIRD, 100)->wait = STATE_WAIT_SLEEP;
	none(st);
}

TEST(its_own_signal_handler_may_write_to_a_pipe_that_it_reads_from)
{
	static const int32_t itself_too[] = { MAKE, SORT, 0 };
	struct state *st = build_state(0);

	waits(st, MAKE, STATE_WAIT_READ, 100, itself_too);
	waits(st, SORT, STATE_WAIT_WRITE, 100, make);
	none(st);
}

TEST(without_a_handler_nobody_writes_to_a_pipe_that_its_reader_has_open_itself)
{
	static const int32_t itself_too[] = { MAKE, SORT, 0 };
	struct state *st = build_state(0);

	waits(st, MAKE, STATE_WAIT_READ, 100, itself_too);
	waits(st, SORT, STATE_WAIT_WRITE, 100, make);
	process(st, MAKE)->handles = STATE_NO;
	struct judge *judge = judge_of(st);

	T_EQ(rule_only(judge, "deadlock")->edges, 2);
	judge_destroy(judge);
}

TEST(one_file_of_many_that_nobody_is_known_for_is_enough)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_WRITE, STATE_WAIT_POLL, 100);
	struct state_thread *t = &process(st, SORT)->thread[0];
	struct state_end *end = arena_take(&st->arena, 2 * sizeof(*end));

	end[0] = *t->end;
	end[1] = (struct state_end){ .fd = 9, .is = "anon_inode:[timerfd]", .reads = true };
	t->end = end;
	t->ends = t->ends_all = 2;
	none(st);
	/* or one that was only counted */
	st = build_state(0);
	two(st, STATE_WAIT_WRITE, STATE_WAIT_POLL, 100);
	process(st, SORT)->thread[0].ends_all = 2;
	none(st);
}

TEST(what_is_as_it_was_last_seen_proves_nothing)
{
	struct state *st = build_state(0);

	two(st, STATE_WAIT_WRITE, STATE_WAIT_WRITE, 100);
	process(st, SORT)->carried = true;
	none(st);
}
