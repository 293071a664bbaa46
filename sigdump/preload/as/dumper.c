#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_io.h"
#include "lib/as/as_proc.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump.h"
#include "sigdump/preload/as/dump_hub.h"
#include "sigdump/preload/as/dump_signal.h"
#include "sigdump/preload/as/dump_state.h"
#include "sigdump/preload/as/dump_watch.h"
#include "sigdump/preload/as/dumper.h"

enum { STACK = 96 * 1024, TLS = 8192, GUARD = 4096 };

static const uint64_t START_NS = 1000000000; /* that a new one has to say it is ready */
static const uint64_t every_signal = ~UINT64_C(0);

static uint64_t bit(int sig)
{
	return sig ? UINT64_C(1) << (sig - 1) : 0;
}

static bool signal_is_ours(void)
{
	/* acquire L5: the disposition that goes with it is in place */
	return atomic_load_explicit(&dump_state.owner, memory_order_acquire) ==
	       AS_CONTROL_SIGNAL_OURS;
}

/* ---- one start or stop at a time ---------------------------------------------------------- */

static void dumper_lock(void)
{
	uint32_t free = 0;

	/* acquire L8: what the last holder did is seen */
	while (!atomic_compare_exchange_strong_explicit(&dump_live->lock, &free, 1,
							memory_order_acquire, memory_order_relaxed)) {
		as_sys_futex(&dump_live->lock, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
		free = 0;
	}
}

static void dumper_unlock(void)
{
	/* release L8 */
	atomic_store_explicit(&dump_live->lock, 0, memory_order_release);
	as_sys_futex(&dump_live->lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ---- the dumper's side -------------------------------------------------------------------- */

struct dumper_fds {
	int page; /* the memfd of the control page */
	int signal;
	int bell[2];
	uint64_t taken; /* signals that the signalfd takes now */
};

/* Private to the dumper; static because a new one starts from scratch anyway. */
static struct dumper_fds fds;
static void *dumper_memory;

/* Keep only the page's descriptor: the numbers above are never copied, those below closed. */
static int keep_only(int fd)
{
	const int err = as_sys_close_range((unsigned)fd + 1, ~0u, 2 /* CLOSE_RANGE_UNSHARE */);

	if (err)
		return err;
	return fd ? as_sys_close_range(0, (unsigned)fd - 1, 0) : 0;
}

static int take_signals(void)
{
	/* relaxed: only the dumper writes it */
	const bool by_bell = atomic_load_explicit(&dump_live->by_bell, memory_order_relaxed);
	const uint64_t set = (by_bell ? 0 : bit(dump_state.poke)) |
			     (signal_is_ours() ? bit(dump_state.signal) : 0);
	const int fd = as_sys_signalfd(fds.signal, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd >= 0) {
		fds.signal = fd;
		fds.taken = set;
	}
	return fd < 0 ? fd : 0;
}

static int set_up(void)
{
	fds.signal = -1;
	as_sys_prctl(PR_SET_NAME, (long)"sigdump", 0, 0, 0);
	int err = keep_only(fds.page);
	if (!err)
		err = take_signals();
	if (!err)
		err = as_sys_pipe2(fds.bell, O_CLOEXEC | O_NONBLOCK);
	return err;
}

/* Tells everybody that questions are answered from now on. */
static void announce(void)
{
	struct as_control *page = dump_state.page;

	page->page_fd = fds.page;
	page->bell_fd = fds.bell[0];
	page->uid = as_sys_geteuid();
	/* release D3: the numbers above are those of this dumper's table */
	atomic_store_explicit(&page->dumper, as_sys_gettid(), memory_order_release);
}

static void say_ready(uint32_t how)
{
	/* release L4: fds and page are set up, or nothing will be */
	atomic_store_explicit(&dump_live->ready, how, memory_order_release);
	as_sys_futex(&dump_live->ready, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Gives a signal that was not meant for us back to the process. */
static void hand_back(const struct signalfd_siginfo *got)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = (int)got->ssi_signo;
	/* the kernel lets only the first thread queue what looks like kill() */
	info.si_code = got->ssi_code >= 0 ? SI_QUEUE : got->ssi_code;
	info.si_errno = got->ssi_errno;
	info.si_pid = (pid_t)got->ssi_pid;
	info.si_uid = got->ssi_uid;
	info.si_value.sival_ptr = (void *)(uintptr_t)got->ssi_ptr;
	as_sys_rt_sigqueueinfo(dump_state.pid, info.si_signo, &info);
}

static void follow_owner(void);

/* As if the program had it by default: a last dump, then the same signal once more, to us. */
static void end_by(const struct signalfd_siginfo *got)
{
	const struct as_sigaction by_default = { .handler = (uint64_t)(uintptr_t)SIG_DFL };
	const int sig = (int)got->ssi_signo;
	const uint64_t set = bit(sig);

	dump_live->fatal_is = (struct as_record_fatal){ .signal = sig,
							.code = got->ssi_code,
							.tid = dump_state.pid,
							.sender = (pid_t)got->ssi_pid };
	dump_run(&(struct dump_request){ .why = DUMP_WHY_FATAL,
					 .sender = (pid_t)got->ssi_pid,
					 .fatal = &dump_live->fatal_is });
	as_sys_rt_sigaction(sig, &by_default, NULL);
	as_sys_rt_sigprocmask(SIG_UNBLOCK, &set, NULL);
	as_sys_tgkill(dump_state.pid, as_sys_gettid(), sig);
}

static void signal_taken(const struct signalfd_siginfo *got)
{
	if (!dump_state_handler_is_ours()) {
		/* a runtime that installs handlers past the C library: it is theirs */
		dumper_step_aside(true);
		follow_owner();
		hand_back(got);
		return;
	}
	if (dump_signal_ends(got->ssi_code, (pid_t)got->ssi_pid))
		end_by(got);
	/* relaxed: only a hint for the interposers of sigwait() and its like */
	if (atomic_load_explicit(&dump_live->main_blocks, memory_order_relaxed))
		/* relaxed: as above */
		atomic_store_explicit(&dump_live->seen, 1, memory_order_relaxed);
	dump_run(&(struct dump_request){ .why = DUMP_WHY_SIGNAL, .sender = (pid_t)got->ssi_pid });
}

/* Tells every thread that still has the dump signal blocked because of us. */
static void unblock_threads(void)
{
	const pid_t own = as_sys_gettid();
	const int proc_fd = as_proc_open(0);
	struct as_proc_signals sig;
	pid_t *tids;
	size_t n = 0;

	if (proc_fd < 0)
		return;
	const size_t room = dump_tids_room(&tids);
	as_proc_tids(proc_fd, tids, room, &n);
	for (size_t i = 0; i < n; i++)
		/* one that has everything blocked finds the poke when it unblocks */
		if (tids[i] != own && as_proc_signals(proc_fd, tids[i], &sig) == 0 &&
		    (sig.blocked & bit(dump_state.signal)))
			dump_signal_poke(tids[i], DUMP_POKE_UNBLOCK);
	dump_signal_give_back();
	as_sys_close(proc_fd);
}

/* Takes the dump signal or leaves it, as its owner is now. */
static void follow_owner(void)
{
	const bool ours = signal_is_ours();
	const bool taken = fds.taken & bit(dump_state.signal);

	if (ours != taken)
		take_signals();
	/* relaxed: a request bit; the poke that follows its setting orders it */
	if (atomic_exchange_explicit(&dump_live->unblock, 0, memory_order_relaxed))
		unblock_threads();
}

/*
 * A signal that was sent to the process, whose number is that of our internal one: whoever takes
 * it first has it, and this time it was us. It goes back, and is never waited for again.
 */
static void leave_poke_to(const struct signalfd_siginfo *got)
{
	/* seq_cst L20: set before what was asked for until now is looked at (all of it, below) */
	atomic_store_explicit(&dump_live->by_bell, 1, memory_order_seq_cst);
	take_signals();
	hand_back(got);
}

static void take_all_signals(void)
{
	struct signalfd_siginfo got;

	while (as_sys_read(fds.signal, &got, sizeof(got)) == sizeof(got)) {
		if ((int)got.ssi_signo == dump_state.signal)
			signal_taken(&got);
		else if (got.ssi_ptr >> 32 != DUMP_POKE_MAGIC)
			leave_poke_to(&got);
	}
}

/* The handler in a thread of the program caught it and passed it on. */
static void look_at_net(uint32_t *seen)
{
	/* relaxed: the poke orders it */
	const uint32_t now = atomic_load_explicit(&dump_live->net, memory_order_relaxed);

	if (now == *seen)
		return;
	*seen = now;
	dump_run(&(struct dump_request){
		.why = DUMP_WHY_SIGNAL,
		/* relaxed: for display */
		.sender = atomic_load_explicit(&dump_live->net_sender, memory_order_relaxed),
		/* relaxed: for display */
		.disturbed = atomic_load_explicit(&dump_live->net_tid, memory_order_relaxed),
	});
}

static void look_at_page(void)
{
	struct as_control *page = dump_state.page;
	char bytes[64];

	while (as_sys_read(fds.bell[0], bytes, sizeof(bytes)) > 0)
		;
	/* acquire D1: the question's family and asker are there */
	const uint32_t asked = atomic_load_explicit(&page->asked, memory_order_acquire);
	/* relaxed: only the dumper writes it */
	if (asked == atomic_load_explicit(&page->answered, memory_order_relaxed))
		return;
	/* relaxed: both belong to `asked` */
	const int32_t asker = atomic_load_explicit(&page->asker, memory_order_relaxed);
	/* relaxed: from here on a new question has its own */
	const uint64_t family = atomic_exchange_explicit(&page->family, 0, memory_order_relaxed);
	/* asked by a tool and once more by a parent: one dump of a family is enough */
	if (!family || family != page->dump_family)
		dump_run(&(struct dump_request){
			.why = DUMP_WHY_CONTROL, .sender = asker, .family = family });
	/* release D2: the dump is in the feed and its numbers in the page */
	atomic_store_explicit(&page->answered, asked, memory_order_release);
	as_sys_futex(&page->answered, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* sigdump_dump(): one dump answers all calls before it. */
static void look_at_calls(void)
{
	/* relaxed: the poke orders it */
	const uint32_t called = atomic_load_explicit(&dump_live->called, memory_order_relaxed);

	/* relaxed: only the dumper writes it */
	if (called == atomic_load_explicit(&dump_live->called_done, memory_order_relaxed))
		return;
	dump_run(&(struct dump_request){ .why = DUMP_WHY_CALL, .sender = dump_state.pid });
	/* release L16: the dump is in the feed, its error in the page */
	atomic_store_explicit(&dump_live->called_done, called, memory_order_release);
	as_sys_futex(&dump_live->called_done, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* A thread got a signal that ends the process, and waits in its handler. */
static void look_at_fatal(void)
{
	/* acquire L17: what it was */
	if (!atomic_load_explicit(&dump_live->fatal, memory_order_acquire))
		return;
	dump_run(&(struct dump_request){ .why = DUMP_WHY_FATAL,
					 .sender = dump_live->fatal_is.sender,
					 .disturbed = dump_live->fatal_is.tid,
					 .fatal = &dump_live->fatal_is });
	/* relaxed: nothing is read on its account */
	atomic_store_explicit(&dump_live->fatal, 0, memory_order_relaxed);
	/* relaxed: as above */
	atomic_store_explicit(&dump_live->fatal_done, 1, memory_order_relaxed);
	as_sys_futex(&dump_live->fatal_done, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/*
 * What a poke may mean that does not wait for a dump. Looked at before the signals are taken,
 * because each of those may be a long dump, and behind them, because a poke that came since then
 * was taken with them.
 */
static void look_at_urgent(void)
{
	look_at_fatal();
	follow_owner();
	dump_hub_open_wanted();
}

static bool shall_end(void)
{
	/* acquire L9: pairs with dumper_stop() */
	return atomic_load_explicit(&dump_live->retire, memory_order_acquire);
}

static void dumper_main(void *arg)
{
	uint32_t net = 0;

	(void)arg;
	if (set_up() < 0) {
		say_ready(2);
		as_sys_exit_thread(0);
	}
	/* relaxed: whatever came before has been answered by somebody else */
	net = atomic_load_explicit(&dump_live->net, memory_order_relaxed);
	announce();
	dump_hub_reopen_all();
	dump_watch_begin();
	say_ready(1);
	while (!shall_end()) {
		struct timespec nap;
		struct pollfd on[2] = { { fds.signal, POLLIN, 0 }, { fds.bell[0], POLLIN, 0 } };

		as_sys_poll(on, 2, dump_watch_nap(&nap));
		look_at_urgent();
		take_all_signals();
		look_at_urgent();
		look_at_net(&net);
		look_at_page();
		look_at_calls();
		dump_watch_look();
	}
	/* relaxed: a question that comes now finds nobody, and its asker waits in vain for a moment */
	atomic_store_explicit(&dump_state.page->dumper, 0, memory_order_relaxed);
	dump_retire();
	as_sys_exit_thread(0);
}

/* ---- the program's side ------------------------------------------------------------------- */

long dumper_clone(unsigned long flags, void *stack, _Atomic int32_t *tid, void *tls,
		  void (*f)(void *));

/* clone() with a stack of its own; the child calls f(NULL), which does not return. */
__asm__(".text\n"
	".hidden dumper_clone\n"
	".globl dumper_clone\n"
	".type dumper_clone,@function\n"
	"dumper_clone:\n"
	"	.cfi_startproc\n"
	"	movq	%rcx, %r9\n"       /* tls */
	"	movq	%rdx, %r10\n"      /* cleared at the end */
	"	movq	%r8, -8(%rsi)\n"   /* f, on the new stack */
	"	leaq	-8(%rsi), %rsi\n"
	"	movq	%r9, %r8\n"
	"	movl	$56, %eax\n"
	"	syscall\n"
	"	testq	%rax, %rax\n"
	"	je	1f\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"1:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined rip\n"      /* the outermost frame */
	"	xorl	%ebp, %ebp\n"
	"	xorl	%edi, %edi\n"
	"	popq	%rax\n"
	"	callq	*%rax\n"
	"	hlt\n"
	"	.cfi_endproc\n"
	".size dumper_clone, . - dumper_clone\n");

/* Stack, then a block for the thread pointer: self pointers at 0 and 16, canary at 40. */
static int reserve_memory(void)
{
	const size_t n = GUARD + STACK + TLS;

	if (dumper_memory)
		return 0;
	void *at = as_sys_mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (as_sys_is_error(at))
		return (int)(intptr_t)at;
	as_sys_mprotect(at, GUARD, PROT_NONE);
	dumper_memory = at;
	return 0;
}

static int clone_dumper(void)
{
	const int err = reserve_memory();

	if (err)
		return err;
	char *tls = (char *)dumper_memory + GUARD + STACK + TLS / 2;
	memcpy(tls, &(void *){ tls }, sizeof(void *));
	memcpy(tls + 16, &(void *){ tls }, sizeof(void *));
	return (int)dumper_clone(CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS |
					 CLONE_CHILD_CLEARTID,
				 (char *)dumper_memory + GUARD + STACK, &dump_live->tid, tls,
				 dumper_main);
}

/*
 * What it says, or 0. To close its copies of the program's files it may have to ask their filesystem,
 * and where that answers no more the program shall not wait, too.
 */
static uint32_t await_ready(uint64_t limit_ns)
{
	const uint64_t until_ns = as_sys_clock_ns(CLOCK_MONOTONIC) + limit_ns;

	for (;;) {
		/* acquire L4: what it says about itself is written */
		const uint32_t ready =
			atomic_load_explicit(&dump_live->ready, memory_order_acquire);
		const uint64_t now_ns = as_sys_clock_ns(CLOCK_MONOTONIC);

		if (ready || now_ns >= until_ns)
			return ready;
		const struct timespec rest = { (time_t)((until_ns - now_ns) / 1000000000),
					       (long)((until_ns - now_ns) % 1000000000) };

		as_sys_futex(&dump_live->ready, FUTEX_WAIT_PRIVATE, 0, &rest, NULL, 0);
	}
}

/* Returns -EINPROGRESS when the one that was started is not ready yet. */
static int start_thread(void)
{
	const bool is_new = !dump_live->starting;
	const int tid = is_new ? clone_dumper() : dump_live->starting;

	if (tid < 0)
		return tid;
	dump_live->starting = tid;
	const uint32_t ready = await_ready(is_new ? START_NS : 0);

	if (!ready)
		return -EINPROGRESS;
	dump_live->starting = 0;
	if (ready == 2)
		return -ENOSYS;
	/* release L3: it can be poked */
	atomic_store_explicit(&dump_live->tid, tid, memory_order_release);
	return 0;
}

/* A new page, and the state of a dumper that is none yet. */
static int prepare_start(void)
{
	fds.page = dump_state_new_page();
	if (fds.page < 0)
		return fds.page;
	/* relaxed: no dumper looks at these now */
	atomic_store_explicit(&dump_live->ready, 0, memory_order_relaxed);
	/* relaxed: as above */
	atomic_store_explicit(&dump_live->retire, 0, memory_order_relaxed);
	return 0;
}

/* From now on the program's threads have the signal blocked; `mask` is the caller's own. */
static void keep_signal(uint64_t mask)
{
	if (!signal_is_ours() || !dump_state.signal)
		return;
	dump_thread.blocks = mask & bit(dump_state.signal);
	if (dump_state.pid == as_sys_gettid())
		/* relaxed: a hint */
		atomic_store_explicit(&dump_live->main_blocks, dump_thread.blocks,
				      memory_order_relaxed);
	dump_state.kept = true;
	/* release L2: there is a dumper that takes it */
	atomic_store_explicit(&dump_live->keeps, 1, memory_order_release);
}

/* With the lock held and all signals blocked. */
static int start_locked(uint64_t mask)
{
	/* relaxed: written under the lock, or by the kernel */
	if (atomic_load_explicit(&dump_live->tid, memory_order_relaxed))
		return 0;
	/* relaxed: as above */
	if (atomic_load_explicit(&dump_live->ready, memory_order_relaxed) == 2)
		return -ENOSYS;
	const bool is_new = !dump_live->starting;
	int err = is_new ? prepare_start() : 0;

	if (err)
		return err;
	const int page_fd = fds.page;
	err = start_thread();
	/* it may not have a copy yet; and later, the number may be that of another file */
	if (is_new && err != -EINPROGRESS)
		as_sys_close(page_fd);
	if (err == -EINPROGRESS)
		return err;
	if (err)
		/* relaxed: under the lock; it is not tried again */
		atomic_store_explicit(&dump_live->ready, 2, memory_order_relaxed);
	else
		keep_signal(mask);
	return err;
}

int dumper_start(void)
{
	uint64_t mask;

	if (dump_state.sandboxed || !dump_state_adopt())
		return -ENOSYS;
	/* acquire L3: a started dumper is a ready one */
	if (atomic_load_explicit(&dump_live->tid, memory_order_acquire))
		return 0;
	/* blocked in the new thread for ever, in ours until it is settled who takes what */
	as_sys_rt_sigprocmask(SIG_BLOCK, &every_signal, &mask);
	dumper_lock();
	const int err = start_locked(mask);
	/* acquire L2: its own store, or that of whoever started one before us */
	if (atomic_load_explicit(&dump_live->keeps, memory_order_acquire))
		mask |= bit(dump_state.signal);
	dumper_unlock();
	as_sys_rt_sigprocmask(SIG_SETMASK, &mask, NULL);
	return err;
}

bool dumper_stop(void)
{
	const struct timespec pause = { 0, 100000000 };
	uint64_t mask;
	int32_t tid, gone = 0;

	/* acquire L3: no dumper, nothing to end */
	if (!dump_state_is_ours() || !atomic_load_explicit(&dump_live->tid, memory_order_acquire))
		return false;
	as_sys_rt_sigprocmask(SIG_BLOCK, &every_signal, &mask);
	dumper_lock();
	/* acquire L3: it can be poked */
	while ((tid = atomic_load_explicit(&dump_live->tid, memory_order_acquire))) {
		/* release L9: pairs with the dumper's look at it */
		atomic_store_explicit(&dump_live->retire, 1, memory_order_release);
		dumper_poke();
		/* the kernel clears the word and wakes us, not as a private futex; once more if
		 * the poke did not get through */
		as_sys_futex(&dump_live->tid, FUTEX_WAIT, (uint32_t)tid, &pause, NULL, 0);
		gone = tid;
	}
	/* a moment later it no longer counts as a thread of the process */
	while (gone && as_sys_tgkill(dump_state.pid, gone, 0) == 0)
		as_sys_sched_yield();
	/* relaxed: whoever dumps from now on is none that shall end */
	atomic_store_explicit(&dump_live->retire, 0, memory_order_relaxed);
	dumper_unlock();
	as_sys_rt_sigprocmask(SIG_SETMASK, &mask, NULL);
	return gone;
}

/* The bell that tools ring, from a thread of the process: only its dumper has it open. */
static void ring_bell(pid_t tid)
{
	char path[64];
	struct as_fmt f;

	as_fmt_init(&f, path, sizeof(path));
	as_fmt_str(&f, "/proc/self/task/");
	as_fmt_u64(&f, (uint64_t)tid);
	as_fmt_str(&f, "/fd/");
	as_fmt_u64(&f, (uint64_t)dump_state.page->bell_fd);
	/* for reading too: a pipe without a reader is SIGPIPE, and the dumper may be ending */
	const int fd = as_sys_openat(AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	as_sys_write(fd, "", 1);
	as_sys_close(fd);
}

void dumper_poke(void)
{
	siginfo_t info;
	/* acquire L3: the thread has its signals blocked and its signalfd open */
	const pid_t tid = atomic_load_explicit(&dump_live->tid, memory_order_acquire);

	if (!tid)
		return;
	memset(&info, 0, sizeof(info));
	info.si_signo = dump_state.poke;
	info.si_code = SI_QUEUE;
	info.si_pid = dump_state.pid;
	info.si_value.sival_ptr = (void *)(uintptr_t)((uint64_t)DUMP_POKE_MAGIC << 32);
	const int err = as_sys_rt_tgsigqueueinfo(dump_state.pid, tid, dump_state.poke, &info);
	/* its user may have too many signals queued (RLIMIT_SIGPENDING) */
	if (err == -EAGAIN ||
	    /* seq_cst L20: after the signal was sent, or the dumper may have looked before */
	    atomic_load_explicit(&dump_live->by_bell, memory_order_seq_cst))
		ring_bell(tid);
}

void dumper_keep_no_more(void)
{
	/* release L2: threads that look from now on leave their masks alone */
	atomic_store_explicit(&dump_live->keeps, 0, memory_order_release);
}

void dumper_step_aside(bool unblock_others)
{
	/* relaxed: the poke orders what the dumper has to see */
	if (unblock_others)
		atomic_store_explicit(&dump_live->unblock, 1, memory_order_relaxed);
	/* release L5: the program's disposition, or its wait for the signal, came before */
	atomic_store_explicit(&dump_state.owner, AS_CONTROL_SIGNAL_PROGRAM, memory_order_release);
	/* relaxed: for display */
	atomic_store_explicit(&dump_state.page->signal_owner, AS_CONTROL_SIGNAL_PROGRAM,
			      memory_order_relaxed);
	dumper_keep_no_more();
	dumper_poke();
}
