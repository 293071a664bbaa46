#include <stdbool.h>
#include <stdint.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump.h"
#include "sigdump/preload/as/dump_fatal.h"
#include "sigdump/preload/as/dump_signal.h"
#include "sigdump/preload/as/dump_state.h"
#include "sigdump/preload/as/dumper.h"

enum { WAIT_MS = DUMP_FATAL_MS + 500 };

/* For the dumper, which may have another dump to end first. */
static void wait_for_dump(void)
{
	const uint64_t until = as_sys_clock_ns(CLOCK_MONOTONIC) + WAIT_MS * UINT64_C(1000000);
	uint64_t now;

	/* relaxed: nothing is read on its account */
	while (!atomic_load_explicit(&dump_live->fatal_done, memory_order_relaxed) &&
	       (now = as_sys_clock_ns(CLOCK_MONOTONIC)) < until) {
		const struct timespec left = { (time_t)((until - now) / 1000000000u),
					       (long)((until - now) % 1000000000u) };

		as_sys_futex(&dump_live->fatal_done, FUTEX_WAIT_PRIVATE, 0, &left, NULL, 0);
	}
}

/* The handler of another thread may be in the middle of a dump. */
static void dump_apart(struct dump_request *ask)
{
	const uint64_t until = as_sys_clock_ns(CLOCK_MONOTONIC) + WAIT_MS * UINT64_C(1000000);
	const struct timespec pause = { 0, 1000000 };

	while (!dump_signal_dump(ask) && as_sys_clock_ns(CLOCK_MONOTONIC) < until)
		as_sys_poll(NULL, 0, &pause);
}

static void last_dump(int sig, const siginfo_t *info, const void *context)
{
	/* relaxed: the first one writes; the others only wait */
	if (atomic_exchange_explicit(&dump_live->fatal_taken, 1, memory_order_relaxed)) {
		wait_for_dump();
		return;
	}
	dump_live->fatal_is = (struct as_record_fatal){
		.signal = sig,
		.code = info->si_code,
		.addr = info->si_code > 0 ? (uint64_t)(uintptr_t)info->si_addr : 0,
		.tid = as_sys_gettid(),
		.sender = info->si_code <= 0 ? info->si_pid : 0,
	};
	/* relaxed: a dumper that ends this moment leaves the wait to its deadline */
	if (atomic_load_explicit(&dump_live->tid, memory_order_relaxed)) {
		/* release L17: what it was */
		atomic_store_explicit(&dump_live->fatal, 1, memory_order_release);
		dumper_poke();
		wait_for_dump();
	} else {
		struct dump_request ask = { .why = DUMP_WHY_FATAL,
					    .sender = dump_live->fatal_is.sender,
					    .context = context,
					    .fatal = &dump_live->fatal_is };

		dump_apart(&ask);
	}
}

void dump_fatal_handler(int sig, siginfo_t *info, void *context)
{
	const struct as_sigaction by_default = { .handler = (uint64_t)(uintptr_t)SIG_DFL };

	/* not in a vfork child: its memory is its parent's */
	if (dump_state_adopt())
		last_dump(sig, info, context);
	as_sys_rt_sigaction(sig, &by_default, NULL);
	as_sys_rt_tgsigqueueinfo(as_sys_getpid(), as_sys_gettid(), sig, info);
}
