#include <stdint.h>
#include <ucontext.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_context.h"
#include "sigdump/preload/as/dump_state.h"

enum { SIGNALS = 65 };

static _Atomic uintptr_t theirs[SIGNALS];

void dump_context_set(int sig, dump_context_handler_fn handler)
{
	/* relaxed: the system call that tells the kernel orders it */
	atomic_store_explicit(&theirs[sig], (uintptr_t)handler, memory_order_relaxed);
}

dump_context_handler_fn dump_context_get(int sig)
{
	/* relaxed: as above */
	return (dump_context_handler_fn)atomic_load_explicit(&theirs[sig], memory_order_relaxed);
}

/* In a vfork child the mask is the one that the next program inherits: it is let alone. */
static bool is_kept(void)
{
	/* acquire L2: there is a dumper that takes it */
	return dump_live && !dump_state.sandboxed && !dump_thread.in_vfork &&
	       atomic_load_explicit(&dump_live->keeps, memory_order_acquire);
}

static void set_view(bool blocks)
{
	if (blocks == dump_thread.blocks)
		return;
	dump_thread.blocks = blocks;
	if (as_sys_gettid() == dump_state.pid)
		/* relaxed: a hint for the dumper */
		atomic_store_explicit(&dump_live->main_blocks, blocks, memory_order_relaxed);
}

void dump_context_handler(int sig, siginfo_t *info, void *context)
{
	const dump_context_handler_fn handler = dump_context_get(sig);
	uint64_t *mask = (uint64_t *)(void *)&((ucontext_t *)context)->uc_sigmask;
	const uint64_t bit = UINT64_C(1) << (dump_state.signal - 1);
	/* without the bit the mask is open for a moment, for exec or raise(): so it stays */
	const bool kept = is_kept() && (*mask & bit);

	if (kept && !dump_thread.blocks)
		*mask &= ~bit;
	handler(sig, info, context);
	/* the signal may have become the program's meanwhile: then the view is what counts */
	if (!kept || !is_kept())
		return;
	set_view(*mask & bit);
	*mask |= bit;
}
