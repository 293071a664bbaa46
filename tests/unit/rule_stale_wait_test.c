#include "tests/rule_test.h"

enum { FIRST = 4140, WORD = 0x55d0c0a8 };

struct sleep {
	enum state_lock_kind kind;
	uint32_t expected, value;
	unsigned n;          /* sleepers */
	double seconds;
	const char *frame;   /* what they are in; NULL */
	bool shared, moved, runner;
};
static struct sleep is; /* of the test at hand */

static void asleep(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	struct state_process *host = build_host_process(st);
	const char *const frames[] = { "futex_wait", is.frame ? is.frame : "work", "main", NULL };

	(void)hub, (void)p;
	for (unsigned i = 0; i < is.n; i++) {
		build_thread(st, host, FIRST + (int32_t)i, "sleeper")->stack = build_stack(st, frames);
		struct state_lock *lock = build_sleep(st, host, FIRST + (int32_t)i, is.kind, WORD, "news",
						      0, is.seconds + at);

		lock->expected = is.expected;
		lock->value[0] = lock->value[1] = is.value;
		lock->is_private = !is.shared;
		lock->moved = is.moved && i == is.n - 1;
	}
	if (is.runner)
		build_thread(st, host, FIRST + 500, "runner")->state = 'R';
}

static struct judge *looks(struct sleep what)
{
	is = what;
	if (!is.n)
		is.n = 1;
	if (is.seconds == 0)
		is.seconds = 3;
	return rule_looks(asleep, 1);
}

static void confirmed(struct sleep what, const char *words)
{
	struct judge *judge = looks(what);

	T_HAS(rule_only(judge, "stale-wait")->sentence, words);
	judge_destroy(judge);
}

static void suspected(struct sleep what)
{
	struct judge *judge = looks(what);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	T_OK(build_find(judge, "stale-wait", FINDING_SUSPECTED));
	judge_destroy(judge);
}

TEST(one_sleeper_on_a_word_that_has_changed_was_not_woken)
{
	confirmed((struct sleep){ .kind = STATE_LOCK_FUTEX, .expected = 0, .value = 1 },
		  "hostd (host, pid 4000) hangs: tid 4140 \"sleeper\" has slept for 4.0 s waiting for "
		  "futex 0x55d0c0a8 (news), which is not 0 any more but 1; nobody woke it");
}

TEST(what_it_is_decides_how_it_is_told)
{
	confirmed((struct sleep){ .kind = STATE_LOCK_SEM, .expected = 0, .value = 2 },
		  "semaphore 0x55d0c0a8 (news), whose value is 2");
	confirmed((struct sleep){ .kind = STATE_LOCK_COND, .expected = 0, .value = 2 },
		  "condition variable 0x55d0c0a8 (news), which was signalled");
	confirmed((struct sleep){ .kind = STATE_LOCK_MUTEX, .expected = 2, .value = 0 },
		  "mutex 0x55d0c0a8 (news), which nobody has");
	confirmed((struct sleep){ .kind = STATE_LOCK_MUTEX, .expected = 2, .value = 1 },
		  "which was taken without the mark");
	confirmed((struct sleep){ .kind = STATE_LOCK_BARRIER, .expected = 5, .value = 9 },
		  "barrier 0x55d0c0a8 (news), which all have reached");
	confirmed((struct sleep){ .kind = STATE_LOCK_READ, .expected = 3, .value = 2 },
		  "rwlock (to read) 0x55d0c0a8 (news), which is not 3 any more but 2");
}

TEST(two_seconds_have_to_pass)
{
	struct judge *judge = looks((struct sleep){ .kind = STATE_LOCK_FUTEX, .value = 1, .seconds = 0.5 });

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}

TEST(a_lock_that_is_free_for_all_who_sleep_on_it_is_lost)
{
	confirmed((struct sleep){ .kind = STATE_LOCK_FUTEX, .expected = 2, .value = 0, .n = 2 },
		  "2 threads (tid 4140 \"sleeper\", 4141) have slept");
	confirmed((struct sleep){ .kind = STATE_LOCK_MUTEX, .expected = 2, .value = 0, .n = 150 },
		  "150 threads (tid 4140 \"sleeper\", 4141, 4142, 4143, ...)");
}

TEST(several_sleepers_on_a_word_that_is_no_lock_prove_nothing)
{
	suspected((struct sleep){ .kind = STATE_LOCK_FUTEX, .expected = 0, .value = 1, .n = 2 });
}

TEST(a_lock_that_somebody_has_is_not_lost)
{
	suspected((struct sleep){ .kind = STATE_LOCK_MUTEX, .expected = 2, .value = 1, .n = 2 });
}

TEST(a_thread_that_runs_may_be_the_one_that_was_woken)
{
	suspected((struct sleep){ .kind = STATE_LOCK_MUTEX, .expected = 2, .n = 2, .runner = true });
	confirmed((struct sleep){ .kind = STATE_LOCK_MUTEX, .expected = 2, .n = 1, .runner = true },
		  "which nobody has");
}

TEST(words_in_shared_memory_may_have_sleepers_that_were_not_seen)
{
	suspected((struct sleep){ .kind = STATE_LOCK_MUTEX, .expected = 2, .shared = true });
}

TEST(counters_wake_one_of_several)
{
	suspected((struct sleep){ .kind = STATE_LOCK_FUTEX, .expected = 7, .value = 8 });
	suspected((struct sleep){ .kind = STATE_LOCK_FUTEX, .expected = 3, .value = 2 });
	suspected((struct sleep){ .kind = STATE_LOCK_FUTEX, .value = 1,
				  .frame = "std::sys::sync::condvar::futex::Condvar::wait" });
	confirmed((struct sleep){ .kind = STATE_LOCK_FUTEX, .expected = 3, .value = 0 }, "not 3 any more");
}

static void is_none(struct sleep what)
{
	rule_none(looks(what), "stale-wait");
}

TEST(a_word_that_has_not_changed_is_an_ordinary_wait)
{
	is_none((struct sleep){ .kind = STATE_LOCK_FUTEX, .expected = 7, .value = 7 });
	is_none((struct sleep){ .kind = STATE_LOCK_SEM, .expected = 0, .value = 0, .n = 9 });
}

TEST(a_word_whose_sleepers_come_and_go_is_healthy)
{
	is_none((struct sleep){ .kind = STATE_LOCK_MUTEX, .expected = 2, .n = 150, .moved = true });
}

static void sleeps_anew(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	is = (struct sleep){ .kind = STATE_LOCK_FUTEX, .value = 1, .n = 1, .seconds = 0.7 - at };
	asleep(st, hub, p, at);
}

TEST(a_sleeper_that_ran_in_between_sleeps_anew)
{
	struct judge *judge = rule_looks(sleeps_anew, 3);

	T_EQ(build_count(judge, FINDING_CONFIRMED), 0);
	judge_destroy(judge);
}
