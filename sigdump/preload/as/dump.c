#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <ucontext.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_peek.h"
#include "lib/as/as_record.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump.h"
#include "sigdump/preload/as/dump_children.h"
#include "sigdump/preload/as/dump_feed.h"
#include "sigdump/preload/as/dump_hub.h"
#include "sigdump/preload/as/dump_limit.h"
#include "sigdump/preload/as/dump_signal.h"
#include "sigdump/preload/as/dump_state.h"
#include "sigdump/preload/as/dump_told.h"

enum {
	TIDS = 32768, /* twice as many as are promised: listing them again needs room for doubles */
	OUT = 32768,
	TEXT = 16384,
	HANDLER_STACK = 65536,
	ANSWER_NS = 50000000, /* how long a running thread is waited for when it is first asked */
	ROUNDS = 3,
	AGAIN = 3,
	PAUSE_NS = 10000000, /* before the second round */
	INSIST_NS = 200000000, /* for all threads that have their signals blocked, in the last one */
	INSIST_PAUSE_NS = 100000,
	LOOKS = 8, /* in a round, at one that sleeps whenever it is about to be asked; then it is woken */
	GRACE_NS = 200000000, /* for a dump when somebody waits for the end of the dumper */
};

/* All memory of a dump; at most 1 MiB, mapped at start-up. */
struct work {
	struct as_peek peek;
	struct as_record record;
	struct as_thread thread;
	struct dump_feed feed;
	uint64_t image;   /* whose feed and dictionaries these are */
	pid_t looker;     /* thread that peek was prepared for; 0: not prepared */
	pid_t tids[TIDS]; /* negative: has to be asked; 0: told */
	struct dump_shot shot[DUMP_SHOTS];
	char out[OUT];
	char text[TEXT];
	uint8_t stack[HANDLER_STACK] __attribute__((aligned(64)));
};
_Static_assert(sizeof(struct work) <= 1 << 20, "the working set is at most 1 MiB");

static struct work *work;

/* The dump that is being written. */
struct run {
	const struct dump_request *request;
	uint64_t family;
	uint64_t until_ns;
	uint64_t cpu_ns; /* of this thread when it began; in a plain process that is the program's */
	uint64_t from;   /* where it begins in the feed */
	uint64_t insist_until_ns;
	size_t tids;
	struct as_record_done done;
};

int dump_reserve(void)
{
	void *at = as_sys_mmap(NULL, sizeof(struct work), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (as_sys_is_error(at))
		return (int)(intptr_t)at;
	work = at;
	dump_feed_forget(&work->feed);
	return 0;
}

void *dump_stack_top(void)
{
	return work->stack + HANDLER_STACK;
}

size_t dump_tids_room(pid_t **tids)
{
	*tids = work->tids;
	return TIDS;
}

struct dump_shot *dump_shots(void)
{
	return work->shot;
}

void dump_step(uint32_t step, pid_t tid)
{
	struct as_control *page = dump_state.page;

	/* relaxed: three words for display, each on its own */
	atomic_store_explicit(&page->step_tid, tid, memory_order_relaxed);
	/* relaxed: as above */
	atomic_store_explicit(&page->step_us, as_record_now_us(), memory_order_relaxed);
	/* relaxed: as above */
	atomic_store_explicit(&page->step, step, memory_order_relaxed);
}

/* The dumper shall end: a thread of the program waits for that. */
static bool cut_short(void)
{
	/* relaxed: an earlier look only saves the waiter time */
	return atomic_load_explicit(&dump_live->retire, memory_order_relaxed);
}

/* (Most dumps are through long before the grace is over.) */
static bool late(struct run *run)
{
	const uint64_t now = as_sys_clock_ns(CLOCK_MONOTONIC);

	if (cut_short() && run->until_ns > now + GRACE_NS)
		run->until_ns = now + GRACE_NS;
	return now >= run->until_ns;
}

/* ---- opening ------------------------------------------------------------------------------ */

/* Another image (a fork child) starts with nothing of what its parent had open. */
static void prepare(void)
{
	const pid_t tid = as_sys_gettid();

	if (work->image != dump_state.image) {
		work->image = dump_state.image;
		work->looker = 0;
		dump_feed_forget(&work->feed);
		as_record_init(&work->record, work->out, OUT, -1);
		memset(work->shot, 0, sizeof(work->shot));
	}
	if (work->looker != tid) {
		/* by thread, not by process: the first thread may have ended */
		as_peek_init(&work->peek, tid);
		work->looker = tid;
	}
}

static void write_first_line(void)
{
	const char *caps[4] = { NULL };
	unsigned n = 0;

	if (!work->peek.error)
		caps[n++] = "peek";
	/* relaxed: for display */
	if (atomic_load_explicit(&dump_live->tid, memory_order_relaxed))
		caps[n++] = "dumper";
	as_record_feed(&work->record, &(struct as_record_about){ .proc_fd = work->peek.proc_fd,
								 .pid = dump_state.pid,
								 .image = dump_state.image,
								 .segment = work->feed.segment,
								 .caps = caps });
}

static int open_feed(void)
{
	struct as_json *j = &work->record.json;
	struct as_fmt path;
	bool is_new;

	const int err = dump_feed_open(&work->feed, &is_new);
	if (err)
		return err;
	j->fd = work->feed.fd;
	j->written = work->feed.bytes;
	as_fmt_init(&path, dump_state.page->feed, sizeof(dump_state.page->feed));
	as_fmt_str(&path, work->feed.path);
	if (is_new)
		write_first_line();
	return 0;
}

/* ---- threads ------------------------------------------------------------------------------ */

/* One record; threads of the program are counted. */
static void tell(struct run *run, const struct as_record_how *told)
{
	struct as_thread *t = &work->thread;
	struct as_record_how how = *told;

	/* relaxed: a number on its own */
	if (t->tid == atomic_load_explicit(&dump_live->diag_tid, memory_order_relaxed))
		how.own = true;
	run->done.threads += !how.own;
	run->done.captured += t->frames && !how.own;
	run->done.disturbed += how.disturbed;
	as_record_thread(&work->record, &work->peek, t, &how);
}

static const char *reason_of(const struct as_thread *t)
{
	if (t->frames)
		return NULL;
	switch (t->error) {
	case -ENODATA:
		return "no user stack (it is ending)";
	case -EACCES:
	case -EPERM:
		return "the kernel does not show its registers";
	default:
		return "its registers could not be read";
	}
}

/* What as_peek_thread() found, unless it found a running thread. */
static void tell_peeked(struct run *run)
{
	const struct as_thread *t = &work->thread;

	tell(run, &(struct as_record_how){ .captured = t->frames ? "peek" : "proc",
					   .disturbed = t->tid == run->request->disturbed,
					   .reason = reason_of(t) });
}

/* The thread that this handler interrupted. */
static void tell_interrupted(struct run *run)
{
	const ucontext_t *uc = run->request->context;
	struct as_regs regs;

	as_regs_of_signal(&regs, (const uint64_t *)uc->uc_mcontext.gregs);
	as_peek_regs(&work->peek, &regs, &work->thread);
	work->thread.nr = -1;
	work->thread.moved = false;
	tell(run, &(struct as_record_how){ .captured = "signal", .disturbed = true });
}

/*
 * Only the thread itself can tell: it runs, or the kernel hides its registers from us. (It does
 * where the process has given up root and counts as not dumpable: then also a blocked thread has
 * to be interrupted, or nothing is known of it.)
 */
static bool has_to_be_asked(const struct as_thread *t)
{
	return t->captured == AS_CAPTURED_RUNNING ||
	       (t->captured == AS_CAPTURED_PROC && (t->error == -EACCES || t->error == -EPERM));
}

/* Looks at the thread at `tids[i]`; one that has to be asked is marked for later. */
static void look_at_thread(struct run *run, size_t i)
{
	struct as_thread *t = &work->thread;
	const pid_t tid = work->tids[i];
	const bool own = tid == as_sys_gettid();

	as_peek_thread(&work->peek, tid, t);
	if (own && run->request->context) {
		tell_interrupted(run);
	} else if (own) {
		t->frames = 0;
		tell(run, &(struct as_record_how){ .own = true,
						   .captured = "proc",
						   .reason = "the thread that writes this" });
	} else if (has_to_be_asked(t)) {
		work->tids[i] = -tid;
	} else if (t->captured != AS_CAPTURED_GONE) {
		tell_peeked(run);
	}
}

/* There is no time left: only that the thread is there. */
static void tell_skipped(struct run *run, pid_t tid)
{
	work->thread = (struct as_thread){ .tid = tid, .state = '?', .nr = -1 };
	run->done.timeout = true;
	tell(run, &(struct as_record_how){ .captured = "proc",
					   .reason = cut_short() ?
							     "the dumper had to end" :
							     "the deadline of the dump had passed" });
}

static void look_at_threads(struct run *run)
{
	if (as_proc_tids(work->peek.proc_fd, work->tids, TIDS, &run->tids) == 1)
		run->done.left_out = as_proc_more(work->peek.proc_fd, TIDS);
	for (size_t i = 0; i < run->tids; i++) {
		dump_step(AS_STEP_THREADS, work->tids[i]);
		if (late(run))
			tell_skipped(run, work->tids[i]);
		else
			look_at_thread(run, i);
	}
}

/* ---- threads that run ----------------------------------------------------------------------- */

/* Threads that are being asked at the same time. */
struct batch {
	struct dump_shot *shot[DUMP_SHOTS];
	size_t at[DUMP_SHOTS]; /* place in work->tids */
	unsigned n;
};

/* No answer: described in the last round, else left for the next. */
static void no_answer(struct run *run, size_t at, bool last, const char *reason)
{
	if (!last)
		return;
	work->tids[at] = 0;
	work->thread.frames = 0;
	tell(run, &(struct as_record_how){ .captured = "proc", .reason = reason });
}

/*
 * A look first: it may be blocked after all, and then nobody needs to be interrupted. With `look`
 * another one right before it is asked.
 */
static enum dump_asked try_to_ask(struct run *run, struct batch *b, size_t at, bool look,
				  const char **reason)
{
	struct as_thread *t = &work->thread;
	const pid_t tid = -work->tids[at];

	as_peek_thread(&work->peek, tid, t);
	if (!has_to_be_asked(t)) {
		work->tids[at] = 0;
		if (t->captured != AS_CAPTURED_GONE)
			tell_peeked(run);
		return DUMP_ASKED;
	}
	const enum dump_asked asked =
		dump_running_ask(work->peek.proc_fd, tid, look, &b->shot[b->n], reason);
	if (asked == DUMP_ASKED)
		b->at[b->n++] = at;
	return asked;
}

static bool may_try_again(const struct run *run, enum dump_asked asked, bool last)
{
	const struct timespec pause = { 0, INSIST_PAUSE_NS };

	if (asked == DUMP_ASLEEP)
		return true;
	/* one that creates threads without end has its signals blocked most of the time */
	if (asked != DUMP_MASKED || !last || as_sys_clock_ns(CLOCK_MONOTONIC) >= run->insist_until_ns)
		return false;
	as_sys_poll(NULL, 0, &pause);
	return true;
}

static void ask_running(struct run *run, struct batch *b, size_t at, bool last)
{
	const char *reason;

	dump_step(AS_STEP_RUNNING, -work->tids[at]);
	for (unsigned looks = 0; !late(run); looks++) {
		const enum dump_asked asked = try_to_ask(run, b, at, looks < LOOKS, &reason);
		if (asked == DUMP_ASKED)
			return;
		if (!may_try_again(run, asked, last)) {
			no_answer(run, at, last, reason);
			return;
		}
	}
}

static void take_running(struct run *run, struct dump_shot *shot, size_t at, bool last,
			 uint64_t until_ns)
{
	struct as_thread *t = &work->thread;
	struct as_regs regs;

	const bool answered = dump_running_take(shot, until_ns);
	as_peek_thread(&work->peek, -work->tids[at], t); /* its name and state */
	if (!answered) {
		no_answer(run, at, last, "only it can tell, and it did not answer in time");
		return;
	}
	work->tids[at] = 0;
	as_regs_of_signal(&regs, shot->greg);
	as_peek_copy(&work->peek, &regs, shot->stack_addr, shot->stack, shot->stack_bytes, t);
	dump_running_done(shot);
	t->nr = -1;
	t->moved = false;
	tell(run, &(struct as_record_how){ .captured = "signal", .disturbed = true });
}

/* Some at a time, so that many which do not answer cost the time of one. */
static void ask_round(struct run *run, unsigned round)
{
	const bool last = round == ROUNDS;
	const uint64_t patience_ns = ANSWER_NS << 2 * (round - 1);

	run->insist_until_ns = as_sys_clock_ns(CLOCK_MONOTONIC) + INSIST_NS;
	for (size_t i = 0; i < run->tids;) {
		struct batch b = { .n = 0 };

		for (; i < run->tids && b.n < DUMP_SHOTS; i++)
			if (work->tids[i] < 0 && !late(run))
				ask_running(run, &b, i, last);
		uint64_t until = as_sys_clock_ns(CLOCK_MONOTONIC) + patience_ns;
		for (unsigned k = 0; k < b.n; k++) {
			late(run);
			until = until < run->until_ns ? until : run->until_ns;
			take_running(run, b.shot[k], b.at[k], last, until);
		}
	}
}

static bool any_left(const struct run *run)
{
	for (size_t i = 0; i < run->tids; i++)
		if (work->tids[i] < 0)
			return true;
	return false;
}

/*
 * A thread that waits for a CPU, or is being born with its signals blocked, may answer later: each
 * round is four times as patient, and on an idle machine the first one has them all.
 */
static void ask_threads(struct run *run)
{
	for (unsigned round = 1; round <= ROUNDS && any_left(run) && !late(run); round++) {
		const struct timespec pause = { 0, round == 1 ? 0 : PAUSE_NS << 2 * (round - 2) };

		as_sys_poll(NULL, 0, &pause);
		ask_round(run, round);
	}
	dump_signal_give_back();
	for (size_t i = 0; i < run->tids; i++)
		if (work->tids[i] < 0)
			tell_skipped(run, -work->tids[i]);
}

/* ---- one dump ------------------------------------------------------------------------------- */

static void write_dump(struct run *run)
{
	static const char *const why[] = { "signal", "control", "watchdog", "call", "fatal" };
	struct as_record *r = &work->record;

	run->from = r->json.written + r->json.len;
	as_record_dump(r, &work->peek, run->family, why[run->request->why], run->request->sender,
		       dump_state.name[0] ? dump_state.name : NULL);
	if (run->request->fatal)
		as_record_fatal(r, run->request->fatal);
	dump_step(AS_STEP_LOOK1, 0);
	dump_hub_look(r, 1, run->until_ns);
	as_json_flush(&r->json);
	dump_step(AS_STEP_MAPS, 0);
	as_peek_refresh(&work->peek);
	look_at_threads(run);
	as_json_flush(&r->json);
	ask_threads(run);
	as_record_waits(r, &work->peek, run->until_ns);
	as_record_open(r, &work->peek, run->until_ns);
	/* in a handler the program stands still meanwhile */
	if (!run->request->context && !run->request->fatal)
		as_record_others(r, &work->peek, 0, run->until_ns);
	as_json_flush(&r->json);
	dump_step(AS_STEP_LOOK2, 0);
	dump_hub_look(r, 2, run->until_ns);
	as_json_flush(&r->json);
	/* with a process that ends nobody waits: its children have fates of their own */
	if (!run->request->fatal) {
		dump_told_write(r, run->until_ns);
		dump_step(AS_STEP_CHILDREN, 0);
		dump_children_tell(r, run->family, work->text, TEXT, run->until_ns);
	}
	as_record_done(r, &run->done);
	if (run->request->fatal)
		as_record_end(&r->json, "signal", run->request->fatal->signal);
}

/* The result, for whoever asked through the control page. */
static void tell_page(const struct run *run, int error)
{
	struct as_control *page = dump_state.page;
	const struct as_json *j = &work->record.json;

	page->dump_from = run->from;
	page->dump_to = j->written;
	page->dump_threads = run->done.threads;
	page->dump_captured = run->done.captured;
	page->dump_disturbed = run->done.disturbed;
	page->dump_us = (uint32_t)(as_record_now_us() - run->done.began_us);
	page->dump_timeout = run->done.timeout;
	page->dump_error = error ? error : j->error;
	page->dump_family = run->family;
	page->feed_segment = work->feed.segment;
	page->cpu_us += (as_sys_clock_ns(CLOCK_THREAD_CPUTIME_ID) - run->cpu_ns) / 1000;
	/* relaxed: release D2, or nobody waits */
	atomic_store_explicit(&page->dumps, (uint32_t)work->record.dump, memory_order_relaxed);
}

static void dump_once(const struct dump_request *request)
{
	struct run run = { .request = request,
			   .family = request->family ? request->family : dump_state_random(),
			   .until_ns = as_sys_clock_ns(CLOCK_MONOTONIC) +
				       (request->fatal ? DUMP_FATAL_MS : dump_state.deadline_ms) *
					       UINT64_C(1000000),
			   .cpu_ns = as_sys_clock_ns(CLOCK_THREAD_CPUTIME_ID),
			   .done = { .began_us = as_record_now_us() } };

	dump_step(AS_STEP_OPEN, 0);
	prepare();
	work->record.json.error = 0;
	const int err = open_feed();
	if (!err)
		write_dump(&run);
	tell_page(&run, err);
	/* in a plain process the table of descriptors is the program's */
	if (request->context)
		dump_retire();
	dump_step(AS_STEP_IDLE, 0);
}

static bool dump_lock(void)
{
	uint32_t none = 0;

	/* acquire L6: what the last dump left is whole */
	return atomic_compare_exchange_strong_explicit(&dump_live->busy, &none, 1,
						       memory_order_acquire, memory_order_relaxed);
}

static void dump_unlock(void)
{
	/* release L6 */
	atomic_store_explicit(&dump_live->busy, 0, memory_order_release);
}

void dump_run(const struct dump_request *request)
{
	if (!work)
		return;
	if (!dump_lock()) {
		/* relaxed: only says that there is more to do */
		atomic_store_explicit(&dump_live->again, 1, memory_order_relaxed);
		return;
	}
	unsigned dumps = 0;
	do {
		/* relaxed: as above */
		atomic_store_explicit(&dump_live->again, 0, memory_order_relaxed);
		dump_once(request);
		/* relaxed: as above; a flood of signals shall not keep this thread for ever */
	} while (atomic_load_explicit(&dump_live->again, memory_order_relaxed) && ++dumps < AGAIN);
	dump_unlock();
}

uint64_t dump_number(void)
{
	return work && work->image == dump_state.image ? work->record.dump : 0;
}

int dump_incident(const struct as_record_incident *incident)
{
	if (!work || !dump_lock())
		return -EBUSY;
	prepare();
	work->record.json.error = 0;
	int err = open_feed();
	if (!err)
		err = as_record_incident(&work->record, incident);
	dump_unlock();
	return err;
}

void dump_retire(void)
{
	if (work->looker)
		as_peek_fini(&work->peek);
	work->looker = 0;
	dump_feed_close(&work->feed);
}

void dump_end(const char *why)
{
	struct dump_limit limit;
	struct as_json j;
	char line[512];

	if (!work || !dump_state_is_ours() || work->image != dump_state.image ||
	    !work->feed.named || !dump_lock())
		return;
	dump_limit_begin(&limit);
	const int fd = as_sys_openat(AT_FDCWD, work->feed.path,
				     O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd >= 0) {
		as_json_init(&j, line, sizeof(line), fd);
		as_record_end(&j, why, 0);
		as_sys_close(fd);
	}
	dump_limit_end(&limit);
	dump_unlock();
}
