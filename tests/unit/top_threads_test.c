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
	add(st, p, "worker-1", blocked, 'S', STATE_WAIT_READ, 7);
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
	T_EQ(list.group[0].longest_us, 7000000);
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
