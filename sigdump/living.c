#include "sigdump/living.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/proc/proc_fd.h"
#include "lib/proc/proc_lock.h"
#include "lib/proc/proc_stat.h"
#include "lib/proc/proc_wait.h"
#include "lib/state/ends_look.h"
#include "lib/state/lock.h"
#include "lib/state/process_look.h"
#include "lib/state/wait.h"

enum {
	SCAN_US = 1000000,  /* for one reading of all that is open on the machine */
	SCAN_AGE_US = 500000,
	NAP_NS = 2000000000, /* who sleeps longer does not try something again and again */
	FOLLOWED = 16,      /* processes that are looked at because somebody waits for them */
};

struct living {
	struct process_look *processes;
	struct ends_look *ends;
};

struct living *living_create(void)
{
	struct living *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->processes = process_look_create();
	l->ends = ends_look_create(SCAN_US, SCAN_AGE_US);
	if (l->processes && l->ends)
		return l;
	living_destroy(l);
	return NULL;
}

void living_destroy(struct living *l)
{
	if (!l)
		return;
	process_look_destroy(l->processes);
	ends_look_destroy(l->ends);
	free(l);
}

/* ---- who was dumped -------------------------------------------------------------------------- */

/* The same call with the same arguments, as far as they have a meaning. */
static bool is_still(const struct state_thread *t, const struct proc_wait *now)
{
	struct proc_wait then;

	proc_wait_decode(t->sys, t->arg, &then);
	return then.nr == now->nr && then.fd == now->fd && then.addr == now->addr &&
	       then.child == now->child;
}

/* It may be between two tries to lock a file (sqlite3 does that): no wait for it is ever seen, but
 * that somebody else has it locked is. */
static int tell_nap(struct state *st, const struct state_process *p, struct state_thread *t,
		    const struct proc_wait *now)
{
	struct proc_lock_other other;

	if (now->kind != PROC_WAIT_SLEEP || now->clock != PROC_CLOCK_SPAN || now->timeout_ns > NAP_NS ||
	    !t->wait_text || !proc_lock_by_other(p->pid, &other))
		return 0;
	t->wait_text = arena_printf(&st->arena,
				    "%s; meanwhile pid %d (%s) holds a lock on %s, which this "
				    "process has open without a lock",
				    t->wait_text, (int)other.pid, other.name, other.path);
	return t->wait_text ? 0 : -ENOMEM;
}

static int look_at_thread(struct state *st, const struct state_process *p, struct state_thread *t)
{
	struct proc_wait now;

	/* what sleeps on a word is told better, by its lock; who runs does not wait */
	if (t->own || t->sys < 0 || !t->wait_text || (t->lock && t->lock->word))
		return 0;
	if (proc_wait_read(p->pid, t->tid, &now, NULL) || !is_still(t, &now)) {
		t->ends = t->ends_all = 0;
		return 0;
	}
	wait_set(st, t, &now);
	if (tell_nap(st, p, t, &now))
		return -ENOMEM;
	if (now.kind != PROC_WAIT_FLOCK || t->lock)
		return 0;
	return lock_take_file(st, t, now.object[0] ? now.object : NULL, now.holder, st->now_us);
}

static void look_at_gauges(struct state_process *p)
{
	unsigned kinds[PROC_FD_KINDS];
	struct proc_stat stat;

	if (p->rss_bytes < 0 && proc_stat(p->pid, &stat, NULL) == 0)
		p->rss_bytes = (int64_t)stat.rss_bytes;
	if (p->fds < 0) {
		p->fds = proc_fd_count(p->pid, kinds, NULL);
		p->fds = p->fds < 0 ? -1 : p->fds;
	}
}

static int look_at_process(struct living *l, struct state *st, struct state_process *p)
{
	int code = 0;

	look_at_gauges(p);
	process_look_signals(p);
	for (size_t k = 0; !code && k < p->threads; k++)
		code = look_at_thread(st, p, &p->thread[k]);
	return code ? code : ends_look_fill(l->ends, st, p);
}

/* ---- whom they wait for ------------------------------------------------------------------------ */

struct following {
	struct living *l;
	struct state *st;
	bool stacks;
	size_t done; /* processes of the state whose waits were followed */
	unsigned n;
};

/* What stands there as last seen, of an earlier dump, is no look. */
static bool is_there(const struct state *st, int32_t pid)
{
	for (size_t i = 0; i < st->processes; i++)
		if (st->process[i].pid == pid && !st->process[i].carried)
			return true;
	return false;
}

/* What it sleeps on is known by the functions on its stack; all else is told without. */
static bool needs_stacks(const struct state_process *p)
{
	for (size_t i = 0; i < p->threads; i++)
		if (p->thread[i].lock && p->thread[i].lock->word)
			return true;
	return false;
}

static void drop_stacks(struct state *st, struct state_process *p, size_t stacks)
{
	for (size_t i = 0; i < p->threads; i++)
		p->thread[i].stack = -1;
	st->stacks = stacks;
}

static int follow(struct following *f, int32_t pid)
{
	const size_t stacks = f->st->stacks;

	if (pid <= 0 || f->n == FOLLOWED || is_there(f->st, pid))
		return 0;
	const int got = process_look_fill(f->l->processes, f->st, pid, 0, NULL, 0, true);

	if (got <= 0)
		return got;
	struct state_process *p = &f->st->process[f->st->processes - 1];

	f->n++;
	if (!f->stacks && !needs_stacks(p))
		drop_stacks(f->st, p, stacks);
	return ends_look_fill(f->l->ends, f->st, p);
}

static int follow_thread(struct following *f, const struct state_thread *t)
{
	int e = t->lock && t->lock->kind == STATE_LOCK_FILE ? follow(f, t->lock->owner_pid) : 0;

	for (size_t i = 0; !e && i < t->children; i++)
		e = follow(f, t->child[i].pid);
	/* in an event loop it waits for work, and all the machine may be its other ends */
	for (size_t i = 0; !e && t->wait != STATE_WAIT_POLL && i < t->ends; i++)
		for (size_t k = 0; !e && k < t->end[i].parties; k++)
			e = follow(f, t->end[i].party[k].pid);
	return e;
}

/* Grows as it goes: those who are followed wait for somebody themselves. */
static int follow_all(struct living *l, struct state *st, uint64_t family, bool stacks)
{
	struct following f = { .l = l, .st = st, .stacks = stacks };
	int e = 0;

	for (; !e && f.done < st->processes; f.done++) {
		const bool is_ours = st->process[f.done].family == family ||
				     st->process[f.done].source == STATE_LIVE;

		for (size_t k = 0; !e && is_ours && k < st->process[f.done].threads; k++)
			e = follow_thread(&f, &st->process[f.done].thread[k]);
	}
	return !e && f.n ? state_join(st) : e;
}

int living_look(struct living *l, struct state *st, uint64_t family, bool stacks)
{
	bool is_any = false;
	int code = 0;

	for (size_t i = 0; !code && i < st->processes; i++) {
		struct state_process *p = &st->process[i];

		if (p->family != family || !proc_is_same(p->pid, p->start))
			continue;
		is_any = true;
		code = look_at_process(l, st, p);
	}
	if (code || !is_any)
		return code;
	process_look_begin(l->processes);
	return follow_all(l, st, family, stacks);
}
