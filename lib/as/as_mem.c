#include "lib/as/as_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/as/as_proc.h"
#include "lib/as/as_sys.h"

static ssize_t copy_by_call(struct as_mem *m, uint64_t addr, void *to, size_t n)
{
	const struct iovec here = { to, n };
	const struct iovec there = { (void *)(uintptr_t)addr, n };

	m->reads++;
	return as_sys_process_vm_readv(m->pid, &here, 1, &there, 1);
}

static ssize_t copy_by_file(struct as_mem *m, uint64_t addr, void *to, size_t n)
{
	m->reads++;
	const ssize_t r = as_sys_pread(m->mem_fd, to, n, addr);

	/* /proc/PID/mem says EIO for "nothing there", and 0 when the process has ended */
	return r == -EIO ? -EFAULT : r == 0 ? -ESRCH : r;
}

static ssize_t copy_from(struct as_mem *m, uint64_t addr, void *to, size_t n)
{
	return m->is_refused ? copy_by_file(m, addr, to, n) : copy_by_call(m, addr, to, n);
}

static bool is_avoided(const struct as_mem *m, uint64_t addr)
{
	for (unsigned i = 0; i < m->avoids; i++)
		if (addr >= m->avoid[i].start && addr < m->avoid[i].end)
			return true;
	return false;
}

/* A page that is not there, will it be when it is asked for? The file fails where the call waits. */
static bool would_come(struct as_mem *m, uint64_t page)
{
	char byte;

	if (m->only_present || is_avoided(m, page))
		return false;
	return m->mem_fd < 0 || copy_by_file(m, page, &byte, 1) != -EFAULT;
}

/*
 * How many of the n bytes can be copied without waiting for anybody. Pages that are there, or
 * swapped out, can. The others nobody has touched; or userfaultfd has to fill them in, and
 * process_vm_readv would wait for that, which may be what hangs. (/proc/PID/mem never waits, but
 * reads what is protected, guard pages too, so it does not serve for all.)
 */
static size_t at_once(struct as_mem *m, uint64_t addr, size_t n)
{
	enum { PAGES = 16 };
	uint64_t entry[PAGES];
	const uint64_t first = addr / AS_MEM_PAGE, last = (addr + n - 1) / AS_MEM_PAGE;
	const uint64_t pages = last - first + 1 < PAGES ? last - first + 1 : PAGES;

	if (m->map_fd < 0)
		return n;
	const ssize_t got = as_sys_pread(m->map_fd, entry, pages * sizeof(entry[0]),
					 first * sizeof(entry[0]));
	if (got <= 0)
		return n; /* told by the copy itself */
	uint64_t i = 0;
	while (i < (uint64_t)got / sizeof(entry[0]) &&
	       (entry[i] >> 62 || would_come(m, (first + i) * AS_MEM_PAGE)))
		i++;
	const uint64_t bytes = i ? (first + i) * AS_MEM_PAGE - addr : 0;
	return bytes < n ? bytes : n;
}

/* What the program writes to: a stack, a word. */
static ssize_t copy_data(struct as_mem *m, uint64_t addr, void *to, size_t n)
{
	n = at_once(m, addr, n);
	return n ? copy_from(m, addr, to, n) : -EFAULT;
}

int as_mem_init(struct as_mem *m, pid_t pid, int proc_fd, void *window, size_t window_room,
		void *pages, uint64_t *page_addr, size_t page_count)
{
	char byte;

	*m = (struct as_mem){ .pid = pid,
			      .mem_fd = -1,
			      .map_fd = -1,
			      .window = window,
			      .window_room = window_room,
			      .pages = pages,
			      .page_addr = page_addr,
			      .page_count = page_count };
	as_mem_forget(m);
	/* nothing is mapped at 0: EFAULT means that all else was allowed */
	const ssize_t r = copy_by_call(m, 0, &byte, 1);

	if (r == -ESRCH)
		return -ESRCH;
	m->is_refused = r == -EPERM || r == -ENOSYS;
	const int map_fd = as_proc_file(proc_fd, pid, "pagemap");
	const int fd = as_proc_file(proc_fd, pid, "mem");
	m->map_fd = map_fd < 0 ? -1 : map_fd;
	m->mem_fd = fd < 0 ? -1 : fd;
	if (fd >= 0 || !m->is_refused)
		return 0;
	as_mem_fini(m);
	return fd == -ENOENT ? -ESRCH : fd;
}

void as_mem_fini(struct as_mem *m)
{
	if (m->mem_fd >= 0)
		as_sys_close(m->mem_fd);
	if (m->map_fd >= 0)
		as_sys_close(m->map_fd);
	m->mem_fd = m->map_fd = -1;
}

void as_mem_forget(struct as_mem *m)
{
	if (m->page_count)
		memset(m->page_addr, 0, m->page_count * sizeof(m->page_addr[0]));
	m->avoids = 0;
	as_mem_new_stack(m);
}

void as_mem_avoid(struct as_mem *m, uint64_t start, uint64_t end)
{
	if (m->avoids == AS_MEM_AVOIDED) {
		m->avoid[AS_MEM_AVOIDED - 1].end = end;
		return;
	}
	m->avoid[m->avoids].start = start;
	m->avoid[m->avoids++].end = end;
}

void as_mem_new_stack(struct as_mem *m)
{
	m->window_addr = 0;
	m->window_len = 0;
	m->copied = 0;
	m->probing = false;
}

void as_mem_given_stack(struct as_mem *m, uint64_t addr, const void *stack, size_t n)
{
	as_mem_new_stack(m);
	n = n < m->window_room ? n : m->window_room;
	memcpy(m->window, stack, n);
	m->window_addr = addr;
	m->window_len = n;
	m->copied = AS_MEM_STACK_MAX;
}

ssize_t as_mem_read(struct as_mem *m, uint64_t addr, void *to, size_t n)
{
	size_t got = 0;

	while (got < n) {
		const ssize_t r = copy_data(m, addr + got, (char *)to + got, n - got);

		if (r < 0 && !got)
			return r;
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

/* Copies the next step behind what the window holds; bytes gained, or a negative errno. */
static ssize_t grow_window(struct as_mem *m)
{
	/* behind a jump over a large frame it is often the next frame only that is wanted */
	const size_t step = m->window_len || !m->copied ? AS_MEM_STEP : AS_MEM_PAGE;
	size_t n = m->window_room - m->window_len;

	n = n < step ? n : step;
	if (m->copied + n > AS_MEM_STACK_MAX)
		return -E2BIG;
	const ssize_t r = copy_data(m, m->window_addr + m->window_len, m->window + m->window_len, n);

	if (r > 0) {
		m->window_len += (size_t)r;
		m->copied += (uint64_t)r;
	}
	return r;
}

static bool in_window(const struct as_mem *m, uint64_t addr, size_t n)
{
	return addr >= m->window_addr && addr - m->window_addr <= m->window_len &&
	       m->window_len - (addr - m->window_addr) >= n;
}

/* Whether growing the window by one step, as far as there is room, reaches addr + n. */
static bool is_near(const struct as_mem *m, uint64_t addr, size_t n)
{
	const uint64_t end = m->window_addr + m->window_len;

	return m->window_len && addr >= m->window_addr &&
	       addr - m->window_addr + n <= m->window_room && addr + n <= end + AS_MEM_STEP;
}

static int read_one(struct as_mem *m, uint64_t addr, uint64_t *v)
{
	const ssize_t r = as_mem_read(m, addr, v, sizeof(*v));

	return r == sizeof(*v) ? 0 : r < 0 ? (int)r : -EFAULT;
}

int as_mem_word(struct as_mem *m, uint64_t addr, uint64_t *v)
{
	const size_t n = sizeof(*v);

	if (addr > UINT64_MAX - 2 * AS_MEM_STEP)
		return -EFAULT;
	if (!in_window(m, addr, n)) {
		const bool near = is_near(m, addr, n);

		if (!near && m->probing)
			return read_one(m, addr, v);
		if (!near) {
			/* begin anew; what a frame saved lies just below its end, so from the page on */
			m->window_addr = addr & ~(uint64_t)(AS_MEM_PAGE - 1);
			m->window_len = 0;
		}
		ssize_t r = grow_window(m);

		/* the word may lie across the end of a page */
		if (r > 0 && !in_window(m, addr, n))
			r = grow_window(m);
		if (r < 0)
			return (int)r;
		if (!in_window(m, addr, n))
			return -EFAULT;
	}
	memcpy(v, m->window + (addr - m->window_addr), n);
	return 0;
}

/* The copy of the page at `page`, read if it is not there; NULL with *err set. */
static const uint8_t *page_at(struct as_mem *m, uint64_t page, int *err)
{
	const uint64_t number = page / AS_MEM_PAGE;
	const size_t i = (number ^ number >> 7) & (m->page_count - 1);
	uint8_t *copy = m->pages + i * AS_MEM_PAGE;

	if (m->page_addr[i] == page && page)
		return copy;
	m->page_addr[i] = 0;
	const bool is_there = !is_avoided(m, page) || at_once(m, page, AS_MEM_PAGE);
	const ssize_t r = is_there ? copy_from(m, page, copy, AS_MEM_PAGE) : -EFAULT;

	if (r != AS_MEM_PAGE) {
		*err = r < 0 ? (int)r : -EFAULT;
		return NULL;
	}
	m->page_addr[i] = page;
	return copy;
}

int as_mem_image(struct as_mem *m, uint64_t addr, void *to, size_t n)
{
	char *out = to;

	while (n) {
		const size_t at = addr % AS_MEM_PAGE;
		const size_t part = n < AS_MEM_PAGE - at ? n : AS_MEM_PAGE - at;
		int err = 0;
		const uint8_t *page = page_at(m, addr - at, &err);

		if (!page)
			return err;
		memcpy(out, page + at, part);
		out += part;
		addr += part;
		n -= part;
	}
	return 0;
}
