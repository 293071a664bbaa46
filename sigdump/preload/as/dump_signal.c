#include <errno.h>
#include <string.h>
#include <sys/ucontext.h>
#include <ucontext.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump.h"
#include "sigdump/preload/as/dump_fatal.h"
#include "sigdump/preload/as/dump_limit.h"
#include "sigdump/preload/as/dump_restart.h"
#include "sigdump/preload/as/dump_running.h"
#include "sigdump/preload/as/dump_signal.h"
#include "sigdump/preload/as/dump_state.h"
#include "sigdump/preload/as/dumper.h"

static uint64_t signal_bit(int sig)
{
	return UINT64_C(1) << (sig - 1);
}

/* The kernel's part of uc_sigmask. */
static uint64_t *context_mask(ucontext_t *uc)
{
	return (uint64_t *)(void *)&uc->uc_sigmask;
}

/* The signal slipped through to a thread of the program although there is a dumper. */
static void pass_on(siginfo_t *info, ucontext_t *uc)
{
	/* relaxed: for display; `net` below is what the dumper acts on */
	atomic_store_explicit(&dump_live->net_sender, info->si_pid, memory_order_relaxed);
	/* relaxed: as above */
	atomic_store_explicit(&dump_live->net_tid, as_sys_gettid(), memory_order_relaxed);
	/* relaxed: the poke is a system call, and the dumper looks after it */
	atomic_fetch_add_explicit(&dump_live->net, 1, memory_order_relaxed);
	/* acquire L2: while it is set, this thread should have had the signal blocked */
	if (atomic_load_explicit(&dump_live->keeps, memory_order_acquire))
		*context_mask(uc) |= signal_bit(dump_state.signal);
	dumper_poke();
}

static void dump_here(void *context_of_handler)
{
	dump_run(context_of_handler);
}

/*
 * Calls f(arg) on the reserved stack: the program's own may be a small one for signals. The
 * frames below are found again through RBP.
 */
__attribute__((noinline)) static void call_on(void *stack_top, void (*f)(void *), void *arg)
{
	__asm__ volatile("movq %%rsp, %%rbx\n\t"
			 "movq %[top], %%rsp\n\t"
			 "callq *%[f]\n\t"
			 "movq %%rbx, %%rsp"
			 : "+D"(arg)
			 : [top] "r"((uintptr_t)stack_top & ~(uintptr_t)15), [f] "r"(f)
			 : "rbx", "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory",
			   "cc");
}

bool dump_signal_dump(struct dump_request *request)
{
	struct dump_limit limit;
	uint32_t free = 0;

	/* acquire L18: whoever was there has left it */
	if (!atomic_compare_exchange_strong_explicit(&dump_live->stack, &free, 1,
						     memory_order_acquire, memory_order_relaxed))
		return false;
	dump_limit_begin(&limit);
	call_on(dump_stack_top(), dump_here, request);
	dump_limit_end(&limit);
	/* release L18 */
	atomic_store_explicit(&dump_live->stack, 0, memory_order_release);
	return true;
}

bool dump_signal_ends(int code, pid_t sender)
{
	return code <= 0 && sender == as_sys_getpid() && (code == SI_TKILL || dump_state.put_back);
}

void dump_signal_handler(int sig, siginfo_t *info, void *context)
{
	if (dump_state.sandboxed)
		return;
	if (dump_signal_ends(info->si_code, info->si_pid)) {
		dump_fatal_handler(sig, info, context);
		return;
	}
	/* in a vfork child this is the parent's memory: let it pass */
	if (dump_state_adopt()) {
		/* relaxed: a dumper that ends this very moment leaves the poke unanswered, as a
		 * signal sent a moment later would be */
		if (atomic_load_explicit(&dump_live->tid, memory_order_relaxed)) {
			pass_on(info, context);
		} else {
			struct dump_request ask = { .why = DUMP_WHY_SIGNAL,
						    .sender = info->si_pid,
						    .context = context };

			/* relaxed: whoever is writing one writes another */
			if (!dump_signal_dump(&ask))
				atomic_store_explicit(&dump_live->again, 1, memory_order_relaxed);
		}
	}
	dump_restart(context);
}

/*
 * The program's handler for the internal signal, while ours stands in its place (runtimes like
 * Go's have one for every signal there is). Written before ours is installed.
 */
static struct as_sigaction lent;
static _Atomic uint32_t is_lent; /* L19 */
static _Atomic uint32_t on_their_way; /* pokes that have not arrived */

static bool is_ours(const siginfo_t *info)
{
	const uint64_t value = (uint64_t)(uintptr_t)info->si_value.sival_ptr;

	/* no system call: a fork child has no dumper, and nobody asks a vfork child.
	 * acquire L1: as in dump_state_is_ours() */
	return info->si_code == SI_QUEUE && value >> 32 == DUMP_POKE_MAGIC &&
	       info->si_pid == dump_state.pid && dump_live &&
	       atomic_load_explicit(&dump_live->alive, memory_order_acquire);
}

/* Not one of ours: whose it is gets it. */
static void hand_on(int sig, siginfo_t *info, void *context)
{
	/* acquire L19: the handler is there */
	if (!atomic_load_explicit(&is_lent, memory_order_acquire))
		return;
	void (*const theirs)(int, siginfo_t *, void *) =
		(void (*)(int, siginfo_t *, void *))(uintptr_t)lent.handler;
	if (lent.handler != (uint64_t)(uintptr_t)SIG_IGN)
		theirs(sig, info, context);
}

void dump_signal_poked(int sig, siginfo_t *info, void *context)
{
	if (dump_state.sandboxed)
		return;
	if (!is_ours(info)) {
		hand_on(sig, info, context);
		return;
	}
	/* relaxed: a count for dump_signal_give_back(), which may come a dump later */
	atomic_fetch_sub_explicit(&on_their_way, 1, memory_order_relaxed);
	const uint32_t what = (uint32_t)(uintptr_t)info->si_value.sival_ptr;
	if (what == DUMP_POKE_UNBLOCK) {
		if (!dump_thread.blocks)
			*context_mask(context) &= ~signal_bit(dump_state.signal);
	} else {
		dump_running_answer(what, context);
	}
	dump_restart(context);
}

void dump_signal_return(void);

/*
 * Where the kernel lets a handler return to: rt_sigreturn. It has no unwind information:
 * debuggers and unwinders know these very bytes. (The nop belongs to it for those who look up
 * the byte before a return address.)
 */
__asm__(".text\n"
	"	nop\n"
	".hidden dump_signal_return\n"
	".globl dump_signal_return\n"
	".type dump_signal_return,@function\n"
	"dump_signal_return:\n"
	"	movq	$15, %rax\n"
	"	syscall\n"
	".size dump_signal_return, . - dump_signal_return\n");

/*
 * Our handler for the internal signal; in the place of the program's, if it has one, until
 * dump_signal_give_back().
 */
static int install_poke(void)
{
	const struct as_sigaction act = { .handler = (uint64_t)(uintptr_t)dump_signal_poked,
					  .flags = SA_RESTART | SA_ONSTACK | SA_SIGINFO | 0x04000000,
					  .restorer = (uint64_t)(uintptr_t)dump_signal_return,
					  .mask = ~UINT64_C(0) };
	struct as_sigaction old;

	const int err = as_sys_rt_sigaction(dump_state.poke, NULL, &old);
	if (err)
		return err;
	if (old.handler == act.handler)
		return 0;
	lent = old;
	/* release L19: the handler is there before ours stands */
	atomic_store_explicit(&is_lent, old.handler != (uint64_t)(uintptr_t)SIG_DFL,
			      memory_order_release);
	return as_sys_rt_sigaction(dump_state.poke, &act, NULL);
}

void dump_signal_give_back(void)
{
	struct as_sigaction now;

	/* relaxed: one that arrives late would come to the program; ours hands on what is not */
	if (atomic_load_explicit(&on_their_way, memory_order_relaxed))
		return;
	/* acquire L19: as above */
	if (!atomic_load_explicit(&is_lent, memory_order_acquire) ||
	    as_sys_rt_sigaction(dump_state.poke, NULL, &now) != 0 ||
	    now.handler != (uint64_t)(uintptr_t)dump_signal_poked)
		return;
	as_sys_rt_sigaction(dump_state.poke, &lent, NULL);
}

void dump_signal_keep(void)
{
	/* release L19: there is nothing to hand on to */
	atomic_store_explicit(&is_lent, 0, memory_order_release);
}

bool dump_signal_lent(struct as_sigaction *theirs)
{
	/* acquire L19: as above */
	if (!atomic_load_explicit(&is_lent, memory_order_acquire))
		return false;
	*theirs = lent;
	return true;
}

int dump_signal_poke(pid_t tid, int what)
{
	siginfo_t info;

	const int err = install_poke();
	if (err)
		return err;
	memset(&info, 0, sizeof(info));
	info.si_signo = dump_state.poke;
	info.si_code = SI_QUEUE;
	info.si_pid = dump_state.pid;
	info.si_value.sival_ptr = (void *)(uintptr_t)((uint64_t)DUMP_POKE_MAGIC << 32 | (uint32_t)what);
	/* relaxed: counted before it can arrive */
	atomic_fetch_add_explicit(&on_their_way, 1, memory_order_relaxed);
	const int sent = as_sys_rt_tgsigqueueinfo(dump_state.pid, tid, dump_state.poke, &info);
	if (sent)
		/* relaxed: as above */
		atomic_fetch_sub_explicit(&on_their_way, 1, memory_order_relaxed);
	return sent;
}
