/*
 * What one peer does to the others: nothing. Stopped, swallowing or hoarding, it uses up its own
 * share (its ring, a quarter of the pending calls, a quarter of a class each way), and everybody
 * else goes on. How fast is told by the ipc bench. And what all of them cost that do nothing.
 */
#include "tests/hub_live.h"
#include "tests/t.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BAD = 1, GOOD = 2, PEERS = 4, CALLS = 64, LARGE = 200000 };

static struct shmhub *start(void)
{
	struct shmhub_config config;

	shmhub_config_init(&config);
	config.calls_max = CALLS;
	config.class_count = 3;
	config.classes[0] = (struct shmhub_class){ 1 << 10, 64, 64 };
	config.classes[1] = (struct shmhub_class){ 256 << 10, 8, 8 };
	config.classes[2] = (struct shmhub_class){ 1 << 20, 8, 8 };
	struct shmhub *hub = hub_live_create(&config);

	for (unsigned i = 1; i <= PEERS; i++)
		T_EQ(hub_live_spawn(hub, i == BAD ? "bad" : "good", hub_live_echo, NULL), i);
	return hub;
}

/* Small and large calls to everybody but BAD; each in its own time. */
static void others_go_on(struct shmhub *hub)
{
	uint8_t *large = calloc(1, LARGE);

	for (unsigned i = 0; i < 60 * (unsigned)t_length(); i++)
		for (unsigned peer = GOOD; peer <= PEERS; peer++) {
			struct shmhub_msg reply;
			const size_t bytes = i % 4 ? 64 : LARGE;

			T_EQ(shmhub_call(hub, peer, LIVE_ECHO, large, bytes, 10000, &reply), 0);
			T_EQ(reply.len, bytes);
			shmhub_msg_release(&reply);
		}
	free(large);
}

static pid_t pid_of(struct shmhub *hub, unsigned peer)
{
	struct shmhub_msg reply;
	pid_t pid;

	T_EQ(shmhub_call(hub, peer, LIVE_PID, NULL, 0, 10000, &reply), 0);
	memcpy(&pid, reply.data, sizeof(pid));
	shmhub_msg_release(&reply);
	return pid;
}

static bool is_stopped(void *arg)
{
	char path[64], text[512] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", *(pid_t *)arg);
	FILE *f = fopen(path, "re");
	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	const char *state = strrchr(text, ')');

	return state && state[2] == 'T';
}

/* Three that wait for BAD as long as it takes: for its answer, for space in its ring, for a slot. */
static void *wait_for_answer(void *hub)
{
	return (void *)(intptr_t)shmhub_call(hub, BAD, LIVE_ECHO, "x", 1, -1, NULL);
}

static void *wait_for_space(void *hub)
{
	return (void *)(intptr_t)shmhub_notify(hub, BAD, LIVE_SINK, "x", 1, -1, 0);
}

static void *wait_for_slot(void *hub)
{
	struct shmhub_buf buf;
	const int r = shmhub_reserve(hub, BAD, LARGE, -1, &buf);

	if (!r)
		shmhub_buf_release(&buf);
	return (void *)(intptr_t)r;
}

/* Who waits for the answer has the role; the others are counted. */
static bool one_sleeps(void *arg)
{
	return hub_get32(&((struct shmhub *)arg)->link[BAD].role) != 0;
}

static bool all_three_sleep(void *arg)
{
	return one_sleeps(arg) && hub_get32(&((struct shmhub *)arg)->sleepers) == 2;
}

static unsigned reserve_all(struct shmhub *hub, struct shmhub_buf *buf, unsigned most)
{
	unsigned n = 0;

	while (n < most && shmhub_reserve(hub, BAD, LARGE, 0, &buf[n]) == 0)
		n++;
	return n;
}

TEST(a_stopped_peer_stalls_nobody_but_those_who_wait_for_it)
{
	struct shmhub *hub = start();
	pid_t pid = pid_of(hub, BAD);
	struct shmhub_buf buf[16];
	pthread_t thread[3];
	unsigned n = 0;
	void *r;

	kill(pid, SIGSTOP);
	hub_live_until(is_stopped, &pid, "the peer is stopped");
	T_EQ(pthread_create(&thread[0], NULL, wait_for_answer, hub), 0);
	hub_live_until(one_sleeps, hub, "a thread waits for the answer");
	while (shmhub_notify(hub, BAD, LIVE_SINK, "x", 1, 0, SHMHUB_NOWAIT) == 0)
		T_OK(++n <= HUB_NOTIFY_WINDOW);
	T_OK(n > 100);
	n = reserve_all(hub, buf, 16);
	T_EQ(pthread_create(&thread[1], NULL, wait_for_space, hub), 0);
	T_EQ(pthread_create(&thread[2], NULL, wait_for_slot, hub), 0);
	hub_live_until(all_three_sleep, hub, "three threads wait for the stopped peer");
	others_go_on(hub);
	T_OK(all_three_sleep(hub));
	kill(pid, SIGCONT);
	while (n)
		shmhub_buf_release(&buf[--n]);
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], &r);
		T_EQ((intptr_t)r, 0);
	}
	T_EQ(shmhub_call(hub, BAD, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	hub_live_destroy(hub);
}

TEST(a_peer_that_swallows_calls_uses_up_a_quarter_of_the_table_and_no_more)
{
	struct shmhub *hub = start();
	uint64_t id[CALLS];
	unsigned n = 0;

	while (n < CALLS && shmhub_call_start(hub, BAD, LIVE_HANG, "x", 1, -1, SHMHUB_NOWAIT, &id[n]) == 0)
		n++;
	T_EQ(n, CALLS / 4);
	others_go_on(hub);
	while (n)
		T_EQ(shmhub_cancel(hub, id[--n]), 0);
	hub_live_destroy(hub);
}

TEST(a_hoarder_gets_a_quarter_of_a_class_and_of_the_one_above_and_no_more)
{
	struct shmhub *hub = start();
	struct shmhub_buf buf[16];
	unsigned n = reserve_all(hub, buf, 16);

	T_EQ(n, 4); /* two of eight, and two of eight */
	others_go_on(hub);
	while (n)
		shmhub_buf_release(&buf[--n]);
	hub_live_destroy(hub);
}

/* ---- idle, and idle again --------------------------------------------------------------------- */

/* In memory whatever TMPDIR is: a filesystem on disk counts blocks of its own in. */
static struct shmhub *start_in_memory(unsigned peers)
{
	struct shmhub_config config;

	shmhub_config_init(&config);
	config.memfd = 1;
	struct shmhub *hub = hub_live_create(&config);

	for (unsigned i = 1; i <= peers; i++) {
		T_EQ(hub_live_spawn(hub, "idle", hub_live_echo, NULL), i);
		T_EQ(shmhub_call(hub, i, LIVE_ECHO, "x", 1, 10000, NULL), 0);
	}
	return hub;
}

static uint64_t blocks(const struct shmhub *hub)
{
	struct stat st;

	T_EQ(fstat(hub->map.fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

TEST(sixteen_idle_peers_keep_less_than_two_mebibytes_in_all)
{
	struct shmhub *hub = start_in_memory(16);

	T_OK(blocks(hub) > 16 * 2 * HUB_RING_CELLS_DEFAULT * sizeof(struct hub_cell));
	T_OK(blocks(hub) <= 2 << 20);
	hub_live_destroy(hub);
}

struct size { struct shmhub *hub; uint64_t before; };

static bool is_small_again(void *arg)
{
	const struct size *s = arg;

	return blocks(s->hub) <= s->before + s->before / 10;
}

TEST(after_a_burst_of_64_messages_of_10_MB_the_file_is_as_small_as_before)
{
	enum { BYTES = 10 << 20, MESSAGES = 64, AT_ONCE = 8 };
	struct shmhub *hub = start_in_memory(PEERS);
	const uint32_t bytes = BYTES;
	uint64_t id[AT_ONCE];
	struct shmhub_msg reply;

	struct size size = { hub, blocks(hub) };

	for (unsigned i = 0; i < MESSAGES + AT_ONCE; i++) {
		if (i >= AT_ONCE) {
			T_EQ(shmhub_wait(hub, id[i % AT_ONCE], 20000, 0, &reply), 0);
			T_EQ(reply.len, BYTES);
			shmhub_msg_release(&reply);
		}
		if (i < MESSAGES)
			T_EQ(shmhub_call_start(hub, 1 + i % PEERS, LIVE_MAKE, &bytes, sizeof(bytes), 20000,
					       0, &id[i % AT_ONCE]), 0);
	}
	T_OK(blocks(hub) > 4 * size.before);
	hub_live_until(is_small_again, &size, "the file is as small as before");
	hub_live_destroy(hub);
}
