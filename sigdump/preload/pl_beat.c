#include <errno.h>

#include "lib/as/as_fmt.h"
#include "sigdump/preload/as/dumper.h"
#include "sigdump/preload/pl_priv.h"

/* Heartbeats: the library's end of sigdump_beat() and its like. The watchdog reads them. */

enum { LIMIT_MIN_MS = 100 }; /* the watchdog looks five times before it believes */

PL_EXPORT int sigdump_api_beat_add(const char *name, uint32_t limit_ms)
{
	struct as_fmt f;

	if (!name || !*name)
		return -EINVAL;
	const int err = dumper_start();
	if (err)
		return err;
	for (int i = 0; i < SIGDUMP_BEATS; i++) {
		struct dump_beat *beat = &dump_state.beat[i];
		uint32_t none = DUMP_BEAT_FREE;

		/* acquire L12: whoever had the entry is through with it */
		if (!atomic_compare_exchange_strong_explicit(&beat->state, &none, DUMP_BEAT_FILLING,
							     memory_order_acquire,
							     memory_order_relaxed))
			continue;
		beat->limit_ms = limit_ms && limit_ms < LIMIT_MIN_MS ? LIMIT_MIN_MS : limit_ms;
		/* relaxed: nobody looks at an entry that is being filled */
		atomic_store_explicit(&beat->beats, 0, memory_order_relaxed);
		as_fmt_init(&f, beat->name, sizeof(beat->name));
		as_fmt_str(&f, name);
		/* release L12: the entry is complete */
		atomic_store_explicit(&beat->state, DUMP_BEAT_USED, memory_order_release);
		dumper_poke(); /* it may have been asleep for ever */
		return i;
	}
	return -ENOSPC;
}

/*
 * No look whether the state is this process': in a fork child it describes its parent until it
 * is adopted, and a beat of such an entry is counted and seen by nobody.
 */
PL_EXPORT int sigdump_api_beat(int beat, int due)
{
	if (beat < 0 || beat >= SIGDUMP_BEATS)
		return -ENOENT;
	struct dump_beat *b = &dump_state.beat[beat];
	/* relaxed: only the thread that owns the heartbeat writes it */
	const uint64_t beats = atomic_load_explicit(&b->beats, memory_order_relaxed) >> 1;
	/* relaxed: as above; nothing is read on its account */
	atomic_store_explicit(&b->beats, (beats + 1) << 1 | !!due, memory_order_relaxed);
	return 0;
}

PL_EXPORT int sigdump_api_beat_remove(int beat)
{
	uint32_t used = DUMP_BEAT_USED;

	if (beat < 0 || beat >= SIGDUMP_BEATS || !dump_state_is_ours())
		return -ENOENT;
	/* release L12: the next owner fills it anew */
	return atomic_compare_exchange_strong_explicit(&dump_state.beat[beat].state, &used,
						       DUMP_BEAT_FREE, memory_order_release,
						       memory_order_relaxed) ?
		       0 :
		       -ENOENT;
}
