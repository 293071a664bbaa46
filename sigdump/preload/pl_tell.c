#include <errno.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_proc.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_told.h"
#include "sigdump/preload/as/dumper.h"
#include "sigdump/preload/pl_priv.h"

/*
 * sigdump.h, the library's end of gauges, callbacks and sigdump_dump().
 *
 * Callbacks are the program's code: they may lock and allocate, so neither a handler nor the
 * dumper may run them. A copy of the process (fork) was thought of as the place: there a hung
 * lock stays hung as well, and its page tables cost a large process more than the whole dump.
 * So a thread of the program's kind runs them, one for all, started by the first registration.
 */

enum { DIAG_STACK = 256 * 1024 };

static void set_name(char name[AS_CONTROL_TEXT], const char *text)
{
	struct as_fmt f;

	as_fmt_init(&f, name, AS_CONTROL_TEXT);
	as_fmt_str(&f, text);
}

static bool claim(_Atomic uint32_t *state)
{
	uint32_t none = DUMP_BEAT_FREE;

	/* acquire L12: whoever had the entry is through with it */
	return atomic_compare_exchange_strong_explicit(state, &none, DUMP_BEAT_FILLING,
						       memory_order_acquire, memory_order_relaxed);
}

static void publish(_Atomic uint32_t *state)
{
	/* release L12: the entry is complete */
	atomic_store_explicit(state, DUMP_BEAT_USED, memory_order_release);
}

/* ---- gauges ----------------------------------------------------------------------------------- */

PL_EXPORT int sigdump_api_gauge_add(const char *name, uint64_t limit)
{
	if (!name || !*name)
		return -EINVAL;
	if (!dump_state_adopt())
		return -ENOSYS;
	for (int i = 0; i < SIGDUMP_GAUGES; i++) {
		struct dump_gauge *g = &dump_state.gauge[i];

		if (!claim(&g->state))
			continue;
		g->limit = limit;
		/* relaxed: nobody looks at an entry that is being filled */
		atomic_store_explicit(&g->value, 0, memory_order_relaxed);
		set_name(g->name, name);
		publish(&g->state);
		return i;
	}
	return -ENOSPC;
}

PL_EXPORT int sigdump_api_gauge(int gauge, uint64_t value)
{
	if (gauge < 0 || gauge >= SIGDUMP_GAUGES)
		return -ENOENT;
	/* relaxed: a number on its own */
	atomic_store_explicit(&dump_state.gauge[gauge].value, value, memory_order_relaxed);
	return 0;
}

PL_EXPORT int sigdump_api_gauge_remove(int gauge)
{
	uint32_t used = DUMP_BEAT_USED;

	if (gauge < 0 || gauge >= SIGDUMP_GAUGES || !dump_state_is_ours())
		return -ENOENT;
	/* release L12: the next owner fills it anew */
	return atomic_compare_exchange_strong_explicit(&dump_state.gauge[gauge].state, &used,
						       DUMP_BEAT_FREE, memory_order_release,
						       memory_order_relaxed) ?
		       0 :
		       -ENOENT;
}

/* ---- callbacks -------------------------------------------------------------------------------- */

static void run_diag(uint32_t i)
{
	struct dump_diag *d = &dump_state.diag[i];

	/* seq_cst L15: said before the look */
	atomic_store_explicit(&dump_live->diag_runs, i + 1, memory_order_seq_cst);
	/* seq_cst L15: who removes it from now on sees that it runs */
	if (atomic_load_explicit(&d->state, memory_order_seq_cst) == DUMP_BEAT_USED)
		d->say(d->arg, dump_state.diag_text, DUMP_DIAG_TEXT);
	/* seq_cst L15: it has returned */
	atomic_store_explicit(&dump_live->diag_runs, 0, memory_order_seq_cst);
	as_sys_futex(&dump_live->diag_runs, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* Is no thread of the program left? Its first one stays in the list when it has ended. */
static bool is_alone(void)
{
	enum { A_FEW = 8 };
	pid_t tids[A_FEW];
	size_t n = 0;
	struct as_proc_stat stat;
	/* acquire L3: the dumper, which ends with the process */
	const pid_t dumper = atomic_load_explicit(&dump_live->tid, memory_order_acquire);
	const int proc_fd = as_proc_open(0);
	bool alone = proc_fd >= 0 && as_proc_tids(proc_fd, tids, A_FEW, &n) == 0;

	for (size_t i = 0; i < n && alone; i++)
		if (tids[i] != as_sys_gettid() && tids[i] != dumper)
			alone = as_proc_stat(proc_fd, tids[i], &stat) != 0 || stat.state == 'Z' ||
				stat.state == 'X';
	if (proc_fd >= 0)
		as_sys_close(proc_fd);
	return alone;
}

/*
 * Until the dumper has one: true. False when the program has ended in the way of pthread_exit():
 * the process ends with its last thread, and this one, being one that the C library counts, would
 * keep it. Nobody tells when the others end, so from the first one's end on it looks four times a
 * second.
 */
static bool wait_for_question(void)
{
	const struct timespec nap = { 0, 250000000 };

	for (;;) {
		/* relaxed: as where it is rung */
		const uint32_t rung = atomic_load_explicit(&dump_live->diag_bell, memory_order_relaxed);
		/* relaxed: only this thread writes it */
		const uint32_t done = atomic_load_explicit(&dump_live->diag_done, memory_order_relaxed);
		/* relaxed: set before the bell is rung */
		const bool left = atomic_load_explicit(&dump_live->main_left, memory_order_relaxed);

		/* acquire L13: which one is asked for */
		if (atomic_load_explicit(&dump_live->diag_asked, memory_order_acquire) != done)
			return true;
		if (left && is_alone())
			return false;
		as_sys_futex(&dump_live->diag_bell, FUTEX_WAIT_PRIVATE, rung, left ? &nap : NULL, NULL,
			     0);
	}
}

static void *diag_main(void *unused)
{
	pthread_setname_np(pthread_self(), "sigdump-diag");
	/* relaxed: for the dump's record of this thread */
	atomic_store_explicit(&dump_live->diag_tid, as_sys_gettid(), memory_order_relaxed);
	while (wait_for_question()) {
		run_diag(dump_live->diag_which);
		/* release L14: the text is whole */
		atomic_fetch_add_explicit(&dump_live->diag_done, 1, memory_order_release);
		as_sys_futex(&dump_live->diag_done, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
	return unused; /* with it the C library ends the process: the others have gone */
}

/* If that is the first thread: it leaves, or may leave, in a way that does not end the process. */
static void leaves(pid_t tid)
{
	if (!dump_live || !dump_state_is_ours() || tid != dump_state.pid)
		return;
	/* relaxed: the system call behind it orders it */
	atomic_store_explicit(&dump_live->main_left, 1, memory_order_relaxed);
	dump_told_ring();
}

/* The C library has no function that tells it, but the clock of a thread has its number in it. */
static pid_t tid_of(pthread_t thread)
{
	clockid_t clock;

	return pthread_getcpuclockid(thread, &clock) ? 0 : (pid_t)(~(unsigned)clock >> 3);
}

/* Whoever is cancelled may go on for a while, or for ever. */
PL_EXPORT int pthread_cancel(pthread_t thread)
{
	const pid_t tid = tid_of(thread);
	const int err = pl_real.pthread_cancel(thread);

	if (!err)
		leaves(tid);
	return err;
}

PL_EXPORT __attribute__((noreturn)) void pthread_exit(void *value)
{
	leaves(as_sys_gettid());
	pl_real.pthread_exit(value);
	__builtin_unreachable();
}

PL_EXPORT __attribute__((noreturn)) void thrd_exit(int value)
{
	leaves(as_sys_gettid());
	pl_real.thrd_exit(value);
	__builtin_unreachable();
}

static int start_diag_thread(void)
{
	int32_t none = 0;
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;

	/* relaxed: who gets it from 0 starts the thread */
	if (!atomic_compare_exchange_strong_explicit(&dump_live->diag_tid, &none, -1,
						     memory_order_relaxed, memory_order_relaxed))
		return 0;
	if (pthread_attr_init(&attr) != 0)
		return -EAGAIN;
	pthread_attr_setstacksize(&attr, DIAG_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pl_real.pthread_sigmask(SIG_SETMASK, &all, &old);
	const int err = pl_real.pthread_create(&thread, &attr, diag_main, NULL);
	pl_real.pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (err)
		/* relaxed: the next registration tries again */
		atomic_store_explicit(&dump_live->diag_tid, 0, memory_order_relaxed);
	return err ? -EAGAIN : 0;
}

PL_EXPORT int sigdump_api_diag_add(const char *name, void (*say)(void *, char *, size_t), void *arg)
{
	if (!name || !*name || !say)
		return -EINVAL;
	int err = dumper_start();
	if (!err)
		err = start_diag_thread();
	if (err)
		return err;
	for (int i = 0; i < SIGDUMP_DIAGS; i++) {
		struct dump_diag *d = &dump_state.diag[i];

		if (!claim(&d->state))
			continue;
		d->say = say;
		d->arg = arg;
		set_name(d->name, name);
		publish(&d->state);
		return i;
	}
	return -ENOSPC;
}

PL_EXPORT int sigdump_api_diag_remove(int diag)
{
	uint32_t used = DUMP_BEAT_USED;

	if (diag < 0 || diag >= SIGDUMP_DIAGS || !dump_state_is_ours())
		return -ENOENT;
	/* seq_cst L15: taken away before the look; filling, so that nobody takes the entry yet */
	if (!atomic_compare_exchange_strong_explicit(&dump_state.diag[diag].state, &used,
						     DUMP_BEAT_FILLING, memory_order_seq_cst,
						     memory_order_relaxed))
		return -ENOENT;
	/* relaxed: its own number, or another's */
	while (atomic_load_explicit(&dump_live->diag_tid, memory_order_relaxed) != as_sys_gettid()) {
		/* seq_cst L15: after it was taken away */
		const uint32_t runs =
			atomic_load_explicit(&dump_live->diag_runs, memory_order_seq_cst);
		if (runs != (uint32_t)diag + 1)
			break;
		as_sys_futex(&dump_live->diag_runs, FUTEX_WAIT_PRIVATE, runs, NULL, NULL, 0);
	}
	/* release L12: the next owner fills it anew */
	atomic_store_explicit(&dump_state.diag[diag].state, DUMP_BEAT_FREE, memory_order_release);
	return 0;
}

/* ---- a dump now ------------------------------------------------------------------------------- */

PL_EXPORT int sigdump_api_dump(void)
{
	const int err = dumper_start();

	if (err)
		return err;
	/* relaxed: the poke orders it */
	const uint32_t ticket =
		atomic_fetch_add_explicit(&dump_live->called, 1, memory_order_relaxed) + 1;
	/* one that is being written may have to end first */
	const uint64_t until = as_sys_clock_ns(CLOCK_MONOTONIC) +
			       2 * dump_state.deadline_ms * UINT64_C(1000000);

	dumper_poke();
	for (;;) {
		/* acquire L16: the dump is in the feed */
		const uint32_t done =
			atomic_load_explicit(&dump_live->called_done, memory_order_acquire);
		const uint64_t now = as_sys_clock_ns(CLOCK_MONOTONIC);

		if ((int32_t)(done - ticket) >= 0)
			return dump_state.page->dump_error;
		if (now >= until)
			return -ETIMEDOUT;
		const struct timespec left = { (time_t)((until - now) / 1000000000u),
					       (long)((until - now) % 1000000000u) };
		as_sys_futex(&dump_live->called_done, FUTEX_WAIT_PRIVATE, done, &left, NULL, 0);
	}
}
