/* iceoryx through its C binding: publish and subscribe, waiting in a wait set. */
#include "tests/bench/ipc.h"

#if !__has_include(<iceoryx_binding_c/publisher.h>)
const struct ipc_ops ipc_iceoryx = {
	.name = "iceoryx",
	.missing = "iceoryx libiceoryx-binding-c-dev libiceoryx-posh-dev libiceoryx-hoofs-dev",
};
#else
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iceoryx_binding_c/enums.h>
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/types.h>
#include <iceoryx_binding_c/wait_set.h>

#include "tests/bench/bench.h"

static pid_t daemon_pid;
static bool keep_daemon; /* it outlives side 0, as it would */
static char config[64];
static iox_pub_storage_t pub_storage;
static iox_sub_storage_t sub_storage;
static iox_ws_storage_t ws_storage;
static iox_pub_t pub;
static iox_sub_t sub;
static struct ipc_shared *serving; /* in side 1 */
static iox_ws_t ws;

/* It says so in its log only, and takes a second or two to touch all of its memory. */
static int wait_until_ready(int log)
{
	char text[4096];
	size_t have = 0;

	while (have < sizeof(text) - 1) {
		const ssize_t n = read(log, text + have, sizeof(text) - 1 - have);

		if (n <= 0)
			break;
		have += (size_t)n;
		text[have] = '\0';
		if (strstr(text, "ready for clients"))
			return 0; /* log stays open: closed, its next line would be its end */
	}
	fprintf(stderr, "iox-roudi did not start: %.*s\n", (int)have, text);
	return -ENOENT;
}

/* The daemon that owns its memory: a pool for messages of this size, and one of small ones. */
static int start_daemon(size_t bytes)
{
	int log[2];

	snprintf(config, sizeof(config), "/tmp/shmscope-bench-%d.toml", getpid());
	FILE *f = fopen(config, "w");
	if (!f)
		return -errno;
	fputs("[general]\nversion = 1\n[[segment]]\n", f);
	fputs("[[segment.mempool]]\nsize = 128\ncount = 20000\n", f);
	if (bytes > 128)
		fprintf(f, "[[segment.mempool]]\nsize = %zu\ncount = %d\n", bytes + 4096,
			bytes <= 64 << 10 ? 600 : bytes <= 1 << 20 ? 100 : 24);
	fclose(f);
	if (pipe2(log, O_CLOEXEC))
		return -errno;
	daemon_pid = fork();
	if (daemon_pid == 0) {
		if (!keep_daemon)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(log[1], 1);
		dup2(log[1], 2);
		execlp("iox-roudi", "iox-roudi", "-c", config, (char *)NULL);
		_exit(127);
	}
	close(log[1]);
	return wait_until_ready(log[0]);
}

/* Asked to end, it ends its clients too, this bench included: so it is killed, and what it leaves
 * behind goes with it. */
static void stop_daemon(void)
{
	const struct group *group = getgrgid(getgid());

	kill(daemon_pid, SIGKILL);
	waitpid(daemon_pid, NULL, 0);
	shm_unlink("/iceoryx_mgmt");
	if (group) /* its segment is named so */
		shm_unlink(group->gr_name);
	unlink("/tmp/roudi");
	unlink("/tmp/roudi.lock");
	unlink("/tmp/iox-unique-roudi.lock");
	unlink(config);
}

static void after_death(struct ipc_shared *shared)
{
	daemon_pid = shared->daemon;
	if (daemon_pid > 0)
		stop_daemon();
}

static int setup(size_t bytes)
{
	iox_set_loglevel(Iceoryx_LogLevel_Off);
	keep_daemon = ipc_pair->orphan;
	const int r = start_daemon(bytes);

	ipc_pair->daemon = daemon_pid;
	return r;
}

static iox_pub_t publish_to(iox_pub_storage_t *storage, const char *who, const char *event)
{
	iox_pub_options_t options;

	iox_pub_options_init(&options);
	options.historyCapacity = 0;
	/* lossless, like all others here: the publisher waits for a full queue */
	options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
	return iox_pub_init(storage, "bench", who, event, &options);
}

static iox_sub_t subscribe_to(iox_sub_storage_t *storage, const char *who, const char *event)
{
	iox_sub_options_t options;

	iox_sub_options_init(&options);
	options.queueCapacity = 256;
	options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
	return iox_sub_init(storage, "bench", who, event, &options);
}

static void join(const char *program, const char *out, const char *in)
{
	char name[64];

	snprintf(name, sizeof(name), "%s-%d", program, getpid());
	iox_runtime_init(name);
	pub = publish_to(&pub_storage, "pair", out);
	sub = subscribe_to(&sub_storage, "pair", in);
	ws = iox_ws_init(&ws_storage);
	iox_ws_attach_subscriber_state(ws, sub, SubscriberState_HAS_DATA, 0, NULL);
	for (unsigned i = 0; i < 1000 && !iox_pub_has_subscribers(pub); i++)
		usleep(1000);
}

static int begin(size_t bytes)
{
	(void)bytes;
	join("side0", "there", "back");
	return 0;
}

static int put(size_t bytes, uint64_t seed)
{
	void *p;

	while (iox_pub_loan_chunk(pub, &p, (uint32_t)bytes) != AllocationResult_SUCCESS)
		usleep(10); /* the pool is used up: the receiver still holds it all */
	ipc_fill(p, bytes, seed);
	if (serving)
		ipc_die(serving, IPC_DIES_RESERVED);
	iox_pub_publish_chunk(pub, p);
	return 0;
}

static int get(size_t bytes, uint64_t *sum)
{
	const void *p;

	while (iox_sub_take_chunk(sub, &p) != ChunkReceiveResult_SUCCESS) {
		iox_notification_info_t info[4];
		uint64_t missed;

		iox_ws_wait(ws, info, 4, &missed);
	}
	*sum = ipc_sum(p, bytes);
	if (serving)
		ipc_die(serving, IPC_DIES_HOLDING);
	iox_sub_release_chunk(sub, p);
	return 0;
}

static int serve(struct ipc_shared *shared, size_t bytes, bool echo)
{
	join("side1", "back", "there");
	serving = shared;
	for (uint64_t i = 0;; i++) {
		uint64_t sum;

		get(bytes, &sum);
		ipc_count(shared, sum);
		if (echo) {
			ipc_pause(shared);
			put(bytes, i);
		}
	}
	return 0;
}

static void teardown(void)
{
	/* side 0 ends with this; the daemon is its child */
	stop_daemon();
}

static void echo_peer(unsigned i)
{
	char name[64], there[32], back[32];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(1);
	snprintf(name, sizeof(name), "peer%u-%d", i, getpid());
	snprintf(there, sizeof(there), "there%u", i);
	snprintf(back, sizeof(back), "back%u", i);
	iox_runtime_init(name);
	pub = publish_to(&pub_storage, "many", back);
	sub = subscribe_to(&sub_storage, "many", there);
	ws = iox_ws_init(&ws_storage);
	iox_ws_attach_subscriber_state(ws, sub, SubscriberState_HAS_DATA, 0, NULL);
	for (;;) {
		uint64_t sum;

		get(64, &sum);
		put(64, sum);
	}
}

static double many(unsigned peers, unsigned depth, double seconds)
{
	static iox_pub_storage_t pubs_storage[64];
	static iox_sub_storage_t subs_storage[64];
	iox_pub_t pubs[64];
	iox_sub_t subs[64];
	pid_t pid[64];
	char name[64], there[32], back[32];

	iox_set_loglevel(Iceoryx_LogLevel_Off);
	if (start_daemon(64))
		return 0;
	for (unsigned i = 0; i < peers; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			echo_peer(i);
	}
	snprintf(name, sizeof(name), "host-%d", getpid());
	iox_runtime_init(name);
	ws = iox_ws_init(&ws_storage);
	for (unsigned i = 0; i < peers; i++) {
		snprintf(there, sizeof(there), "there%u", i);
		snprintf(back, sizeof(back), "back%u", i);
		pubs[i] = publish_to(&pubs_storage[i], "many", there);
		subs[i] = subscribe_to(&subs_storage[i], "many", back);
		iox_ws_attach_subscriber_state(ws, subs[i], SubscriberState_HAS_DATA, i, NULL);
	}
	for (unsigned i = 0; i < peers; i++)
		for (unsigned k = 0; k < 1000 && !iox_pub_has_subscribers(pubs[i]); k++)
			usleep(1000);
	usleep(100000);
	for (unsigned i = 0; i < peers; i++)
		for (unsigned d = 0; d < depth; d++) {
			pub = pubs[i];
			put(64, d);
		}
	const uint64_t start = bench_now_ns(), end = start + (uint64_t)(seconds * 1e9);
	uint64_t calls = 0, now = start;
	while (now < end) {
		iox_notification_info_t info[64];
		uint64_t missed;
		const void *p;

		iox_ws_wait(ws, info, 64, &missed);
		for (unsigned i = 0; i < peers; i++)
			while (iox_sub_take_chunk(subs[i], &p) == ChunkReceiveResult_SUCCESS) {
				ipc_sum(p, 64);
				iox_sub_release_chunk(subs[i], p);
				pub = pubs[i];
				put(64, calls++);
			}
		now = bench_now_ns();
	}
	for (unsigned i = 0; i < peers; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	stop_daemon();
	return (double)calls * 1e9 / (double)(now - start);
}

const struct ipc_ops ipc_iceoryx = {
	.name = "iceoryx", .setup = setup, .serve = serve, .begin = begin, .send = put,
	.receive = get, .teardown = teardown, .many = many,
	.after_death = after_death, .has_deaths = true,
};
#endif
