/* ZeroMQ over its ipc:// transport: PAIR for two, ROUTER and DEALER for many. */
#include "tests/bench/ipc.h"

#if !__has_include(<zmq.h>)
const struct ipc_ops ipc_zmq = { .name = "zeromq", .missing = "libzmq3-dev" };
#else
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/bench/bench.h"

static char address[80], file[64];
static void *context, *sock;
static char *buffer;

static void name_it(void)
{
	snprintf(file, sizeof(file), "/tmp/shmscope-bench-%d.zmq", getpid());
	snprintf(address, sizeof(address), "ipc://%s", file);
}

static int setup(size_t bytes)
{
	name_it();
	buffer = malloc(bytes);
	return buffer ? 0 : -ENOMEM;
}

static int begin(size_t bytes)
{
	(void)bytes;
	context = zmq_ctx_new();
	sock = zmq_socket(context, ZMQ_PAIR);
	return zmq_bind(sock, address) ? -zmq_errno() : 0;
}

static int put(size_t bytes, uint64_t seed)
{
	ipc_fill(buffer, bytes, seed);
	return zmq_send(sock, buffer, bytes, 0) < 0 ? -zmq_errno() : 0;
}

static int get(size_t bytes, uint64_t *sum)
{
	if (zmq_recv(sock, buffer, bytes, 0) < 0)
		return -zmq_errno();
	*sum = ipc_sum(buffer, bytes);
	return 0;
}

static int serve(struct ipc_shared *shared, size_t bytes, bool echo)
{
	void *ctx = zmq_ctx_new();

	sock = zmq_socket(ctx, ZMQ_PAIR);
	if (zmq_connect(sock, address))
		return -zmq_errno();
	for (uint64_t i = 0;; i++) {
		uint64_t sum = 0;
		int r = get(bytes, &sum);

		if (r)
			return r;
		ipc_count(shared, sum);
		if (!echo)
			continue;
		ipc_pause(shared);
		r = put(bytes, i);
		if (r)
			return r;
	}
}

static void teardown(void)
{
	const int no = 0;

	zmq_setsockopt(sock, ZMQ_LINGER, &no, sizeof(no));
	zmq_close(sock);
	zmq_ctx_term(context);
	unlink(file);
	free(buffer);
}

static void echo_peer(unsigned i)
{
	char message[64];
	void *ctx = zmq_ctx_new();
	void *s = zmq_socket(ctx, ZMQ_DEALER);
	const unsigned char id = (unsigned char)(i + 1);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(1);
	zmq_setsockopt(s, ZMQ_IDENTITY, &id, 1);
	zmq_connect(s, address);
	zmq_send(s, "hi", 2, 0);
	while (zmq_recv(s, message, sizeof(message), 0) >= 0)
		zmq_send(s, message, sizeof(message), 0);
	_exit(0);
}

static double many(unsigned peers, unsigned depth, double seconds)
{
	pid_t pid[64];
	char message[64];
	unsigned char id;

	name_it();
	for (unsigned i = 0; i < peers; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			echo_peer(i);
	}
	void *ctx = zmq_ctx_new();
	void *s = zmq_socket(ctx, ZMQ_ROUTER);
	const int no = 0;
	zmq_bind(s, address);
	for (unsigned i = 0; i < peers; i++) { /* each says hi */
		zmq_recv(s, &id, 1, 0);
		zmq_recv(s, message, sizeof(message), 0);
	}
	memset(message, 7, sizeof(message));
	for (unsigned i = 0; i < peers; i++)
		for (unsigned d = 0; d < depth; d++) {
			id = (unsigned char)(i + 1);
			zmq_send(s, &id, 1, ZMQ_SNDMORE);
			zmq_send(s, message, sizeof(message), 0);
		}
	const uint64_t start = bench_now_ns(), end = start + (uint64_t)(seconds * 1e9);
	uint64_t calls = 0, now = start;
	while (now < end) {
		for (unsigned i = 0; i < 64; i++) {
			zmq_recv(s, &id, 1, 0);
			zmq_recv(s, message, sizeof(message), 0);
			zmq_send(s, &id, 1, ZMQ_SNDMORE);
			zmq_send(s, message, sizeof(message), 0);
			calls++;
		}
		now = bench_now_ns();
	}
	for (unsigned i = 0; i < peers; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	zmq_setsockopt(s, ZMQ_LINGER, &no, sizeof(no));
	zmq_close(s);
	zmq_ctx_term(ctx);
	unlink(file);
	return (double)calls * 1e9 / (double)(now - start);
}

const struct ipc_ops ipc_zmq = {
	.name = "zeromq", .setup = setup, .serve = serve, .begin = begin, .send = put,
	.receive = get, .teardown = teardown, .many = many,
};
#endif
