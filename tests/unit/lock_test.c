/*
 * What threads sleep on, held against programs that say what they do: tests/fixture/locks.c.
 */
#include "lib/state/lock.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/state/process_look.h"
#include "lib/state/symbolize.h"
#include "tests/program.h"
#include "tests/state_build.h"
#include "tests/t.h"

static struct program prog;
static struct process_look *looker;
static struct state st;

/* A look at the fixture, with names for what it does or without. */
static void look(const char *mode, bool with_names)
{
	struct sym_cache *cache;

	program_start(&prog, "locks", mode, NULL);
	program_expect(&prog, "ready");
	looker = process_look_create();
	process_look_begin(looker);
	state_init(&st);
	T_EQ(process_look_fill(looker, &st, prog.pid, 0, NULL, 0, true), 1);
	T_EQ(state_join(&st), 0);
	if (!with_names)
		return;
	T_EQ(sym_create(&(struct sym_options){ NULL }, &cache, NULL), 0);
	T_EQ(state_symbolize(&st, cache, NULL), 0);
	sym_destroy(cache);
}

static void end_look(void)
{
	state_fini(&st);
	process_look_destroy(looker);
	program_end(&prog);
}

static const struct state_thread *thread(const char *name)
{
	for (size_t i = 0; i < st.process[0].threads; i++)
		if (strcmp(st.process[0].thread[i].name, name) == 0)
			return &st.process[0].thread[i];
	T_FAIL("no thread %s", name);
	return NULL;
}

/* `name` waits for a lock of that kind and name, held by thread `owner` (NULL: nobody known). */
static const struct state_lock *expect(const char *name, enum state_lock_kind kind,
				       const char *lock_name, const char *owner)
{
	const struct state_lock *lock = thread(name)->lock;

	T_OK(lock);
	T_STR(lock_kind_name(lock->kind), lock_kind_name(kind));
	if (lock_name)
		T_STR(lock->name ? lock->name : "-", lock_name);
	if (!owner) {
		T_EQ(lock->owner_tid, 0);
		return lock;
	}
	T_STR(lock->owner_name ? lock->owner_name : "-", owner);
	T_EQ(lock->owner_tid, thread(owner)->tid);
	T_EQ(lock->owner_pid, prog.pid);
	T_EQ(lock->owner_alive, STATE_YES);
	T_EQ(lock->looks, 2);
	T_OK(lock->to_us > lock->from_us);
	return lock;
}

TEST(a_mutex_has_a_name_and_an_owner)
{
	look("two", true);
	T_OK(expect("flush", STATE_LOCK_MUTEX, "cache_lock", "query-1")->sure);
	T_OK(expect("query-1", STATE_LOCK_MUTEX, "index_lock", "flush")->sure);
	T_HAS(thread("flush")->wait_text, "pthread_mutex_lock on 0x");
	T_HAS(thread("flush")->wait_text, " (cache_lock) held by tid ");
	T_HAS(thread("flush")->wait_text, " \"query-1\"");
	T_OK(!thread("locks")->lock);
	end_look();
}

TEST(of_readers_of_a_rwlock_it_is_known_how_many_there_are)
{
	look("readers", true);
	const struct state_lock *lock = expect("reload", STATE_LOCK_WRITE, "config_lock", NULL);

	T_EQ(lock->readers, 2);
	T_HAS(thread("reload")->wait_text,
	      "(config_lock) held by 2 readers; who they are is not recorded");
	end_look();
}

TEST(the_writer_of_a_rwlock_is_known_to_who_waits_to_read)
{
	look("writer", true);
	T_EQ(expect("reader-1", STATE_LOCK_READ, "config_lock", "reload")->readers, 0);
	T_EQ(expect("reader-2", STATE_LOCK_READ, "config_lock", "reload")->readers, 0);
	T_HAS(thread("reader-2")->wait_text, "(config_lock) held by tid ");
	end_look();
}

TEST(without_names_a_mutex_is_known_by_its_bytes_and_not_for_sure)
{
	look("two", false);
	T_OK(!expect("flush", STATE_LOCK_MUTEX, NULL, "query-1")->sure);
	T_OK(!expect("query-1", STATE_LOCK_MUTEX, NULL, "flush")->sure);
	end_look();
}

TEST(recursive_and_checking_mutexes_have_owners)
{
	look("recursive", true);
	expect("flush", STATE_LOCK_MUTEX, "cache_lock", "query-1");
	expect("query-1", STATE_LOCK_MUTEX, "index_lock", "flush");
	end_look();
}

TEST(a_mutex_with_priority_inheritance_has_its_owner_in_the_word)
{
	look("pi", false);
	T_OK(!expect("flush", STATE_LOCK_MUTEX, NULL, "query-1")->sure);
	T_OK(expect("query-1", STATE_LOCK_MUTEX, NULL, "flush")->sure);
	end_look();
}

TEST(a_robust_mutex_has_its_owner_in_the_word)
{
	look("robust", true);
	expect("flush", STATE_LOCK_MUTEX, "cache_lock", "query-1");
	expect("query-1", STATE_LOCK_MUTEX, "index_lock", "flush");
	end_look();
}

TEST(a_thread_can_wait_for_itself)
{
	look("self", true);
	expect("flush", STATE_LOCK_MUTEX, "index_lock", "flush");
	end_look();
}

TEST(a_rwlock_is_owned_by_its_writer)
{
	look("rwlock", true);
	expect("reload", STATE_LOCK_WRITE, "users_lock", "login");
	expect("login", STATE_LOCK_READ, "config_lock", "reload");
	end_look();
}

TEST(a_join_waits_for_its_thread)
{
	look("join", true);
	expect("manager", STATE_LOCK_JOIN, NULL, "worker");
	expect("worker", STATE_LOCK_MUTEX, "index_lock", "manager");
	T_HAS(thread("manager")->wait_text, "pthread_join of tid ");
	end_look();
}

TEST(joins_are_known_without_names)
{
	look("joins", false);
	expect("one", STATE_LOCK_JOIN, NULL, "two");
	expect("two", STATE_LOCK_JOIN, NULL, "three");
	expect("three", STATE_LOCK_JOIN, NULL, "one");
	end_look();
}

TEST(an_owner_that_has_ended_is_dead)
{
	look("exited", true);
	const struct state_lock *lock = thread("heir")->lock;

	T_EQ(lock->kind, STATE_LOCK_MUTEX);
	T_OK(lock->owner_tid > 0);
	T_EQ(lock->owner_alive, STATE_NO);
	T_HAS(thread("heir")->wait_text, "which has ended");
	end_look();
}

TEST(a_robust_mutex_that_the_kernel_did_not_mark_has_a_dead_owner)
{
	look("robust-exited", true);
	T_EQ(thread("heir")->lock->owner_alive, STATE_NO);
	T_OK(!thread("heir")->lock->owner_died);
	end_look();
}

TEST(an_owner_in_another_process_is_named)
{
	look("shared", true);
	const struct state_lock *lock = thread("left")->lock;

	T_EQ(lock->kind, STATE_LOCK_MUTEX);
	T_STR(lock->owner_name, "other");
	T_EQ(lock->owner_pid, lock->owner_tid);
	T_EQ(lock->owner_alive, STATE_YES);
	T_OK(!lock->is_private);
	end_look();
}

TEST(waits_without_owners_are_told_as_what_they_are)
{
	look("idle", true);
	expect("queue", STATE_LOCK_COND, "queue_ready", NULL);
	expect("jobs", STATE_LOCK_SEM, "jobs", NULL);
	expect("news", STATE_LOCK_FUTEX, "news", NULL);
	expect("meet", STATE_LOCK_BARRIER, "all_hold", NULL);
	end_look();
}

/* ---- what the numbers can and cannot tell ------------------------------------------------ */

static struct state *made;
static struct state_thread *sleeper;

/* A thread asleep in a futex, with these functions on its stack. */
static struct state_thread *sleep_in(int op, uint32_t expected, uint32_t value, const char *const *names)
{
	made = build_state(0);
	struct state_process *p = state_add_process(made);

	p->pid = 100;
	sleeper = state_add_thread(made, p);
	sleeper->tid = 100;
	sleeper->sys = SYS_futex;
	sleeper->state = 'S';
	sleeper->arg[0] = 0x1000;
	sleeper->arg[1] = (uint64_t)op;
	sleeper->arg[2] = expected;
	if (names)
		sleeper->stack = build_stack(made, names);
	T_EQ(lock_take(made, sleeper, &(struct lock_look){ .look = 1, .addr = 0x1000, .value = value,
							   .at_us = 5 }), 0);
	return sleeper;
}

static const struct state_lock *resolved(void)
{
	T_EQ(lock_resolve(made), 0);
	return sleeper->lock;
}

TEST(the_outermost_function_of_the_library_tells_the_kind)
{
	static const struct {
		const char *names[5];
		int op;
		uint32_t expected;
		enum state_lock_kind kind;
	} cases[] = {
		{ { "futex_wait", "__GI___lll_lock_wait", "___pthread_mutex_lock", "main" }, 128, 2,
		  STATE_LOCK_MUTEX },
		{ { "__lll_lock_wait_private", "_int_free", "main" }, 128, 2, STATE_LOCK_LOW },
		{ { "__futex_abstimed_wait_common64", "___pthread_cond_wait", "main" }, 393, 0,
		  STATE_LOCK_COND },
		/* woken, it takes its mutex back */
		{ { "__lll_lock_wait", "pthread_cond_timedwait", "main" }, 128, 2, STATE_LOCK_MUTEX },
		{ { "__new_sem_wait_slow64", "main" }, 393, 0, STATE_LOCK_SEM },
		{ { "__futex_abstimed_wait_common64", "__pthread_clockjoin_ex" }, 265, 7, STATE_LOCK_JOIN },
		{ { "syscall", "wait_news" }, 128, 0, STATE_LOCK_FUTEX },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sleep_in(cases[i].op, cases[i].expected, cases[i].expected, cases[i].names);
		struct state_stack *s = &made->stack[sleeper->stack];

		for (size_t k = 0; k < s->frames; k++)
			s->frame[k].module = strcmp(s->frame[k].function, "main") == 0 ||
							     strcmp(s->frame[k].function, "wait_news") == 0
						     ? "app"
						     : "libc.so.6";
		T_STR(lock_kind_name(resolved()->kind), lock_kind_name(cases[i].kind));
		build_free(made);
	}
}

TEST(a_function_of_the_program_with_such_a_name_tells_nothing)
{
	sleep_in(FUTEX_WAIT_PRIVATE, 0, 0, (const char *const[]){ "syscall", "pthread_mutex_lock", NULL });
	struct state_frame *f = &made->stack[sleeper->stack].frame[1];

	f->module = "app";
	T_EQ(resolved()->kind, STATE_LOCK_FUTEX);
	build_free(made);
}

TEST(a_library_with_other_layouts_is_not_read_as_glibc)
{
	sleep_in(FUTEX_WAIT_PRIVATE, 2, 2, (const char *const[]){ "pthread_mutex_lock", NULL });
	made->stack[sleeper->stack].frame[0].module = "ld-musl-x86_64.so.1";
	T_EQ(resolved()->kind, STATE_LOCK_FUTEX);
	build_free(made);
}

TEST(a_word_that_merely_holds_a_two_is_no_mutex)
{
	uint8_t zero[64] = { 2 };

	sleep_in(FUTEX_WAIT_PRIVATE, 2, 2, NULL);
	sleeper->lock->around[0] = (struct state_memory){ zero, 0x1000, sizeof(zero) };
	T_EQ(resolved()->kind, STATE_LOCK_FUTEX);
	T_EQ(resolved()->owner_tid, 0);
	build_free(made);
}

TEST(owners_that_differ_between_two_looks_are_not_believed)
{
	uint8_t before[64] = { 2, [8] = 100, [12] = 1 }, after[64] = { 2, [8] = 101, [12] = 1 };

	sleep_in(FUTEX_WAIT_PRIVATE, 2, 2, (const char *const[]){ "pthread_mutex_lock", NULL });
	sleeper->lock->around[0] = (struct state_memory){ before, 0x1000, sizeof(before) };
	T_EQ(resolved()->owner_tid, 100);
	sleeper->lock->around[1] = (struct state_memory){ after, 0x1000, sizeof(after) };
	T_EQ(resolved()->owner_tid, 0);
	build_free(made);
}

TEST(a_lock_that_is_free_has_no_owner)
{
	uint8_t bytes[64] = { 0, [8] = 100, [12] = 1 };

	sleep_in(FUTEX_WAIT_PRIVATE, 2, 0, (const char *const[]){ "pthread_mutex_lock", NULL });
	sleeper->lock->around[0] = (struct state_memory){ bytes, 0x1000, sizeof(bytes) };
	T_EQ(resolved()->owner_tid, 0);
	build_free(made);
}

TEST(the_kernels_mark_of_a_dead_owner_is_read)
{
	sleep_in(FUTEX_WAIT, FUTEX_WAITERS | 100, FUTEX_WAITERS | FUTEX_OWNER_DIED,
		 (const char *const[]){ "pthread_mutex_lock", NULL });
	T_EQ(resolved()->owner_tid, 0);
	T_OK(resolved()->owner_died);
	build_free(made);
}

TEST(memory_that_was_cut_off_is_not_read)
{
	uint8_t bytes[11] = { 2 };

	sleep_in(FUTEX_WAIT_PRIVATE, 2, 2, (const char *const[]){ "pthread_mutex_lock", NULL });
	sleeper->lock->around[0] = (struct state_memory){ bytes, 0x1000, sizeof(bytes) };
	T_EQ(resolved()->owner_tid, 0);
	sleeper->lock->around[0].addr = 0x2000;
	T_EQ(resolved()->owner_tid, 0);
	sleeper->lock->around[0].addr = 0;
	T_EQ(resolved()->owner_tid, 0);
	build_free(made);
}

TEST(a_second_look_that_found_it_elsewhere_proves_nothing)
{
	sleep_in(FUTEX_WAIT_PRIVATE, 2, 2, NULL);
	T_EQ(lock_take(made, sleeper, &(struct lock_look){ .look = 2, .addr = 0x1008, .still = true,
							   .at_us = 9 }), 0);
	T_OK(resolved()->moved);
	T_EQ(resolved()->looks, 1);
	T_EQ(resolved()->to_us, 5);
	build_free(made);
}

TEST(other_system_calls_sleep_on_no_lock)
{
	struct state_thread *t = sleep_in(FUTEX_WAIT_PRIVATE, 2, 2, NULL);

	t->lock = NULL;
	t->sys = SYS_read;
	T_EQ(lock_take(made, t, &(struct lock_look){ .look = 1, .addr = 0x1000 }), 0);
	T_OK(!t->lock);
	T_EQ(lock_take(made, t, &(struct lock_look){ .look = 2, .addr = 0x1000 }), 0);
	T_OK(!t->lock);
	build_free(made);
}

TEST(a_file_lock_names_file_and_process)
{
	char text[LOCK_TEXT];
	struct state_thread *t = sleep_in(FUTEX_WAIT_PRIVATE, 2, 2, NULL);

	T_EQ(lock_take_file(made, t, "/tmp/x", 77, 5), 0);
	T_STR(lock_text(resolved(), text), "file lock of /tmp/x");
	T_EQ(t->lock->owner_pid, 77);
	build_free(made);
}
