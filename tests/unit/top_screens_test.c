/* The screens behind the first one, whole. */
#include "lib/state/ends.h"
#include "tests/top_build.h"

TEST(the_screens_of_a_hung_hub_are_whole_at_80x24)
{
	struct top_test *t = top_test_trouble(24, 80);

	top_test_same(t, "2", "peer-80x24");
	top_test_same(t, "3", "slots-80x24");
	top_test_same(t, "v", "slots-by-owner-80x24");
	top_test_same(t, "v", "slots-by-age-80x24");
	top_test_same(t, "v5", "threads-80x24");
	top_test_same(t, "6", "findings-80x24");
	top_test_end(t);
}

TEST(the_screens_of_a_hung_hub_are_whole_at_120x40)
{
	struct top_test *t = top_test_trouble(40, 120);

	top_test_same(t, "2", "peer-120x40");
	top_test_same(t, "3", "slots-120x40");
	top_test_same(t, "5", "threads-120x40");
	top_test_same(t, "6", "findings-120x40");
	top_test_end(t);
}

TEST(help_explanations_and_menus_are_whole)
{
	struct top_test *t = top_test_trouble(24, 80);

	top_test_same(t, "?", "help-overview");
	top_test_same(t, "q6?", "help-findings");
	top_test_same(t, "<Esc>1x", "explain");
	top_test_same(t, "<Esc>d", "dump");
	top_test_same(t, "<Esc>s", "sort-menu");
	T_OK(!t->ui.is_over);
	top_test_end(t);
}

TEST(the_screen_that_has_no_data_yet_says_why_and_is_passed_over)
{
	struct top_test *t = top_test_trouble(24, 80);

	T_HAS(top_test_screen(t, "4"),
	      "4 memory: needs heap samples by call site, which no feed holds yet\n");
	T_EQ(t->ui.screen, SCREEN_OVERVIEW);
	top_test_keys(t, "<Tab><Tab><Tab>");
	T_EQ(t->ui.screen, SCREEN_THREADS);
	top_test_keys(t, "<S-Tab>");
	T_EQ(t->ui.screen, SCREEN_SLOTS);
	top_test_end(t);
}

TEST(every_screen_is_drawn_at_every_size_and_without_a_sample)
{
	static const int sizes[][2] = { { 10, 40 }, { 11, 41 }, { 15, 60 }, { 24, 79 }, { 50, 200 } };
	struct top_test *t = top_test_make(24, 80);

	T_HAS(top_test_screen(t, "jk2356?"), "waiting for the first sample");
	top_test_end(t);
	t = top_test_trouble(24, 80);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		top_test_resize(t, sizes[i][0], sizes[i][1]);
		for (const char *keys = "123v56x?d"; *keys; keys++) {
			const char one[] = { *keys, '\0' };

			T_OK(strlen(top_test_screen(t, one)) > 100);
			if (t->ui.overlay)
				top_test_keys(t, "<Esc>");
		}
	}
	top_test_end(t);
}

TEST(a_process_without_a_hub_has_a_row_and_threads)
{
	struct top_test *t = top_test_make(24, 80);
	struct state *st = build_state(0);
	struct state_process *p = state_add_process(st);

	p->pid = 4711;
	p->start = 9;
	p->name = "redis-server";
	p->alive = STATE_YES;
	p->state = 'S';
	p->seen_us = st->now_us;
	struct state_thread *th = state_add_thread(st, p);
	th->tid = 4711;
	th->name = "redis-server";
	th->state = 'S';
	th->wait = STATE_WAIT_FUTEX;
	th->wait_text = "futex 0x55d0";
	top_test_look(t, st);
	T_HAS(top_test_screen(t, ""), "shmtop  LIVE 13:00:00  1 s   no hub   1 process\n");
	T_HAS(t->text, "> - redis-server 4711 run        - -");
	T_HAS(top_test_screen(t, "5"), "THREADS redis-server 4711   1 in 0 stacks");
	T_HAS(top_test_screen(t, "3"), "no hub: a process alone has no slots");
	top_test_end(t);
}

/* What an event loop watches, and who has the other end of a pipe. */
TEST(threads_that_wait_on_files_are_told_with_who_has_the_other_ends)
{
	static const char *const loop[] = { "epoll_wait", "serve", NULL };
	static const char *const reads[] = { "read", "take", NULL };
	static const struct ends_given watched[] = { { 5, 1, "pipe:[7]", 0, false },
						     { 6, 1, "anon_inode:[timerfd]", 0, false } };
	struct top_test *t = top_test_make(24, 120);
	struct state *st = build_state(0);
	struct state_process *p = state_add_process(st), *q = state_add_process(st);

	p->pid = 812;
	p->name = "make";
	p->alive = q->alive = STATE_YES;
	q->pid = 813;
	q->name = "cc1";
	struct state_thread *a = state_add_thread(st, p), *b = state_add_thread(st, p);

	a = &p->thread[0];
	a->tid = 812;
	a->state = b->state = 'S';
	a->wait = STATE_WAIT_POLL;
	a->wait_text = "epoll_wait on fd 3, no timeout";
	a->stack = build_stack(st, loop);
	b->tid = 814;
	b->wait = STATE_WAIT_READ;
	b->wait_text = "read from pipe:[7] (fd 5)";
	b->sys = 0;
	b->stack = build_stack(st, reads);
	T_EQ(ends_take(st, a, watched, 2, 40, 3), 0);
	T_EQ(ends_take(st, b, watched, 1, 1, -1), 0);
	T_EQ(ends_open(st, q, 1, "pipe:[7]", false, true), 0);
	T_EQ(state_join(st), 0);
	top_test_look(t, st);
	T_HAS(top_test_screen(t, "5"), "read from pipe:[7] (other end: cc1, pid .. cc1 813");
	T_HAS(top_test_screen(t, "j"),
	      "watches 40 fds: 5 pipe:[7] (other end: cc1, pid 813), 6 timerfd and 38 more");
	top_test_end(t);
}
