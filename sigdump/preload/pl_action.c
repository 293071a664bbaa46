#include <errno.h>
#include <string.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_context.h"
#include "sigdump/preload/as/dump_signal.h"
#include "sigdump/preload/as/dumper.h"
#include "sigdump/preload/pl_priv.h"

/*
 * Dispositions. The program sees the default where our handler stands. When it sets the default
 * again, ours stays: the dump signal is never deadly. When it installs a handler of its own, or
 * ignores the signal, it has it: we step aside for good, and only the control page asks for
 * dumps. (A vfork child has dispositions of its own but shares our memory: it is let alone.)
 */

static struct sigaction ours(void)
{
	struct sigaction act = { .sa_sigaction = dump_signal_handler,
				 .sa_flags = SA_RESTART | SA_ONSTACK | SA_SIGINFO };

	sigfillset(&act.sa_mask);
	return act;
}

static void set_owner(uint32_t owner)
{
	/* release L5: the disposition is in place */
	atomic_store_explicit(&dump_state.owner, owner, memory_order_release);
	/* relaxed: for display */
	atomic_store_explicit(&dump_state.page->signal_owner, owner, memory_order_relaxed);
}

void pl_action_install(void)
{
	const struct sigaction act = ours();
	struct as_sigaction now;

	if (!dump_state.signal)
		return;
	if (as_sys_rt_sigaction(dump_state.signal, NULL, &now) != 0)
		return;
	if (now.handler == (uint64_t)(uintptr_t)SIG_IGN) {
		/* started with it ignored: that is how whoever started us wants it */
		set_owner(AS_CONTROL_SIGNAL_PROGRAM);
		return;
	}
	if (pl_real.sigaction(dump_state.signal, &act, NULL) != 0 ||
	    as_sys_rt_sigaction(dump_state.signal, NULL, &now) != 0)
		return;
	dump_state.handler = now.handler;
	set_owner(AS_CONTROL_SIGNAL_OURS);
}

/* What the program is told where our handler stands: its own, or the default. */
static void show_theirs(int sig, struct sigaction *old)
{
	const bool dump = sig == dump_state.signal;
	const void *handler = dump ? (void *)dump_signal_handler : (void *)dump_signal_poked;
	struct as_sigaction theirs = { .handler = (uint64_t)(uintptr_t)SIG_DFL };

	if (!old || (void *)old->sa_sigaction != handler)
		return;
	if (!dump)
		dump_signal_lent(&theirs);
	memset(old, 0, sizeof(*old));
	old->sa_handler = (sighandler_t)(uintptr_t)theirs.handler;
	old->sa_flags = (int)(theirs.flags & ~UINT64_C(0x04000000)); /* SA_RESTORER is libc's */
	memcpy(&old->sa_mask, &theirs.mask, sizeof(theirs.mask));
}

static bool is_ours(const struct sigaction *act)
{
	return (act->sa_flags & SA_SIGINFO) && act->sa_sigaction == dump_signal_handler;
}

static bool is_through_ours(const struct sigaction *act)
{
	return (act->sa_flags & SA_SIGINFO) && act->sa_sigaction == dump_context_handler;
}

int pl_action_set(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction through;
	const bool sees_context = act && sig > 0 && sig < 65 && !dump_thread.in_vfork &&
				  (act->sa_flags & SA_SIGINFO) && act->sa_handler != SIG_DFL &&
				  act->sa_handler != SIG_IGN && !is_through_ours(act);
	const dump_context_handler_fn before = sig > 0 && sig < 65 ? dump_context_get(sig) : NULL;

	if (sees_context) {
		dump_context_set(sig, act->sa_sigaction);
		through = *act;
		through.sa_sigaction = dump_context_handler;
		act = &through;
	}
	const int err = pl_real.sigaction(sig, act, old);
	if (err && sees_context)
		dump_context_set(sig, before);
	if (!err && old && is_through_ours(old))
		old->sa_sigaction = before;
	return err;
}

/* What signal() gives back: the program's own handler where ours stood in its place. */
static sighandler_t shown(sighandler_t old, dump_context_handler_fn before)
{
	return (void *)old == (void *)dump_context_handler ? (sighandler_t)(uintptr_t)before : old;
}

static int set_dump_signal(const struct sigaction *act, struct sigaction *old)
{
	const struct sigaction mine = ours();
	const bool is_default = act->sa_handler == SIG_DFL;
	struct sigaction before;
	const int err = pl_real.sigaction(dump_state.signal, is_default ? &mine : act, &before);

	if (err)
		return err;
	if (old)
		*old = before;
	/* (set twice, ours stands already) */
	dump_state.put_back = is_default && (dump_state.put_back || !is_ours(&before));
	if (is_default) {
		set_owner(AS_CONTROL_SIGNAL_OURS);
		dumper_poke();
		return 0;
	}
	const bool kept = pl_keeps();
	dumper_step_aside(kept);
	if (kept && !dump_thread.blocks)
		pl_mask_unblock();
	return 0;
}

/* The internal signal: once our handler stands, the default would be deadly. */
static int set_poke(const struct sigaction *act, struct sigaction *old)
{
	struct sigaction now;

	if (act->sa_handler == SIG_DFL && pl_real.sigaction(dump_state.poke, NULL, &now) == 0 &&
	    (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == dump_signal_poked) {
		if (old) {
			*old = now;
			show_theirs(dump_state.poke, old);
		}
		dump_signal_keep();
		return 0;
	}
	return pl_real.sigaction(dump_state.poke, act, old);
}

static int change(int sig, const struct sigaction *act, struct sigaction *old)
{
	const bool dump = sig && sig == dump_state.signal;
	int err;

	if (dump_live && !dump_thread.in_vfork && !dump && pl_fatal_has(sig))
		return pl_fatal_change(sig, act, old);
	if (!dump_live || dump_thread.in_vfork || (!dump && sig != dump_state.poke))
		return pl_action_set(sig, act, old);
	if (!act || !dump_state_adopt())
		err = pl_real.sigaction(sig, act, old);
	else if (dump)
		err = set_dump_signal(act, old);
	else
		err = set_poke(act, old);
	if (!err)
		show_theirs(sig, old);
	return err;
}

int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);

PL_EXPORT int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	return change(sig, act, old);
}

PL_EXPORT int __sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	return change(sig, act, old);
}

/* ---- the older ways to say the same --------------------------------------------------------- */

/* siginterrupt(SIGUSR1, 1) was said: signal() then leaves out SA_RESTART. */
static bool interrupts;

static bool is_special(int sig)
{
	return dump_live && sig && (sig == dump_state.signal || sig == dump_state.poke);
}

static sighandler_t set_handler(int sig, sighandler_t handler, int flags)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = flags }, old;

	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	sigemptyset(&act.sa_mask);
	if (!(flags & SA_NODEFER))
		sigaddset(&act.sa_mask, sig);
	return change(sig, &act, &old) < 0 ? SIG_ERR : old.sa_handler;
}

/* All other signals: the C library's own way, which does not pass here again. */
static sighandler_t set_plain(int sig, sighandler_t handler, sighandler_t (*set)(int, sighandler_t))
{
	const dump_context_handler_fn before = sig > 0 && sig < 65 ? dump_context_get(sig) : NULL;

	return pl_fatal_after(sig, handler, shown(set(sig, handler), before));
}

static sighandler_t set_bsd(int sig, sighandler_t handler)
{
	return is_special(sig) ? set_handler(sig, handler, interrupts ? 0 : SA_RESTART) :
				 set_plain(sig, handler, pl_real.signal);
}

static sighandler_t set_sysv(int sig, sighandler_t handler)
{
	return is_special(sig) ? set_handler(sig, handler, SA_RESETHAND | SA_NODEFER) :
				 set_plain(sig, handler, pl_real.sysv_signal);
}

sighandler_t bsd_signal(int sig, sighandler_t handler);
sighandler_t __sysv_signal(int sig, sighandler_t handler);

PL_EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	return set_bsd(sig, handler);
}

PL_EXPORT sighandler_t bsd_signal(int sig, sighandler_t handler)
{
	return set_bsd(sig, handler);
}

PL_EXPORT sighandler_t ssignal(int sig, sighandler_t handler)
{
	return set_bsd(sig, handler);
}

PL_EXPORT sighandler_t sysv_signal(int sig, sighandler_t handler)
{
	return set_sysv(sig, handler);
}

PL_EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler)
{
	return set_sysv(sig, handler);
}

/* sigset(): SIG_HOLD blocks; any other handler unblocks. Says SIG_HOLD if it was blocked. */
PL_EXPORT sighandler_t sigset(int sig, sighandler_t handler)
{
	struct sigaction old;
	sigset_t one, was;

	if (!is_special(sig))
		return set_plain(sig, handler, pl_real.sigset);
	sigemptyset(&one);
	sigaddset(&one, sig);
	if (handler == SIG_HOLD) {
		if (change(sig, NULL, &old) < 0 || sigprocmask(SIG_BLOCK, &one, &was) < 0)
			return SIG_ERR;
		return sigismember(&was, sig) == 1 ? SIG_HOLD : old.sa_handler;
	}
	const sighandler_t before = set_handler(sig, handler, 0);
	if (before == SIG_ERR || sigprocmask(SIG_UNBLOCK, &one, &was) < 0)
		return SIG_ERR;
	return sigismember(&was, sig) == 1 ? SIG_HOLD : before;
}

PL_EXPORT int sigignore(int sig)
{
	if (!is_special(sig))
		return pl_real.sigignore(sig);
	return set_handler(sig, SIG_IGN, 0) == SIG_ERR ? -1 : 0;
}

PL_EXPORT int siginterrupt(int sig, int yes)
{
	struct sigaction act;

	if (!is_special(sig))
		return pl_real.siginterrupt(sig, yes);
	interrupts = yes;
	if (change(sig, NULL, &act) < 0)
		return -1;
	if (act.sa_handler == SIG_DFL)
		return 0;
	act.sa_flags = yes ? act.sa_flags & ~SA_RESTART : act.sa_flags | SA_RESTART;
	return change(sig, &act, NULL);
}
