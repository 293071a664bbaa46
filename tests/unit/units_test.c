#include "lib/base/units.h"

#include <errno.h>

#include "tests/t.h"

TEST(bytes_are_written_with_1024_based_suffixes)
{
	char b[UNITS_TEXT];

	T_STR(units_bytes(b, 0), "0");
	T_STR(units_bytes(b, 1023), "1023");
	T_STR(units_bytes(b, 1024), "1.0K");
	T_STR(units_bytes(b, 768 << 10), "768K");
	T_STR(units_bytes(b, (uint64_t)2.4 * (1u << 30) + (1 << 29)), "2.5G");
	T_STR(units_bytes(b, 1048575), "1.0M");
	T_STR(units_bytes(b, UINT64_MAX), "16E");
	T_STR(units_class(b, 65536), "64K");
	T_STR(units_class(b, 16 << 20), "16M");
	T_STR(units_class(b, 1500), "1500");
}

TEST(spans_change_unit_where_people_do)
{
	char b[UNITS_TEXT];

	T_STR(units_span(b, 8400000000), "8.4 s");
	T_STR(units_span(b, 59990000000), "59.9 s");
	T_STR(units_span(b, 61000000000), "1 m 1 s");
	T_STR(units_span(b, 11400ull * 1000000000), "3 h 10 m");
}

TEST(counts_are_grouped_by_three)
{
	char b[UNITS_TEXT];

	T_STR(units_count(b, 0), "0");
	T_STR(units_count(b, 999), "999");
	T_STR(units_count(b, 48210), "48 210");
	T_STR(units_count(b, 1234567), "1 234 567");
}

TEST(a_span_is_read_with_its_unit_and_refused_with_its_range)
{
	struct err err;
	uint64_t ns = 7;

	T_EQ(units_parse_span("0.2s", "--interval", 1, UINT64_MAX, &ns, &err), 0);
	T_EQ(ns, 200000000);
	T_EQ(units_parse_span("10 min", "--growth-min", 1, UINT64_MAX, &ns, &err), 0);
	T_EQ(ns, 600000000000);
	T_EQ(units_parse_span("5x", "--interval", 1, 9, &ns, &err), -EINVAL);
	T_STR(err.text, "--interval: \"5x\" is not a duration such as 0.5s, 30s or 5m");
	T_EQ(units_parse_span("2h", "--interval", 100000000, 3600000000000, &ns, &err), -EINVAL);
	T_STR(err.text, "--interval: \"2h\" is out of range (0.1 s to 1 h 0 m)");
	T_EQ(units_parse_span("-1", "--interval", 0, 9, &ns, &err), -EINVAL);
	T_EQ(units_parse_span("nan", "--interval", 0, 9, &ns, &err), -EINVAL);
	T_EQ(ns, 600000000000);
}

TEST(bytes_are_read_with_their_suffix)
{
	uint64_t v = 0;

	T_EQ(units_parse_bytes("64K", "--sample", 0, UINT64_MAX, &v, NULL), 0);
	T_EQ(v, 65536);
	T_EQ(units_parse_bytes("1.5M", "--sample", 0, UINT64_MAX, &v, NULL), 0);
	T_EQ(v, 1572864);
	T_EQ(units_parse_bytes("", "--sample", 0, UINT64_MAX, &v, NULL), -EINVAL);
}

TEST(ages_in_sentences_have_whole_seconds_from_ten_on)
{
	char b[UNITS_TEXT];

	T_STR(units_age(b, 8400000000), "8.4 s");
	T_STR(units_age(b, 41900000000), "41 s");
	T_STR(units_age(b, 61000000000), "1 m 1 s");
}
