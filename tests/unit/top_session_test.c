#include "shmtop/session.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/feed_build.h"
#include "tests/state_build.h"
#include "tests/t.h"

static const struct findings none = { .verdict = "" };

static struct frame *frame_at(double seconds)
{
	struct state *st = build_state(seconds);

	build_hub(st, 16);
	struct frame *f = frame_make(st, &none, NULL);
	free(st);
	return f;
}

TEST(the_history_keeps_ten_minutes)
{
	struct history h;

	history_init(&h);
	h.bytes_max = SIZE_MAX;
	for (int i = 0; i < 700; i++)
		T_OK(history_add(&h, frame_at(i)) >= 0);
	T_EQ(h.n, 601);
	T_EQ(h.frame[0]->st.now_us, BUILD_NOW_US + UINT64_C(99000000));
	T_EQ(history_find(&h, BUILD_NOW_US + UINT64_C(150500000)), 51);
	T_EQ(history_find(&h, 1), 0);
	T_EQ(history_find(&h, UINT64_MAX), 600);
	history_fini(&h);
}

TEST(the_history_never_holds_more_than_its_bytes)
{
	struct history h;

	history_init(&h);
	h.bytes_max = 1 << 20;
	for (int i = 0; i < 300; i++) {
		T_OK(history_add(&h, frame_at(i)) >= 0);
		T_OK(h.bytes <= h.bytes_max);
	}
	size_t bytes = 0;
	for (size_t i = 0; i < h.n; i++)
		bytes += frame_bytes(h.frame[i]);
	T_EQ(h.bytes, bytes);
	T_OK(h.n >= 8 && h.n < 300);
	history_fini(&h);
}

/* Dumps of search, a second apart, from 2 s on; the message waits from the third on. */
static void build_feed(int dumps)
{
	struct feed_build b;

	feed_build_begin(&b, "search", 4112, 77);
	for (int d = 1; d <= dumps; d++) {
		const uint64_t at = (uint64_t)(1 + d) * 1000000;

		feed_build_dump(&b, d, 0x7b + (uint64_t)d, at);
		for (int look = 1; look <= 2; look++) {
			feed_build_look(&b, d, look, at + (uint64_t)look);
			feed_build_hub(&b, d, look, "peer", 3);
			feed_build_peer(&b, d, look, 3, "search", 4112, 77);
			feed_build_ring(&b, d, look, 3, "recv", d < 3 ? 1034 : 1041, 1034, 0);
			feed_build_ring(&b, d, look, 3, "send", 9, 9, -1);
		}
		feed_build_done(&b, d, at + 10);
	}
	feed_build_end(&b);
}

static void open_replay(struct session *s, const char *const *paths, size_t bytes)
{
	const struct session_options o = { .feeds = paths, .interval_us = 1000000,
					   .history_bytes = bytes };
	struct err err;

	if (session_open(s, &o, &err))
		T_FAIL("%s", err.text);
}

/* The second of the frame that is looked at. */
static uint64_t second(const struct session *s)
{
	return session_frame(s)->st.now_us / 1000000;
}

TEST(a_replay_shows_its_end_and_steps_back_and_forth)
{
	struct session s;

	build_feed(10);
	const char *const paths[] = { feed_build_dir(), NULL };
	open_replay(&s, paths, 0);
	T_OK(session_is_past(&s));
	T_EQ(second(&s), 11);
	T_EQ(s.begin_us / 1000000, 2);
	T_OK(session_step(&s, -2)); /* two looks a dump */
	T_EQ(second(&s), 10);
	T_OK(!session_step(&s, -60));
	T_EQ(second(&s), 2);
	T_OK(session_step(&s, 3));
	T_EQ(second(&s), 3);
	T_OK(!session_step(&s, 60));
	T_EQ(second(&s), 11);
	session_close(&s);
	feed_build_clean();
}

TEST(a_replay_that_does_not_fit_is_read_again_where_one_steps_back)
{
	struct session s;

	build_feed(60);
	const char *const paths[] = { feed_build_dir(), NULL };
	open_replay(&s, paths, 100000); /* room for five or so */
	T_EQ(session_goto(&s, "start", NULL), 0);
	T_EQ(second(&s), 2);
	for (uint64_t at = 2; at < 61; at++) {
		T_EQ(second(&s), at);
		T_OK(session_step(&s, 2));
		T_OK(s.history.n < 20 && s.history.bytes <= 100000);
	}
	T_EQ(session_goto(&s, "-30s", NULL), 0);
	T_EQ(second(&s), 31);
	session_close(&s);
	feed_build_clean();
}

TEST(time_is_given_as_people_do)
{
	struct session s;
	struct err err;

	setenv("TZ", "UTC", 1);
	build_feed(10);
	const char *const paths[] = { feed_build_dir(), NULL };
	open_replay(&s, paths, 0);
	/* CLOCK_REALTIME is 1700000000 s ahead: 22:13:20 */
	T_EQ(session_goto(&s, "22:13:25", &err), 0);
	T_EQ(second(&s), 5);
	T_EQ(session_goto(&s, "+2s", &err), 0);
	T_EQ(second(&s), 7);
	T_EQ(session_goto(&s, "21:00", &err), -ENOENT);
	T_STR(err.text, "time: \"21:00\" is outside what is kept");
	T_EQ(second(&s), 2);
	T_EQ(session_goto(&s, "end", &err), 0);
	T_EQ(second(&s), 11);
	T_EQ(session_goto(&s, "25:00", &err), -EINVAL);
	session_close(&s);
	feed_build_clean();
}

TEST(playing_goes_on_with_the_clock_and_stops_at_the_end)
{
	struct session s;
	uint64_t from, to;

	build_feed(10);
	const char *const paths[] = { feed_build_dir(), NULL };
	open_replay(&s, paths, 0);
	session_live(&s);
	T_OK(!s.is_playing); /* at the end already */
	session_goto(&s, "start", NULL);
	session_live(&s);
	T_OK(s.is_playing);
	session_play(&s, 2500000);
	T_EQ(second(&s), 4);
	T_OK(!session_gap(&s, &from, &to));
	session_play(&s, 60000000);
	T_EQ(second(&s), 11);
	T_OK(!s.is_playing);
	session_close(&s);
	feed_build_clean();
}

TEST(a_gap_is_told_as_a_gap)
{
	struct feed_build b;
	struct session s;
	uint64_t from, to;

	feed_build_begin(&b, "search", 4112, 77);
	for (int d = 1; d <= 2; d++) {
		const uint64_t at = (uint64_t)(d == 1 ? 2 : 42) * 1000000;

		feed_build_dump(&b, d, (uint64_t)d, at);
		feed_build_look(&b, d, 1, at + 1);
		feed_build_hub(&b, d, 1, "peer", 3);
		feed_build_done(&b, d, at + 10);
	}
	feed_build_end(&b);
	const char *const paths[] = { feed_build_dir(), NULL };
	open_replay(&s, paths, 0);
	T_EQ(session_goto(&s, "-20s", NULL), 0);
	T_EQ(second(&s), 2);
	T_OK(session_gap(&s, &from, &to));
	T_EQ(from / 1000000, 2);
	T_EQ(to / 1000000, 42);
	session_close(&s);
	feed_build_clean();
}
