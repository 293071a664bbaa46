/*
 * The handler threads: started one by one when there is work and nobody idle, up to the
 * configured number. Applications' code runs only here, never on the event or life thread.
 *
 * All of them may be waiting in there, for answers that cannot come before the library has done
 * something that takes too long for the event thread. That is for one more thread, which runs
 * nothing of the application's and is started when there is first such work.
 */
#include "lib/hub/hub_priv.h"

#include <stdlib.h>
#include <sys/prctl.h>

int hub_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
	sigset_t all, was;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	const int r = pthread_create(thread, NULL, run, arg);

	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return -r;
}

int hub_work_init(struct shmhub *hub, unsigned workers_max)
{
	pthread_mutex_init(&hub->work_lock, NULL);
	pthread_cond_init(&hub->work_cond, NULL);
	pthread_cond_init(&hub->work_idle_cond, NULL);
	pthread_cond_init(&hub->own_cond, NULL);
	hub->work_end = &hub->work;
	hub->own_end = &hub->own;
	hub->workers_max = workers_max ? workers_max : HUB_WORKERS_DEFAULT;
	if (hub->workers_max > HUB_WORKERS_MAX)
		return -EINVAL;
	return 0;
}

static struct hub_work *next_work(struct shmhub *hub)
{
	while (!hub->work && !hub->work_stop) {
		hub->workers_idle++;
		pthread_cond_wait(&hub->work_cond, &hub->work_lock);
		hub->workers_idle--;
	}
	struct hub_work *work = hub->work;

	if (work) {
		hub->work = work->next;
		hub->work_n--;
		if (!hub->work)
			hub->work_end = &hub->work;
	}
	return work;
}

/* What is queued, and what comes until next_work() says that it is time to end. */
static void run_queue(struct shmhub *hub)
{
	struct hub_work *work;

	pthread_mutex_lock(&hub->work_lock);
	while ((work = next_work(hub))) {
		pthread_mutex_unlock(&hub->work_lock);
		work->run(work);
		pthread_mutex_lock(&hub->work_lock);
	}
	pthread_mutex_unlock(&hub->work_lock);
}

static void *worker(void *arg)
{
	prctl(PR_SET_NAME, "hub-handler");
	run_queue(arg);
	return NULL;
}

void hub_work_push(struct shmhub *hub, struct hub_work *work)
{
	pthread_mutex_lock(&hub->work_lock);
	work->next = NULL;
	*hub->work_end = work;
	hub->work_end = &work->next;
	hub->work_n++;
	if (hub->workers_idle)
		pthread_cond_signal(&hub->work_cond);
	/* those who were signalled may not have woken yet: compare, do not just look for one */
	if (hub->work_n > hub->workers_idle && hub->workers < hub->workers_max &&
	    !hub->work_stop && hub_thread(&hub->worker[hub->workers], worker, hub) == 0)
		hub->workers++; /* a failure leaves the work to those there are, or to stop */
	pthread_mutex_unlock(&hub->work_lock);
}

static void *own_worker(void *arg)
{
	struct shmhub *hub = arg;

	prctl(PR_SET_NAME, "hub-copy");
	pthread_mutex_lock(&hub->work_lock);
	while (hub->own || !hub->own_stop) {
		struct hub_work *work = hub->own;

		if (!work) {
			pthread_cond_wait(&hub->own_cond, &hub->work_lock);
			continue;
		}
		hub->own = work->next;
		if (!hub->own)
			hub->own_end = &hub->own;
		pthread_mutex_unlock(&hub->work_lock);
		work->run(work);
		pthread_mutex_lock(&hub->work_lock);
	}
	pthread_mutex_unlock(&hub->work_lock);
	return NULL;
}

void hub_work_push_own(struct shmhub *hub, struct hub_work *work)
{
	pthread_mutex_lock(&hub->work_lock);
	if (!hub->own_runs && !hub->own_stop)
		hub->own_runs = hub_thread(&hub->own_thread, own_worker, hub) == 0;
	const bool runs = hub->own_runs;

	if (runs) {
		work->next = NULL;
		*hub->own_end = work;
		hub->own_end = &work->next;
		pthread_cond_signal(&hub->own_cond);
	}
	pthread_mutex_unlock(&hub->work_lock);
	if (!runs) /* no thread to be had: then one of those there are, sooner or later */
		hub_work_push(hub, work);
}

/* After the handler threads. What is pushed from now on is not run. */
static void stop_own(struct shmhub *hub)
{
	pthread_mutex_lock(&hub->work_lock);
	hub->own_stop = true;
	const bool runs = hub->own_runs;

	pthread_cond_signal(&hub->own_cond);
	pthread_mutex_unlock(&hub->work_lock);
	if (runs)
		pthread_join(hub->own_thread, NULL);
}

/* Runs what is queued to its end, then ends the threads. */
void hub_work_stop(struct shmhub *hub)
{
	pthread_mutex_lock(&hub->work_lock);
	hub->work_stop = true;
	pthread_cond_broadcast(&hub->work_cond);
	pthread_mutex_unlock(&hub->work_lock);
	for (unsigned i = 0; i < hub->workers; i++)
		pthread_join(hub->worker[i], NULL);
	run_queue(hub); /* with no thread ever started there may be work left */
	stop_own(hub);
}

void hub_work_fini(struct shmhub *hub)
{
	for (unsigned i = 0; i < 64; i++) {
		/* relaxed: no other thread is left */
		struct hub_handler *h = atomic_load_explicit(&hub->handler[i], memory_order_relaxed);

		while (h) {
			struct hub_handler *next = h->next;

			free(h);
			h = next;
		}
	}
}

const struct hub_handler *hub_work_handler(struct shmhub *hub, unsigned method)
{
	/* acquire T1: the handler is complete; pairs with release T1 in shmhub_handle() */
	const struct hub_handler *h = atomic_load_explicit(&hub->handler[method % 64],
							   memory_order_acquire);

	while (h && h->method != method)
		h = h->next;
	return h;
}

int shmhub_handle(struct shmhub *hub, unsigned method, const char *name, shmhub_handler fn,
		  void *arg)
{
	if (!method || method > SHMHUB_METHOD_MAX || !fn)
		return -EINVAL;
	struct hub_handler *h = malloc(sizeof(*h));

	if (!h)
		return -ENOMEM;
	pthread_mutex_lock(&hub->work_lock);
	/* relaxed: stored only under this lock */
	*h = (struct hub_handler){ atomic_load_explicit(&hub->handler[method % 64],
							memory_order_relaxed),
				   (uint16_t)method, fn, arg };
	/* release T1: pairs with acquire T1 in hub_work_handler() */
	atomic_store_explicit(&hub->handler[method % 64], h, memory_order_release);
	pthread_mutex_unlock(&hub->work_lock);
	hub_pend_name(hub, method, name);
	return 0;
}
