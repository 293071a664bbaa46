#include <string.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_fatal.h"
#include "sigdump/preload/pl_priv.h"

/*
 * Signals that end the process: our handler stands only where the program has the default, and
 * the program goes on seeing the default there. A handler of its own replaces ours; when it puts
 * the default back to die by it, ours is there again and writes the last dump.
 */

static const int fatal[] = { SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGTERM };

enum { FATALS = sizeof(fatal) / sizeof(fatal[0]) };

bool pl_fatal_has(int sig)
{
	/* the default of the first process of a pid namespace is not to end by TERM */
	if (sig == dump_state.signal || sig == dump_state.poke ||
	    (sig == SIGTERM && as_sys_getpid() == 1))
		return false;
	for (size_t i = 0; i < FATALS; i++)
		if (fatal[i] == sig)
			return true;
	return false;
}

static bool is_ours(const struct sigaction *act)
{
	return (act->sa_flags & SA_SIGINFO) && act->sa_sigaction == dump_fatal_handler;
}

/* Where the default stands, ours. */
static void install(int sig)
{
	struct sigaction act = { .sa_sigaction = dump_fatal_handler,
				 .sa_flags = SA_ONSTACK | SA_SIGINFO | SA_RESTART };
	struct sigaction now;

	sigfillset(&act.sa_mask);
	if (!dump_state.sandboxed && pl_real.sigaction(sig, NULL, &now) == 0 &&
	    now.sa_handler == SIG_DFL)
		pl_real.sigaction(sig, &act, NULL);
}

void pl_fatal_install_all(void)
{
	for (size_t i = 0; i < FATALS; i++)
		if (pl_fatal_has(fatal[i]))
			install(fatal[i]);
}

void pl_fatal_remove_all(void)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	struct sigaction now;

	for (size_t i = 0; i < FATALS; i++)
		if (pl_real.sigaction(fatal[i], NULL, &now) == 0 && is_ours(&now))
			pl_real.sigaction(fatal[i], &by_default, NULL);
}

int pl_fatal_change(int sig, const struct sigaction *act, struct sigaction *old)
{
	const bool is_default = act && act->sa_handler == SIG_DFL;
	const int err = pl_action_set(sig, act, old);

	if (err)
		return err;
	if (is_default)
		install(sig);
	if (old && is_ours(old)) {
		memset(old, 0, sizeof(*old));
		old->sa_handler = SIG_DFL;
	}
	return 0;
}

sighandler_t pl_fatal_after(int sig, sighandler_t handler, sighandler_t old)
{
	if (!dump_live || dump_thread.in_vfork || old == SIG_ERR || !pl_fatal_has(sig))
		return old;
	if (handler == SIG_DFL)
		install(sig);
	return (void *)old == (void *)dump_fatal_handler ? SIG_DFL : old;
}
