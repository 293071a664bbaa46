/* nng, pair protocol over its ipc transport. */
#include "tests/bench/ipc.h"

#if !__has_include(<nng/nng.h>)
const struct ipc_ops ipc_nng = { .name = "nng", .missing = "libnng-dev" };
#else
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdio.h>
#include <unistd.h>

static char address[80], file[64];
static nng_socket sock;

static int setup(size_t bytes)
{
	(void)bytes;
	snprintf(file, sizeof(file), "/tmp/shmscope-bench-%d.nng", getpid());
	snprintf(address, sizeof(address), "ipc://%s", file);
	return 0;
}

static int begin(size_t bytes)
{
	(void)bytes;
	if (nng_pair0_open(&sock))
		return -EIO;
	nng_socket_set_size(sock, NNG_OPT_RECVMAXSZ, 0);
	return nng_listen(sock, address, NULL, 0) ? -EIO : 0;
}

/* filled in place: what nng itself recommends for large messages */
static int put(size_t bytes, uint64_t seed)
{
	nng_msg *m;

	if (nng_msg_alloc(&m, bytes))
		return -ENOMEM;
	ipc_fill(nng_msg_body(m), bytes, seed);
	if (nng_sendmsg(sock, m, 0)) {
		nng_msg_free(m);
		return -EIO;
	}
	return 0;
}

static int get(size_t bytes, uint64_t *sum)
{
	nng_msg *m;

	if (nng_recvmsg(sock, &m, 0))
		return -EIO;
	*sum = ipc_sum(nng_msg_body(m), bytes);
	nng_msg_free(m);
	return 0;
}

static int serve(struct ipc_shared *shared, size_t bytes, bool echo)
{
	if (nng_pair0_open(&sock))
		return -EIO;
	nng_socket_set_size(sock, NNG_OPT_RECVMAXSZ, 0);
	if (nng_dial(sock, address, NULL, NNG_FLAG_NONBLOCK))
		return -EIO;
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
	nng_close(sock);
	unlink(file);
}

const struct ipc_ops ipc_nng = {
	.name = "nng", .setup = setup, .serve = serve, .begin = begin, .send = put, .receive = get,
	.teardown = teardown,
};
#endif
