#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/as/as_control.h"
#include "lib/as/as_fmt.h"
#include "lib/as/as_maps.h"
#include "lib/as/as_proc.h"
#include "lib/as/as_sys.h"

/* "/memfd:shmscope-control" and ".../libsigdump.so" as they end in maps. */
static bool ends_with(const struct as_map *m, const char *tail)
{
	const size_t n = strlen(tail);

	return m->path_len >= n && memcmp(m->path + m->path_len - n, tail, n) == 0;
}

/* Looks through the maps as thread `tid` has them; 0: as the process has. Returns 0, also when
 * nothing was found; -ENOENT when there are no maps; or another error. */
static int search_maps(int proc_fd, pid_t tid, struct as_control_found *found, char *buf,
		       size_t room)
{
	struct as_maps maps;
	struct as_map m;
	int more = 0;
	bool any = false;

	const int err = as_maps_open(&maps, proc_fd, tid, buf, room);
	while (!err && !found->addr && (more = as_maps_next(&maps, &m)) > 0) {
		any = true;
		if (m.kind == AS_MAP_FILE && ends_with(&m, "/libsigdump.so"))
			found->library = true;
		if (m.kind == AS_MAP_MEMFD && ends_with(&m, ":" AS_CONTROL_NAME))
			found->addr = m.start;
	}
	as_maps_close(&maps);
	if (err || more < 0)
		return err ? err : more;
	return any ? 0 : -ENOENT;
}

/*
 * A process whose first thread has ended shows empty maps, and its memory can only be read
 * through a thread that lives. Sets *tid to one that does.
 */
static int search_threads(int proc_fd, struct as_control_found *found, pid_t *tid, char *buf,
			  size_t room)
{
	pid_t tids[64];
	size_t n;

	const int err = as_proc_tids(proc_fd, tids, sizeof(tids) / sizeof(*tids), &n);
	for (size_t i = 0; err >= 0 && i < n; i++) {
		*tid = tids[i];
		if (search_maps(proc_fd, tids[i], found, buf, room) == 0)
			break;
	}
	return err < 0 ? err : 0;
}

static int copy_page(pid_t tid, struct as_control_found *found)
{
	const struct iovec to = { &found->page, sizeof(found->page) };
	const struct iovec from = { (void *)(uintptr_t)found->addr, sizeof(found->page) };

	const ssize_t got = as_sys_process_vm_readv(tid, &to, 1, &from, 1);
	if (got < 0)
		return (int)got;
	if ((size_t)got != sizeof(found->page) ||
	    memcmp(found->page.magic, AS_CONTROL_MAGIC, sizeof(found->page.magic)) != 0 ||
	    found->page.version != AS_CONTROL_VERSION)
		return -EBADMSG;
	found->page.name[sizeof(found->page.name) - 1] = '\0';
	found->page.feed[sizeof(found->page.feed) - 1] = '\0';
	found->page.writer[sizeof(found->page.writer) - 1] = '\0';
	found->has_page = true;
	return 0;
}

/* In a pid namespace of its own a process counts differently: the dumper among its threads. */
static pid_t find_dumper(int proc_fd, pid_t pid, const struct as_control *page)
{
	/* relaxed: a private copy */
	const pid_t inner = atomic_load_explicit(&page->dumper, memory_order_relaxed);
	pid_t tids[1024];
	size_t n = 0;

	if (!inner || page->pid == pid)
		return inner;
	as_proc_tids(proc_fd, tids, sizeof(tids) / sizeof(*tids), &n);
	for (size_t i = 0; i < n; i++)
		if (as_proc_inner_tid(proc_fd, tids[i]) == inner)
			return tids[i];
	return 0;
}

int as_control_find(int proc_fd, pid_t pid, struct as_control_found *found, char *buf, size_t room)
{
	pid_t tid = pid;

	memset(found, 0, sizeof(*found));
	int err = search_maps(proc_fd, 0, found, buf, room);
	/* the kernel says it either way */
	if (err == -ENOENT || err == -ESRCH)
		err = search_threads(proc_fd, found, &tid, buf, room);
	if (err || !found->addr)
		return err;
	found->library = true;
	err = copy_page(tid, found);
	if (!err)
		found->dumper = find_dumper(proc_fd, pid, &found->page);
	return err;
}

/* Opens descriptor `fd` of the dumper anew. */
static int open_of_dumper(int proc_fd, pid_t dumper, int fd, int flags)
{
	char path[64];
	struct as_fmt f;

	as_fmt_init(&f, path, sizeof(path));
	as_fmt_str(&f, "task/");
	as_fmt_u64(&f, (uint64_t)dumper);
	as_fmt_str(&f, "/fd/");
	as_fmt_u64(&f, (uint64_t)fd);
	return as_sys_openat(proc_fd, path, flags | O_CLOEXEC, 0);
}

static struct as_control *map_page(int fd)
{
	struct stat st;

	/* a page that was cut short would be a SIGBUS */
	if (as_sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < AS_CONTROL_BYTES)
		return NULL;
	void *at = as_sys_mmap(NULL, AS_CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return as_sys_is_error(at) ? NULL : at;
}

int as_control_open(int proc_fd, const struct as_control_found *found, struct as_control_link *link)
{
	/* relaxed: a private copy */
	const pid_t dumper = atomic_load_explicit(&found->page.dumper, memory_order_relaxed);

	link->page = NULL;
	link->bell_fd = -1;
	if (!found->has_page || !dumper)
		return -ENOENT;
	const int fd = open_of_dumper(proc_fd, found->dumper, found->page.page_fd, O_RDWR);
	if (fd < 0)
		return fd == -ENOENT ? -ESTALE : fd;
	link->page = map_page(fd);
	as_sys_close(fd);
	if (!link->page)
		return -ESTALE;
	/* acquire D3: the numbers of its fds are this dumper's */
	if (atomic_load_explicit(&link->page->dumper, memory_order_acquire) != dumper ||
	    link->page->image != found->page.image) {
		as_control_close(link);
		return -ESTALE;
	}
	/* for reading too: a pipe whose dumper has just ended would be SIGPIPE for whoever rings */
	link->bell_fd = open_of_dumper(proc_fd, found->dumper, link->page->bell_fd, O_RDWR | O_NONBLOCK);
	if (link->bell_fd < 0) {
		const int err = link->bell_fd == -ENOENT ? -ESTALE : link->bell_fd;

		as_control_close(link);
		return err;
	}
	return 0;
}

void as_control_close(struct as_control_link *link)
{
	if (link->page)
		as_sys_munmap(link->page, AS_CONTROL_BYTES);
	if (link->bell_fd >= 0)
		as_sys_close(link->bell_fd);
	link->page = NULL;
	link->bell_fd = -1;
}

int as_control_ask(const struct as_control_link *link, uint64_t family, int32_t asker,
		   uint32_t *ticket)
{
	struct as_control *page = link->page;
	uint64_t none = 0;

	/* relaxed: release D1 below publishes both; losing this race joins the other question */
	if (atomic_compare_exchange_strong_explicit(&page->family, &none, family,
						    memory_order_relaxed, memory_order_relaxed))
		/* relaxed: as above */
		atomic_store_explicit(&page->asker, asker, memory_order_relaxed);
	/* release D1: pairs with the dumper, which reads `asked` first */
	*ticket = atomic_fetch_add_explicit(&page->asked, 1, memory_order_release) + 1;
	const ssize_t rung = as_sys_write(link->bell_fd, "", 1);
	/* a full pipe is a bell that rings already */
	return rung < 0 && rung != -EAGAIN ? (int)rung : 0;
}

int as_control_wait(const struct as_control_link *link, uint32_t ticket, uint64_t deadline_ns)
{
	_Atomic uint32_t *answered = &link->page->answered;

	for (;;) {
		/* acquire D2: the result and the feed are complete */
		const uint32_t now = atomic_load_explicit(answered, memory_order_acquire);
		if ((int32_t)(now - ticket) >= 0)
			return 0;
		const struct timespec until = { (time_t)(deadline_ns / 1000000000u),
						(long)(deadline_ns % 1000000000u) };
		const int err = as_sys_futex(answered, FUTEX_WAIT_BITSET, now, &until, NULL,
					     FUTEX_BITSET_MATCH_ANY);
		if (err < 0 && err != -EAGAIN)
			return err;
	}
}

const char *as_control_step_name(uint32_t step)
{
	switch (step) {
	case AS_STEP_IDLE:
		return "idle";
	case AS_STEP_OPEN:
		return "opening the feed";
	case AS_STEP_LOOK1:
		return "reading hubs, first look";
	case AS_STEP_MAPS:
		return "reading the memory map";
	case AS_STEP_THREADS:
		return "reading threads";
	case AS_STEP_RUNNING:
		return "asking running threads";
	case AS_STEP_WORDS:
		return "reading futex words";
	case AS_STEP_LOOK2:
		return "reading hubs, second look";
	case AS_STEP_CHILDREN:
		return "passing the request on";
	default:
		return "unknown";
	}
}
