#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/sut/sut_faults.h"
#include "tests/sut/sut_host.h"

static pthread_mutex_t index_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t orphan_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic pid_t sleeper;

/* A thread of the host that is expected to sleep for ever does so now. */
static int until_asleep(struct sut_host *host, struct err *err)
{
	char path[64], line[64];

	for (unsigned i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)sleeper);
		FILE *f = sleeper ? fopen(path, "re") : NULL;
		const bool asleep = f && fgets(line, sizeof(line), f) && atoi(line) == SYS_futex;

		if (f)
			fclose(f);
		if (asleep)
			return 0;
		if (sut_pause(host, 2))
			return err_set(err, -ECANCELED, "told to stop");
	}
	return err_set(err, -ETIMEDOUT, "thread %d does not sleep", (int)sleeper);
}

static pthread_barrier_t both;

static void work_index_then_cache(struct sut_lane *lane, struct sut_link *link)
{
	(void)lane;
	(void)link;
	pthread_mutex_lock(&index_lock);
	pthread_barrier_wait(&both);
	sleeper = gettid();
	pthread_mutex_lock(&cache_lock);
}

static void work_cache_then_index(struct sut_lane *lane, struct sut_link *link)
{
	(void)lane;
	(void)link;
	pthread_mutex_lock(&cache_lock);
	pthread_barrier_wait(&both);
	pthread_mutex_lock(&index_lock);
}

int inject_deadlock(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	(void)spec;
	sleeper = 0;
	pthread_barrier_init(&both, NULL, 2);
	int r = sut_caller(host, 0, work_index_then_cache, err);
	if (!r)
		r = sut_caller(host, 0, work_cache_then_index, err);
	return r ? r : until_asleep(host, err);
}

static void *lock_and_leave(void *arg)
{
	pthread_mutex_lock(&orphan_lock);
	return arg;
}

static void work_orphan(struct sut_lane *lane, struct sut_link *link)
{
	(void)lane;
	(void)link;
	sleeper = gettid();
	pthread_mutex_lock(&orphan_lock);
}

int inject_dead_owner(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	pthread_t owner;

	(void)spec;
	sleeper = 0;
	const int failed = pthread_create(&owner, NULL, lock_and_leave, NULL);
	if (failed)
		return err_set(err, -failed, "cannot start a thread (%s)", strerror(failed));
	pthread_join(owner, NULL);
	const int r = sut_caller(host, 0, work_orphan, err);
	return r ? r : until_asleep(host, err);
}

static _Atomic uint32_t news;

static void work_wait_for_news(struct sut_lane *lane, struct sut_link *link)
{
	(void)lane;
	(void)link;
	sleeper = gettid();
	while (syscall(SYS_futex, &news, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) != 0)
		;
}

int inject_lost_futex_wake(struct sut_host *host, const struct sut_fault_spec *spec,
			   struct err *err)
{
	(void)spec;
	sleeper = 0;
	int r = sut_caller(host, 0, work_wait_for_news, err);
	if (!r)
		r = until_asleep(host, err);
	news = 1; /* and no FUTEX_WAKE */
	return r;
}
