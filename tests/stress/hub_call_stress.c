/*
 * Chaos: peers are killed at random while threads of the host call them and they call the host.
 * Whatever is answered is exact; what was sent to a peer that lives is answered; afterwards every
 * slot is free and no call is pending.
 */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <stdlib.h>
#include <string.h>

enum { PEERS = 6, VICTIMS = 3, THREADS = 6, SECONDS = 3 };

/* ---- peers: echo, after having asked the host ------------------------------------------------- */

static struct shmhub_peer *me;

static void echo_through_host(struct shmhub_request *r, void *arg)
{
	const size_t n = shmhub_request_len(r);

	(void)arg;
	if (n % 3) /* most answer at once */
		shmhub_reply(r, 0, shmhub_request_data(r), n);
	else
		hub_live_ask_first(r, me);
}

static int stress_child(const struct shmhub_peer_config *config, void *arg)
{
	(void)arg;
	me = hub_live_attach(config);
	shmhub_peer_handle(me, LIVE_ECHO, NULL, echo_through_host, NULL);
	return hub_live_run(me);
}

/* ---- host ---------------------------------------------------------------------------------------- */

struct work {
	struct shmhub *hub;
	uint64_t rng, until_ns;
	uint64_t answered, died, again;
	const char *wrong;
};

static size_t some_size(uint64_t *rng)
{
	const uint64_t r = t_random(rng);

	switch (r % 8) {
	case 0:
		return 100000 + r / 8 % 200000;
	case 1:
	case 2:
		return 193 + r / 8 % 5000;
	default:
		return r / 8 % 193;
	}
}

static void call_once(struct work *w, uint8_t *data)
{
	const unsigned peer = 1 + t_random(&w->rng) % PEERS;
	const size_t n = some_size(&w->rng);
	struct shmhub_msg reply;

	for (size_t i = 0; i < n; i += 64)
		data[i] = (uint8_t)t_random(&w->rng);
	const int r = shmhub_call(w->hub, peer, LIVE_ECHO, data, n, 20000, &reply);

	if (r) {
		if (r == -EOWNERDEAD && peer <= VICTIMS)
			w->died++;
		else
			w->wrong = r == -ETIMEDOUT ? "a call timed out" : "a call failed";
		return;
	}
	if (reply.status == -EAGAIN)
		w->again++;
	else if (reply.status)
		w->wrong = "a status";
	else if (reply.len != n || memcmp(reply.data, data, n) != 0)
		w->wrong = "another answer";
	else
		w->answered++;
	shmhub_msg_release(&reply);
}

static void *keep_calling(void *arg)
{
	struct work *w = arg;
	uint8_t *data = calloc(1, 300000);

	while (hub_now_ns() < w->until_ns && !w->wrong)
		call_once(w, data);
	free(data);
	return NULL;
}

static void spawn_stress(struct shmhub *hub, unsigned i)
{
	const struct shmhub_spawn s = { .size = sizeof(s), .name = i <= VICTIMS ? "victim" : "steady",
					.child = stress_child, .restart = SHMHUB_RESTART_ON_DEATH,
					.backoff_first_ms = 1, .backoff_max_ms = 5, .die_with_host = 1 };
	struct shmhub_error error;
	unsigned peer;

	if (shmhub_spawn(hub, &s, &peer, &error))
		T_FAIL("%s", error.text);
	T_EQ(peer, i);
}

TEST(random_kills_under_load_lose_nothing_and_leave_nothing)
{
	uint64_t rng = t_seed() | 1;
	struct shmhub *hub = hub_live_create(NULL);
	const uint64_t until = hub_now_ns() + SECONDS * t_length() * UINT64_C(1000000000);
	struct work work[THREADS];
	pthread_t thread[THREADS];
	struct shmhub_stats stats = { .size = sizeof(stats) };
	uint64_t answered = 0, died = 0, kills = 0;

	hub_live_serve_sum(hub);
	for (unsigned i = 1; i <= PEERS; i++)
		spawn_stress(hub, i);
	for (unsigned i = 0; i < THREADS; i++) {
		work[i] = (struct work){ .hub = hub, .rng = t_random(&rng), .until_ns = until };
		pthread_create(&thread[i], NULL, keep_calling, &work[i]);
	}
	while (hub_now_ns() < until) {
		usleep((useconds_t)(t_random(&rng) % 30000));
		kills += shmhub_kill(hub, 1 + t_random(&rng) % VICTIMS) == 0;
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		if (work[i].wrong)
			T_FAIL("thread %u: %s", i, work[i].wrong);
		answered += work[i].answered;
		died += work[i].died;
	}
	shmhub_stats_get(hub, &stats);
	printf("    %lu answered, %lu kills, %lu calls of the killed, %lu slots taken back\n", answered,
	       kills, died, stats.slots_swept);
	T_OK(answered > 0 && kills > 0);
	T_EQ(stats.quarantined, 0);
	T_EQ(stats.rescues, 0);
	hub_live_destroy(hub);
}
