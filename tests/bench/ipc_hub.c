/*
 * What is asked of libshmhub alone: its price when idle, with many threads, with a peer that
 * misbehaves, and the memory that it keeps.
 */
#include "tests/bench/ipc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/hub/shmhub.h"
#include "tests/bench/bench.h"

enum { METHOD_ECHO = 1, METHOD_KEEP = 2, METHOD_PID = 3 };
enum { PEERS = 16, THREADS = 8, LARGE = 100000, HOARDED = 200000, IMPATIENT_MS = 20 };

static void on_echo(struct shmhub_request *request, void *arg)
{
	(void)arg;
	ipc_sum(shmhub_request_data(request), shmhub_request_len(request));
	shmhub_reply(request, 0, shmhub_request_data(request), 64);
}

/* Never answered, and its payload never given back. */
static void on_keep(struct shmhub_request *request, void *arg)
{
	(void)arg;
	shmhub_request_defer(request);
}

static void on_pid(struct shmhub_request *request, void *arg)
{
	const pid_t pid = getpid();

	(void)arg;
	shmhub_reply(request, 0, &pid, sizeof(pid));
}

static int peer_main(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_peer *self;

	(void)arg;
	if (shmhub_peer_attach(config, &self, NULL))
		return 1;
	shmhub_peer_handle(self, METHOD_ECHO, "echo", on_echo, NULL);
	shmhub_peer_handle(self, METHOD_KEEP, "keep", on_keep, NULL);
	shmhub_peer_handle(self, METHOD_PID, "pid", on_pid, NULL);
	return shmhub_peer_run(self) ? 1 : 0;
}

/* Peers have the ids 1 to n; all have answered once. */
static struct shmhub *start_hub(const char *path, unsigned peers, pid_t *pid)
{
	struct shmhub_spawn spawn = {
		.size = sizeof(spawn), .name = "bench", .child = peer_main, .die_with_host = 1,
	};
	struct shmhub_config config;
	struct shmhub *hub;

	shmhub_config_init(&config);
	config.memfd = !path;
	config.path = path;
	config.peers_max = peers;
	if (shmhub_create(&config, &hub, NULL))
		return NULL;
	for (unsigned i = 0; i < peers; i++) {
		struct shmhub_msg reply;
		unsigned id;

		if (shmhub_spawn(hub, &spawn, &id, NULL) ||
		    shmhub_call(hub, id, METHOD_PID, NULL, 0, 10000, &reply)) {
			shmhub_destroy(hub, 100);
			return NULL;
		}
		memcpy(&pid[id - 1], reply.data, sizeof(*pid));
		shmhub_msg_release(&reply);
	}
	return hub;
}

/* ---- idle ----------------------------------------------------------------------------------- */

static double cpu_ms(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t))
		return 0;
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Of the hub: all threads of all processes but the one that looks, whose looking at 33 clocks
 * costs more than there is to see. */
static double cpu_of_all(const pid_t *pid, unsigned n)
{
	double ms = cpu_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu_ms(CLOCK_THREAD_CPUTIME_ID);
	clockid_t clock;

	for (unsigned i = 0; i < n; i++)
		ms += clock_getcpuclockid(pid[i], &clock) ? 0 : cpu_ms(clock);
	return ms;
}

double ipc_hub_idle(unsigned peers)
{
	pid_t pid[64];
	struct shmhub *hub = start_hub(NULL, peers, pid);

	if (!hub)
		return -1;
	sleep(3); /* the last tick, and whoever still spins */
	const double before = cpu_of_all(pid, peers);
	sleep(3);
	const double ms = (cpu_of_all(pid, peers) - before) / 3;

	shmhub_destroy(hub, 1000);
	return ms > 0 ? ms : 0; /* the two clocks of this process are not read in one */
}

/* ---- memory --------------------------------------------------------------------------------- */

static double blocks_kib(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : (double)st.st_blocks / 2;
}

double ipc_hub_idle_kib(unsigned peers)
{
	char path[64];
	pid_t pid[64];

	snprintf(path, sizeof(path), "/dev/shm/shmscope-bench-%d.hub", getpid());
	struct shmhub *hub = start_hub(path, peers, pid);
	const double kib = hub ? blocks_kib(path) : -1;

	shmhub_destroy(hub, 1000);
	return kib;
}

/* 64 messages of 10 MB at once, as many as may be under way; then: seconds until the file is as
 * small again as it was, give or take a tenth. */
double ipc_hub_punch_s(unsigned messages)
{
	enum { BYTES = 10 << 20, UNDER_WAY = 16 };
	char path[64];
	pid_t pid[4];

	snprintf(path, sizeof(path), "/dev/shm/shmscope-bench-%d.hub", getpid());
	struct shmhub *hub = start_hub(path, 4, pid);
	const double before = hub ? blocks_kib(path) : -1;
	uint64_t id[UNDER_WAY];
	double most = 0;

	for (unsigned i = 0; hub && i < messages + UNDER_WAY; i++) {
		struct shmhub_buf buf;

		if (i >= UNDER_WAY && shmhub_wait(hub, id[i % UNDER_WAY], -1, 0, NULL) < 0)
			return -1;
		if (i >= messages)
			continue;
		if (shmhub_reserve(hub, 1 + i % 4, BYTES, -1, &buf))
			return -1;
		ipc_fill(buf.data, BYTES, i);
		if (shmhub_call_start_buf(hub, METHOD_ECHO, &buf, BYTES, -1, 0, &id[i % UNDER_WAY]))
			return -1;
		most = blocks_kib(path) > most ? blocks_kib(path) : most;
	}
	const uint64_t start = bench_now_ns();
	double s = 0;

	while (hub && s < 30 && blocks_kib(path) > before * 1.1) {
		usleep(10000);
		s = (double)(bench_now_ns() - start) / 1e9;
	}
	shmhub_destroy(hub, 1000);
	return most > 4 * before ? s : -1; /* else there was no burst */
}

/* ---- threads -------------------------------------------------------------------------------- */

struct caller {
	pthread_t thread;
	struct shmhub *hub;
	unsigned first, peers; /* peers 1 to `peers`, in turn */
	unsigned method;
	size_t bytes;          /* 0: 64, and each sixteenth LARGE */
	int timeout_ms;
	_Atomic uint64_t calls;
	_Atomic bool *stop;
};

static void *call_on(void *arg)
{
	static char large[HOARDED];
	struct caller *c = arg;

	for (unsigned i = c->first; !atomic_load(c->stop); i++) {
		const size_t bytes = c->bytes ? c->bytes : i % 16 ? 64 : LARGE;

		if (shmhub_call(c->hub, c->first == UINT32_MAX ? c->peers : 1 + i % c->peers, c->method,
				large, bytes, c->timeout_ms, NULL) >= 0)
			atomic_fetch_add_explicit(&c->calls, 1, memory_order_relaxed);
	}
	return NULL;
}

static uint64_t calls_of(struct caller *c, unsigned n)
{
	uint64_t calls = 0;

	for (unsigned i = 0; i < n; i++)
		calls += atomic_load(&c[i].calls);
	return calls;
}

static double rate_for(struct caller *c, unsigned n, double seconds)
{
	const uint64_t before = calls_of(c, n), start = bench_now_ns();

	usleep((useconds_t)(seconds * 1e6));
	return (double)(calls_of(c, n) - before) * 1e9 / (double)(bench_now_ns() - start);
}

double ipc_hub_threads(unsigned threads, double seconds)
{
	struct caller *c = calloc(threads, sizeof(*c));
	_Atomic bool stop = false;
	pid_t pid[PEERS];
	struct shmhub *hub = c ? start_hub(NULL, PEERS, pid) : NULL;

	if (!hub)
		return 0;
	for (unsigned i = 0; i < threads; i++) {
		c[i] = (struct caller){ .hub = hub, .first = i, .peers = PEERS, .method = METHOD_ECHO,
					.bytes = 64, .timeout_ms = -1, .stop = &stop };
		pthread_create(&c[i].thread, NULL, call_on, &c[i]);
	}
	usleep(100000);
	const double rate = rate_for(c, threads, seconds);

	atomic_store(&stop, true);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(c[i].thread, NULL);
	shmhub_destroy(hub, 1000);
	free(c);
	return rate;
}

/* ---- a peer that misbehaves ------------------------------------------------------------------- */

/*
 * Eight threads call fifteen peers, two more the sixteenth. Then that one is stopped, or swallows
 * what it is asked, or keeps large payloads; turn by turn with a time in which it behaves.
 * Returns the calls to the others, with it over without it.
 */
double ipc_hub_disturbed(enum ipc_misdeed misdeed, double seconds)
{
	enum { TURNS = 4, BAD = PEERS };
	struct caller c[THREADS + 2];
	_Atomic bool stop = false;
	pid_t pid[PEERS];
	double good = 0, bad = 0;
	struct shmhub *hub = start_hub(NULL, PEERS, pid);

	if (!hub)
		return 0;
	for (unsigned i = 0; i < THREADS + 2; i++) {
		const bool to_bad = i >= THREADS;

		c[i] = (struct caller){ .hub = hub, .first = to_bad ? UINT32_MAX : i,
					.peers = to_bad ? BAD : PEERS - 1, .method = METHOD_ECHO,
					.bytes = to_bad && misdeed == IPC_HOARDS ? HOARDED : 0,
					.timeout_ms = to_bad ? IMPATIENT_MS : -1, .stop = &stop };
		pthread_create(&c[i].thread, NULL, call_on, &c[i]);
	}
	usleep(200000);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		good += rate_for(c, THREADS, seconds / TURNS / 2);
		if (misdeed == IPC_STOPS)
			kill(pid[BAD - 1], SIGSTOP);
		else
			c[THREADS].method = c[THREADS + 1].method = METHOD_KEEP;
		bad += rate_for(c, THREADS, seconds / TURNS / 2);
		if (misdeed == IPC_STOPS)
			kill(pid[BAD - 1], SIGCONT);
		else
			c[THREADS].method = c[THREADS + 1].method = METHOD_ECHO;
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS + 2; i++)
		pthread_join(c[i].thread, NULL);
	shmhub_destroy(hub, 200);
	return bad / good;
}
