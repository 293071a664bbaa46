#include "tests/top_build.h"

TEST(the_overview_is_whole_at_80x24_120x40_and_40x10)
{
	struct top_test *t = top_test_trouble(24, 80);

	top_test_same(t, "", "overview-80x24");
	top_test_resize(t, 40, 120);
	top_test_same(t, "", "overview-120x40");
	top_test_resize(t, 10, 40);
	top_test_same(t, "", "overview-40x10");
	top_test_end(t);
}

TEST(sixteen_peers_with_a_finding_fit_80x24)
{
	struct top_test *t = top_test_make(24, 80);

	for (int i = 0; i < 4; i++) {
		struct state *st = build_state(i);
		struct state_hub *hub = build_hub(st, 16);

		build_class(st, hub, 1 << 10, 1024);
		build_class(st, hub, 16 << 10, 256);
		build_class(st, hub, 256 << 10, 32);
		build_class(st, hub, 4 << 20, 8);
		build_class(st, hub, 16 << 20, 4);
		build_lost_bell(st, build_peer(hub, 14), HUB_RECV, 8.4 + i);
		top_test_look(t, st);
	}
	top_test_same(t, "", "overview-16-peers");
	top_test_end(t);
}

TEST(health_is_one_line)
{
	struct top_test *t = top_test_make(24, 80);

	for (int i = 0; i < 6; i++) {
		struct state *st = build_state(i);

		build_class(st, build_hub(st, 3), 1 << 10, 1024);
		top_test_look(t, st);
	}
	top_test_screen(t, "");
	T_STR(top_test_row(t, 1), "   no findings in 5 s of 4 processes");
	T_STR(top_test_row(t, 2), " ID NAME      PID STATE   BEAT  RECV RING     BELL W  SEND RING     "
				  "BELL W CALLS");
	top_test_end(t);
}

TEST(a_terminal_that_is_too_small_says_so_and_goes_on)
{
	struct top_test *t = top_test_trouble(24, 80);

	top_test_resize(t, 9, 38);
	T_STR(top_test_screen(t, ""), "terminal is 38x9, needs 40x10\n");
	top_test_resize(t, 24, 80);
	top_test_same(t, "", "overview-80x24");
	top_test_resize(t, 1, 1);
	top_test_screen(t, "jk23456?x");
	top_test_end(t);
}

TEST(columns_fall_away_from_the_right_and_never_half_of_a_bell)
{
	struct top_test *t = top_test_trouble(24, 80);

	for (int cols = 40; cols <= 140; cols++) {
		top_test_resize(t, 24, cols);
		const char *head = strstr(top_test_screen(t, ""), " ID NAME");
		char line[256];

		T_OK(head != NULL);
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(head, "\n"), head);
		T_OK((int)strlen(line) <= cols);
		T_HAS(line, "STATE");
		const size_t len = strlen(line);
		T_OK(strcmp(line + len - 4, "BELL") != 0);
	}
	top_test_end(t);
}

TEST(long_names_and_pids_widen_their_columns_before_anything_is_cut)
{
	struct top_test *t = top_test_make(24, 80);
	struct state *st = build_state(0);
	struct state_hub *hub = build_hub(st, 2);

	build_peer(hub, 1)->name = "a-name-of-23-characters";
	build_peer(hub, 1)->pid = 4194304;
	build_peer(hub, 2)->name = "\x1b[31mevil\xff";
	top_test_look(t, st);
	T_HAS(top_test_screen(t, ""), " a-name-of-2.. 4194304 run");
	T_HAS(t->text, " ?[31mevil?       4002 run");
	top_test_resize(t, 40, 140);
	T_HAS(top_test_screen(t, ""), " a-name-of-23-characters 4194304 run");
	top_test_end(t);
}

TEST(of_several_hubs_each_has_its_name_above_its_peers)
{
	struct top_test *t = top_test_make(24, 80);
	struct state *st = build_state(0);
	struct state_hub *other;

	build_hub(st, 2);
	other = state_add_hub(st);
	*other = st->hub[0];
	other->path = "/tmp/another.hub";
	other->id = 0x77;
	top_test_look(t, st);
	top_test_screen(t, "");
	T_HAS(t->text, "shmtop  LIVE 13:00:00  1 s   2 hubs   4 peers\n");
	T_HAS(t->text, "> 0 hostd    4000 run        - hub another.hub\n  1 ingest   4001 run     20.0 [");
	T_HAS(t->text, "\n  0 hostd    4000 run        - hub demo.hub\n  1 ingest   4001 run     20.0 [");
	top_test_end(t);
}
