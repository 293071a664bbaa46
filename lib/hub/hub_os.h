/*
 * hub_os - the few things libshmhub asks of the kernel and the processor on its hot paths.
 *
 * Safety: every function here is MT-safe; none blocks but hub_futex_wait().
 */
#ifndef SHMSCOPE_HUB_OS_H
#define SHMSCOPE_HUB_OS_H

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/hub/hub_fault.h"

#define HUB_FOREVER UINT64_MAX /* a deadline that never comes */

/* hub_tid - this thread's id, cached; hub_tid_forget() is for fork children. */
uint32_t hub_tid(void);
void hub_tid_forget(void);

static inline uint64_t hub_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline uint64_t hub_now_ns(void)
{
	return hub_clock_ns(CLOCK_MONOTONIC);
}

/* A few ns instead of some twenty, and some ms behind: for marks that people read. */
static inline uint64_t hub_coarse_ns(void)
{
	return hub_clock_ns(CLOCK_MONOTONIC_COARSE);
}

/* A deadline from a timeout as the public interface has it. */
static inline uint64_t hub_deadline_ns(int timeout_ms)
{
	if (timeout_ms < 0)
		return HUB_FOREVER;
	return timeout_ms ? hub_now_ns() + (uint64_t)timeout_ms * 1000000 : 0;
}

/* What poll() wants: ms to a deadline, rounded up, -1 for none. */
static inline int hub_left_ms(uint64_t deadline_ns)
{
	if (deadline_ns == HUB_FOREVER)
		return -1;
	const uint64_t now = hub_now_ns();

	if (deadline_ns <= now)
		return 0;
	const uint64_t ms = (deadline_ns - now + 999999) / 1000000;

	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static inline void hub_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/*
 * Spinning before a sleep: pauses between looks, and looks at the clock once in a while. (Without
 * pauses the line is asked for so often that its writer gets it later; as measured, a hot call
 * takes as long with none as with one each time, and longer with one in four.)
 */
struct hub_spin {
	uint32_t for_ns;   /* 0: not at all */
	unsigned n;
	uint64_t until_ns; /* 0: not begun */
};

enum { HUB_LOOKS_PER_CLOCK = 32 };

/* hub_spin_on - may we look once more? */
static inline bool hub_spin_on(struct hub_spin *spin)
{
	if (!spin->for_ns)
		return false;
	hub_relax();
	if (++spin->n % HUB_LOOKS_PER_CLOCK)
		return true;
	const uint64_t now = hub_now_ns();

	if (!spin->until_ns)
		spin->until_ns = now + spin->for_ns;
	return now < spin->until_ns;
}

/* hub_relax_apart - between two looks at a word that the other side stores to: each look takes the
 * line from it. */
static inline void hub_relax_apart(void)
{
	enum { PAUSES = 8 };

	for (unsigned i = 0; i < PAUSES; i++)
		hub_relax();
}

/* Sleeps while *word is `seen`, until woken or the (CLOCK_MONOTONIC) deadline. Between threads
 * of this process only. Returns 0, or -ETIMEDOUT; anything else means: look again. */
static inline int hub_futex_wait(const void *word, uint32_t seen, uint64_t deadline_ns)
{
	const struct timespec at = { (time_t)(deadline_ns / 1000000000),
				     (long)(deadline_ns % 1000000000) };

	const long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen,
			       deadline_ns == HUB_FOREVER ? NULL : &at, NULL, FUTEX_BITSET_MATCH_ANY);

	HUB_SLEPT(r);
	if (r < 0)
		return errno == ETIMEDOUT ? -ETIMEDOUT : 0;
	return 0;
}

static inline void hub_futex_wake(const void *word, int n)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

/* ---- words that are only looked at ------------------------------------------------------ */

/* A counter with one writer at a time: no locked instruction. */
static inline void hub_add(_Atomic uint64_t *counter, uint64_t n)
{
	/* relaxed: a counter for display; its only writer reads its own last store */
	const uint64_t was = atomic_load_explicit(counter, memory_order_relaxed);

	/* relaxed: see above */
	atomic_store_explicit(counter, was + n, memory_order_relaxed);
}

/* A counter with many writers. */
static inline void hub_add_shared(_Atomic uint64_t *counter, uint64_t n)
{
	/* relaxed: a counter for display; nothing is read on its account */
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline uint64_t hub_get64(const _Atomic uint64_t *word)
{
	/* relaxed: for display, or checked again by what follows */
	return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void hub_put64(_Atomic uint64_t *word, uint64_t value)
{
	/* relaxed: for display; nothing is read on its account */
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static inline uint32_t hub_get32(const _Atomic uint32_t *word)
{
	/* relaxed: for display, or checked again by what follows */
	return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void hub_put32(_Atomic uint32_t *word, uint32_t value)
{
	/* relaxed: for display; nothing is read on its account */
	atomic_store_explicit(word, value, memory_order_relaxed);
}

#endif
