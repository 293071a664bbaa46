/*
 * as_mem - the memory of a process, copied, never dereferenced.
 *
 * Works on any process we may look at, ours included: a mapping that vanishes while we look
 * (dlclose, a thread's stack) is then an error code and not a SIGSEGV. Two small caches save
 * system calls:
 *	the stack window  one contiguous piece of the stack that is being unwound, grown upwards
 *	                  on demand and bounded per stack (beyond: -E2BIG, "truncated")
 *	image pages       pages of mapped files (unwind tables, code), read-only by nature
 * Both are the caller's memory. Neither follows changes: as_mem_new_stack() before each stack,
 * as_mem_forget() before each dump.
 *
 * Nothing waits for a page that somebody else has to fill in (userfaultfd): before a stack or a
 * word is copied, /proc/PID/pagemap says whether it is there. Pages of files are waited for, but for
 * those that as_mem_avoid() names: their filesystem may be what hangs.
 *
 * Errors of the reading functions: -EFAULT (nothing is mapped there), -ESRCH (the process is
 * gone), -EPERM or -EACCES (not allowed), -E2BIG (stack budget used up).
 *
 * Safety, for every function here: AS-safe, one-owner; takes no lock of the target, but the
 * kernel waits for its memory map if somebody holds that lock for writing.
 */
#ifndef SHMSCOPE_AS_MEM_H
#define SHMSCOPE_AS_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	AS_MEM_PAGE = 4096,
	AS_MEM_STEP = 16384,        /* the stack is copied in steps of this many bytes */
	AS_MEM_WINDOW_MIN = 32768,
	AS_MEM_STACK_MAX = 1 << 20, /* bytes copied for one stack before it counts as truncated */
};

enum { AS_MEM_AVOIDED = 16 };

struct as_mem {
	pid_t pid; /* the process, or any living thread of it */
	int mem_fd; /* /proc/PID/mem; -1 where it cannot be opened */
	int map_fd; /* /proc/PID/pagemap; -1 where it cannot be opened */
	bool is_refused; /* process_vm_readv is */
	uint8_t *window;
	size_t window_room;
	uint64_t window_addr; /* what window[0] is a copy of */
	size_t window_len;
	uint64_t copied; /* bytes of stack copied since as_mem_new_stack() */
	bool probing;    /* words outside the window are read one by one, the window stays */
	uint8_t *pages;
	uint64_t *page_addr; /* 0: empty */
	size_t page_count;   /* a power of two */
	uint64_t reads;      /* system calls made, for display */
	bool only_present;   /* what as_mem_read() and the stack window want has to be there */
	struct { uint64_t start, end; } avoid[AS_MEM_AVOIDED]; /* its pages are not waited for */
	unsigned avoids;
};

/*
 * as_mem_init - look at process `pid`.
 *
 * proc_fd    of as_proc_open(), borrowed for the call: where process_vm_readv is refused (an
 *            old container's filter), /proc/PID/mem serves instead.
 * window     room for the stack window, at least AS_MEM_WINDOW_MIN bytes.
 * pages      page_count * AS_MEM_PAGE bytes; page_addr page_count words; a power of two.
 * Returns 0, or a negative errno when neither way of reading is allowed.
 */
int as_mem_init(struct as_mem *m, pid_t pid, int proc_fd, void *window, size_t window_room,
		void *pages, uint64_t *page_addr, size_t page_count);
void as_mem_fini(struct as_mem *m);

/* as_mem_forget - empty the image pages, and avoid nothing. */
void as_mem_forget(struct as_mem *m);

/* as_mem_avoid - pages of [start, end) are read if they are there, and not waited for. In ascending
 * order; what there is no room for is avoided with all that lies before it. */
void as_mem_avoid(struct as_mem *m, uint64_t start, uint64_t end);

/* as_mem_new_stack - empty the stack window and its budget. */
void as_mem_new_stack(struct as_mem *m);

/* as_mem_given_stack - fill the stack window with n bytes that lay at `addr`, and copy no more of
 * that stack: the thread has run on since. */
void as_mem_given_stack(struct as_mem *m, uint64_t addr, const void *stack, size_t n);

/*
 * as_mem_read - copy n bytes from `addr`, past the caches.
 * Returns the bytes copied (fewer where unmapped memory begins) or a negative errno.
 */
ssize_t as_mem_read(struct as_mem *m, uint64_t addr, void *to, size_t n);

/* as_mem_word - the 8 bytes at `addr`, through the stack window. */
int as_mem_word(struct as_mem *m, uint64_t addr, uint64_t *v);

/* as_mem_image - n bytes at `addr`, at most a page, through the image pages. */
int as_mem_image(struct as_mem *m, uint64_t addr, void *to, size_t n);

#endif
