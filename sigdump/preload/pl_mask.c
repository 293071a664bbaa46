#include <errno.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dumper.h"
#include "sigdump/preload/pl_priv.h"

/*
 * Signal masks as the program sees them.
 *
 * While the dump signal is kept (pl_priv.h), a thread's kernel mask always has its bit, and
 * dump_thread.blocks says what the program believes. sigprocmask() and its like change the
 * view and leave the kernel's bit; whatever hands a mask to the program hands the view.
 *
 * What cannot be seen from here: a mask restored by siglongjmp() or setcontext() from before
 * the dumper began lets the signal through to that thread; the handler passes it on and blocks
 * it again. (uc_sigmask in a handler of the program shows the view: dump_context.h.)
 */

static uint64_t dump_bit(void)
{
	return UINT64_C(1) << (dump_state.signal - 1);
}

void pl_mask_block(void)
{
	const uint64_t set = dump_bit();

	as_sys_rt_sigprocmask(SIG_BLOCK, &set, NULL);
}

void pl_mask_unblock(void)
{
	const uint64_t set = dump_bit();

	as_sys_rt_sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool pl_mask_open(void)
{
	if (!pl_keeps() || dump_thread.blocks)
		return false;
	pl_mask_unblock();
	return true;
}

void pl_mask_close(bool opened)
{
	/* the signal may have become the program's meanwhile */
	if (opened && pl_keeps())
		pl_mask_block();
}

const sigset_t *pl_mask_keep(const sigset_t *set, sigset_t *copy)
{
	if (!set || !pl_keeps())
		return set;
	*copy = *set;
	sigaddset(copy, dump_state.signal);
	return copy;
}

/*
 * A program that waits for the signal itself has it from now on. One that came before, while
 * the program had it blocked and was on its way here, was taken by the dumper: it comes again.
 */
void pl_mask_awaits(const sigset_t *set)
{
	if (!set || !pl_keeps() || sigismember(set, dump_state.signal) != 1)
		return;
	dumper_step_aside(false);
	/* relaxed: a hint, as where it is set */
	if (atomic_exchange_explicit(&dump_live->seen, 0, memory_order_relaxed))
		as_sys_kill(dump_state.pid, dump_state.signal);
}

static void set_view(bool blocks)
{
	dump_thread.blocks = blocks;
	if (as_sys_gettid() == dump_state.pid)
		/* relaxed: a hint for the dumper */
		atomic_store_explicit(&dump_live->main_blocks, blocks, memory_order_relaxed);
}

static void change_view(int how, const sigset_t *set)
{
	const bool has = sigismember(set, dump_state.signal) == 1;
	const bool blocks = how == SIG_SETMASK ? has : has ? how == SIG_BLOCK : dump_thread.blocks;

	if (blocks != dump_thread.blocks)
		set_view(blocks);
}

static int change_mask(int how, const sigset_t *set, sigset_t *old)
{
	if (!pl_keeps())
		return pl_real.pthread_sigmask(how, set, old);
	const bool was = dump_thread.blocks;
	sigset_t mine;
	if (set) {
		mine = *set;
		if (how == SIG_UNBLOCK)
			sigdelset(&mine, dump_state.signal);
		else
			sigaddset(&mine, dump_state.signal);
	}
	/* blocking a signal that is blocked changes nothing, so SIG_BLOCK may carry the bit too */
	const int err = pl_real.pthread_sigmask(how, set ? &mine : NULL, old);
	if (err)
		return err;
	if (set)
		change_view(how, set);
	if (old && !was)
		sigdelset(old, dump_state.signal);
	/* the signal became the program's in between: nobody will come back for this thread */
	if (!pl_keeps() && !dump_thread.blocks)
		pl_mask_unblock();
	return 0;
}

PL_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return change_mask(how, set, old);
}

PL_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	const int err = change_mask(how, set, old);

	if (!err)
		return 0;
	errno = err;
	return -1;
}

/* ---- the older ways to say the same: one word for signals 1 to 32 --------------------------- */

static void set_of_word(unsigned word, sigset_t *set)
{
	sigemptyset(set);
	for (int sig = 1; sig <= 32; sig++)
		if (word >> (sig - 1) & 1)
			sigaddset(set, sig);
}

static int word_of_set(const sigset_t *set)
{
	unsigned word = 0;

	for (int sig = 1; sig <= 32; sig++)
		if (sigismember(set, sig) == 1)
			word |= 1u << (sig - 1);
	return (int)word;
}

static int change_word(int how, int word)
{
	sigset_t set, old;

	set_of_word((unsigned)word, &set);
	return sigprocmask(how, &set, &old) < 0 ? -1 : word_of_set(&old);
}

PL_EXPORT int sigblock(int word)
{
	return change_word(SIG_BLOCK, word);
}

PL_EXPORT int sigsetmask(int word)
{
	return change_word(SIG_SETMASK, word);
}

static int change_one(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	return sigaddset(&set, sig) < 0 ? -1 : sigprocmask(how, &set, NULL);
}

PL_EXPORT int sighold(int sig)
{
	return change_one(SIG_BLOCK, sig);
}

PL_EXPORT int sigrelse(int sig)
{
	return change_one(SIG_UNBLOCK, sig);
}

/* The headers call X/Open's by this name; the symbol "sigpause" is BSD's, with a word. */
PL_EXPORT int sigpause(int sig)
{
	sigset_t set;

	if (sigprocmask(SIG_BLOCK, NULL, &set) < 0 || sigdelset(&set, sig) < 0)
		return -1;
	return sigsuspend(&set);
}

int pl_sigpause_word(int word) __asm__("sigpause");

PL_EXPORT int pl_sigpause_word(int word)
{
	sigset_t set;

	set_of_word((unsigned)word, &set);
	return sigsuspend(&set);
}

PL_EXPORT int sigpending(sigset_t *set)
{
	const int err = pl_real.sigpending(set);

	/* relaxed: a hint, as where it is set */
	if (!err && pl_keeps() && dump_thread.blocks &&
	    atomic_load_explicit(&dump_live->seen, memory_order_relaxed))
		sigaddset(set, dump_state.signal);
	return err;
}

/* ---- sent to itself: kept blocked, it would wait for ever ------------------------------------- */

PL_EXPORT int raise(int sig)
{
	const bool opened = sig == dump_state.signal && pl_mask_open();
	const int err = pl_real.raise(sig);

	pl_mask_close(opened);
	return err;
}

PL_EXPORT int gsignal(int sig)
{
	return raise(sig);
}

/* A thread of this process is to get the dump signal, which it has blocked: the dumper takes only
 * what is sent to the process. */
static bool is_for_dumper(int sig)
{
	return sig && dump_live && sig == dump_state.signal && pl_keeps() && dump_state_is_ours();
}

PL_EXPORT int pthread_kill(pthread_t thread, int sig)
{
	const bool is_self = pthread_equal(thread, pthread_self());

	if (is_for_dumper(sig) && !is_self) {
		const int err = pl_real.pthread_kill(thread, 0);

		return err ? err : -as_sys_kill(dump_state.pid, sig);
	}
	const bool opened = sig == dump_state.signal && is_self && pl_mask_open();
	const int err = pl_real.pthread_kill(thread, sig);

	pl_mask_close(opened);
	return err;
}

PL_EXPORT int pthread_sigqueue(pthread_t thread, int sig, const union sigval value)
{
	if (is_for_dumper(sig))
		return pthread_kill(thread, sig);
	return pl_real.pthread_sigqueue(thread, sig, value);
}

PL_EXPORT int tgkill(pid_t pid, pid_t tid, int sig)
{
	if (!is_for_dumper(sig) || pid != dump_state.pid)
		return pl_real.tgkill(pid, tid, sig);
	if (tid == as_sys_gettid())
		return raise(sig);
	const int err = pl_real.tgkill(pid, tid, 0);
	return err ? err : kill(pid, sig);
}
