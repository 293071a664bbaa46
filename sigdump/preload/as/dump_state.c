#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "lib/as/as_proc.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_limit.h"
#include "sigdump/preload/as/dump_state.h"

struct dump_state dump_state;
struct dump_live *dump_live;
__thread struct dump_thread dump_thread;

bool dump_state_is_ours(void)
{
	/* acquire L1: the state is complete */
	return dump_live && atomic_load_explicit(&dump_live->alive, memory_order_acquire) &&
	       dump_state.pid == as_sys_getpid();
}

uint64_t dump_state_random(void)
{
	uint64_t v = 0;

	if (as_sys_getrandom(&v, sizeof(v), GRND_NONBLOCK) != sizeof(v))
		v = as_sys_clock_ns(CLOCK_MONOTONIC) ^ (uint64_t)as_sys_getpid() << 40;
	return v ? v : 1;
}

/* Field 22 of stat: with the pid it names a process for ever. */
static uint64_t start_ticks(void)
{
	struct as_proc_stat st;
	const int fd = as_proc_open(0);

	if (fd < 0)
		return 0;
	const int err = as_proc_stat(fd, 0, &st);
	as_sys_close(fd);
	return err < 0 ? 0 : st.start;
}

/* What a control page says that never changes, into the spare one. */
static void fill_spare(void)
{
	struct as_control *p = &dump_state.spare;

	memset(p, 0, sizeof(*p));
	memcpy(p->magic, AS_CONTROL_MAGIC, sizeof(p->magic));
	p->version = AS_CONTROL_VERSION;
	p->bytes = sizeof(*p);
	p->pid = dump_state.pid;
	p->uid = as_sys_geteuid();
	p->start = dump_state.start;
	p->image = dump_state.image;
	p->boot = dump_state.boot;
	p->signal = (uint32_t)dump_state.signal;
	p->deadline_ms = dump_state.deadline_ms;
	p->watchdog_ms = dump_state.watchdog_ms;
	memcpy(p->writer, SHMSCOPE_VERSION, sizeof(SHMSCOPE_VERSION));
	memcpy(p->name, dump_state.name, sizeof(p->name));
	/* relaxed: nobody can see this page yet */
	atomic_store_explicit(&p->signal_owner,
			      atomic_load_explicit(&dump_state.owner, memory_order_relaxed),
			      memory_order_relaxed);
}

bool dump_state_adopt(void)
{
	if (!dump_live)
		return false;
	/* acquire L1: as in dump_state_is_ours() */
	if (atomic_load_explicit(&dump_live->alive, memory_order_acquire))
		return dump_state.pid == as_sys_getpid();
	dump_state.pid = as_sys_getpid();
	dump_state.start = start_ticks();
	dump_state.image = dump_state_random();
	dump_state.page = &dump_state.spare; /* the parent's page is not mapped here */
	fill_spare();
	for (size_t i = 0; i < SIGDUMP_HUBS; i++)
		/* relaxed: one thread, and no dumper */
		atomic_store_explicit(&dump_state.hub[i].state, DUMP_HUB_FREE, memory_order_relaxed);
	for (size_t i = 0; i < SIGDUMP_BEATS; i++)
		/* relaxed: as above */
		atomic_store_explicit(&dump_state.beat[i].state, DUMP_BEAT_FREE,
				      memory_order_relaxed);
	for (size_t i = 0; i < SIGDUMP_GAUGES; i++)
		/* relaxed: as above */
		atomic_store_explicit(&dump_state.gauge[i].state, DUMP_BEAT_FREE,
				      memory_order_relaxed);
	for (size_t i = 0; i < SIGDUMP_DIAGS; i++)
		/* relaxed: as above */
		atomic_store_explicit(&dump_state.diag[i].state, DUMP_BEAT_FREE,
				      memory_order_relaxed);
	for (size_t i = 0; i < SIGDUMP_CHILDREN; i++)
		/* relaxed: as above */
		atomic_store_explicit(&dump_state.child[i], 0, memory_order_relaxed);
	/* release L1: the state is whole */
	atomic_store_explicit(&dump_live->alive, 1, memory_order_release);
	return true;
}

static int new_page(void)
{
	struct as_control *old = dump_state.page;
	const bool mapped = old != &dump_state.spare;
	const int fd = as_sys_memfd_create(AS_CONTROL_NAME, 1 /* MFD_CLOEXEC */);

	if (fd < 0)
		return fd;
	/* filled before it is mapped: a fixed mapping replaces the old page in one moment */
	int err = as_sys_ftruncate(fd, AS_CONTROL_BYTES);
	if (!err && as_sys_pwrite(fd, old, sizeof(*old), 0) != (ssize_t)sizeof(*old))
		err = -ENOSPC;
	if (err < 0) {
		as_sys_close(fd);
		return err;
	}
	void *at = as_sys_mmap(mapped ? old : NULL, AS_CONTROL_BYTES, PROT_READ | PROT_WRITE,
			       MAP_SHARED | (mapped ? MAP_FIXED : 0), fd, 0);
	if (as_sys_is_error(at)) {
		as_sys_close(fd);
		return (int)(intptr_t)at;
	}
	as_sys_madvise(at, AS_CONTROL_BYTES, MADV_DONTFORK);
	dump_state.page = at;
	return fd;
}

int dump_state_new_page(void)
{
	struct dump_limit limit;

	dump_limit_begin(&limit);
	const int fd = new_page();
	dump_limit_end(&limit);
	return fd;
}

bool dump_state_handler_is_ours(void)
{
	struct as_sigaction now;

	return dump_state.signal && as_sys_rt_sigaction(dump_state.signal, NULL, &now) == 0 &&
	       now.handler == dump_state.handler;
}
