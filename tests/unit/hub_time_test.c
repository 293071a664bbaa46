#include "lib/state/hub_time.h"

#include "tests/t.h"

static const uint64_t CREATED = 5000000;

TEST(a_time_of_the_hub_is_counted_from_its_creation)
{
	T_EQ(hub_time_us(CREATED, CREATED + 10000000, 4000), CREATED + 4000000);
	T_EQ(hub_time_us(CREATED, CREATED + 10000000, 0), 0);
	T_EQ(hub_time_long_us(CREATED, CREATED + 10000000, 4000), CREATED + 4000000);
	T_EQ(hub_time_long_us(CREATED, CREATED + 10000000, 0), 0);
}

TEST(a_time_just_ahead_of_a_coarse_clock_is_now)
{
	T_EQ(hub_time_us(CREATED, CREATED + 10000000, 10004), CREATED + 10000000);
	T_EQ(hub_time_long_us(CREATED, CREATED + 10000000, 10004), CREATED + 10000000);
}

TEST(a_time_that_cannot_be_is_not_known)
{
	T_EQ(hub_time_us(CREATED, CREATED + 10000000, 3600000), 0);       /* in an hour */
	T_EQ(hub_time_us(CREATED, CREATED + 10000000, UINT32_MAX - 5000), 0);
	T_EQ(hub_time_long_us(CREATED, CREATED + 10000000, UINT64_C(1) << 39), 0);
	T_EQ(hub_time_us(CREATED, CREATED - 1, 4000), 0); /* read before it was created */
	T_EQ(hub_time_long_us(CREATED, CREATED - 1, 4000), 0);
}

TEST(times_go_on_after_49_days)
{
	const uint64_t wrap_us = (UINT64_C(1) << 32) * 1000;

	/* 100 s after the wrap: a time of 60 s after it, and one of 50 s before it */
	T_EQ(hub_time_us(CREATED, CREATED + wrap_us + 100000000, 60000), CREATED + wrap_us + 60000000);
	T_EQ(hub_time_us(CREATED, CREATED + wrap_us + 100000000, (uint32_t)-50000),
	     CREATED + wrap_us - 50000000);
	T_EQ(hub_time_long_us(CREATED, CREATED + wrap_us + 100000000, (UINT64_C(1) << 32) + 60000),
	     CREATED + wrap_us + 60000000);
}
