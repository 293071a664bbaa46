#include "shmtop/top_threads.h"

#include <stdlib.h>

#include "tests/state_build.h"
#include "tests/t.h"

static void add(struct state *st, struct state_process *p, const char *name, int stack, char letter,
		enum state_wait_kind wait, double blocked)
{
	struct state_thread *t = state_add_thread(st, p);

	t->tid = (int32_t)(5000 + p->threads);
	t->name = name;
	t->stack = stack;
	t->state = letter;
	t->wait = wait;
	t->blocked_us = (uint64_t)(blocked * 1e6);
}

static struct frame *make_frame(void)
{
	static const struct findings none = { .verdict = "" };
	static const char *const loop[] = { "epoll_wait", "hub_poll", NULL };
	static const char *const lock[] = { "__lll_lock_wait", "index_flush", NULL };
	struct state *st = build_state(0);
	struct state_process *p = state_add_process(st);
	const int idle = build_stack(st, loop), blocked = build_stack(st, lock);

	p->pid = 4111;
	add(st, p, "main", idle, 'S', STATE_WAIT_POLL, 0.1);
	add(st, p, "worker-0", blocked, 'S', STATE_WAIT_READ, 6);
	add(st, p, "worker-1", blocked, 'S', STATE_WAIT_READ, 9);
	add(st, p, "spin", -1, 'R', STATE_WAIT_NONE, 0);
	struct frame *f = frame_make(st, &none, NULL);
	free(st);
	return f;
}

TEST(threads_with_equal_stacks_are_one_group_blocked_ones_first)
{
	struct frame *f = make_frame();
	struct top_threads list;

	T_EQ(top_threads_make(&list, f, &f->st.process[0], false), 0);
	T_EQ(list.n, 3);
	T_EQ(list.stacks, 2);
	T_EQ(list.group[0].doing, THREAD_BLOCKED);
	T_EQ(list.group[0].count, 2);
	T_EQ(list.group[0].longest_us, 9000000);
	T_STR(list.group[0].name, "worker-0");
	T_STR(list.group[0].id, "S1");
	T_EQ(list.group[1].doing, THREAD_RUNNING);
	T_STR(list.group[1].id, "-");
	T_EQ(list.group[2].doing, THREAD_IDLE);
	T_STR(list.group[2].id, "S2");
	top_threads_fini(&list);
	frame_destroy(f);
}

TEST(a_split_list_has_every_thread)
{
	struct frame *f = make_frame();
	struct top_threads list;

	T_EQ(top_threads_make(&list, f, &f->st.process[0], true), 0);
	T_EQ(list.n, 4);
	T_EQ(list.stacks, 2);
	T_EQ(list.group[0].count, 1);
	T_STR(list.group[0].name, "worker-1"); /* the longest of equals */
	top_threads_fini(&list);
	frame_destroy(f);
}

TEST(equal_stacks_that_wait_for_different_locks_are_not_one_group)
{
	static struct state_lock index = { .kind = STATE_LOCK_MUTEX, .addr = 0x1000 };
	static struct state_lock cache = { .kind = STATE_LOCK_MUTEX, .addr = 0x2000 };
	struct frame *f = make_frame();
	struct top_threads list;

	f->st.process[0].thread[1].lock = &index;
	f->st.process[0].thread[2].lock = &cache;
	T_EQ(top_threads_make(&list, f, &f->st.process[0], false), 0);
	T_EQ(list.n, 4);
	T_EQ(list.stacks, 2);
	T_EQ(list.group[0].lock->addr, 0x2000); /* the longest */
	T_STR(list.group[0].id, list.group[1].id);
	top_threads_fini(&list);
	f->st.process[0].thread[2].lock = &index;
	T_EQ(top_threads_make(&list, f, &f->st.process[0], false), 0);
	T_EQ(list.n, 3);
	top_threads_fini(&list);
	frame_destroy(f);
}

/* Three workers, each idle on a semaphore of its own; two more wait for mutexes. */
static struct frame *make_pool(double later)
{
	static const struct findings none = { .verdict = "" };
	static const char *const wait[] = { "sem_wait", "worker", NULL };
	struct state *st = build_state(later);
	struct state_process *p = state_add_process(st);

	p->pid = 4111;
	for (int32_t tid = 5000; tid < 5005; tid++) {
		build_thread(st, p, tid, "worker")->stack = st->stacks ? 0 : build_stack(st, wait);
		build_sleep(st, p, tid, tid < 5003 ? STATE_LOCK_SEM : STATE_LOCK_MUTEX, 0x1000u * (unsigned)tid,
			    NULL, 0, 1);
		/* each was looked at a little later or earlier than the time before */
		p->thread[tid - 5000].blocked_us = 9000000 + (uint64_t)(later * 1e6) + (uint64_t)(tid * 7919) % 13;
	}
	struct frame *f = frame_make(st, &none, NULL);

	free(st);
	return f;
}

TEST(workers_that_each_wait_on_a_word_of_their_own_are_one_row)
{
	struct frame *f = make_pool(0);
	struct top_threads list;

	T_EQ(top_threads_make(&list, f, &f->st.process[0], false), 0);
	T_EQ(list.n, 3);
	T_EQ(list.group[0].count, 1); /* locks are told apart */
	T_EQ(list.group[1].count, 1);
	T_OK(!list.group[0].differ);
	T_EQ(list.group[2].count, 3);
	T_OK(list.group[2].differ);
	top_threads_fini(&list);
	frame_destroy(f);
}

TEST(rows_keep_their_places_while_all_of_them_grow_older)
{
	for (int i = 0; i < 20; i++) {
		struct frame *f = make_pool(i * 0.33);
		struct top_threads list;

		T_EQ(top_threads_make(&list, f, &f->st.process[0], true), 0);
		for (int k = 0; k < 5; k++)
			T_EQ(list.group[k].tid, k < 2 ? 5003 + k : 5000 + k - 2);
		top_threads_fini(&list);
		frame_destroy(f);
	}
}
