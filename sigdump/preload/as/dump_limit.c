#include <signal.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_limit.h"

static const uint64_t size_signal = UINT64_C(1) << (SIGXFSZ - 1);

void dump_limit_begin(struct dump_limit *limit)
{
	uint64_t pending = 0;

	as_sys_rt_sigprocmask(SIG_BLOCK, &size_signal, &limit->mask);
	as_sys_rt_sigpending(&pending);
	limit->pending = pending & size_signal;
}

void dump_limit_end(const struct dump_limit *limit)
{
	const struct timespec at_once = { 0, 0 };

	if (!limit->pending)
		as_sys_rt_sigtimedwait(&size_signal, NULL, &at_once);
	as_sys_rt_sigprocmask(SIG_SETMASK, &limit->mask, NULL);
}
