/*
 * A hub in full use is looked at again and again. Whatever moves meanwhile, nothing of it may be
 * taken for damage, no time may lie ahead of the look, and no count may be impossible.
 */
#include "lib/state/source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/hub/shmhub.h"
#include "tests/t.h"

enum { ECHO = 1, PEERS = 3, CALLERS = 4, LARGE = 300000 };

static struct shmhub *hub;
static unsigned peers[PEERS];
static atomic_bool is_over;

static void echo(struct shmhub_request *r, void *arg)
{
	(void)arg;
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

static int echo_peer(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_error error;
	struct shmhub_peer *peer;

	(void)arg;
	if (shmhub_peer_attach(config, &peer, &error))
		return 1;
	shmhub_peer_handle(peer, ECHO, "echo", echo, NULL);
	const int r = shmhub_peer_run(peer);

	shmhub_peer_detach(peer);
	return r ? 2 : 0;
}

/* Calls of all sizes: within the ring, of several cells, in slots of several classes. */
static void *call(void *arg)
{
	static const size_t sizes[] = { 4, 100, 190, 1000, 20000, LARGE };
	char *bytes = calloc(1, LARGE);
	uint64_t seed = (uintptr_t)arg;

	while (!atomic_load(&is_over)) {
		struct shmhub_msg reply;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		const size_t n = sizes[(seed >> 33) % (sizeof(sizes) / sizeof(sizes[0]))];
		const int e = shmhub_call(hub, peers[(seed >> 40) % PEERS], ECHO, bytes, n, 10000, &reply);

		if (e)
			T_FAIL("a call of %zu bytes: %s", n, strerror(-e));
		shmhub_msg_release(&reply);
	}
	free(bytes);
	return NULL;
}

static void check_ring(const struct state *st, const struct state_peer *p, unsigned dir)
{
	const struct state_ring *r = &p->ring[dir];

	if (r->damage)
		T_FAIL("%s ring %u of a sound hub: %s", p->name, dir, r->damage);
	T_OK(r->waiting <= r->capacity);
	T_EQ(r->written, r->read + r->waiting);
	T_OK(r->tail <= r->published && r->published - r->tail <= r->capacity);
	T_OK(r->take_us <= st->now_us && r->bell_us <= st->now_us);
	T_OK(r->oldest.time_us <= st->now_us);
	T_EQ(r->oldest.is_there, r->waiting > 0);
}

static void check(const struct state *st)
{
	const struct state_hub *h = &st->hub[0];

	T_EQ(st->hubs, 1);
	if (h->damage)
		T_FAIL("of a sound hub: %s", h->damage);
	T_EQ(h->host_alive, STATE_YES);
	T_OK(h->seen_us <= st->now_us && h->last_alive_us <= st->now_us);
	for (size_t i = 0; i < h->peers; i++) {
		const struct state_peer *p = &h->peer[i];

		T_OK(p->flag_us <= st->now_us && p->beat.since_us <= st->now_us);
		T_EQ(p->alive, STATE_YES);
		if (!p->id)
			continue;
		T_OK(p->process >= 0);
		check_ring(st, p, HUB_RECV);
		check_ring(st, p, HUB_SEND);
	}
	for (size_t i = 0; i < h->classes; i++) {
		uint32_t sum = h->klass[i].bad;

		for (unsigned k = 0; k < HUB_SLOT_STATES; k++)
			sum += h->klass[i].count[k];
		T_EQ(sum, h->klass[i].slots);
		T_EQ(h->klass[i].bad, 0);
	}
	for (size_t i = 0; i < h->calls; i++)
		T_OK(h->call[i].started_us <= st->now_us && h->call[i].peer <= PEERS);
}

static void begin(void)
{
	char name[64];
	struct shmhub_config config;
	struct shmhub_error error;
	const struct shmhub_spawn s = { .size = sizeof(s), .name = "echo", .child = echo_peer };

	snprintf(name, sizeof(name), "shmscope-test-%d", getpid());
	shmhub_config_init(&config);
	config.name = name;
	if (shmhub_create(&config, &hub, &error))
		T_FAIL("%s", error.text);
	for (unsigned i = 0; i < PEERS; i++)
		if (shmhub_spawn(hub, &s, &peers[i], &error))
			T_FAIL("%s", error.text);
}

static struct source *look_at_it(bool stacks)
{
	char path[128];
	const char *const hubs[] = { path, NULL };
	const struct source_options options = { .hubs = hubs, .bells = true, .stacks = stacks };
	struct source *src;
	struct err err;

	snprintf(path, sizeof(path), "/dev/shm/shmscope-test-%d.hub", getpid());
	if (source_open_live(&options, &src, &err))
		T_FAIL("%s", err.text);
	return src;
}

static void look_again_and_again(bool stacks, unsigned looks)
{
	pthread_t caller[CALLERS];
	struct source *src;
	struct state st;
	struct err err;
	uint64_t written = 0;

	begin();
	src = look_at_it(stacks);
	for (uintptr_t i = 0; i < CALLERS; i++)
		T_EQ(pthread_create(&caller[i], NULL, call, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < looks; i++) {
		T_EQ(source_next(src, &st, &err), 1);
		check(&st);
		written = state_find_peer(&st.hub[0], peers[0])->ring[HUB_RECV].written;
		state_fini(&st);
	}
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < CALLERS; i++)
		pthread_join(caller[i], NULL);
	T_OK(written > 0);

	/* at rest: nothing waits, everybody sleeps */
	T_EQ(source_next(src, &st, &err), 1);
	check(&st);
	for (size_t i = 0; i < st.hub[0].peers; i++)
		T_EQ(st.hub[0].peer[i].ring[HUB_RECV].waiting, 0);
	T_EQ(st.hub[0].calls_pending, 0);
	state_fini(&st);
	source_close(src);
	shmhub_destroy(hub, 5000);
}

TEST(a_busy_hub_is_never_taken_for_a_damaged_one)
{
	look_again_and_again(false, 400 * t_length());
}

TEST(looking_at_the_stacks_of_busy_threads_disturbs_nobody)
{
	look_again_and_again(true, 50 * t_length());
}
