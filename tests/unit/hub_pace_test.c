/* A sender's pace, on a tail in plain memory. */
#include "tests/t.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hub/hub_format.h"
#include "lib/hub/hub_os.h"
#include "lib/hub/hub_pace.h"

enum { LARGE = 64 << 10, HUGE_ONE = 10 << 20, FOREVER_NS = 1000000000 };

static _Atomic uint64_t tail;
static _Atomic uint32_t asleep;
static struct hub_pace pace;

/* `n` messages of one cell went out, in slots 100, 101, ... */
static void send_many(unsigned n)
{
	memset(&pace, 0, sizeof(pace));
	tail = asleep = 0;
	hub_pace_open(&pace, &tail, &asleep);
	for (unsigned i = 0; i < n; i++)
		hub_pace_note(&pace, i + 1, 100 + i, LARGE);
}

TEST(the_slot_longest_taken_is_filled_next)
{
	send_many(9);
	tail = 8;
	T_EQ(hub_pace_slot(&pace, LARGE), 100); /* eight may be under way */
	hub_pace_note(&pace, 10, 100, LARGE);
	T_EQ(hub_pace_slot(&pace, LARGE), 101);
	T_EQ(hub_pace_slot(&pace, HUGE_ONE), 107); /* two */
}

TEST(while_nothing_is_under_way_any_slot_will_do)
{
	send_many(9);
	tail = 9;
	T_EQ(hub_pace_slot(&pace, LARGE), HUB_NO_SLOT);
	send_many(8);
	T_EQ(hub_pace_slot(&pace, LARGE), HUB_NO_SLOT); /* nor before it went round once */
	send_many(2);
	T_EQ(hub_pace_slot(&pace, HUGE_ONE), HUB_NO_SLOT);
	hub_pace_note(&pace, 3, 102, 1000); /* small ones do not count */
	T_EQ(hub_pace_slot(&pace, HUGE_ONE), HUB_NO_SLOT);
	hub_pace_note(&pace, 4, 103, HUGE_ONE);
	T_EQ(hub_pace_slot(&pace, HUGE_ONE), 100);
	send_many(100);
	T_EQ(hub_pace_slot(&pace, 1000), HUB_NO_SLOT); /* nor for small ones */
	for (size_t bytes = 16 << 10; bytes <= 16 << 20; bytes *= 2)
		T_OK(hub_pace_slot(&pace, bytes) >= 100 + 100 - HUB_PACE_MESSAGES);
}

static void *take_slowly(void *arg)
{
	const uint64_t until = *(uint64_t *)arg;

	while (hub_get64(&tail) < until) {
		for (unsigned i = 0; i < 20; i++)
			hub_relax();
		hub_put64(&tail, hub_get64(&tail) + 1);
	}
	return NULL;
}

TEST(a_consumer_that_takes_is_waited_for)
{
	uint64_t until = 40;
	unsigned waited = 0;

	for (unsigned i = 0; i < 200 && !waited; i++) {
		pthread_t consumer;

		send_many(40);
		T_EQ(pthread_create(&consumer, NULL, take_slowly, &until), 0);
		hub_pace_wait(&pace, LARGE, FOREVER_NS);
		/* eight may be left; else it was found standing still, or took too long */
		waited += tail >= 32;
		T_OK(tail >= 32 || hub_get32(&pace.lags));
		pthread_join(consumer, NULL);
	}
	T_OK(waited);
}

TEST(nobody_waits_for_one_that_sleeps_or_stands_still_or_where_nobody_spins)
{
	send_many(40);
	asleep = 1;
	hub_pace_wait(&pace, LARGE, FOREVER_NS);
	T_EQ(hub_get32(&pace.lags), 1);
	asleep = 0;
	hub_pace_wait(&pace, LARGE, 1000); /* 40 is a multiple of 8: looked at again */
	T_EQ(hub_get32(&pace.lags), 1);
	tail = 40;
	hub_pace_wait(&pace, LARGE, 1000);
	T_EQ(hub_get32(&pace.lags), 0);
	tail = 0;
	hub_pace_wait(&pace, LARGE, 0);
	hub_pace_wait(&pace, 1000, FOREVER_NS);
	send_many(7); /* no more than may be under way */
	hub_pace_wait(&pace, LARGE, FOREVER_NS);
	T_EQ(hub_get32(&pace.lags), 0);
}

TEST(one_that_lags_is_tried_again_every_few_messages)
{
	unsigned tried = 0;

	send_many(40);
	hub_pace_wait(&pace, LARGE, 1000);
	T_EQ(hub_get32(&pace.lags), 1);
	tail = 1000; /* it has caught up, and nobody knows yet */
	for (unsigned i = 0; i < 8; i++) {
		hub_put32(&pace.lags, 1);
		hub_pace_note(&pace, 41 + i, 1, LARGE);
		hub_pace_wait(&pace, LARGE, 1000);
		tried += !hub_get32(&pace.lags);
	}
	T_EQ(tried, 1);
}

TEST(a_wild_tail_makes_nobody_wait)
{
	send_many(40);
	tail = UINT64_MAX;
	hub_pace_wait(&pace, LARGE, FOREVER_NS);
	T_EQ(hub_get32(&pace.lags), 0);
	T_EQ(hub_pace_slot(&pace, LARGE), HUB_NO_SLOT);
}
