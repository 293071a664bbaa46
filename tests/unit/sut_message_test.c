/* hubdemo's verdict about its own traffic: it must be able to say lost, duplicated, corrupt. */
#include "tests/sut/sut_message.h"

#include <errno.h>
#include <string.h>

#include "tests/t.h"

static const struct sut_head sample = { .kind = SUT_REQUEST, .lane = 3, .number = 77 };

TEST(a_message_of_any_length_is_whole_as_it_was_made)
{
	unsigned char text[200];
	struct sut_head got;

	for (size_t len = sizeof(sample); len <= sizeof(text); len++) {
		sut_message_fill(text, len, &sample);
		T_EQ(sut_message_check(text, len, &got), 0);
		T_EQ(got.number, 77);
		T_EQ(got.lane, 3);
	}
}

TEST(a_change_of_any_bit_is_found)
{
	unsigned char text[75];
	struct sut_head got;

	sut_message_fill(text, sizeof(text), &sample);
	for (unsigned bit = 0; bit < sizeof(text) * 8; bit++) {
		text[bit / 8] ^= (unsigned char)(1 << bit % 8);
		T_EQ(sut_message_check(text, sizeof(text), &got), -EBADMSG);
		text[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

TEST(a_message_cut_short_is_found)
{
	unsigned char text[75];
	struct sut_head got;

	sut_message_fill(text, sizeof(text), &sample);
	for (size_t len = 0; len < sizeof(text); len++)
		T_EQ(sut_message_check(text, len, &got), -EBADMSG);
}

TEST(a_gap_in_a_lane_is_a_loss_and_a_step_back_a_duplicate)
{
	uint64_t next = 0;
	struct sut_arrival a = sut_lane_next(&next, 10);

	T_EQ(a.lost + a.duplicated, 0);
	a = sut_lane_next(&next, 11);
	T_EQ(a.lost + a.duplicated, 0);
	a = sut_lane_next(&next, 14);
	T_EQ(a.lost, 2);
	a = sut_lane_next(&next, 14);
	T_EQ(a.duplicated, 1);
	T_EQ(next, 15);
}

TEST(in_a_window_order_is_free_but_each_number_comes_once)
{
	struct sut_window w = { 0 };
	const unsigned order[] = { 2, 1, 4, 3, 5 };

	for (unsigned i = 0; i < 5; i++) {
		const struct sut_arrival a = sut_window_mark(&w, 1, order[i]);

		T_EQ(a.lost + a.duplicated, 0);
	}
	T_EQ(sut_window_mark(&w, 1, 3).duplicated, 1);
}

TEST(a_number_that_never_comes_is_lost_once_the_window_has_passed)
{
	struct sut_window w = { 0 };
	uint64_t lost = 0;

	for (uint64_t n = 1; n <= 3 * SUT_WINDOW; n++)
		if (n != 40)
			lost += sut_window_mark(&w, 1, n).lost;
	T_EQ(lost, 1);
	T_EQ(sut_window_mark(&w, 1, 40).duplicated, 1); /* too late: it was given up */
}

TEST(a_new_incarnation_begins_anew_and_stragglers_of_the_old_one_do_no_harm)
{
	struct sut_window w = { 0 };

	for (uint64_t n = 1; n <= 100; n++)
		sut_window_mark(&w, 1, n);
	struct sut_arrival a = sut_window_mark(&w, 2, 1);
	T_EQ(a.lost + a.duplicated, 0);
	a = sut_window_mark(&w, 1, 101);
	T_EQ(a.lost + a.duplicated, 0);
	a = sut_window_mark(&w, 2, 2);
	T_EQ(a.lost + a.duplicated, 0);
}
