#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/findings/findings.h"

/* The names under which glibc and others wait for a lock. */
static bool is_lock(const char *function)
{
	static const char *const locks[] = { "lock_wait", "mutex_lock", "rwlock_", "lll_lock" };

	for (size_t i = 0; function && i < sizeof(locks) / sizeof(locks[0]); i++)
		if (strstr(function, locks[i]))
			return true;
	return false;
}

static bool waits_for_lock(const struct state *st, const struct state_thread *t)
{
	const enum state_lock_kind kind = t->lock ? t->lock->kind : STATE_LOCK_FUTEX;

	if (kind != STATE_LOCK_FUTEX)
		return kind == STATE_LOCK_MUTEX || kind == STATE_LOCK_READ ||
		       kind == STATE_LOCK_WRITE || kind == STATE_LOCK_LOW;
	if (t->stack < 0 || (size_t)t->stack >= st->stacks)
		return false;
	const struct state_stack *s = &st->stack[t->stack];

	for (size_t i = 0; i < s->frames && i < 3; i++)
		if (is_lock(s->frame[i].function))
			return true;
	return false;
}

enum thread_doing thread_doing(const struct state *st, const struct state_thread *t)
{
	if (t->state == 'R')
		return THREAD_RUNNING;
	if (t->state == 'D' || t->state == 'T' || t->state == 't' || t->server)
		return THREAD_BLOCKED;
	switch (t->wait) {
	case STATE_WAIT_READ:
		return t->sys == SYS_accept || t->sys == SYS_accept4 ? THREAD_IDLE : THREAD_BLOCKED;
	case STATE_WAIT_WRITE:
	case STATE_WAIT_LOCK:
	case STATE_WAIT_CONNECT:
		return THREAD_BLOCKED;
	case STATE_WAIT_FUTEX:
		return waits_for_lock(st, t) ? THREAD_BLOCKED : THREAD_IDLE;
	default:
		return THREAD_IDLE;
	}
}

const char *thread_doing_word(enum thread_doing doing)
{
	static const char *const words[] = { [THREAD_BLOCKED] = "blocked",
					     [THREAD_RUNNING] = "running",
					     [THREAD_IDLE] = "idle" };

	return words[doing];
}

struct rank { /* of one stack */
	unsigned index;
	enum thread_doing doing; /* the worst of its threads */
	unsigned count;
	uint64_t hash;
};

static int by_rank(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	if (x->doing != y->doing)
		return (int)x->doing - (int)y->doing;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

void stacks_order(const struct state *st, unsigned *order)
{
	struct rank *rank = calloc(st->stacks + 1, sizeof(*rank));

	for (unsigned i = 0; i < st->stacks; i++)
		order[i] = i;
	if (!rank) /* unsorted is better than none */
		return;
	for (unsigned i = 0; i < st->stacks; i++)
		rank[i] = (struct rank){ i, THREAD_IDLE, st->stack[i].count, st->stack[i].hash };
	for (size_t i = 0; i < st->processes; i++) {
		for (size_t k = 0; k < st->process[i].threads; k++) {
			const struct state_thread *t = &st->process[i].thread[k];

			if (t->stack < 0 || (size_t)t->stack >= st->stacks)
				continue;
			const enum thread_doing doing = thread_doing(st, t);

			if (doing < rank[t->stack].doing)
				rank[t->stack].doing = doing;
		}
	}
	qsort(rank, st->stacks, sizeof(*rank), by_rank);
	for (unsigned i = 0; i < st->stacks; i++)
		order[i] = rank[i].index;
	free(rank);
}
