/*
 * sut_crowd - threads of the host that crowd one healthy mutex. At any moment nearly all of them
 * sleep in it, its word changes hands thousands of times a second, and none of them hangs: what
 * a tool must not take for a deadlock, nor for a wake-up that was lost.
 */
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "tests/sut/sut_host.h"

enum { NAP_NS = 200000, WORK = 500, NAP_EVERY = 8 };

static pthread_mutex_t crowded = PTHREAD_MUTEX_INITIALIZER;
static uint64_t served; /* under crowded */

static void *crowd_main(void *arg)
{
	struct sut_host *host = arg;

	pthread_setname_np(pthread_self(), "crowd");
	while (!host->stopping) {
		pthread_mutex_lock(&crowded);
		/* both kinds of healthy owner: one that runs, and one that sleeps for a moment */
		if (++served % NAP_EVERY == 0)
			nanosleep(&(struct timespec){ 0, NAP_NS }, NULL);
		else
			for (volatile unsigned i = 0; i < WORK; i++)
				;
		pthread_mutex_unlock(&crowded);
	}
	return NULL;
}

int sut_crowd_start(struct sut_host *host, struct err *err)
{
	pthread_attr_t attr;
	int r = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (unsigned i = 0; i < host->config->crowd && !r; i++) {
		pthread_t thread;

		r = -pthread_create(&thread, &attr, crowd_main, host);
	}
	pthread_attr_destroy(&attr);
	return r ? err_set(err, r, "cannot start a thread (%s)", strerror(-r)) : 0;
}
