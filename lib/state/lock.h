/*
 * lock - what a thread that sleeps in a futex waits for, and who holds it.
 *
 * The kernel knows a word, glibc's structures around it know the owner, and the functions on the
 * sleeper's stack know which structure it is: by the bytes alone a semaphore can look like a
 * mutex. So a source only copies words and memory (lock_take()), and the meaning is worked out
 * by lock_resolve(): by the bytes before the stacks have their names, by the names afterwards.
 *
 * Owners, glibc 2.25 and later, x86_64:
 *	mutex            8 bytes behind the word; in the word itself if robust or with priority
 *	                 inheritance (the kernel's rule)
 *	rwlock           its writer, by the word that is slept on; of readers only how many
 *	pthread_join     the thread, whose number the word is until it ends
 *	flock, fcntl     /proc/locks, live only
 * Condition variables, semaphores, barriers, pthread_once, locks inside the C library: nobody.
 */
#ifndef SHMSCOPE_STATE_LOCK_H
#define SHMSCOPE_STATE_LOCK_H

#include "lib/state/state.h"

/* One look at the word of one thread, as a source has it; texts and bytes are copied. */
struct lock_look {
	unsigned look;         /* 1, 2 */
	bool still;            /* look 2: has not run since */
	uint64_t addr;         /* 0: it sleeps there no more */
	uint32_t value;
	uint64_t at_us;        /* when; 0 not known */
	const uint8_t *bytes;  /* NULL: told with another thread of this look, or not known */
	uint64_t bytes_addr;
	size_t bytes_n;
	const char *path, *build_id; /* NULL; see state_lock */
	uint64_t offset;
	const struct state_holder *holder;
	size_t holders;
};

/*
 * lock_take - a look becomes part of the model. The thread's sys and arg are set; look 1 comes
 * before look 2. What is no futex is passed over.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int lock_take(struct state *st, struct state_thread *t, const struct lock_look *look);

/*
 * lock_take_file - the thread waits in flock or fcntl for a lock that `holder` has.
 * path  of the file; NULL.  holder  0: not known.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int lock_take_file(struct state *st, struct state_thread *t, const char *path, int32_t holder,
		   uint64_t at_us);

/*
 * lock_resolve - kind, address and owner of every lock in the state, as far as can be told by
 * now. May be called again when more is known: state_join() and state_symbolize() do.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int lock_resolve(struct state *st);

/* lock_kind_name - "mutex", "rwlock (to read)", "semaphore", ... Safety: MT-safe. */
const char *lock_kind_name(enum state_lock_kind kind);

enum { LOCK_TEXT = 320 };

/*
 * lock_text - "mutex 0x55d0c0a8 (index_lock)", "the end of tid 4143", "futex 0x7f3a0010".
 * Returns buf. Safety: MT-safe.
 */
char *lock_text(const struct state_lock *lock, char buf[LOCK_TEXT]);

/* lock_has_owner - a kind of lock that somebody in particular gives back. Safety: MT-safe. */
bool lock_has_owner(enum state_lock_kind kind);

#endif
