/*
 * sigdump - what a program may tell libsigdump.so about itself.
 *
 *	#include "sigdump.h"
 *
 *	sigdump_name("thumbs");
 *	struct sigdump_hub hub = { sizeof(hub), SIGDUMP_PEER, 3, hub_fd, bell_fd, "/dev/shm/app.hub" };
 *	sigdump_hub_add(&hub);
 *
 * Header only, C and C++, nothing to link: each call looks whether the library is in this
 * process (it comes by LD_PRELOAD, see sigdump(1)) and is a few instructions that return
 * -ENOSYS when it is not. So a program keeps these calls in every build.
 *
 * What is told here appears in the dumps of this process. A process that tells of a hub gets a
 * dumper: one thread of the library's own that answers SIGUSR1 and `sigdump dump` without
 * waking any thread of the program. That thread runs no code of the program, has its own file
 * descriptors, and does not keep the process alive.
 */
#ifndef SIGDUMP_H
#define SIGDUMP_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sigdump_role { SIGDUMP_HOST = 1, SIGDUMP_PEER = 2 };
enum { SIGDUMP_HUBS = 16, SIGDUMP_CHILDREN = 1024, SIGDUMP_BEATS = 64 };
enum { SIGDUMP_GAUGES = 64, SIGDUMP_DIAGS = 16 };

/* A hub (shmhub.h) that this process takes part in. */
struct sigdump_hub {
	uint32_t size;    /* sizeof(struct sigdump_hub): lets the struct grow */
	uint32_t role;    /* enum sigdump_role */
	uint32_t peer;    /* own id; 0 for the host */
	int32_t fd;       /* the open hub file; stays the caller's, may be closed afterwards */
	int32_t bell_fd;  /* peer: own end of the doorbell; host: -1 (the file names its ends) */
	const char *path; /* where the file is, for people; "" for a memfd */
};

/* What the library exports. Call the functions below instead. */
int sigdump_api_name(const char *name);
int sigdump_api_hub_add(const struct sigdump_hub *hub);
int sigdump_api_hub_remove(int32_t fd);
int sigdump_api_child_add(pid_t pid);
int sigdump_api_child_remove(pid_t pid);
int sigdump_api_beat_add(const char *name, uint32_t limit_ms);
int sigdump_api_beat(int beat, int due);
int sigdump_api_beat_remove(int beat);
int sigdump_api_gauge_add(const char *name, uint64_t limit);
int sigdump_api_gauge(int gauge, uint64_t value);
int sigdump_api_gauge_remove(int gauge);
int sigdump_api_diag_add(const char *name, void (*say)(void *, char *, size_t), void *arg);
int sigdump_api_diag_remove(int diag);
int sigdump_api_dump(void);

/*
 * Sets `call` to the address of one of these, NULL when the library is not there. Read from the
 * global offset table: in programs that are not position independent compilers take the address
 * of a weak function directly, and the linker then settles it as 0 for ever.
 */
#if defined(__x86_64__)
#define SIGDUMP_FIND(call, symbol) \
	__asm__(".weak " #symbol "\n\tmovq " #symbol "@GOTPCREL(%%rip), %0" : "=r"(call))
#else
#define SIGDUMP_FIND(call, symbol) ((call) = 0)
#endif

/*
 * sigdump_name - how this process shall be called in dumps and lists ("thumbs").
 * Its own comm (prctl PR_SET_NAME) stays as it is. At most 47 bytes are kept.
 * Returns 0; -EINVAL for NULL or ""; -ENOSYS without the library.
 * Safety: MT-safe.
 */
static inline int sigdump_name(const char *name)
{
	int (*call)(const char *);

	SIGDUMP_FIND(call, sigdump_api_name);
	return call ? call(name) : -ENOSYS;
}

/*
 * sigdump_hub_add - this process has opened a hub: dumps shall hold its rings, bells and slots.
 *
 * hub   borrowed for the call. The library opens the file anew from hub->fd, so neither a lock
 *       nor the life of that descriptor is prolonged; bells are looked at only during a dump.
 *
 * Returns 0; -ENOSYS without the library; -EINVAL for a size, role or fd that cannot be;
 * -ENOSPC when SIGDUMP_HUBS are registered. A failure costs only the transport part of dumps.
 * A fork child is not its parent: it registers again what it still uses.
 * Safety: MT-safe. The first call starts the dumper.
 */
static inline int sigdump_hub_add(const struct sigdump_hub *hub)
{
	int (*call)(const struct sigdump_hub *);

	SIGDUMP_FIND(call, sigdump_api_hub_add);
	return call ? call(hub) : -ENOSYS;
}

/*
 * sigdump_hub_remove - the hub registered with this fd number is no longer used.
 * Call it before the file is closed. Returns 0, -ENOENT, or -ENOSYS without the library.
 * Safety: MT-safe.
 */
static inline int sigdump_hub_remove(int32_t fd)
{
	int (*call)(int32_t);

	SIGDUMP_FIND(call, sigdump_api_hub_remove);
	return call ? call(fd) : -ENOSYS;
}

/*
 * sigdump_child_add - a dump of this process shall also be asked of process `pid`.
 * It is passed on only while that process has the library and its dumper is ready.
 * Returns 0; -EINVAL; -ENOSPC when SIGDUMP_CHILDREN are registered; -ENOSYS without the library.
 * Safety: MT-safe.
 */
static inline int sigdump_child_add(pid_t pid)
{
	int (*call)(pid_t);

	SIGDUMP_FIND(call, sigdump_api_child_add);
	return call ? call(pid) : -ENOSYS;
}

/*
 * sigdump_child_remove - `pid` has ended. Call it before it is reaped, so that its number
 * cannot stand for another process. Returns 0, -ENOENT, or -ENOSYS without the library.
 * Safety: MT-safe.
 */
static inline int sigdump_child_remove(pid_t pid)
{
	int (*call)(pid_t);

	SIGDUMP_FIND(call, sigdump_api_child_remove);
	return call ? call(pid) : -ENOSYS;
}

/*
 * sigdump_beat_add - register a heartbeat: a loop that can say that it goes on.
 *
 *	int beat = sigdump_beat_add("indexer", 0);
 *	for (;;) {
 *		sigdump_beat_rest(beat);
 *		job = queue_wait();
 *		while (work_on(job))
 *			sigdump_beat(beat);
 *	}
 *
 * name      at most 47 bytes are kept.
 * limit_ms  so long it may stay away while it is due, at least 100; 0: as long as the watchdog waits (5 s, see
 *           sigdump(1)). After that the library writes a dump by itself, once per incident.
 *
 * It is due from the first sigdump_beat() on. Returns its number, >= 0; -EINVAL for NULL or "";
 * -ENOSPC when SIGDUMP_BEATS are registered; -ENOSYS without the library. The calls below take
 * any number: of one that was refused they say -ENOENT, and do nothing.
 * A fork child is not its parent: it registers again what it still uses.
 * Safety: MT-safe. The first call starts the dumper.
 */
static inline int sigdump_beat_add(const char *name, uint32_t limit_ms)
{
	int (*call)(const char *, uint32_t);

	SIGDUMP_FIND(call, sigdump_api_beat_add);
	return call ? call(name, limit_ms) : -ENOSYS;
}

/*
 * sigdump_beat - it went on; the next beat is due. sigdump_beat_rest - it went on, and now waits
 * for work: nothing is due until the next sigdump_beat(). A few instructions, no system call.
 * Return 0, -ENOENT, or -ENOSYS without the library.
 * Safety: AS-safe; one thread at a time for each heartbeat.
 */
static inline int sigdump_beat(int beat)
{
	int (*call)(int, int);

	SIGDUMP_FIND(call, sigdump_api_beat);
	return call ? call(beat, 1) : -ENOSYS;
}

static inline int sigdump_beat_rest(int beat)
{
	int (*call)(int, int);

	SIGDUMP_FIND(call, sigdump_api_beat);
	return call ? call(beat, 0) : -ENOSYS;
}

/*
 * sigdump_beat_remove - the loop has ended. Returns 0, -ENOENT, or -ENOSYS without the library.
 * Safety: MT-safe.
 */
static inline int sigdump_beat_remove(int beat)
{
	int (*call)(int);

	SIGDUMP_FIND(call, sigdump_api_beat_remove);
	return call ? call(beat) : -ENOSYS;
}

/*
 * sigdump_gauge_add - register a number that dumps shall hold (bytes in a cache, jobs queued).
 * limit  what it should not exceed, for the reader; 0: there is none.
 * Returns its number, >= 0; -EINVAL; -ENOSPC when SIGDUMP_GAUGES are registered; -ENOSYS without
 * the library. The calls below take any number, as those of heartbeats do.
 * Safety: MT-safe.
 */
static inline int sigdump_gauge_add(const char *name, uint64_t limit)
{
	int (*call)(const char *, uint64_t);

	SIGDUMP_FIND(call, sigdump_api_gauge_add);
	return call ? call(name, limit) : -ENOSYS;
}

/*
 * sigdump_gauge - it is `value` now; sigdump_gauge_remove - it is no more.
 * Return 0, -ENOENT, or -ENOSYS without the library.
 * Safety: sigdump_gauge() AS-safe, MT-safe, wait-free; the other MT-safe.
 */
static inline int sigdump_gauge(int gauge, uint64_t value)
{
	int (*call)(int, uint64_t);

	SIGDUMP_FIND(call, sigdump_api_gauge);
	return call ? call(gauge, value) : -ENOSYS;
}

static inline int sigdump_gauge_remove(int gauge)
{
	int (*call)(int);

	SIGDUMP_FIND(call, sigdump_api_gauge_remove);
	return call ? call(gauge) : -ENOSYS;
}

/*
 * sigdump_diag_add - register a function that dumps shall ask: it writes a text about the
 * program's own state, with a NUL at its end, into room[0..room).
 *
 * It is called in a thread of its own (named "sigdump-diag", started by the first registration,
 * all signals blocked), so it may lock, allocate and print. Neither a signal handler nor the
 * dumper runs it: whatever it does, the dump goes on. Each dump waits half a second for it,
 * after threads and transport were written; when a lock that it wants is part of the hang, the
 * dump says that it did not return, and shows its stack. Nothing else is asked until it returns.
 *
 * That thread is one of the program: with it a process that started none is no longer single
 * threaded. It does not keep a process whose first thread has left by pthread_exit: a quarter of a
 * second after the last of the others it ends as well, and with it the process.
 *
 * say, arg  kept until sigdump_diag_remove().
 * Returns its number, >= 0; -EINVAL; -ENOSPC when SIGDUMP_DIAGS are registered; -EAGAIN when the
 * thread cannot be started; -ENOSYS without the library.
 * Safety: MT-safe. The first call starts the dumper.
 */
static inline int sigdump_diag_add(const char *name,
				   void (*say)(void *arg, char *text, size_t room), void *arg)
{
	int (*call)(const char *, void (*)(void *, char *, size_t), void *);

	SIGDUMP_FIND(call, sigdump_api_diag_add);
	return call ? call(name, say, arg) : -ENOSYS;
}

/*
 * sigdump_diag_remove - ask it no more. Waits for a call of it that is running, so `arg` may be
 * freed afterwards (called from inside it, it does not wait).
 * Returns 0, -ENOENT, or -ENOSYS without the library.
 * Safety: MT-safe; not while holding a lock that the function takes.
 */
static inline int sigdump_diag_remove(int diag)
{
	int (*call)(int);

	SIGDUMP_FIND(call, sigdump_api_diag_remove);
	return call ? call(diag) : -ENOSYS;
}

/*
 * sigdump_dump - write a dump now, and wait until it is in the feed.
 * Returns 0; -ETIMEDOUT when it takes longer than a dump may; the negative errno of writing it;
 * -ENOSYS without the library.
 * Safety: MT-safe; not from a signal handler. The first call starts the dumper.
 */
static inline int sigdump_dump(void)
{
	int (*call)(void);

	SIGDUMP_FIND(call, sigdump_api_dump);
	return call ? call() : -ENOSYS;
}

#ifdef __cplusplus
}
#endif

#endif
