/*
 * owner-dead: a thread waits for a lock whose owner has ended. Nobody is left to give it back.
 *
 * The number of the owner stands in the lock, and a source has asked for the thread of that
 * number between two readings of it: it had ended while its number stood there. Numbers are used
 * again, but then there is such a thread, and nothing is said. A robust mutex carries the
 * kernel's own mark, which one who sleeps on should have been woken for.
 */
#include <inttypes.h>

#include "lib/findings/rules_priv.h"
#include "lib/findings/sleepers_priv.h"

enum { SHORT_US = SECOND_US / 10 }; /* how long it takes to look tells nothing */

static bool is_gone_from_core(const struct scene *scene, const struct waits_node *node)
{
	const struct state_lock *lock = node->thread->lock;

	return node->process->source == STATE_CORE && node->process->all_threads &&
	       lock->is_private && lock->owner_tid && lock->owner_alive == STATE_UNKNOWN &&
	       !waits_find(&scene->waits, node->process,
			   &(struct state_thread){ .tid = lock->owner_tid });
}

static bool has_dead_owner(const struct scene *scene, const struct waits_node *node)
{
	const struct state_lock *lock = node->thread->lock;

	if (lock->kind != STATE_LOCK_MUTEX && lock->kind != STATE_LOCK_READ &&
	    lock->kind != STATE_LOCK_WRITE)
		return false;
	if (lock->moved || node->thread->moved || node->thread->state == 'R')
		return false;
	return lock->owner_died || (lock->owner_tid && lock->owner_alive == STATE_NO) ||
	       is_gone_from_core(scene, node);
}

static bool is_seen_well(const struct waits_node *node)
{
	return node->thread->lock->sure &&
	       (node->thread->lock->looks == 2 || node->process->source == STATE_CORE);
}

static const char *owner_text(struct candidates *out, const struct state_lock *lock)
{
	if (!lock->owner_tid)
		return "owner has ended, as the kernel has marked in it";
	return text(out, "owner tid %" PRId32 " has ended", lock->owner_tid);
}

static void add_advice(struct candidates *out, struct candidate *c, const struct state_lock *lock)
{
	const char *name = lock->name ? lock->name : "the lock";

	if (lock->owner_died)
		candidate_next(c, text(out,
				       "%s is robust: who gets EOWNERDEAD must call "
				       "pthread_mutex_consistent and unlock it; somebody who was "
				       "woken for it has ended too, or never took it",
				       name));
	else
		candidate_next(c, text(out,
				       "find where a thread ends with %s locked: every way out of "
				       "it, also pthread_exit and cancellation, has to unlock it",
				       name));
	if (!lock->is_private && !lock->path)
		candidate_next(c, "the lock may be shared: an owner in another pid namespace has "
				  "another number there and may be alive");
	if (!lock->owner_died)
		candidate_next(c, "pthread_mutexattr_setrobust: the next one gets EOWNERDEAD "
				  "instead of waiting for ever");
}

static void look_at_group(const struct scene *scene, const struct sleepers *group,
			  struct candidates *out)
{
	const struct waits_node *first = group->node[0];
	const struct state_lock *lock = first->thread->lock;

	for (size_t i = 0; i < group->n; i++)
		if (!has_dead_owner(scene, group->node[i]))
			return;
	struct candidate *c = candidate_of_thread(out, scene, first->process, first->thread,
						  lock->addr);
	const char *what = sleepers_lock(out, group), *owner = owner_text(out, lock);
	const char *sleepers = sleepers_who(out, group);
	const char *s = group->n == 1 ? "s" : "";

	c->since_us = sleepers_asleep_us(group);
	c->fingerprint = lock->addr ^ (uint64_t)(uint32_t)lock->owner_tid << 32;
	c->proof = !is_seen_well(first) ? PROOF_NONE : lock->owner_died ? PROOF_DWELL : PROOF_AT_ONCE;
	c->asks_again = true;
	sleepers_add(out, c, scene, group);
	c->sentence = text(out, "%s hangs: %s wait%s%s for %s, whose %s",
			   who_process(out, scene, first->process), sleepers, s,
			   scene_age(c->now_us, c->since_us) < SHORT_US ? "" : " since at least {held}",
			   what, owner);
	c->also = text(out, "%s of %s wait%s for %s, whose owner has ended", sleepers,
		       first->process->name ? first->process->name : "a process",
		       s, what);
	c->brief = text(out, "%s wait%s for %s, whose %s", plural(out, group->n, "thread", "threads"), s,
			lock->name ? lock->name : what, owner);
	c->evidence = text(out, "%s asleep in it{stack}, the word is 0x%" PRIx32 "; its %s%s; {unchanged}",
			   sleepers, lock->value[1], owner,
			   lock->owner_died ? "" : " while its number stood in the lock");
	fact_number(c, "owner", lock->owner_tid ? lock->owner_tid : FINDING_UNKNOWN);
	fact_text(c, "lock", what);
	fact_number(c, "waiting", (int64_t)group->n);
	add_advice(out, c, lock);
}

static void look(const struct scene *scene, struct candidates *out)
{
	sleepers_each(scene, look_at_group, out);
}

const struct rule rule_owner_dead = {
	.name = "owner-dead",
	.severity = SEVERITY_CRITICAL,
	.dwell_us = 2 * SECOND_US,
	.sources = STATE_LIVE | STATE_FEED | STATE_CORE,
	.look = look,
	.means = "Whoever locked it has ended without unlocking it; nobody can do so any more.",
	.summary =
		"A thread waits for a mutex or rwlock whose owner does not exist any more: it "
		"returned, was cancelled, or its process died, while it held the lock.",
	.detection =
		"The lock has the number of its owner. Between two readings of that number the "
		"system was asked for such a thread: there was none. Or the kernel has marked a "
		"robust mutex (FUTEX_OWNER_DIED) and still somebody sleeps on it for 2 s. The kind "
		"of lock is taken from the functions on the sleeper's stack: without names it is "
		"only suspected.",
	.causes =
		"A return or an error path without the unlock; pthread_exit, cancellation or an "
		"exception with a lock held; a process with a process-shared mutex that was killed; "
		"fork() while another thread held the lock, which the child then inherits locked.",
	.fix =
		"Unlock on every way out (cleanup handlers, scope guards). Between processes use "
		"robust mutexes and handle EOWNERDEAD. After fork() only exec, or use pthread_atfork.",
	.confused_with =
		"deadlock (the owner lives and waits itself); stale-wait (the lock is free and its "
		"waiter was not woken).",
};
