/*
 * words_epoll - the peer in an epoll loop of the program's own, beside a timer of its own.
 *
 * The rule is: prepare before every sleep, check after it, then drain. The doorbell is only rung
 * for a peer that has said that it is about to sleep.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "words.h"

static int watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv)
{
	struct shmhub_peer *peer = words_attach(argc, argv);
	const struct itimerspec every = { { 0, 100000000 }, { 0, 100000000 } };
	const int epoll = epoll_create1(EPOLL_CLOEXEC);
	const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	unsigned long ticks = 0;
	int why = 0;

	if (timerfd_settime(timer, 0, &every, NULL) || watch(epoll, timer) ||
	    watch(epoll, shmhub_peer_fd(peer)))
		return perror("words_epoll"), 1;
	while (why >= 0) {
		struct epoll_event event[8];
		const int n = epoll_wait(epoll, event, 8, shmhub_peer_prepare(peer));

		why = shmhub_peer_check(peer);
		for (int i = 0; i < n; i++) {
			uint64_t expired;

			if (event[i].data.fd == timer && read(timer, &expired, sizeof(expired)) > 0)
				ticks += expired;
		}
		if (!why)
			why = shmhub_peer_drain(peer, 64);
	}
	printf("words: %s of my own timer\n", ticks ? "ticks" : "no tick");
	return words_end(peer, why);
}
