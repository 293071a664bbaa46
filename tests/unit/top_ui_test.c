#include "tests/top_build.h"

static struct top_test *healthy(unsigned peers, int rows, int cols)
{
	struct top_test *t = top_test_make(rows, cols);
	struct state *st = build_state(0);

	build_hub(st, peers);
	top_test_look(t, st);
	return t;
}

TEST(the_selection_follows_the_worst_finding_until_the_user_chooses)
{
	struct top_test *t = top_test_trouble(24, 80);

	T_STR(t->ui.view.chosen->name, "search");
	top_test_keys(t, "k");
	T_STR(t->ui.view.chosen->name, "thumbs");
	top_test_look(t, top_trouble(5));
	T_STR(t->ui.view.chosen->name, "thumbs");
	top_test_end(t);
}

TEST(the_selection_stays_with_its_peer_when_rows_move_or_vanish)
{
	struct top_test *t = healthy(4, 24, 80);
	struct state *st;

	top_test_keys(t, "jj");
	T_STR(t->ui.view.chosen->name, "search");
	top_test_keys(t, "s<PgUp>"); /* leaves the menu */
	top_test_keys(t, "sjj<Enter>"); /* by pid */
	T_EQ(t->ui.view.order.sort, TOP_BY_PID);
	top_test_keys(t, "i");
	T_STR(t->ui.view.chosen->name, "search");
	T_STR(t->ui.view.row[0]->name, "export");
	st = build_state(1);
	build_hub(st, 2); /* search is gone, for thirty seconds */
	top_test_look(t, st);
	T_STR(t->ui.view.chosen->name, "search");
	T_EQ(t->ui.view.chosen->status, TOP_GONE);
	T_HAS(top_test_screen(t, ""), "GONE");
	top_test_end(t);
}

TEST(a_filter_leaves_the_rows_that_fit_and_stays_visible)
{
	struct top_test *t = top_test_trouble(24, 80);

	T_HAS(top_test_screen(t, "\\state=DEAD<Enter>"), "\nfilter: state=DEAD  1 of 5");
	T_EQ(t->ui.view.rows, 1);
	T_STR(t->ui.view.chosen->name, "export");
	T_HAS(top_test_screen(t, "\\<C-u>slots>9 recv>0<Enter>"), "\nfilter: slots>9 recv>0  1 of 5");
	T_STR(t->ui.view.chosen->name, "ingest");
	T_HAS(top_test_screen(t, "\\<C-u>nonsense=1<Enter>"), "filter: no field \"nonsense\"");
	T_EQ(t->ui.view.rows, 1);
	top_test_keys(t, "<BS>");
	T_EQ(t->ui.view.rows, 4);
	T_HAS(top_test_screen(t, "\\name~nobody<Enter>"), "0 of 5");
	T_OK(t->ui.view.chosen == NULL);
	top_test_keys(t, "2j356x<Esc>d<Esc>1\\<C-u><Enter>");
	T_EQ(t->ui.view.rows, 4);
	top_test_end(t);
}

TEST(healthy_rows_can_be_hidden)
{
	struct top_test *t = top_test_trouble(24, 80);

	T_HAS(top_test_screen(t, "H"), "\nhealthy rows hidden: 2");
	T_EQ(t->ui.view.rows, 2);
	top_test_keys(t, "H");
	T_EQ(t->ui.view.rows, 4);
	top_test_end(t);
}

TEST(a_search_goes_round_and_says_when_there_is_nothing)
{
	struct top_test *t = healthy(8, 24, 80);

	top_test_keys(t, "/FONTS<Enter>");
	T_STR(t->ui.view.chosen->name, "fonts");
	top_test_keys(t, "/m<Enter>");
	T_STR(t->ui.view.chosen->name, "images");
	top_test_keys(t, "n");
	T_STR(t->ui.view.chosen->name, "markdown");
	top_test_keys(t, "n");
	T_STR(t->ui.view.chosen->name, "thumbs");
	top_test_keys(t, "N");
	T_STR(t->ui.view.chosen->name, "markdown");
	T_HAS(top_test_screen(t, "/zzz<Enter>"), "not found here: zzz");
	T_HAS(top_test_screen(t, "/abc<BS><BS>"), "\nsearch: a_");
	top_test_keys(t, "<Esc>");
	T_EQ(t->ui.prompt, PROMPT_NONE);
	top_test_end(t);
}

TEST(from_a_finding_to_its_peer_and_back)
{
	struct top_test *t = top_test_trouble(24, 80);

	top_test_keys(t, "6j<Enter>");
	T_EQ(t->ui.screen, SCREEN_PEER);
	T_STR(t->ui.view.chosen->name, "export");
	top_test_keys(t, "l");
	T_EQ(t->ui.screen, SCREEN_THREADS);
	top_test_keys(t, "<Esc>");
	T_EQ(t->ui.screen, SCREEN_PEER);
	top_test_keys(t, "h<Esc><Esc>");
	T_EQ(t->ui.screen, SCREEN_OVERVIEW);
	T_OK(!t->ui.is_over);
	top_test_keys(t, "q");
	T_OK(t->ui.is_over);
	top_test_end(t);
}

TEST(a_muted_finding_is_out_of_sight_but_told)
{
	struct top_test *t = top_test_trouble(24, 80);

	T_HAS(top_test_screen(t, "6m"), "FINDINGS  2 critical 0 warning 1 info, 1 muted (m: all back)\n");
	T_EQ(t->ui.view.findings, 2);
	T_HAS(top_test_screen(t, "1"), "1 muted");
	top_test_keys(t, "6mm");
	T_EQ(t->ui.view.findings, 0);
	top_test_keys(t, "m");
	T_EQ(t->ui.view.findings, 3);
	top_test_end(t);
}

TEST(pause_is_visible_and_sampling_goes_on_behind_it)
{
	struct top_test *t = top_test_trouble(24, 80);

	top_test_keys(t, "<Space>");
	top_test_look(t, top_trouble(4));
	top_test_look(t, top_trouble(5));
	top_test_screen(t, "");
	T_HAS(t->text, "shmtop  PAUSED 13:00:03 ");
	T_HAS(t->text, "PAUSED 13:00:03 (2.0 s ago)  L: back to live");
	T_HAS(top_test_screen(t, "]"), "PAUSED 13:00:04 ");
	T_HAS(top_test_screen(t, "]]"), "this is the newest sample");
	T_HAS(top_test_screen(t, "{"), "this is the oldest sample");
	T_HAS(top_test_screen(t, "j"), "PAUSED 13:00:00 (5.0 s ago)");
	T_HAS(top_test_screen(t, "T+2s<Enter>"), "shmtop  PAUSED 13:00:02 ");
	T_HAS(top_test_screen(t, "Tnoon<Enter>"), "time: \"noon\" is none of");
	T_HAS(top_test_screen(t, "Tstart<Enter>"), "PAUSED 13:00:00 ");
	T_HAS(top_test_screen(t, "Tend<Enter>"), "PAUSED 13:00:05 ");
	T_HAS(top_test_screen(t, "T-3s<Enter>"), "PAUSED 13:00:02 ");
	T_HAS(top_test_screen(t, "T13:00:04<Enter>"), "PAUSED 13:00:04 ");
	T_HAS(top_test_screen(t, "L"), "shmtop  LIVE 13:00:05 ");
	top_test_end(t);
}

TEST(events_are_jumped_to)
{
	struct top_test *t = top_test_trouble(24, 80);

	T_HAS(top_test_screen(t, "E"), "shmtop  PAUSED 13:00:01 ");
	T_HAS(top_test_screen(t, "E"), "shmtop  PAUSED 13:00:00 ");
	T_HAS(top_test_screen(t, "E"), "no change of a finding before this sample");
	T_HAS(top_test_screen(t, "e"), "shmtop  PAUSED 13:00:01 ");
	top_test_end(t);
}

TEST(clicks_do_what_the_place_says)
{
	struct top_test *t = top_test_trouble(24, 80);
	struct canvas c;

	T_EQ(canvas_init(&c, 24, 80, false), 0);
	ui_draw(&t->ui, &c);
	ui_click(&t->ui, &c, 8, 20); /* the first peer */
	T_STR(t->ui.view.chosen->name, "ingest");
	ui_click(&t->ui, &c, 7, 5); /* NAME */
	T_EQ(t->ui.view.order.sort, TOP_BY_NAME);
	T_STR(t->ui.view.row[0]->name, "export");
	ui_click(&t->ui, &c, 23, 7); /* 2Peer */
	T_EQ(t->ui.screen, SCREEN_PEER);
	ui_click(&t->ui, &c, 23, 79); /* q */
	T_OK(t->ui.is_over);
	canvas_fini(&c);
	top_test_end(t);
}

TEST(keys_that_mean_nothing_here_are_told)
{
	struct top_test *t = top_test_trouble(24, 80);

	T_HAS(top_test_screen(t, "m"), "m: not on this screen");
	T_HAS(top_test_screen(t, "Z"), "Z: no such key (? lists them)");
	T_HAS(top_test_screen(t, "u"), "the locale is not UTF-8");
	T_HAS(top_test_screen(t, "CC"), "colors: bright");
	T_HAS(top_test_screen(t, "M"), "mouse: on (hold Shift to select text)");
	top_test_end(t);
}

TEST(the_help_is_searched_and_offers_to_save)
{
	struct top_test *t = top_test_trouble(12, 80);

	T_HAS(top_test_screen(t, "?/goes to sleep<Enter>"), " W      consumer said it goes to sleep");
	T_EQ(t->ui.overlay, OVERLAY_HELP);
	T_HAS(top_test_screen(t, "/nowhere<Enter>"), "not found here: nowhere");
	T_OK(!t->ui.wants_save);
	top_test_keys(t, "W");
	T_OK(t->ui.wants_save);
	T_EQ(t->ui.overlay, OVERLAY_NONE);
	top_test_end(t);
}

TEST(a_dump_is_made_after_a_yes_and_after_nothing_else)
{
	struct top_test *t = top_test_trouble(24, 80);

	T_HAS(top_test_screen(t, "d"), "DUMP search (4003)?   y/N\n");
	for (const char *no = "nN qxd "; *no; no++) {
		const char keys[] = { *no, 'd', '\0' };

		top_test_keys(t, keys);
		T_EQ(t->ui.wants_dump, 0);
		T_OK(!t->ui.is_over);
	}
	top_test_keys(t, "<Enter>");
	T_EQ(t->ui.wants_dump, 0);
	T_EQ(t->ui.overlay, OVERLAY_NONE);
	top_test_keys(t, "dy");
	T_EQ(t->ui.wants_dump, 4003);
	T_EQ(t->ui.overlay, OVERLAY_NONE);
	t->ui.wants_dump = 0;
	t->ui.read_only = true;
	T_HAS(top_test_screen(t, "d"), "\n   sigdump dump --read-only -p 4003\n");
	top_test_keys(t, "y");
	T_EQ(t->ui.wants_dump, 0);
	t->ui.read_only = false;
	T_HAS(top_test_screen(t, "jd"), "It has ended: there is nothing left to dump.");
	top_test_keys(t, "y");
	T_EQ(t->ui.wants_dump, 0);
	top_test_end(t);
}

/* Threads of search: a circle of two, two behind it, one that waits for work. */
static struct state *locked(double seconds)
{
	struct state *st = build_state(seconds);
	struct state_process *p = build_process(st, build_peer(build_hub(st, 4), 3));

	for (int i = 0; i < 5; i++)
		build_thread(st, p, 4140 + i, i < 2 ? "worker" : "late");
	build_sleep(st, p, 4140, STATE_LOCK_MUTEX, 0x1000, "a", 4141, 6);
	build_sleep(st, p, 4141, STATE_LOCK_MUTEX, 0x2000, "b", 4140, 6);
	build_sleep(st, p, 4142, STATE_LOCK_MUTEX, 0x1000, "a", 4141, 5);
	build_sleep(st, p, 4143, STATE_LOCK_MUTEX, 0x3000, "c", 4142, 5);
	build_sleep(st, p, 4144, STATE_LOCK_SEM, 0x4000, "jobs", 0, 5);
	return st;
}

TEST(who_waits_for_whom_is_a_page)
{
	struct top_test *t = top_test_make(30, 100);

	top_test_look(t, locked(0));
	T_HAS(top_test_screen(t, "1/search<Enter>5D"),
	      "WHO WAITS FOR WHOM   search 4003\n"
	      " In a circle\n"
	      "   tid 4140 \"worker\" waits for mutex 0x1000 (a) held by tid 4141 \"worker\"\n"
	      "   tid 4141 \"worker\" waits for mutex 0x2000 (b) held by tid 4140 \"worker\"\n"
	      " Behind others\n"
	      "   tid 4142 \"late\" waits for mutex 0x1000 (a) held by tid 4141 \"worker\"\n"
	      "     and that ends in the circle of tid 4141 \"worker\"\n"
	      "   tid 4143 \"late\" waits for mutex 0x3000 (c) held by tid 4142 \"late\"\n"
	      "     and that ends in the circle of tid 4141 \"worker\"\n"
	      " For nobody in particular, or nobody that is known\n"
	      "   tid 4144 \"late\" waits for semaphore 0x4000 (jobs)\n");
	/* both of the circle are marked, those behind are not */
	T_HAS(top_test_screen(t, "q="), "!! -      1 blocked        -  mutex a");
	T_HAS(top_test_screen(t, ""), "!! -      1 blocked        -  mutex b");
	T_OK(!strstr(top_test_screen(t, ""), "!! -      1 blocked        -  mutex c"));
	top_test_end(t);
}

TEST(random_keys_at_random_sizes_do_no_harm)
{
	static const char keys[] = "123456\t jkgG\x04\x15\r\x1b[]{}eETL/nN\\s<>iHmv=DxduCM?a1.\x7f";
	struct top_test *t = top_test_trouble(24, 80);
	uint64_t x = t_seed() | 1;

	for (unsigned i = 0; i < 20000 * t_length(); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		ui_key(&t->ui, keys[x % (sizeof(keys) - 1)]);
		if (x % 17 == 0)
			top_test_resize(t, (int)((x >> 8) % 50 + 1), (int)((x >> 16) % 150 + 1));
		if (x % 501 == 0)
			top_test_look(t, top_trouble(4 + i / 100.0));
		if (x % 5 == 0)
			top_test_screen(t, "");
	}
	top_test_end(t);
}
