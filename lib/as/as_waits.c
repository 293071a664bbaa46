#include "lib/as/as_waits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/as/as_io.h"
#include "lib/as/as_scan.h"
#include "lib/as/as_sys.h"

/* A thread's number in a word of the kernel's own protocols (robust, PI). Larger ones do not exist. */
enum { TID_LIMIT = 1 << 22 };

void as_waits_begin(struct as_waits *w, const struct as_peek *p)
{
	struct stat theirs, ours;

	w->count = w->left_out = 0;
	memset(w->shown, 0, sizeof(w->shown));
	w->is_foreign = p->proc_fd < 0 || as_sys_fstatat(p->proc_fd, "ns/pid", &theirs, 0) ||
			as_sys_fstatat(AT_FDCWD, "/proc/thread-self/ns/pid", &ours, 0) ||
			theirs.st_ino != ours.st_ino;
}

/* ---- the word ---------------------------------------------------------------------------- */

static bool is_sleep(uint64_t op)
{
	switch ((int)op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_WAIT_REQUEUE_PI:
		return op < 1024;
	default:
		return false;
	}
}

/* After stop and continue a timed wait goes on as restart_syscall, with its first arguments. */
static bool sleeps_in_futex(int nr, const uint64_t args[6])
{
	return (nr == SYS_futex || nr == SYS_restart_syscall) && is_sleep(args[1]);
}

static bool is_pi(uint64_t op)
{
	const int command = (int)op & FUTEX_CMD_MASK;

	return command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2;
}

static bool read_around(struct as_mem *m, struct as_wait *wait)
{
	const uint64_t addr = wait->addr;

	if (addr < AS_MEM_PAGE || addr > UINT64_MAX - AS_WAIT_BYTES)
		return false;
	wait->from = addr - AS_WAIT_BEFORE;
	ssize_t n = as_mem_read(m, wait->from, wait->byte, AS_WAIT_BYTES);
	const uint64_t page = addr & ~(uint64_t)(AS_MEM_PAGE - 1);

	if (n < 0 && page > wait->from) { /* the page before is not there */
		const size_t skip = page - wait->from;

		wait->from = page;
		n = as_mem_read(m, page, wait->byte, AS_WAIT_BYTES - skip);
	}
	const uint64_t at = addr - wait->from;

	if (n < 0 || (uint64_t)n < at + sizeof(wait->value))
		return false;
	wait->bytes = (unsigned)n;
	memcpy(&wait->value, wait->byte + at, sizeof(wait->value));
	return true;
}

/* Many sleep on one word: its surroundings are told once in each look, now and then twice. */
static bool is_shown(struct as_waits *w, uint64_t addr, unsigned look)
{
	const uint64_t key = addr << 2 | look;
	uint64_t *place = &w->shown[key * UINT64_C(0x9e3779b97f4a7c15) >> 56];

	_Static_assert(AS_WAITS_SHOWN == 256, "eight bits of hash");
	if (*place == key)
		return true;
	*place = key;
	return false;
}

static uint32_t mark_of(const struct as_proc_mark *mark)
{
	return (uint32_t)as_proc_mark_word(mark);
}

static void remember(struct as_waits *w, const struct as_thread *t)
{
	if (w->count == AS_WAITS) {
		w->left_out++;
		return;
	}
	w->again[w->count].tid = t->tid;
	w->again[w->count++].mark = mark_of(&t->mark);
}

bool as_waits_first(struct as_waits *w, struct as_peek *p, const struct as_thread *t,
		    struct as_wait *wait)
{
	if (p->error || !sleeps_in_futex(t->nr, t->args))
		return false;
	wait->tid = t->tid;
	wait->look = 1;
	wait->still = false;
	wait->addr = t->args[0];
	wait->holders = 0;
	p->unwinder.mem.pid = t->tid;
	if (!read_around(&p->unwinder.mem, wait))
		return false;
	const uint32_t expected = (uint32_t)t->args[2];
	wait->is_new = !is_shown(w, wait->addr, 1);
	/* to sleep until it is no longer 0 is the idle way: nobody in particular is waited for */
	if (is_pi(t->args[1]) || expected || wait->value)
		remember(w, t);
	else
		wait->bytes = 0;
	return true;
}

/* ---- who may hold it --------------------------------------------------------------------- */

static uint32_t word_at(const struct as_wait *wait, uint64_t addr)
{
	uint32_t v;

	if (addr < wait->from || addr - wait->from + sizeof(v) > wait->bytes)
		return 0;
	memcpy(&v, wait->byte + (addr - wait->from), sizeof(v));
	return v;
}

static void add_candidate(struct as_wait *wait, uint32_t tid)
{
	if (tid < 2 || tid > TID_LIMIT || wait->holders == AS_WAIT_HOLDERS)
		return;
	for (unsigned i = 0; i < wait->holders; i++)
		if (wait->holder[i].tid == (pid_t)tid)
			return;
	wait->holder[wait->holders++] = (struct as_wait_holder){ .tid = (pid_t)tid, .state = '?' };
}

/*
 * Where glibc's locks keep the number of their owner: in the word itself (robust and PI mutexes,
 * the thread that is joined), 8 bytes on (every mutex), 12 or 16 bytes on (rwlocks, by the word
 * that is slept on). Numbers that are no thread's do no harm: the reader knows where to look.
 */
static void find_candidates(struct as_wait *wait)
{
	static const uint8_t place[] = { 8, 16, 12 };

	wait->holders = 0;
	if (wait->value > 2)
		add_candidate(wait, wait->value & FUTEX_TID_MASK);
	for (unsigned i = 0; i < sizeof(place); i++)
		add_candidate(wait, word_at(wait, wait->addr + place[i]));
}

static void take_stat(struct as_wait_holder *h, const struct as_proc_stat *st)
{
	h->state = st->state;
	memcpy(h->comm, st->comm, sizeof(h->comm));
}

/* A thread of another process: a word in shared memory. */
static void ask_elsewhere(struct as_wait_holder *h)
{
	struct as_proc_stat st;

	/* signal 0 is sent to nobody: only whether it could be */
	if (as_sys_kill(h->tid, 0) == -ESRCH) {
		h->state = 'X';
		return;
	}
	const int fd = as_proc_open(h->tid);

	if (fd < 0)
		return;
	if (!as_proc_stat(fd, 0, &st))
		take_stat(h, &st);
	h->pid = as_proc_tgid(fd);
	as_sys_close(fd);
}

static void ask_holder(const struct as_peek *p, bool is_private, struct as_wait_holder *h)
{
	struct as_proc_stat st;
	const int err = as_proc_stat(p->proc_fd, h->tid, &st);

	if (!err) {
		take_stat(h, &st);
		h->pid = as_proc_tgid(p->proc_fd);
	} else if (err != -ESRCH && err != -ENOENT) {
		return;
	} else if (is_private) {
		h->state = 'X';
	} else {
		ask_elsewhere(h);
	}
}

/* ---- the second look --------------------------------------------------------------------- */

/* The word and its holders, in this order: word, holders, word. */
static bool read_held(struct as_peek *p, bool is_foreign, bool is_private, struct as_wait *wait)
{
	struct as_mem *m = &p->unwinder.mem;

	if (!read_around(m, wait))
		return false;
	if (is_foreign)
		return true;
	find_candidates(wait);
	for (unsigned i = 0; i < wait->holders; i++)
		ask_holder(p, is_private, &wait->holder[i]);
	return read_around(m, wait);
}

void as_waits_second(struct as_waits *w, struct as_peek *p, unsigned i, struct as_wait *wait)
{
	const pid_t tid = w->again[i].tid;
	struct as_proc_syscall call;
	struct as_proc_watch watch;
	struct as_proc_mark mark;

	wait->tid = tid;
	wait->look = 2;
	wait->still = wait->is_new = false;
	wait->addr = 0;
	wait->holders = 0;
	if (as_proc_watch_open(&watch, p->proc_fd, tid, &mark))
		return;
	p->unwinder.mem.pid = tid;
	if (!as_proc_syscall(p->proc_fd, tid, &call) && call.form == AS_PROC_CALL &&
	    sleeps_in_futex(call.nr, call.args)) {
		const bool is_private = call.args[1] & FUTEX_PRIVATE_FLAG;

		wait->addr = call.args[0];
		wait->is_new = !is_shown(w, wait->addr, 2);
		if (wait->is_new ? !read_held(p, w->is_foreign, is_private, wait)
				 : !read_around(&p->unwinder.mem, wait))
			wait->addr = 0;
	}
	/* last: it covers all that was read */
	wait->still = wait->addr && !as_proc_watch_mark(&watch, &mark) &&
		      mark_of(&mark) == w->again[i].mark;
	as_proc_watch_close(&watch);
}
