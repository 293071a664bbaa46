/*
 * The application reads its answers in any order, while there are far too few slots: everything
 * is answered, exactly, and long before its deadline. Peers answer at once, or ask the host first
 * and answer without waiting for that, or wait for it; all answers want slots of one class.
 */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <stdlib.h>
#include <string.h>

enum { PEERS = 3, SLOTS = 4, MOST = 12, SIZE = 3000, DEADLINE_MS = 20000, SECONDS = 2 };
enum { ASK = 60 };
enum how { AT_ONCE, ASKS, ASKS_AND_WAITS, HOWS };

static void fill(uint8_t *to, uint8_t salt)
{
	for (unsigned i = 0; i < SIZE; i++)
		to[i] = (uint8_t)(LIVE_BYTE(i) + salt);
}

static bool is_filled(const void *data, size_t len, uint8_t salt)
{
	uint8_t want[SIZE];

	fill(want, salt);
	return len == SIZE && memcmp(data, want, SIZE) == 0;
}

/* ---- peers --------------------------------------------------------------------------------------- */

static struct shmhub_peer *me;

static void answer(struct shmhub_request *r)
{
	uint8_t data[SIZE];

	fill(data, ((const uint8_t *)shmhub_request_data(r))[1]);
	shmhub_reply(r, 0, data, SIZE);
}

static void host_has_said(void *arg, int result, struct shmhub_msg *reply)
{
	if (result || !is_filled(reply->data, reply->len, 9))
		_exit(50);
	if (arg)
		answer(arg);
}

static void serve(struct shmhub_request *r, void *arg)
{
	const enum how how = ((const uint8_t *)shmhub_request_data(r))[0];

	(void)arg;
	if (how == ASKS_AND_WAITS)
		shmhub_request_defer(r);
	if (how != AT_ONCE && shmhub_peer_call_async(me, ASK, NULL, 0, DEADLINE_MS, 0, host_has_said,
						     how == ASKS_AND_WAITS ? r : NULL, NULL))
		_exit(51);
	if (how != ASKS_AND_WAITS)
		answer(r);
}

static int child(const struct shmhub_peer_config *config, void *arg)
{
	(void)arg;
	me = hub_live_attach(config);
	shmhub_peer_handle(me, LIVE_ECHO, NULL, serve, NULL);
	return hub_live_run(me);
}

/* ---- host ---------------------------------------------------------------------------------------- */

static void host_says(struct shmhub_request *r, void *arg)
{
	uint8_t data[SIZE];

	(void)arg;
	fill(data, 9);
	shmhub_reply(r, 0, data, SIZE);
}

/* With its slot, if there is one; else without. */
static uint64_t start(struct shmhub *hub, uint64_t *rng, uint8_t salt)
{
	const uint64_t random = t_random(rng);
	const unsigned peer = 1 + random % PEERS;
	uint8_t data[SIZE] = { (uint8_t)(random / 64 % HOWS), salt };
	uint64_t call;

	if (random / 1024 % 2 &&
	    !shmhub_call_start(hub, peer, LIVE_ECHO, data, SIZE, DEADLINE_MS, SHMHUB_NOWAIT, &call))
		return call;
	T_EQ(shmhub_call_start(hub, peer, LIVE_ECHO, data, 2, DEADLINE_MS, 0, &call), 0);
	return call;
}

static void read_one(struct shmhub *hub, uint64_t call, uint8_t salt, unsigned flags)
{
	struct shmhub_msg reply;

	T_EQ(shmhub_wait(hub, call, -1, flags, &reply), 0);
	T_EQ(reply.status, 0);
	T_OK(is_filled(reply.data, reply.len, salt));
	shmhub_msg_release(&reply);
}

static void round_of_calls(struct shmhub *hub, uint64_t *rng)
{
	uint64_t call[MOST];
	uint8_t salt[MOST];
	unsigned n = 1 + (unsigned)(t_random(rng) % MOST);

	for (unsigned i = 0; i < n; i++) {
		salt[i] = (uint8_t)t_random(rng);
		call[i] = start(hub, rng, salt[i]);
	}
	while (n) {
		const unsigned i = (unsigned)(t_random(rng) % n);
		const unsigned flags = t_random(rng) % 2 ? SHMHUB_HOLD : 0;

		if (t_random(rng) % 16)
			read_one(hub, call[i], salt[i], flags);
		else
			T_EQ(shmhub_cancel(hub, call[i]), 0);
		call[i] = call[--n];
		salt[i] = salt[n];
	}
}

TEST(answers_are_read_in_any_order)
{
	const uint64_t until = hub_now_ns() + (uint64_t)SECONDS * t_length() * 1000000000;
	uint64_t rng = t_seed(), rounds = 0;
	struct shmhub_config config;

	shmhub_config_init(&config);
	config.class_count = 1;
	config.classes[0] = (struct shmhub_class){ 4096, SLOTS, SLOTS };
	struct shmhub *hub = hub_live_create(&config);

	shmhub_handle(hub, ASK, NULL, host_says, NULL);
	for (int i = 0; i < PEERS; i++)
		hub_live_spawn(hub, "peer", child, NULL);
	for (; hub_now_ns() < until; rounds++)
		round_of_calls(hub, &rng);
	printf("  %llu rounds, %llu answers left their slots unread\n", (unsigned long long)rounds,
	       (unsigned long long)hub_get64(&hub->map.host->answers_spilled));
	hub_live_destroy(hub);
}
