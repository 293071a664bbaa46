#include <string.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_state.h"
#include "sigdump/preload/as/dump_told.h"

enum { DIAG_MS = 500 };

static void write_gauges(struct as_record *r)
{
	for (size_t i = 0; i < SIGDUMP_GAUGES; i++) {
		const struct dump_gauge *g = &dump_state.gauge[i];

		/* acquire L12: the entry is complete */
		if (atomic_load_explicit(&g->state, memory_order_acquire) == DUMP_BEAT_USED)
			/* relaxed: a number on its own */
			as_record_gauge(r, g->name,
					atomic_load_explicit(&g->value, memory_order_relaxed),
					g->limit);
	}
}

void dump_told_ring(void)
{
	/* relaxed: what there is to see has an order of its own; this only says "look" */
	atomic_fetch_add_explicit(&dump_live->diag_bell, 1, memory_order_relaxed);
	as_sys_futex(&dump_live->diag_bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Has the thread answered all that it was asked? Waits for it until then. */
static bool is_free(uint64_t until_ns)
{
	/* relaxed: only the dumper writes it */
	const uint32_t asked = atomic_load_explicit(&dump_live->diag_asked, memory_order_relaxed);

	for (;;) {
		/* acquire L14: the text is whole */
		const uint32_t done =
			atomic_load_explicit(&dump_live->diag_done, memory_order_acquire);
		const uint64_t now = as_sys_clock_ns(CLOCK_MONOTONIC);

		if (done == asked)
			return true;
		if (now >= until_ns)
			return false;
		const struct timespec left = { (time_t)((until_ns - now) / 1000000000u),
					       (long)((until_ns - now) % 1000000000u) };
		as_sys_futex(&dump_live->diag_done, FUTEX_WAIT_PRIVATE, done, &left, NULL, 0);
	}
}

static void ask(struct as_record *r, uint32_t i, uint64_t until_ns)
{
	const uint64_t patience = as_sys_clock_ns(CLOCK_MONOTONIC) + DIAG_MS * UINT64_C(1000000);
	const char *name = dump_state.diag[i].name;

	if (!is_free(0)) {
		as_record_diag(r, name, NULL, 0, "an earlier call has not returned");
		return;
	}
	dump_live->diag_which = i;
	dump_state.diag_text[0] = '\0';
	/* release L13: which one */
	atomic_fetch_add_explicit(&dump_live->diag_asked, 1, memory_order_release);
	dump_told_ring();
	if (!is_free(patience < until_ns ? patience : until_ns)) {
		as_record_diag(r, name, NULL, 0, "it did not return in time");
		return;
	}
	const char *end = memchr(dump_state.diag_text, '\0', DUMP_DIAG_TEXT);
	as_record_diag(r, name, dump_state.diag_text,
		       end ? (size_t)(end - dump_state.diag_text) : DUMP_DIAG_TEXT, NULL);
}

void dump_told_write(struct as_record *r, uint64_t until_ns)
{
	write_gauges(r);
	as_json_flush(&r->json);
	for (uint32_t i = 0; i < SIGDUMP_DIAGS; i++)
		/* acquire L12: the entry is complete */
		if (atomic_load_explicit(&dump_state.diag[i].state, memory_order_acquire) ==
		    DUMP_BEAT_USED)
			ask(r, i, until_ns);
}
