#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_io.h"
#include "lib/as/as_record.h"
#include "lib/as/as_record_ends.h"
#include "lib/as/as_record_others.h"
#include "lib/as/as_sys.h"

uint64_t as_record_now_us(void)
{
	return as_sys_clock_ns(CLOCK_MONOTONIC) / 1000;
}

static void begin(struct as_record *r, const char *type)
{
	as_json_record(&r->json);
	as_json_u64(&r->json, "v", 1);
	as_json_str(&r->json, "t", type);
}

static void end(struct as_record *r)
{
	as_json_end_record(&r->json);
}

static void times(struct as_record *r)
{
	as_json_u64(&r->json, "mono_us", as_record_now_us());
	as_json_u64(&r->json, "real_us", as_sys_clock_ns(CLOCK_REALTIME) / 1000);
}

static void forget(struct as_record *r)
{
	memset(r->known, 0xff, sizeof(r->known));
	memset(r->stack, 0, sizeof(r->stack));
	r->module_base += r->module_count;
	r->module_count = 0;
	r->stack_count = 0;
	r->print = 0;
}

void as_record_init(struct as_record *r, char *buf, size_t room, int fd)
{
	as_json_init(&r->json, buf, room, fd);
	r->dump = 0;
	r->diag = -1;
	r->module_base = r->module_count = r->stack_next = 0;
	forget(r);
}

/* ---- the first line ---------------------------------------------------------------------- */

/* The text of a small file without its line end, as a string or null. */
static void file_text(struct as_json *j, const char *key, int dirfd, const char *path)
{
	char text[256];
	ssize_t n = as_io_read_file(dirfd, path, text, sizeof(text));

	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n > 0)
		as_json_mem(j, key, text, (size_t)n);
	else
		as_json_null(j, key);
}

/* Returns its first character; 0 when there is none. */
static char link_text(struct as_json *j, const char *key, int dirfd, const char *path)
{
	char text[1024];
	const ssize_t n = as_sys_readlinkat(dirfd, path, text, sizeof(text));

	if (n > 0)
		as_json_mem(j, key, text, (size_t)n);
	else
		as_json_null(j, key);
	return n > 0 ? text[0] : '\0';
}

void as_record_feed(struct as_record *r, const struct as_record_about *about)
{
	struct as_json *j = &r->json;
	struct as_proc_stat st;
	struct stat ns, dir;

	forget(r);
	/* of its first thread: proc_fd may be that of another one, which has its own name and start */
	const bool known = as_proc_stat(about->proc_fd, about->pid, &st) >= 0;
	begin(r, "feed");
	file_text(j, "boot", AT_FDCWD, "/proc/sys/kernel/random/boot_id");
	file_text(j, "host", AT_FDCWD, "/proc/sys/kernel/hostname");
	if (as_sys_fstatat(about->proc_fd, "ns/pid", &ns, 0) == 0)
		as_json_u64(j, "pidns", ns.st_ino);
	else
		as_json_null(j, "pidns");
	as_json_i64(j, "pid", about->pid);
	/* seen from outside of its namespace: the number that its parent there tells of */
	const pid_t inner = about->outside ? as_proc_inner_tid(about->proc_fd, about->pid) : 0;
	if (inner && inner != about->pid)
		as_json_i64(j, "inner", inner);
	as_json_u64(j, "start", known ? st.start : 0);
	as_json_hex(j, "image", about->image);
	as_json_str(j, "comm", known ? st.comm : "");
	link_text(j, "exe", about->proc_fd, "exe");
	if (as_sys_fstat(about->proc_fd, &dir) == 0)
		as_json_u64(j, "uid", dir.st_uid);
	as_json_str(j, "writer", SHMSCOPE_VERSION);
	as_json_u64(j, "segment", about->segment);
	as_json_str(j, "by", about->outside ? "outside" : "self");
	times(r);
	as_json_arr(j, "caps");
	for (const char *const *cap = about->caps; cap && *cap; cap++)
		as_json_str(j, NULL, *cap);
	as_json_end(j);
	end(r);
}

/* ---- modules and stacks ------------------------------------------------------------------ */

static bool same_module(const struct as_record_module *a, const struct as_module *b)
{
	return a->start == b->start && a->end == b->end && a->inode == b->inode &&
	       a->offset == b->offset && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor;
}

/* After a new reading of the list: which of its modules have a number already? */
static void know_modules(struct as_record *r, const struct as_modules *list)
{
	memset(r->known, 0xff, sizeof(r->known));
	for (size_t i = 0; i < list->count && i < AS_RECORD_MODULES; i++)
		for (uint32_t k = 0; k < r->module_count; k++)
			if (same_module(&r->module[k], &list->module[i]))
				r->known[i] = (int32_t)(r->module_base + k);
	r->print = list->print;
}

static void write_module(struct as_record *r, struct as_peek *p, struct as_module *m, int number)
{
	const struct as_modules *list = &p->unwinder.modules;
	const struct as_elf *elf = as_module_elf(m, &p->unwinder.mem);
	struct as_json *j = &r->json;

	begin(r, "module");
	as_json_u64(j, "m", (uint64_t)number);
	if (m->path_len)
		as_json_mem(j, "path", as_module_path(list, m), m->path_len);
	else
		as_json_null(j, "path");
	if (elf->build_id_bytes) {
		char hex[2 * AS_BUILD_ID];
		for (unsigned i = 0; i < elf->build_id_bytes && i < AS_BUILD_ID; i++) {
			hex[2 * i] = "0123456789abcdef"[elf->build_id[i] >> 4];
			hex[2 * i + 1] = "0123456789abcdef"[elf->build_id[i] & 15];
		}
		as_json_mem(j, "build_id", hex, 2 * (size_t)elf->build_id_bytes);
	} else {
		as_json_null(j, "build_id");
	}
	as_json_hex(j, "bias", elf->bias);
	as_json_hex(j, "start", m->start);
	as_json_hex(j, "end", m->end);
	as_json_str(j, "kind", as_module_kind_name(m->kind));
	end(r);
}

/* The number of the module in this file, written if it is new; -1 when there is no room left. */
static int module_number(struct as_record *r, struct as_peek *p, struct as_module *m)
{
	const size_t at = (size_t)(m - p->unwinder.modules.module);

	if (at >= AS_RECORD_MODULES)
		return -1;
	if (r->known[at] >= 0)
		return r->known[at];
	if (r->module_count == AS_RECORD_MODULES)
		return -1;
	const int number = (int)(r->module_base + r->module_count);
	r->module[r->module_count++] = (struct as_record_module){
		m->start, m->end, m->inode, m->offset, m->dev_major, m->dev_minor
	};
	r->known[at] = number;
	write_module(r, p, m, number);
	return number;
}

/* The same, when the list of modules may have been read again since. */
static int number_of(struct as_record *r, struct as_peek *p, struct as_module *m)
{
	if (r->print != p->unwinder.modules.print)
		know_modules(r, &p->unwinder.modules);
	return module_number(r, p, m);
}

static struct as_module *module_of(struct as_peek *p, const struct as_thread *t, unsigned i)
{
	/* a return address may lie behind the last byte of a function that never returns */
	return as_modules_find(&p->unwinder.modules,
			       t->frame[i] - !(t->flags[i] & AS_FRAME_EXACT));
}

static void write_frame(struct as_record *r, struct as_peek *p, const struct as_thread *t,
			unsigned i)
{
	struct as_json *j = &r->json;
	struct as_module *m = module_of(p, t, i);
	const int number = m ? module_number(r, p, m) : -1;
	char flags[4];
	unsigned n = 0;

	if (t->flags[i] & AS_FRAME_GUESSED)
		flags[n++] = 'g';
	if (t->flags[i] & AS_FRAME_EXACT)
		flags[n++] = 'x';
	if (t->flags[i] & AS_FRAME_SIGNAL)
		flags[n++] = 's';
	as_json_arr(j, NULL);
	as_json_i64(j, NULL, number);
	as_json_hex(j, NULL, number < 0 ? t->frame[i] : t->frame[i] - m->elf.bias);
	if (n)
		as_json_mem(j, NULL, flags, n);
	as_json_end(j);
}

static void write_stack(struct as_record *r, struct as_peek *p, const struct as_thread *t,
			uint32_t id)
{
	/* modules first: a record is one line, and these are lines of their own */
	for (unsigned i = 0; i < t->frames; i++) {
		struct as_module *m = module_of(p, t, i);
		if (m)
			module_number(r, p, m);
	}
	begin(r, "stack");
	as_json_u64(&r->json, "s", id);
	as_json_arr(&r->json, "frames");
	for (unsigned i = 0; i < t->frames; i++)
		write_frame(r, p, t, i);
	as_json_end(&r->json);
	as_json_str(&r->json, "end", as_end_name(t->end));
	end(r);
}

/* Of the frames and of the module list they are to be understood with. Not 0. */
static uint64_t hash_stack(const struct as_record *r, const struct as_thread *t)
{
	uint64_t h = r->print ^ ((uint64_t)t->end << 56) ^ t->frames;

	for (unsigned i = 0; i < t->frames; i++) {
		h ^= t->frame[i] + ((uint64_t)t->flags[i] << 48);
		h *= UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h ? h : 1;
}

/* The number of the thread's stack in this file, written if it is new. */
static uint32_t stack_number(struct as_record *r, struct as_peek *p, const struct as_thread *t)
{
	/* not while its lines are being written */
	if (r->stack_count >= AS_RECORD_STACKS / 4 * 3 ||
	    r->module_count + t->frames > AS_RECORD_MODULES)
		forget(r);
	if (r->print != p->unwinder.modules.print)
		know_modules(r, &p->unwinder.modules);
	const uint64_t hash = hash_stack(r, t);
	uint32_t at = (uint32_t)hash % AS_RECORD_STACKS;
	while (r->stack[at].hash && r->stack[at].hash != hash)
		at = (at + 1) % AS_RECORD_STACKS;
	if (!r->stack[at].hash) {
		r->stack[at].hash = hash;
		r->stack[at].id = r->stack_next++;
		r->stack_count++;
		write_stack(r, p, t, r->stack[at].id);
	}
	return r->stack[at].id;
}

/* ---- a dump ------------------------------------------------------------------------------ */

void as_record_dump(struct as_record *r, const struct as_peek *p, uint64_t family, const char *why,
		    pid_t sender, const char *name)
{
	struct as_json *j = &r->json;

	r->dump++;
	as_waits_begin(&r->waits, p);
	as_record_ends_begin(r);
	as_record_others_begin(r);
	begin(r, "dump");
	as_json_u64(j, "d", r->dump);
	as_json_hex(j, "family", family);
	as_json_str(j, "why", why);
	if (sender > 0)
		as_json_i64(j, "sender", sender);
	else
		as_json_null(j, "sender");
	as_json_str(j, "name", name);
	times(r);
	end(r);
}

/* ---- what it sleeps on ------------------------------------------------------------------- */

/* The variable's place in its module; nothing for one on a heap or a stack. */
static void write_place(struct as_record *r, uint64_t addr, const struct as_module *m, int number)
{
	struct as_json *j = &r->json;

	if (number < 0)
		return;
	as_json_arr(j, "in");
	as_json_i64(j, NULL, number);
	as_json_hex(j, NULL, addr - m->elf.bias);
	as_json_end(j);
}

/* Returns the length of the text. */
static size_t to_hex(char *hex, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	return 2 * n;
}

static void write_bytes(struct as_json *j, const struct as_wait *wait)
{
	char hex[2 * AS_WAIT_BYTES];

	as_json_hex(j, "at", wait->from);
	as_json_mem(j, "bytes", hex, to_hex(hex, wait->byte, wait->bytes));
}

static void write_holders(struct as_json *j, const struct as_wait *wait)
{
	as_json_arr(j, "holders");
	for (unsigned i = 0; i < wait->holders; i++) {
		const struct as_wait_holder *h = &wait->holder[i];

		as_json_obj(j, NULL);
		as_json_i64(j, "tid", h->tid);
		as_record_holder(j, h->pid, h->state, h->comm);
		as_json_end(j);
	}
	as_json_end(j);
}

static void write_word(struct as_record *r, struct as_peek *p, const struct as_wait *wait)
{
	struct as_json *j = &r->json;
	struct as_module *m = wait->is_new && wait->look == 1
				      ? as_modules_holding(&p->unwinder.modules,
							   &p->unwinder.mem, wait->addr)
				      : NULL;
	/* first, for it may write a line of its own */
	const int number = m && m->kind != AS_MODULE_JIT ? number_of(r, p, m) : -1;

	begin(r, "word");
	as_json_u64(j, "d", r->dump);
	as_json_u64(j, "look", wait->look);
	as_json_i64(j, "of", wait->tid);
	if (wait->addr) {
		as_json_hex(j, "addr", wait->addr);
		as_json_hex(j, "value", wait->value);
	}
	write_place(r, wait->addr, m, number);
	if (wait->is_new && wait->addr && wait->bytes)
		write_bytes(j, wait);
	if (wait->look == 2)
		as_json_bool(j, "still", wait->still);
	as_json_u64(j, "mono_us", as_record_now_us());
	if (wait->look == 2 && wait->holders)
		write_holders(j, wait);
	end(r);
}

void as_record_waits(struct as_record *r, struct as_peek *p, uint64_t until_ns)
{
	struct as_wait wait;

	for (unsigned i = 0; i < r->waits.count; i++) {
		if (as_sys_clock_ns(CLOCK_MONOTONIC) >= until_ns)
			return;
		as_waits_second(&r->waits, p, i, &wait);
		write_word(r, p, &wait);
	}
}

/* ---- a thread ---------------------------------------------------------------------------- */

static void write_call(struct as_json *j, const struct as_thread *t)
{
	as_json_i64(j, "sys", t->nr);
	as_json_arr(j, "args");
	for (unsigned i = 0; i < 6; i++)
		as_json_hex(j, NULL, t->nr < 0 ? 0 : t->args[i]);
	as_json_end(j);
}

/* Calls of which it is known what they wait for; all others may have to do with a filesystem. */
static bool tells_enough(int nr)
{
	switch (nr) {
	case SYS_futex:
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_poll:
	case SYS_ppoll:
	case SYS_select:
	case SYS_pselect6:
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_restart_syscall:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
	case SYS_wait4:
	case SYS_waitid:
	case SYS_pause:
	case SYS_rt_sigtimedwait:
	case SYS_rt_sigsuspend:
		return true;
	default:
		return false;
	}
}

/* Only where nothing better is known: it is one more file per thread. */
static void write_wchan(struct as_json *j, struct as_peek *p, const struct as_thread *t, bool on_file)
{
	const bool is_read = t->nr == SYS_read || t->nr == SYS_write;
	char name[64];

	if ((t->frames && (tells_enough(t->nr) || (is_read && !on_file))) ||
	    as_proc_wchan(p->proc_fd, t->tid, name, sizeof(name)) < 0 || !*name)
		as_json_null(j, "wchan");
	else
		as_json_str(j, "wchan", name);
}

/* Calls that wait on the descriptor that is their first argument. */
static bool waits_on_descriptor(int nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_pread64:
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_flock:
	case SYS_fcntl:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_ioctl:
		return true;
	default:
		return false;
	}
}

/* What that descriptor is, in the table of the thread itself. Returns true for a file. */
static bool write_on(struct as_json *j, struct as_peek *p, const struct as_thread *t)
{
	char path[64];
	struct as_fmt f;

	if (!waits_on_descriptor(t->nr) || (int64_t)t->args[0] < 0) {
		as_json_null(j, "on");
		return false;
	}
	as_fmt_init(&f, path, sizeof(path));
	as_fmt_str(&f, "task/");
	as_fmt_u64(&f, (uint64_t)t->tid);
	as_fmt_str(&f, "/fd/");
	as_fmt_u64(&f, (uint32_t)t->args[0]);
	return link_text(j, "on", p->proc_fd, path) == '/';
}

static size_t length_of(const unsigned char *text, size_t room)
{
	const unsigned char *end = memchr(text, '\0', room);

	return end ? (size_t)(end - text) : room;
}

/* The address of a connect(), the path of an open(), as bytes: their reader knows how to say them. */
static void write_to(struct as_json *j, struct as_peek *p, const struct as_thread *t)
{
	const bool is_open = t->nr == SYS_open || t->nr == SYS_openat;
	const uint64_t addr = t->nr == SYS_open ? t->args[0] : t->args[1];
	unsigned char bytes[128];
	char hex[2 * sizeof(bytes)];
	size_t n = sizeof(bytes);

	if (!is_open && t->nr != SYS_connect)
		return;
	if (!is_open && t->args[2] < n)
		n = (size_t)t->args[2];
	/* a path may end right before a page that is not there */
	if (is_open && AS_MEM_PAGE - addr % AS_MEM_PAGE < n)
		n = AS_MEM_PAGE - addr % AS_MEM_PAGE;
	const ssize_t got = as_mem_read(&p->unwinder.mem, addr, bytes, n);

	if (got > 0 && is_open)
		n = length_of(bytes, (size_t)got);
	else if (got > 0)
		n = (size_t)got;
	if (got > 0)
		as_json_mem(j, "to", hex, to_hex(hex, bytes, n));
}

void as_record_thread(struct as_record *r, struct as_peek *p, const struct as_thread *t,
		      const struct as_record_how *how)
{
	struct as_json *j = &r->json;
	const uint32_t stack = t->frames ? stack_number(r, p, t) : 0;
	const char state[2] = { t->state, '\0' };
	struct as_wait wait;
	bool ends_told = false;

	begin(r, "thread");
	as_json_u64(j, "d", r->dump);
	as_json_i64(j, "tid", t->tid);
	/* what stands in its memory, where we see it by another number */
	const pid_t inner = r->waits.is_foreign ? as_proc_inner_tid(p->proc_fd, t->tid) : 0;
	if (inner && inner != t->tid)
		as_json_i64(j, "inner", inner);
	as_json_str(j, "name", t->comm);
	as_json_str(j, "state", state);
	as_json_bool(j, "own", how->own);
	as_json_str(j, "captured", how->captured);
	as_json_bool(j, "disturbed", how->disturbed);
	as_json_bool(j, "moved", t->moved);
	write_call(j, t);
	as_json_hex(j, "sp", t->sp);
	as_json_hex(j, "pc", t->pc);
	if (t->frames)
		as_json_u64(j, "stack", stack);
	else
		as_json_null(j, "stack");
	as_json_str(j, "reason", how->reason);
	as_json_null(j, "blocked_ms");
	write_wchan(j, p, t, write_on(j, p, t));
	write_to(j, p, t);
	as_json_u64(j, "mono_us", as_record_now_us());
	if (t->mark.ran || t->mark.times)
		as_json_hex(j, "mark", as_proc_mark_word(&t->mark));
	else
		as_json_null(j, "mark");
	if (t->mark.is_time) {
		as_json_u64(j, "ran_us", t->mark.ran / 1000);
		as_json_u64(j, "queued_us", t->mark.waited / 1000);
	} else {
		as_json_null(j, "ran_us");
		as_json_null(j, "queued_us");
	}
	end(r);
	if (!how->own && !r->whose)
		r->whose = t->tid;
	if (as_waits_first(&r->waits, p, t, &wait))
		write_word(r, p, &wait);
	else if (!how->own)
		ends_told = as_record_ends(r, p, t);
	as_record_others_thread(r, p, t, how, ends_told);
}

void as_record_child(struct as_record *r, pid_t pid, const struct as_proc_stat *st,
		     const char *reason)
{
	struct as_json *j = &r->json;

	begin(r, "child");
	as_json_u64(j, "d", r->dump);
	as_json_i64(j, "pid", pid);
	as_json_u64(j, "start", st ? st->start : 0);
	as_json_str(j, "name", st ? st->comm : NULL);
	if (st)
		as_json_mem(j, "state", &st->state, 1);
	as_json_bool(j, "told", !reason);
	as_json_str(j, "reason", reason);
	end(r);
}

void as_record_fatal(struct as_record *r, const struct as_record_fatal *f)
{
	struct as_json *j = &r->json;

	begin(r, "fatal");
	as_json_u64(j, "d", r->dump);
	as_json_i64(j, "signal", f->signal);
	as_json_i64(j, "code", f->code);
	if (f->code > 0)
		as_json_hex(j, "addr", f->addr);
	else
		as_json_null(j, "addr");
	as_json_i64(j, "tid", f->tid);
	if (f->sender > 0)
		as_json_i64(j, "sender", f->sender);
	else
		as_json_null(j, "sender");
	end(r);
}

void as_record_gauge(struct as_record *r, const char *name, uint64_t value, uint64_t limit)
{
	struct as_json *j = &r->json;

	begin(r, "gauge");
	as_json_u64(j, "d", r->dump);
	as_json_str(j, "name", name);
	as_json_u64(j, "value", value);
	if (limit)
		as_json_u64(j, "limit", limit);
	else
		as_json_null(j, "limit");
	end(r);
}

void as_record_diag(struct as_record *r, const char *name, const char *text, size_t len,
		    const char *reason)
{
	struct as_json *j = &r->json;

	begin(r, "diag");
	as_json_u64(j, "d", r->dump);
	as_json_str(j, "name", name);
	if (text)
		as_json_mem(j, "text", text, len);
	else
		as_json_null(j, "text");
	as_json_str(j, "reason", reason);
	end(r);
}

int as_record_done(struct as_record *r, const struct as_record_done *done)
{
	struct as_json *j = &r->json;
	const uint64_t now = as_record_now_us();

	begin(r, "done");
	as_json_u64(j, "d", r->dump);
	as_json_u64(j, "mono_us", now);
	as_json_u64(j, "threads", done->threads);
	as_json_u64(j, "captured", done->captured);
	as_json_u64(j, "disturbed", done->disturbed);
	if (done->left_out)
		as_json_u64(j, "left_out", done->left_out);
	as_json_u64(j, "us", now - done->began_us);
	as_json_bool(j, "timeout", done->timeout);
	end(r);
	as_record_ends_done(r);
	return as_json_flush(j);
}

static void write_stall(struct as_json *j, const struct as_record_incident *i)
{
	if (i->path) {
		as_json_str(j, "path", i->path);
		as_json_u64(j, "peer", i->peer);
	}
	if (i->dir) {
		as_json_str(j, "dir", i->dir);
		as_json_u64(j, "waiting", i->waiting);
	}
	if (i->beat)
		as_json_str(j, "name", i->beat);
	as_json_u64(j, "at", i->at);
}

int as_record_incident(struct as_record *r, const struct as_record_incident *i)
{
	struct as_json *j = &r->json;

	begin(r, "incident");
	as_json_u64(j, "n", i->n);
	as_json_str(j, "state", i->state);
	as_json_str(j, "what", i->what);
	if (i->dump)
		as_json_u64(j, "d", i->dump);
	else
		as_json_null(j, "d");
	as_json_u64(j, "stuck_ms", i->stuck_ms);
	as_json_u64(j, "since_us", i->since_us);
	if (i->path || i->beat)
		write_stall(j, i);
	as_json_u64(j, "mono_us", as_record_now_us());
	end(r);
	return as_json_flush(j);
}

void as_record_end(struct as_json *j, const char *why, int signal)
{
	as_json_record(j);
	as_json_u64(j, "v", 1);
	as_json_str(j, "t", "end");
	as_json_str(j, "why", why);
	if (signal)
		as_json_i64(j, "signal", signal);
	else
		as_json_null(j, "signal");
	as_json_u64(j, "mono_us", as_record_now_us());
	as_json_end_record(j);
	as_json_flush(j);
}
