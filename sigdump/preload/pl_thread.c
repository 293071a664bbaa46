#include <errno.h>
#include <sys/mman.h>

#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dumper.h"
#include "sigdump/preload/pl_priv.h"

/*
 * New threads. The first one gives the process its dumper. Each inherits its creator's kernel
 * mask, and has to inherit its view of the dump signal as well; so it starts in start_posix()
 * or start_c11(), which set the view and go on to the program's function by a tail call: no
 * frame of ours stays on the stack.
 *
 * The note that carries function, argument and view comes from a table of our own: a free() in
 * a new thread would give it an arena it may never need. A note is taken by compare-and-swap;
 * a table that is full grows by another page, which stays.
 */
struct note {
	_Atomic uint32_t used; /* L10 */
	bool blocks;
	bool block_now; /* the thread was given a mask of its own, in which the bit is missing */
	union {
		void *(*posix)(void *);
		thrd_start_t c11;
	} start;
	void *arg;
};

enum { NOTES = 64 };

struct notes {
	struct notes *_Atomic next; /* L11 */
	struct note note[NOTES];
};

static struct notes first_notes;

static struct note *claim_in(struct notes *notes)
{
	for (unsigned i = 0; i < NOTES; i++) {
		uint32_t none = 0;

		/* acquire L10: the thread that had it has read it */
		if (atomic_compare_exchange_strong_explicit(&notes->note[i].used, &none, 1,
							    memory_order_acquire,
							    memory_order_relaxed))
			return &notes->note[i];
	}
	return NULL;
}

/* The next table behind `notes`, made if there is none; NULL when there is no memory. */
static struct notes *next_notes(struct notes *notes)
{
	/* acquire L11: the table is mapped (and zero) */
	struct notes *next = atomic_load_explicit(&notes->next, memory_order_acquire);

	if (next)
		return next;
	void *at = as_sys_mmap(NULL, sizeof(*next), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (as_sys_is_error(at))
		return NULL;
	/* release L11: as above */
	if (atomic_compare_exchange_strong_explicit(&notes->next, &next, at, memory_order_release,
						    memory_order_relaxed))
		return at;
	as_sys_munmap(at, sizeof(*next));
	/* acquire L11: somebody else's */
	return atomic_load_explicit(&notes->next, memory_order_acquire);
}

static struct note *claim(void)
{
	for (struct notes *n = &first_notes; n; n = next_notes(n)) {
		struct note *note = claim_in(n);
		if (note)
			return note;
	}
	return NULL;
}

static void release(struct note *note)
{
	/* release L10: it was read */
	atomic_store_explicit(&note->used, 0, memory_order_release);
}

/*
 * In the new thread. When the signal became the program's since its creator looked, nobody else
 * may come to unblock it: the dumper may have passed while this thread had everything blocked.
 */
static void take_view(const struct note *note)
{
	dump_thread.blocks = note->blocks;
	if (!pl_keeps() && !note->blocks)
		pl_mask_unblock();
	else if (pl_keeps() && note->block_now)
		pl_mask_block();
}

static void *start_posix(void *p)
{
	struct note *note = p;
	void *(*const start)(void *) = note->start.posix;
	void *const arg = note->arg;

	take_view(note);
	release(note);
	return start(arg);
}

static int start_c11(void *p)
{
	struct note *note = p;
	const thrd_start_t start = note->start.c11;
	void *const arg = note->arg;

	take_view(note);
	release(note);
	return start(arg);
}

/* A note with the view the new thread begins with; NULL when none is needed. */
static struct note *note_for(const pthread_attr_t *attr)
{
	sigset_t mask;

	dumper_start(); /* without a dumper the process stays plain, and nothing is kept */
	if (!pl_keeps())
		return NULL;
	struct note *note = claim();
	if (!note)
		return NULL;
	note->blocks = dump_thread.blocks;
	note->block_now = false;
	if (attr && pl_real.pthread_attr_getsigmask_np &&
	    pl_real.pthread_attr_getsigmask_np(attr, &mask) == 0) {
		note->blocks = sigismember(&mask, dump_state.signal) == 1;
		note->block_now = true;
	}
	return note;
}

PL_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			     void *(*start)(void *), void *arg)
{
	struct note *note = note_for(attr);

	if (!note)
		return pl_real.pthread_create(thread, attr, start, arg);
	note->start.posix = start;
	note->arg = arg;
	const int err = pl_real.pthread_create(thread, attr, start_posix, note);
	if (err)
		release(note);
	return err;
}

PL_EXPORT int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
	struct note *note = note_for(NULL);

	if (!note)
		return pl_real.thrd_create(thread, start, arg);
	note->start.c11 = start;
	note->arg = arg;
	const int err = pl_real.thrd_create(thread, start_c11, note);
	if (err != thrd_success)
		release(note);
	return err;
}
