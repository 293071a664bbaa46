#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/sut/sut_faults.h"
#include "tests/sut/sut_peer.h"

enum { PILE = 6, SLOW_MS = 20 };

static bool is_behind(const struct sut_look_peer *seen)
{
	return seen->recv_waiting > PILE;
}

/* The peer begins with its fault; then messages wait behind it, and a caller. */
int inject_stuck_handler(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	int r = sut_tell(host, spec, err);

	if (!r)
		r = sut_pile(host, spec->peer, PILE, err);
	if (!r)
		r = sut_caller(host, spec->peer, sut_work_call, err);
	return r ? r : sut_until(host, spec->peer, "behind with its ring", is_behind, err);
}

void act_spinning_peer(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	(void)peer;
	(void)spec;
	for (volatile unsigned long turns = 0;; turns++)
		;
}

/* ---- blocked-peer ----------------------------------------------------------------------- */

/* A file that the host has locked; the peer opens it by its path under /proc. */
static int hold_lock(char *path, size_t size)
{
	const int fd = memfd_create("cache.lock", MFD_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX) != 0)
		return -errno;
	snprintf(path, size, "/proc/%d/fd/%d", (int)getpid(), fd);
	return 0;
}

static struct sockaddr_un socket_name(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	/* abstract: nothing to remove afterwards */
	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "%s", path);
	return name;
}

/* A socket that listens, accepts nobody, and has no room for another one in its queue. */
static int hold_queue(char *path, size_t size)
{
	const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, size, "hubdemo-%d-%d", (int)getpid(), listener);
	const struct sockaddr_un name = socket_name(path);
	if (listener < 0 || bind(listener, (const void *)&name, sizeof(name)) != 0 ||
	    listen(listener, 0) != 0)
		return -errno;
	for (;;) {
		const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0)
			return -errno;
		if (connect(fd, (const void *)&name, sizeof(name)) != 0)
			return errno == EAGAIN ? 0 : -errno;
	}
}

int inject_blocked_peer(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	const char *in = sut_fault_arg(spec, "in");
	struct sut_fault_spec told = *spec;
	char path[SUT_VALUE] = "";
	int r = 0;

	if (strcmp(in, "flock") == 0)
		r = hold_lock(path, sizeof(path));
	else if (strcmp(in, "connect") == 0)
		r = hold_queue(path, sizeof(path));
	if (r)
		return err_set(err, r, "cannot prepare %s (%s)", in, strerror(-r));
	if (path[0])
		sut_fault_set(&told, "path", path);
	return inject_stuck_handler(host, &told, err);
}

static int block_in_read(const char *path)
{
	int ends[2];
	char byte;

	(void)path;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	return read(ends[0], &byte, 1) < 0 ? -errno : 0;
}

static int block_in_futex(const char *path)
{
	static uint32_t word;

	(void)path;
	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0) < 0 ? -errno : 0;
}

static int block_in_flock(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	return flock(fd, LOCK_EX) < 0 ? -errno : 0;
}

static int block_in_connect(const char *path)
{
	const struct sockaddr_un name = socket_name(path);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (const void *)&name, sizeof(name)) < 0 ? -errno : 0;
}

void act_blocked_peer(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	static const struct {
		const char *in;
		int (*block)(const char *path);
	} ways[] = {
		{ "read", block_in_read },
		{ "futex", block_in_futex },
		{ "flock", block_in_flock },
		{ "connect", block_in_connect },
	};
	const char *in = sut_fault_arg(spec, "in");
	const char *path = sut_fault_arg(spec, "path");

	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int r = strcmp(ways[i].in, in) == 0 ? -EINTR : 0;

		/* a signal must not end the fault; it is counted like any other */
		while (r == -EINTR) {
			r = ways[i].block(path);
			sut_peer_slept(peer, -r);
		}
		if (r)
			fprintf(stderr, "hubdemo: error: blocked-peer: %s: %s\n", in, strerror(-r));
	}
}

/* ---- stuck with nothing to do, and slow ------------------------------------------------- */

static bool is_in_handler(const struct sut_look_peer *seen)
{
	return !seen->asleep && seen->recv_waiting == 0;
}

int inject_frozen_beat(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	const int r = sut_tell(host, spec, err);

	return r ? r : sut_until(host, spec->peer, "in its handler", is_in_handler, err);
}

void act_frozen_beat(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	(void)spec;
	for (;;) {
		pause();
		sut_peer_slept(peer, errno);
	}
}

static void work_flood(struct sut_lane *lane, struct sut_link *link)
{
	while (!lane->host->stopping && sut_note(lane, link, 150, -1, 0) == 0)
		;
}

static bool is_full(const struct sut_look_peer *seen)
{
	return seen->recv_cells + HUB_RING_RESERVED + HUB_MSG_CELLS > seen->ring_cells;
}

int inject_slow_peer(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	int r = sut_tell(host, spec, err);

	for (unsigned i = 0; i < 2 && !r; i++)
		r = sut_caller(host, spec->peer, work_flood, err);
	return r ? r : sut_until(host, spec->peer, "full", is_full, err);
}

void act_slow_peer(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	(void)spec;
	peer->slow_ms = SLOW_MS;
}
