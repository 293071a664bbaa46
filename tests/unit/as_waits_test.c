#include "lib/as/as_waits.h"

#include <string.h>
#include <sys/mman.h>

#include "tests/program.h"
#include "tests/t.h"

enum { TIDS = 512 };

static struct as_peek *peek;
static struct as_waits waits;
static struct as_thread thread;
static pid_t tids[TIDS];
static size_t n_tids;
static struct as_wait first[TIDS], second[TIDS];
static unsigned firsts;
static struct program prog;

/* Zeroed, and aligned as it wants to be, which memory from calloc() is not. */
static struct as_peek *make_peek(void)
{
	void *p = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	T_OK(p != MAP_FAILED);
	return p;
}

/* Both looks at every thread of a fixture. */
static void look(const char *mode)
{
	program_start(&prog, "locks", mode, NULL);
	program_expect(&prog, "ready");
	peek = make_peek();
	T_EQ(as_peek_init(peek, prog.pid), 0);
	T_EQ(as_peek_refresh(peek), 0);
	T_EQ(as_proc_tids(peek->proc_fd, tids, TIDS, &n_tids), 0);
	as_waits_begin(&waits, peek);
	for (size_t i = 0; i < n_tids; i++) {
		as_peek_thread(peek, tids[i], &thread);
		if (as_waits_first(&waits, peek, &thread, &first[firsts]))
			firsts++;
	}
	for (unsigned i = 0; i < waits.count; i++)
		as_waits_second(&waits, peek, i, &second[i]);
}

static void end_look(void)
{
	as_peek_fini(peek);
	program_end(&prog);
}

static const struct as_wait_holder *holder_of(const struct as_wait *wait, const char *comm)
{
	for (unsigned i = 0; i < wait->holders; i++)
		if (strcmp(wait->holder[i].comm, comm) == 0)
			return &wait->holder[i];
	return NULL;
}

static unsigned gone_holders(const struct as_wait *wait)
{
	unsigned n = 0;

	for (unsigned i = 0; i < wait->holders; i++)
		n += wait->holder[i].state == 'X';
	return n;
}

TEST(a_mutex_is_seen_twice_with_the_thread_that_holds_it)
{
	look("two");
	T_EQ(firsts, 2);
	T_EQ(waits.count, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct as_wait_holder *h = holder_of(&second[i], i ? "flush" : "query-1");

		T_EQ(second[i].tid, first[i].tid);
		T_EQ(second[i].addr, first[i].addr);
		T_EQ(second[i].value, 2);
		T_OK(second[i].still);
		T_OK(h);
		T_EQ(h->tid, first[!i].tid);
		T_EQ(h->pid, prog.pid);
		T_EQ(h->state, 'S');
	}
	end_look();
}

TEST(an_owner_that_has_ended_is_no_thread_any_more)
{
	look("exited");
	T_EQ(waits.count, 1);
	T_OK(second[0].still);
	T_EQ(second[0].holders, 1);
	T_EQ(second[0].holder[0].state, 'X');
	end_look();
}

TEST(a_holder_in_another_process_is_found_there)
{
	const struct as_wait_holder *h;

	look("shared");
	T_EQ(waits.count, 1);
	h = holder_of(&second[0], "other");
	T_OK(h);
	T_OK(h->pid != prog.pid);
	T_EQ(h->pid, h->tid);
	end_look();
}

TEST(a_crowd_on_one_word_is_told_of_its_surroundings_once)
{
	unsigned shown = 0;

	look("behind");
	T_EQ(firsts, 4);
	for (unsigned i = 0; i < firsts; i++)
		shown += first[i].is_new;
	T_EQ(shown, 2); /* index_lock and cache_lock */
	end_look();
}

TEST(whoever_waits_for_work_is_not_looked_at_again)
{
	look("idle");
	T_EQ(firsts, 11);
	for (unsigned i = 0; i < waits.count; i++)
		T_EQ(gone_holders(&second[i]), second[i].holders);
	/* the barrier's round counts from 0, too */
	T_EQ(waits.count, 0);
	end_look();
}

TEST(a_word_that_changed_without_a_wake_is_looked_at_again)
{
	look("lost");
	T_EQ(waits.count, 1);
	T_OK(second[0].still);
	T_EQ(first[0].value, 1);
	T_EQ(second[0].value, 1);
	end_look();
}

TEST(one_that_ran_between_the_looks_did_not_sleep_there_all_the_time)
{
	look("two");
	waits.again[0].mark ^= 1;
	as_waits_second(&waits, peek, 0, &second[0]);
	T_OK(!second[0].still);
	T_EQ(second[0].addr, first[0].addr);
	end_look();
}

TEST(a_thread_that_is_gone_sleeps_nowhere)
{
	look("two");
	program_end(&prog);
	as_waits_second(&waits, peek, 0, &second[0]);
	T_OK(!second[0].still);
	T_EQ(second[0].addr, 0);
	T_EQ(second[0].holders, 0);
	as_peek_fini(peek);
}

/* A word at the start of a page whose neighbour below is not there. */
TEST(memory_that_is_not_there_does_not_hide_the_word)
{
	uint8_t *at = mmap(NULL, 3 * AS_MEM_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct as_wait wait;

	T_EQ(mprotect(at + AS_MEM_PAGE, AS_MEM_PAGE, PROT_READ | PROT_WRITE), 0);
	peek = make_peek();
	T_EQ(as_peek_init(peek, 0), 0);
	as_waits_begin(&waits, peek);
	thread = (struct as_thread){ .tid = peek->pid, .nr = 202, .args = { [2] = 7 } };
	*(uint32_t *)(at + AS_MEM_PAGE) = 6;
	*(uint32_t *)(at + 2 * AS_MEM_PAGE - 4) = 5;
	thread.args[0] = (uintptr_t)(at + AS_MEM_PAGE);
	T_OK(as_waits_first(&waits, peek, &thread, &wait));
	T_EQ(wait.value, 6);
	T_EQ(wait.from, thread.args[0]);
	T_EQ(wait.bytes, AS_WAIT_BYTES - AS_WAIT_BEFORE);
	thread.args[0] = (uintptr_t)(at + 2 * AS_MEM_PAGE - 4);
	T_OK(as_waits_first(&waits, peek, &thread, &wait));
	T_EQ(wait.value, 5);
	T_EQ(wait.bytes, AS_WAIT_BEFORE + 4);
	thread.args[0] = (uintptr_t)at;
	T_OK(!as_waits_first(&waits, peek, &thread, &wait));
	thread.args[0] = 8;
	T_OK(!as_waits_first(&waits, peek, &thread, &wait));
	thread.args[0] = UINT64_MAX - 3;
	T_OK(!as_waits_first(&waits, peek, &thread, &wait));
	as_peek_fini(peek);
	munmap(peek, as_peek_bytes());
}

TEST(more_waits_than_room_are_counted)
{
	uint32_t word = 3;
	struct as_wait wait;

	peek = make_peek();
	T_EQ(as_peek_init(peek, 0), 0);
	as_waits_begin(&waits, peek);
	thread = (struct as_thread){ .tid = peek->pid, .nr = 202 };
	thread.args[0] = (uintptr_t)&word;
	for (unsigned i = 0; i < AS_WAITS + 3; i++)
		T_OK(as_waits_first(&waits, peek, &thread, &wait));
	T_EQ(waits.count, AS_WAITS);
	T_EQ(waits.left_out, 3);
	as_peek_fini(peek);
	munmap(peek, as_peek_bytes());
}
