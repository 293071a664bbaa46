/*
 * as_proc - what /proc/PID and its threads say, read through an fd of /proc/PID.
 *
 * The fd keeps pointing at the process it was opened for: once that is gone, every read says
 * -ESRCH, also when its number was given to another process. In a pid namespace all numbers
 * are those of the /proc that was opened.
 *
 * `tid` 0 means the process itself (the files of /proc/PID instead of /proc/PID/task/TID).
 *
 * Errors: negative errno; -ESRCH when the thread or process is gone, -EACCES or -EPERM when
 * the kernel will not show it to us, -EBADMSG when the text is not of the form expected.
 *
 * Safety, for every function here: AS-safe, MT-safe (one-owner per struct); may block as a
 * read of /proc does: stat, status and syscall take no lock that the target can hold for long.
 */
#ifndef SHMSCOPE_AS_PROC_H
#define SHMSCOPE_AS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * as_proc_open - an fd for /proc/PID; pid 0 is this process.
 * Returns the fd (O_CLOEXEC; close with as_sys_close()) or a negative errno.
 */
int as_proc_open(pid_t pid);

/*
 * as_proc_file - open a file of the process or of one of its threads for reading.
 * Returns the fd (O_CLOEXEC) or a negative errno.
 */
int as_proc_file(int proc_fd, pid_t tid, const char *name);

/*
 * as_proc_tids - the threads of a process, sorted by number.
 *
 * tids   filled; room entries.  n  set to how many.
 * While threads come and go one reading of the directory may miss some: it is read again until
 * nothing new turns up or the process' own count is reached, at most four times.
 * Returns 0; 1 when there are more threads than room; a negative errno when nothing was read.
 */
int as_proc_tids(int proc_fd, pid_t *tids, size_t room, size_t *n);

/* as_proc_tgid - the number of the process (proc_fd may be that of one of its threads); 0: not known. */
pid_t as_proc_tgid(int proc_fd);

/* as_proc_more - how many threads the process has beside n that were listed; 0: none, or unknown. */
uint32_t as_proc_more(int proc_fd, size_t n);

/* The three forms of /proc/.../syscall. */
enum as_proc_form {
	AS_PROC_RUNNING, /* on a CPU, or ready to be */
	AS_PROC_CALL,    /* blocked in system call nr, with args */
	AS_PROC_USER,    /* stopped or faulting in user mode: nr is -1, pc is not a call boundary */
};

struct as_proc_syscall {
	enum as_proc_form form;
	int nr;
	uint64_t args[6];
	uint64_t sp; /* 0: no user stack (kernel worker, ended thread) */
	uint64_t pc;
};

int as_proc_syscall(int proc_fd, pid_t tid, struct as_proc_syscall *call);

enum { AS_PROC_COMM = 64 };

struct as_proc_stat {
	char comm[AS_PROC_COMM]; /* any bytes but NUL; NUL terminated */
	char state;              /* R S D T t Z X I ... */
	pid_t ppid, session;     /* 0: not seen in this pid namespace */
	uint64_t start;          /* clock ticks since boot (field 22) */
	uint64_t utime, stime;   /* clock ticks */
	uint32_t threads;        /* of the process */
	uint32_t flags;          /* the kernel's PF_ bits */
};

int as_proc_stat(int proc_fd, pid_t tid, struct as_proc_stat *st);

/*
 * A mark that changes whenever the thread has run: two equal marks prove that it did not run
 * between them. Taken from schedstat (time run, times scheduled), or, on kernels where that is
 * all zero, from the context-switch counts of status.
 */
struct as_proc_mark {
	uint64_t ran;    /* ns run, or voluntary switches */
	uint64_t times;  /* times scheduled, or involuntary switches */
	uint64_t waited; /* ns in which it could have run and got no CPU, a wait that is not over
			    left out; no part of the mark */
	bool is_time;    /* ran and waited are ns */
};

/* The file that marks are read from, kept open from one look to the next. */
struct as_proc_watch {
	int fd;
	bool is_status;
};

/*
 * as_proc_watch_open - begin to watch a thread; *mark is set to its first mark.
 * Returns 0, then as_proc_watch_close() is due; or a negative errno.
 */
int as_proc_watch_open(struct as_proc_watch *w, int proc_fd, pid_t tid, struct as_proc_mark *mark);
/* as_proc_watch_mark - its mark by now. Returns 0 or a negative errno (-ESRCH: it ended). */
int as_proc_watch_mark(const struct as_proc_watch *w, struct as_proc_mark *mark);
void as_proc_watch_close(struct as_proc_watch *w);

/* The mark as one word: different marks give different words, but for chance. */
static inline uint64_t as_proc_mark_word(const struct as_proc_mark *mark)
{
	const uint64_t h = (mark->ran ^ mark->times << 40 ^ mark->times >> 24) *
			   UINT64_C(0x9e3779b97f4a7c15);

	return h ^ h >> 32;
}

static inline bool as_proc_mark_same(const struct as_proc_mark *a, const struct as_proc_mark *b)
{
	return a->ran == b->ran && a->times == b->times;
}

/* Signal words: bit (sig - 1). */
struct as_proc_signals {
	uint64_t pending;        /* of this thread */
	uint64_t shared_pending; /* of the process */
	uint64_t blocked;
	uint64_t ignored;
	uint64_t caught;
};

int as_proc_signals(int proc_fd, pid_t tid, struct as_proc_signals *sig);

/* The number that a thread has in its own (innermost) pid namespace; 0 when it cannot be told. */
pid_t as_proc_inner_tid(int proc_fd, pid_t tid);

/*
 * as_proc_wchan - the kernel function a thread sleeps in.
 * name  filled and NUL terminated; "" when the kernel does not tell ("0").
 */
int as_proc_wchan(int proc_fd, pid_t tid, char *name, size_t room);

#endif
