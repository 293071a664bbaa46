/* Ours: libshmhub through its public, blocking interface. */
#include "tests/bench/ipc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/hub/shmhub.h"
#include "tests/bench/bench.h"

enum { METHOD_ECHO = 1, METHOD_SINK = 2 };

static struct shmhub *hub;
static unsigned peer;
static char *buffer;
static uint64_t answer_sum;
static struct ipc_shared *served;

static int setup(size_t bytes)
{
	struct shmhub_config config;
	struct shmhub_error error;

	shmhub_config_init(&config);
	config.memfd = 1;
	buffer = malloc(bytes);
	const int r = shmhub_create(&config, &hub, &error);
	if (r)
		fprintf(stderr, "%s\n", error.text);
	return buffer ? r : -ENOMEM;
}

static void reply_filled(struct shmhub_request *request, size_t bytes, uint64_t seed)
{
	struct shmhub_buf buf;
	char small[SHMHUB_INLINE_MAX];

	if (bytes <= sizeof(small)) {
		ipc_fill(small, bytes, seed);
		shmhub_reply(request, 0, small, bytes);
	} else if (shmhub_reply_reserve(request, bytes, -1, &buf) == 0) {
		ipc_fill(buf.data, bytes, seed);
		ipc_die(served, IPC_DIES_RESERVED);
		shmhub_reply_buf(request, 0, &buf, bytes);
	}
}

static void on_echo(struct shmhub_request *request, void *arg)
{
	const size_t bytes = shmhub_request_len(request);

	(void)arg;
	ipc_count(served, ipc_sum(shmhub_request_data(request), bytes));
	ipc_die(served, IPC_DIES_HOLDING);
	ipc_pause(served);
	reply_filled(request, bytes, 1);
}

static void on_sink(struct shmhub_request *request, void *arg)
{
	(void)arg;
	ipc_count(served, ipc_sum(shmhub_request_data(request), shmhub_request_len(request)));
}

static int peer_main(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *self;

	served = arg;
	bench_pin(1);
	if (shmhub_peer_attach(config, &self, NULL))
		return 1;
	shmhub_peer_handle(self, METHOD_ECHO, "echo", on_echo, NULL);
	shmhub_peer_handle(self, METHOD_SINK, "sink", on_sink, NULL);
	served->side1 = getpid();
	const int r = shmhub_peer_run(self);

	atomic_store(&served->noticed_ns, bench_now_ns());
	return r ? 1 : 0;
}

static int spawn_one(struct ipc_shared *shared, unsigned *id)
{
	struct shmhub_spawn spawn = {
		.size = sizeof(spawn), .name = "bench", .child = peer_main, .arg = shared,
		.die_with_host = !shared->orphan,
	};

	return shmhub_spawn(hub, &spawn, id, NULL);
}

static int start(struct ipc_shared *shared, size_t bytes, bool echo)
{
	(void)bytes;
	(void)echo;
	return spawn_one(shared, &peer);
}

static bool echoing;

static int call(size_t bytes, uint64_t seed)
{
	struct shmhub_buf buf;
	struct shmhub_msg reply;
	uint64_t id;
	int r;

	if (bytes <= SHMHUB_INLINE_MAX) {
		ipc_fill(buffer, bytes, seed);
		r = shmhub_call(hub, peer, METHOD_ECHO, buffer, bytes, -1, &reply);
	} else {
		r = shmhub_reserve(hub, peer, bytes, -1, &buf);
		if (r)
			return r;
		ipc_fill(buf.data, bytes, seed);
		r = shmhub_call_start_buf(hub, METHOD_ECHO, &buf, bytes, -1, 0, &id);
		if (r)
			return r;
		r = shmhub_wait(hub, id, -1, SHMHUB_HOLD, &reply);
	}
	if (r)
		return r;
	answer_sum = ipc_sum(reply.data, reply.len);
	shmhub_msg_release(&reply);
	return 0;
}

static int one_way(size_t bytes, uint64_t seed)
{
	struct shmhub_buf buf;

	if (bytes <= SHMHUB_INLINE_MAX) {
		ipc_fill(buffer, bytes, seed);
		return shmhub_notify(hub, peer, METHOD_SINK, buffer, bytes, -1, 0);
	}
	const int r = shmhub_reserve(hub, peer, bytes, -1, &buf);
	if (r)
		return r;
	ipc_fill(buf.data, bytes, seed);
	return shmhub_notify_buf(hub, METHOD_SINK, &buf, bytes, -1, 0);
}

static int begin(size_t bytes)
{
	(void)bytes;
	return 0;
}

/* A call is request and answer in one: send() makes it, receive() tells its sum. */
static int put(size_t bytes, uint64_t seed)
{
	return echoing ? call(bytes, seed) : one_way(bytes, seed);
}

static int get(size_t bytes, uint64_t *sum)
{
	(void)bytes;
	*sum = answer_sum;
	return 0;
}

static int start_as(struct ipc_shared *shared, size_t bytes, bool echo)
{
	echoing = echo;
	return start(shared, bytes, echo);
}

static void teardown(void)
{
	shmhub_destroy(hub, 1000);
	free(buffer);
}

/* One thread keeps `depth` calls under way at each peer and waits for them in turn. */
static double many(unsigned peers, unsigned depth, double seconds)
{
	struct shmhub_config config;
	uint64_t id[64][16];
	unsigned peer_id[64];
	char message[64];
	static struct ipc_shared shared; /* private copies: nobody looks */

	shmhub_config_init(&config);
	config.memfd = 1;
	config.peers_max = peers;
	if (shmhub_create(&config, &hub, NULL))
		return 0;
	for (unsigned i = 0; i < peers; i++)
		if (spawn_one(&shared, &peer_id[i]))
			return 0;
	memset(message, 7, sizeof(message));
	for (unsigned i = 0; i < peers; i++)
		for (unsigned d = 0; d < depth; d++)
			if (shmhub_call_start(hub, peer_id[i], METHOD_ECHO, message, sizeof(message),
					      -1, 0, &id[i][d]))
				return 0;
	uint64_t start_ns = bench_now_ns(), now = start_ns, calls = 0;
	for (unsigned lap = 0; lap <= 8 || now - start_ns < (uint64_t)(seconds * 1e9); lap++) {
		if (lap == 8) { /* all have attached */
			start_ns = bench_now_ns();
			calls = 0;
		}
		for (unsigned d = 0; d < depth; d++)
			for (unsigned i = 0; i < peers; i++) {
				struct shmhub_msg reply;

				if (shmhub_wait(hub, id[i][d], -1, 0, &reply))
					return 0;
				shmhub_msg_release(&reply);
				calls++;
				if (shmhub_call_start(hub, peer_id[i], METHOD_ECHO, message,
						      sizeof(message), -1, 0, &id[i][d]))
					return 0;
			}
		now = bench_now_ns();
	}
	const double rate = (double)calls * 1e9 / (double)(now - start_ns);
	for (unsigned i = 0; i < peers; i++)
		for (unsigned d = 0; d < depth; d++)
			shmhub_cancel(hub, id[i][d]);
	shmhub_destroy(hub, 200);
	return rate;
}

const struct ipc_ops ipc_shmhub = {
	.name = "shmhub", .max_bytes = 16 << 20, .setup = setup, .begin = begin, .send = put,
	.receive = get, .start = start_as, .teardown = teardown, .many = many,
	.has_deaths = true,
};
