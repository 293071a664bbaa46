/* Peers that the kernel brings: unix sockets, a pipe, POSIX message queues, and bare futexes. */
#include "tests/bench/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

static int out_fd, in_fd;        /* side 0's */
static int serve_in, serve_out;  /* side 1's */
static char *buffer;
static bool in_packets;

static int put(int fd, const char *p, size_t bytes)
{
	while (bytes) {
		const ssize_t n = write(fd, p, bytes);

		if (n <= 0)
			return -errno;
		p += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int get(int fd, char *p, size_t bytes)
{
	while (bytes) {
		const ssize_t n = read(fd, p, bytes);

		if (n <= 0)
			return n ? -errno : -EPIPE;
		p += n;
		bytes -= (size_t)n;
	}
	return 0;
}

enum { PACKET = 128 << 10 }; /* a packet larger than the socket's buffer is refused */

static int exchange(int (*move)(int, char *, size_t), int fd, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		const size_t n = in_packets && bytes - at > PACKET ? PACKET : bytes - at;
		const int r = move(fd, buffer + at, n);

		if (r)
			return r;
		at += n;
	}
	return 0;
}

static int put_buffer(int fd, char *p, size_t bytes)
{
	return put(fd, p, bytes);
}

static int fd_send(size_t bytes, uint64_t seed)
{
	ipc_fill(buffer, bytes, seed);
	return exchange(put_buffer, out_fd, bytes);
}

static int fd_receive(size_t bytes, uint64_t *sum)
{
	const int r = exchange(get, in_fd, bytes);

	*sum = ipc_sum(buffer, bytes);
	return r;
}

static int fd_begin(size_t bytes)
{
	(void)bytes;
	close(serve_in);
	if (serve_out != serve_in)
		close(serve_out);
	return 0;
}

static int fd_serve(struct ipc_shared *shared, size_t bytes, bool echo)
{
	close(out_fd);
	if (in_fd != out_fd)
		close(in_fd);
	for (uint64_t i = 0;; i++) {
		int r = exchange(get, serve_in, bytes);

		if (r)
			return r;
		ipc_count(shared, ipc_sum(buffer, bytes));
		if (!echo)
			continue;
		ipc_die(shared, IPC_DIES_HOLDING);
		ipc_pause(shared);
		ipc_fill(buffer, bytes, i);
		ipc_die(shared, IPC_DIES_RESERVED);
		r = exchange(put_buffer, serve_out, bytes);
		if (r)
			return r;
	}
}

static int socket_setup(int type, size_t bytes)
{
	int fd[2];
	const int room = 1 << 20;

	buffer = malloc(bytes);
	if (!buffer || socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fd))
		return -errno;
	for (unsigned i = 0; i < 2; i++)
		setsockopt(fd[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	out_fd = in_fd = fd[0];
	serve_in = serve_out = fd[1];
	return 0;
}

static int seqpacket_setup(size_t bytes)
{
	in_packets = true;
	return socket_setup(SOCK_SEQPACKET, bytes);
}

static int stream_setup(size_t bytes)
{
	in_packets = false;
	return socket_setup(SOCK_STREAM, bytes);
}

static int pipe_setup(size_t bytes)
{
	int there[2], back[2];

	in_packets = false;
	buffer = malloc(bytes);
	if (!buffer || pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		return -errno;
	fcntl(there[1], F_SETPIPE_SZ, 1 << 20);
	fcntl(back[1], F_SETPIPE_SZ, 1 << 20);
	out_fd = there[1];
	serve_in = there[0];
	serve_out = back[1];
	in_fd = back[0];
	return 0;
}

static void fd_teardown(void)
{
	close(out_fd);
	if (in_fd != out_fd)
		close(in_fd);
	free(buffer);
	buffer = NULL;
}

/* One thread, epoll over all sockets: the way hosts over sockets are written. */
static double socket_many(unsigned peers, unsigned depth, double seconds)
{
	pid_t pid[64];
	int fd[64];
	char message[64];
	const int set = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < peers; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
			return 0;
		pid[i] = fork();
		if (pid[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(pair[0]);
			bench_pin(1);
			while (read(pair[1], message, sizeof(message)) == sizeof(message))
				if (write(pair[1], message, sizeof(message)) < 0)
					break;
			_exit(0);
		}
		close(pair[1]);
		fd[i] = pair[0];
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
		epoll_ctl(set, EPOLL_CTL_ADD, fd[i], &event);
	}
	memset(message, 7, sizeof(message));
	for (unsigned i = 0; i < peers; i++)
		for (unsigned d = 0; d < depth; d++)
			if (write(fd[i], message, sizeof(message)) < 0)
				return 0;
	const uint64_t start = bench_now_ns();
	const uint64_t end = start + (uint64_t)(seconds * 1e9);
	uint64_t calls = 0, now = start;
	while (now < end) {
		struct epoll_event event[64];
		const int n = epoll_wait(set, event, 64, 1000);

		for (int i = 0; i < n; i++) {
			const int s = fd[event[i].data.u32];

			while (recv(s, message, sizeof(message), MSG_DONTWAIT) == sizeof(message)) {
				calls++;
				if (write(s, message, sizeof(message)) < 0)
					return 0;
			}
		}
		now = bench_now_ns();
	}
	for (unsigned i = 0; i < peers; i++) {
		close(fd[i]);
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	close(set);
	return (double)calls * 1e9 / (double)(now - start);
}

const struct ipc_ops ipc_seqpacket = {
	.name = "unix-seqpacket", .setup = seqpacket_setup, .serve = fd_serve, .begin = fd_begin,
	.send = fd_send, .receive = fd_receive, .teardown = fd_teardown, .many = socket_many,
	.has_deaths = true,
};
const struct ipc_ops ipc_stream = {
	.name = "unix-stream", .setup = stream_setup, .serve = fd_serve, .begin = fd_begin,
	.send = fd_send, .receive = fd_receive, .teardown = fd_teardown, .has_deaths = true,
};
const struct ipc_ops ipc_pipe = {
	.name = "pipe", .setup = pipe_setup, .serve = fd_serve, .begin = fd_begin, .send = fd_send,
	.receive = fd_receive, .teardown = fd_teardown, .has_deaths = true,
};

/* ---- POSIX message queues ----------------------------------------------------------------- */

static mqd_t mq_there, mq_back;
static size_t mq_piece;

static mqd_t mq_make(const char *which, size_t bytes)
{
	char name[64];
	struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = (long)bytes };

	snprintf(name, sizeof(name), "/shmscope-bench-%d-%s", getpid(), which);
	const mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	if (q != (mqd_t)-1)
		mq_unlink(name);
	return q;
}

static int mq_setup(size_t bytes)
{
	/* msgsize_max is 8 KiB for everybody but root; larger messages go in pieces */
	for (mq_piece = bytes > (1 << 20) ? 1 << 20 : bytes; mq_piece >= 64; mq_piece /= 2) {
		mq_there = mq_make("there", mq_piece);
		if (mq_there != (mqd_t)-1)
			break;
	}
	mq_back = mq_make("back", mq_piece);
	buffer = malloc(bytes);
	return mq_there == (mqd_t)-1 || mq_back == (mqd_t)-1 || !buffer ? -EINVAL : 0;
}

static int mq_put(mqd_t q, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += mq_piece) {
		const size_t n = bytes - at < mq_piece ? bytes - at : mq_piece;

		if (mq_send(q, buffer + at, n, 0))
			return -errno;
	}
	return 0;
}

static int mq_get(mqd_t q, size_t bytes)
{
	static char last[1 << 20];

	for (size_t at = 0; at < bytes; at += mq_piece) {
		const bool whole = bytes - at >= mq_piece;
		const ssize_t n = mq_receive(q, whole ? buffer + at : last, mq_piece, NULL);

		if (n < 0)
			return -errno;
		if (!whole)
			memcpy(buffer + at, last, (size_t)n);
	}
	return 0;
}

static int mq_send_one(size_t bytes, uint64_t seed)
{
	ipc_fill(buffer, bytes, seed);
	return mq_put(mq_there, bytes);
}

static int mq_receive_one(size_t bytes, uint64_t *sum)
{
	const int r = mq_get(mq_back, bytes);

	*sum = ipc_sum(buffer, bytes);
	return r;
}

static int mq_serve(struct ipc_shared *shared, size_t bytes, bool echo)
{
	for (uint64_t i = 0;; i++) {
		int r = mq_get(mq_there, bytes);

		if (r)
			return r;
		ipc_count(shared, ipc_sum(buffer, bytes));
		if (!echo)
			continue;
		ipc_pause(shared);
		ipc_fill(buffer, bytes, i);
		r = mq_put(mq_back, bytes);
		if (r)
			return r;
	}
}

static void mq_teardown(void)
{
	mq_close(mq_there);
	mq_close(mq_back);
	free(buffer);
	buffer = NULL;
}

const struct ipc_ops ipc_mq = {
	.name = "posix-mq", .setup = mq_setup, .serve = mq_serve, .send = mq_send_one,
	.receive = mq_receive_one, .teardown = mq_teardown,
};

/* ---- a bare futex: the floor for waking a parked process ----------------------------------- */

struct futex_pair {
	_Atomic uint32_t there, back;
	_Alignas(64) char payload[2][64];
};
static struct futex_pair *futexes;

static void futex_wait_for(_Atomic uint32_t *word, uint32_t old)
{
	while (atomic_load(word) == old)
		syscall(SYS_futex, word, FUTEX_WAIT, old, NULL, NULL, 0);
}

static void futex_bump(_Atomic uint32_t *word)
{
	atomic_fetch_add(word, 1);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static uint32_t futex_answers;

static int futex_setup(size_t bytes)
{
	(void)bytes;
	futex_answers = 0;
	futexes = mmap(NULL, sizeof(*futexes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return futexes == MAP_FAILED ? -errno : 0;
}

static int futex_send(size_t bytes, uint64_t seed)
{
	ipc_fill(futexes->payload[0], bytes, seed);
	futex_bump(&futexes->there);
	return 0;
}

static int futex_receive(size_t bytes, uint64_t *sum)
{
	futex_wait_for(&futexes->back, futex_answers++);
	*sum = ipc_sum(futexes->payload[1], bytes);
	return 0;
}

static int futex_serve(struct ipc_shared *shared, size_t bytes, bool echo)
{
	(void)echo;
	for (uint32_t i = 0;; i++) {
		futex_wait_for(&futexes->there, i);
		ipc_count(shared, ipc_sum(futexes->payload[0], bytes));
		ipc_pause(shared);
		ipc_fill(futexes->payload[1], bytes, i);
		futex_bump(&futexes->back);
	}
	return 0;
}

static void futex_teardown(void)
{
	munmap(futexes, sizeof(*futexes));
}

const struct ipc_ops ipc_futex = {
	.name = "futex", .max_bytes = 64, .setup = futex_setup, .serve = futex_serve,
	.send = futex_send, .receive = futex_receive, .teardown = futex_teardown,
};

/* ---- a bare doorbell: what a socket in a poll set costs over the futex ---------------------- */

static int bell[2]; /* side 0's end, side 1's */

static void bell_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char bytes[256];

	poll(&p, 1, -1);
	(void)!recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
}

static void bell_ring(int fd)
{
	(void)!send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int bell_setup(size_t bytes)
{
	const int r = futex_setup(bytes); /* for the payloads */

	return r ? r : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bell) ? -errno : 0;
}

static int bell_send(size_t bytes, uint64_t seed)
{
	ipc_fill(futexes->payload[0], bytes, seed);
	bell_ring(bell[0]);
	return 0;
}

static int bell_receive(size_t bytes, uint64_t *sum)
{
	bell_wait(bell[0]);
	*sum = ipc_sum(futexes->payload[1], bytes);
	return 0;
}

static int bell_serve(struct ipc_shared *shared, size_t bytes, bool echo)
{
	(void)echo;
	for (uint32_t i = 0;; i++) {
		bell_wait(bell[1]);
		ipc_count(shared, ipc_sum(futexes->payload[0], bytes));
		ipc_pause(shared);
		ipc_fill(futexes->payload[1], bytes, i);
		bell_ring(bell[1]);
	}
	return 0;
}

static void bell_teardown(void)
{
	close(bell[0]);
	close(bell[1]);
	futex_teardown();
}

const struct ipc_ops ipc_bell = {
	.name = "bare-doorbell", .max_bytes = 64, .setup = bell_setup, .serve = bell_serve,
	.send = bell_send, .receive = bell_receive, .teardown = bell_teardown,
};

/* ---- no transport at all: what handing bytes from one processor to the other costs --------- */

enum { BARE_BUFFERS = 4 };
static struct {
	_Alignas(64) _Atomic uint64_t filled;
	_Alignas(64) _Atomic uint64_t read;
} *bare;
static char *bare_memory;

static int bare_setup(size_t bytes)
{
	const size_t all = 4096 + BARE_BUFFERS * bytes;

	bare = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	bare_memory = (char *)bare + 4096;
	return bare == MAP_FAILED ? -errno : 0;
}

static int bare_send(size_t bytes, uint64_t seed)
{
	const uint64_t n = bare->filled;

	while (n - bare->read >= BARE_BUFFERS)
		sched_yield();
	ipc_fill(bare_memory + n % BARE_BUFFERS * bytes, bytes, seed);
	bare->filled = n + 1;
	return 0;
}

static int bare_serve(struct ipc_shared *shared, size_t bytes, bool echo)
{
	(void)echo;
	for (uint64_t n = 0;; n++) {
		while (bare->filled <= n)
			sched_yield();
		ipc_count(shared, ipc_sum(bare_memory + n % BARE_BUFFERS * bytes, bytes));
		bare->read = n + 1;
	}
	return 0;
}

static void bare_teardown(void)
{
}

const struct ipc_ops ipc_bare = {
	.name = "bare-memory", .setup = bare_setup, .serve = bare_serve, .send = bare_send,
	.teardown = bare_teardown,
};
