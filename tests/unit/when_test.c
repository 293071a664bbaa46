#include "lib/base/when.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "tests/t.h"

/* 2026-11-20 14:02:31 UTC */
#define NOW_US (UINT64_C(1795183351) * 1000000)

static uint64_t parsed(const char *text)
{
	uint64_t us = 0;

	setenv("TZ", "CET-1", 1);
	tzset();
	T_EQ(when_parse(text, "--since", NOW_US, &us, NULL), 0);
	return us;
}

TEST(a_clock_time_is_local_and_the_last_one_that_was)
{
	T_EQ(parsed("15:02"), NOW_US - 31 * UINT64_C(1000000));
	T_EQ(parsed("15:02:31"), NOW_US);
	T_EQ(parsed("15:03"), NOW_US + 29 * UINT64_C(1000000));
	T_EQ(parsed("16:02"), NOW_US - (23 * 3600 + 31) * UINT64_C(1000000));
}

TEST(a_duration_is_that_long_ago)
{
	T_EQ(parsed("5m"), NOW_US - 300 * UINT64_C(1000000));
	T_EQ(parsed("0.5s"), NOW_US - 500000);
}

TEST(rfc_3339_is_understood_with_and_without_a_zone)
{
	T_EQ(parsed("2026-11-20T14:02:31Z"), NOW_US);
	T_EQ(parsed("2026-11-20T15:02:31.8+01:00"), NOW_US + 800000);
	T_EQ(parsed("2026-11-20 15:02:31"), NOW_US);
	T_EQ(parsed("2026-11-20T12:02:31-02:00"), NOW_US);
}

TEST(what_is_no_time_is_refused)
{
	static const char *const wrong[] = { "", "25:00x", "99:99", "noon", "2026-11-20",
					     "2026-11-20T14:02:31+1", "-5m", NULL };
	struct err err;
	uint64_t us = 7;

	for (unsigned i = 0; wrong[i]; i++) {
		T_EQ(when_parse(wrong[i], "--since", NOW_US, &us, &err), -EINVAL);
	}
	T_EQ(us, 7);
	T_STR(err.text, "--since: \"-5m\" is not a time such as 14:02, 5m (ago) or "
			"2026-11-20T14:02:22+01:00");
}
