#include "lib/as/as_fmt.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/t.h"

TEST(numbers_are_written_as_printf_writes_them)
{
	static const uint64_t values[] = { 0, 1, 9, 10, 4095, 4096, UINT32_MAX, INT64_MAX,
					   (uint64_t)INT64_MAX + 1, UINT64_MAX };
	char got[64], want[64];
	struct as_fmt f;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		as_fmt_init(&f, got, sizeof(got));
		as_fmt_u64(&f, values[i]);
		as_fmt_char(&f, ' ');
		as_fmt_i64(&f, (int64_t)values[i]);
		as_fmt_str(&f, " ");
		as_fmt_hex(&f, values[i]);
		snprintf(want, sizeof(want), "%" PRIu64 " %" PRId64 " 0x%" PRIx64, values[i],
			 (int64_t)values[i], values[i]);
		T_STR(got, want);
		T_EQ(f.cut, 0);
	}
}

TEST(text_is_cut_at_the_room_and_says_so)
{
	char buf[8] = "xxxxxxx";
	struct as_fmt f;

	as_fmt_init(&f, buf, 6);
	as_fmt_str(&f, "abcdefgh");
	T_STR(buf, "abcde");
	T_EQ(f.cut, 1);
	T_EQ(buf[6], 'x');
	as_fmt_str(&f, "more");
	T_STR(buf, "abcde");
}

TEST(a_number_that_does_not_fit_is_left_out_whole)
{
	char buf[8];
	struct as_fmt f;

	as_fmt_init(&f, buf, sizeof(buf));
	as_fmt_str(&f, "tid");
	as_fmt_u64(&f, 12345);
	T_STR(buf, "tid");
	T_EQ(f.cut, 1);
	/* nothing may follow: "tid7" would be a lie */
	as_fmt_u64(&f, 7);
	T_STR(buf, "tid");

	as_fmt_init(&f, buf, sizeof(buf));
	as_fmt_i64(&f, -123456);
	T_STR(buf, "-123456");
	T_EQ(f.cut, 0);
}
