/*
 * stale-wait: a thread sleeps although what it waits for is there, and nobody wakes it.
 *
 * A futex sleeps only while its word has the value that the sleeper expected. If the word has
 * another value for seconds and the sleeper has not run, then whoever changed it did not wake it.
 *
 * That is not always so. Of a crowd around one healthy mutex nearly all look like that at any
 * moment: one was woken and has not run yet, the others need not be. And a word that counts is
 * changed without waking everybody (a condition variable that signals one, a latch that counts
 * down). So it is proven only
 *	- for a word with one sleeper, which was or has become 0 if its kind is not known;
 *	- for a word with several, if it is free for all of them (a mutex that nobody has, a
 *	  semaphore with a value, a barrier that all have reached), none of them has run, and no
 *	  other thread of the process runs that may have been one of them;
 * and where no other process can sleep on the same word unseen. All else is only suspected.
 */
#include <inttypes.h>
#include <linux/futex.h>
#include <string.h>

#include "lib/findings/rules_priv.h"
#include "lib/findings/sleepers_priv.h"

static bool is_pi(const struct state_thread *t)
{
	const int command = (int)t->arg[1] & FUTEX_CMD_MASK;

	return command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2 ||
	       command == FUTEX_WAIT_REQUEUE_PI;
}

static bool is_changed(const struct state_lock *lock)
{
	return lock->looks == 2 && lock->value[0] == lock->value[1] &&
	       lock->value[1] != lock->expected;
}

/* ---- what the word says ---------------------------------------------------------------------- */

static bool is_lock_kind(enum state_lock_kind kind)
{
	return kind == STATE_LOCK_MUTEX || kind == STATE_LOCK_LOW;
}

/* Whoever comes next may have it: to sleep on it is wrong for any number of threads. */
static bool is_free(const struct state_lock *lock)
{
	const uint32_t value = lock->value[1];

	switch (lock->kind) {
	case STATE_LOCK_MUTEX: /* robust ones keep the owner in the word, beside the kernel's bits */
		return (value & FUTEX_TID_MASK) == 0;
	case STATE_LOCK_LOW:
		return value == 0;
	case STATE_LOCK_SEM:
		return value > 0;
	case STATE_LOCK_BARRIER: /* its round is over for all who were in it */
	case STATE_LOCK_JOIN:
		return true;
	case STATE_LOCK_FUTEX: /* somebody's own lock; a counter is not free at any value */
		return lock->expected == 2 && value == 0;
	default:
		return false;
	}
}

static bool has_function(const struct state *st, const struct state_thread *t, const char *part)
{
	if (t->stack < 0 || (size_t)t->stack >= st->stacks)
		return false;
	const struct state_stack *s = &st->stack[t->stack];

	for (size_t i = 0; i < s->frames; i++)
		if (s->frame[i].function && strstr(s->frame[i].function, part))
			return true;
	return false;
}

/* Counters that wake one of several: who is left asleep has missed nothing. */
static bool is_counter(const struct state *st, const struct state_thread *t)
{
	static const char *const names[] = { "ondvar", "ondition", "ventCount", "vent_count",
					     "eventcount", "latch", "Latch", "_M_do_wait" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (has_function(st, t, names[i]))
			return true;
	return t->lock->expected && t->lock->value[1];
}

static bool is_lost_for_one(const struct state *st, const struct state_thread *t)
{
	switch (t->lock->kind) {
	case STATE_LOCK_COND: /* later versions of glibc count here */
		return t->lock->expected == 0;
	case STATE_LOCK_FUTEX:
		return !is_counter(st, t);
	default:
		return true;
	}
}

/* Nobody else can sleep on it unseen: a private futex, or a variable of the program's own. */
static bool is_of_one_process(const struct state_lock *lock)
{
	return lock->is_private || lock->path;
}

static bool somebody_runs(const struct state_process *p)
{
	for (size_t i = 0; i < p->threads; i++)
		if (!p->thread[i].own && (p->thread[i].state == 'R' || p->thread[i].moved))
			return true;
	return false;
}

static bool is_proven(const struct state *st, const struct sleepers *group)
{
	const struct state_thread *first = group->node[0]->thread;

	if (!is_of_one_process(first->lock) || !group->node[0]->process->all_threads)
		return false;
	if (group->n == 1)
		return is_lost_for_one(st, first);
	for (size_t i = 0; i < group->n; i++)
		if (!is_changed(group->node[i]->thread->lock))
			return false;
	return is_free(first->lock) && !somebody_runs(group->node[0]->process);
}

/* Somebody sleeps on a word that has changed, and none of the sleepers went on in this look. */
static bool is_suspect(const struct sleepers *group)
{
	bool changed = false;

	for (size_t i = 0; i < group->n; i++) {
		const struct state_thread *t = group->node[i]->thread;

		if (t->lock->moved || t->moved || t->state == 'R' || t->lock->owner_died || is_pi(t))
			return false;
		changed |= is_changed(t->lock);
	}
	return changed;
}

/* ---- words ---------------------------------------------------------------------------------- */

static const char *what_is_there(struct candidates *out, const struct state_lock *lock)
{
	const uint32_t value = lock->value[1];

	switch (lock->kind) {
	case STATE_LOCK_MUTEX:
	case STATE_LOCK_LOW:
		return is_free(lock) ? "which nobody has"
				     : "which was taken without the mark that somebody waits";
	case STATE_LOCK_SEM:
		return text(out, "whose value is %" PRIu32, value);
	case STATE_LOCK_COND:
		return "which was signalled";
	case STATE_LOCK_BARRIER:
		return "which all have reached";
	case STATE_LOCK_JOIN:
		return "which has ended";
	default:
		return text(out, "which is not %" PRIu32 " any more but %" PRIu32, lock->expected, value);
	}
}

static void add_advice(struct candidates *out, struct candidate *c, const struct state_lock *lock)
{
	const char *name = lock->name ? lock->name : "the word";

	candidate_next(c, text(out,
			       "who changes %s: is the wake-up made on every path, after the change, "
			       "on the same address and with the same private flag?",
			       name));
	if (lock->kind == STATE_LOCK_FUTEX)
		candidate_next(c, text(out,
				       "if %s counts, and sleepers are woken at certain values or "
				       "one at a time, this is an ordinary wait",
				       name));
	if (is_lock_kind(lock->kind) || lock->kind == STATE_LOCK_SEM || lock->kind == STATE_LOCK_COND)
		candidate_next(c, "a wake-up may also be lost in the C library (glibc bug 25847), or "
				  "when memory is overwritten: is the rest of the object sound?");
}

static uint64_t fingerprint(const struct sleepers *group)
{
	const struct state_lock *lock = group->node[0]->thread->lock;
	uint64_t h = lock->word ^ (uint64_t)lock->value[1] << 32;

	for (size_t i = 0; i < group->n; i++)
		h = mix(h, (uint32_t)group->node[i]->thread->tid);
	return h;
}

static void look_at_group(const struct scene *scene, const struct sleepers *group,
			  struct candidates *out)
{
	const struct waits_node *first = group->node[0];
	const struct state_lock *lock = first->thread->lock;

	if (!is_suspect(group))
		return;
	struct candidate *c = candidate_of_thread(out, scene, first->process, first->thread, lock->word);
	const char *what = sleepers_lock(out, group), *there = what_is_there(out, lock);
	const char *sleepers = sleepers_who(out, group);
	const char *s = group->n == 1 ? "s" : "";

	c->since_us = sleepers_asleep_us(group);
	c->is_exact = true;
	c->fingerprint = fingerprint(group);
	c->proof = is_proven(scene->st, group) ? PROOF_DWELL : PROOF_NONE;
	c->asks_again = c->proof == PROOF_DWELL;
	sleepers_add(out, c, scene, group);
	c->sentence = text(out, "%s hangs: %s %s slept for {held} waiting for %s, %s; nobody woke %s",
			   who_process(out, scene, first->process), sleepers,
			   group->n == 1 ? "has" : "have", what, there, group->n == 1 ? "it" : "them");
	c->also = text(out, "%s of %s sleep%s on %s, %s", sleepers,
		       first->process->name ? first->process->name : "a process", s, what, there);
	c->brief = text(out, "%s sleep%s on %s, %s", plural(out, group->n, "thread", "threads"), s,
			lock->name ? lock->name : what, there);
	c->evidence = text(out,
			   "%s asleep in it{stack}, expecting %" PRIu32 "; the word is %" PRIu32
			   " in both looks, and %s not run in between; {unchanged}",
			   sleepers, lock->expected, lock->value[1], group->n == 1 ? "it has" : "they have");
	fact_number(c, "expected", lock->expected);
	fact_number(c, "value", lock->value[1]);
	fact_number(c, "asleep", (int64_t)group->n);
	fact_text(c, "lock", what);
	add_advice(out, c, lock);
}

static void look(const struct scene *scene, struct candidates *out)
{
	sleepers_each(scene, look_at_group, out);
}

const struct rule rule_stale_wait = {
	.name = "stale-wait",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 2 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_CORE,
	.look = look,
	.means = "What the thread waits for has happened, but it was not woken.",
	.summary =
		"A thread sleeps in a futex whose word no longer has the value that it may sleep "
		"on: a condition was signalled, a semaphore posted, a mutex unlocked, a flag set, "
		"and the wake-up was lost.",
	.detection =
		"The kernel tells the word and the value that the sleeper expected; the word was "
		"read twice and has another one, and the thread has not run for 2 s. Confirmed for "
		"a word that one thread sleeps on, and for one with several sleepers only if "
		"it is free for all of them and none has run; words in shared memory, and those "
		"that count, are only suspected. What kind of object it is, is told by the "
		"functions on the stack.",
	.causes =
		"A store without a FUTEX_WAKE after it; a wake before the store; waking another "
		"address, another process, or with the private flag on one side only; a signal "
		"sent before the waiter held the mutex; overwritten memory.",
	.fix =
		"Store first, then wake, always. Signal condition variables with the mutex held and "
		"wait in a loop on the condition.",
	.confused_with =
		"missed-wakeup (the same for a ring of a hub and its bell); deadlock and owner-dead "
		"(somebody owns it); an ordinary wait on a word that counts.",
};
