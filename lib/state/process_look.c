#include "lib/state/process_look.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/as/as_control.h"
#include "lib/as/as_ends.h"
#include "lib/as/as_peek.h"
#include "lib/as/as_waits.h"
#include "lib/base/grow.h"
#include "lib/base/text.h"
#include "lib/proc/proc_fd.h"
#include "lib/proc/proc_ident.h"
#include "lib/proc/proc_stat.h"
#include "lib/proc/proc_status.h"
#include "lib/state/ends.h"
#include "lib/state/lock.h"
#include "lib/state/wait.h"

/* A process that has no library may be given one (attach); its map is read again so often. */
static const uint64_t LIBRARY_AGE_US = 10 * UINT64_C(1000000);
enum { LIBRARIES = 4096 }; /* processes of which that is remembered */

struct rest { /* a thread, and since when it has not run */
	int32_t pid, tid;
	uint64_t start; /* of the thread: numbers are used again */
	struct as_proc_mark mark;
	uint64_t since_us;
};

struct library { /* what is known of a process' control page */
	int32_t pid;
	uint64_t start;
	uint64_t asked_us;
	bool is_there;
	int32_t dumper;
	char name[AS_CONTROL_TEXT];
};

struct module_text { /* of a module of the process at hand, copied once */
	bool is_there;
	const char *path, *module, *build_id;
};

struct process_look {
	struct as_peek *peek;
	struct module_text text[AS_PEEK_MODULES];
	struct as_thread thread; /* the one at hand: too large for a stack */
	struct as_waits waits;   /* of the process at hand */
	struct as_ends ends;     /* of the thread at hand */
	char link[AS_ENDS][AS_END_LINK + 1];
	pid_t *tids;
	struct rest *now, *before; /* before is sorted by pid and tid */
	size_t nows, nows_room, befores, befores_room;
	struct library *library;
	size_t libraries, libraries_room;
	char maps[8192];
};

struct filling {
	struct process_look *look;
	struct state *st;
	struct state_process *p;
	int proc_fd;
	int32_t own_tid; /* of our library's thread in it; 0 */
	bool no_memory;
	int refused;     /* why something may not be read */
	bool has_peek;   /* look->peek is prepared for it */
	unsigned ends;   /* listed so far */
};

static uint64_t mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct process_look *process_look_create(void)
{
	struct process_look *look = calloc(1, sizeof(*look));

	if (!look)
		return NULL;
	look->peek = aligned_alloc(_Alignof(struct as_peek), as_peek_bytes());
	look->tids = calloc(PROCESS_LOOK_THREADS, sizeof(*look->tids));
	if (look->peek && look->tids) {
		memset(look->peek, 0, as_peek_bytes());
		return look;
	}
	process_look_destroy(look);
	return NULL;
}

void process_look_destroy(struct process_look *look)
{
	if (!look)
		return;
	free(look->peek);
	free(look->tids);
	free(look->now);
	free(look->before);
	free(look->library);
	free(look);
}

/* ---- how long a thread has been at rest -------------------------------------------------- */

static int by_thread(const void *a, const void *b)
{
	const struct rest *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

void process_look_begin(struct process_look *look)
{
	struct rest *spare = look->before;
	const size_t room = look->befores_room;

	look->before = look->now;
	look->befores = look->nows;
	look->befores_room = look->nows_room;
	look->now = spare;
	look->nows = 0;
	look->nows_room = room;
	if (look->befores)
		qsort(look->before, look->befores, sizeof(look->before[0]), by_thread);
	/* processes come and go: what is known of them is asked for again now and then */
	if (look->libraries > LIBRARIES)
		look->libraries = 0;
}

/* Remembers a thread that was just looked at; returns since when it is known not to have run. */
static uint64_t at_rest_since(struct filling *f, int32_t tid, uint64_t start,
			      const struct as_proc_mark *mark)
{
	struct process_look *look = f->look;
	struct rest one = { .pid = f->p->pid, .tid = tid, .start = start, .mark = *mark };
	const struct rest *old = NULL;

	if (look->befores)
		old = bsearch(&one, look->before, look->befores, sizeof(one), by_thread);
	one.since_us = old && old->start == start && as_proc_mark_same(&old->mark, mark)
			       ? old->since_us
			       : mono_us();
	if (GROW(look->now, look->nows, look->nows_room))
		look->now[look->nows++] = one;
	return one.since_us;
}

/* ---- stacks ------------------------------------------------------------------------------ */

static const char *copy_text(struct filling *f, const char *bytes, size_t n)
{
	char text[4096];

	text_printable(text, sizeof(text), bytes, n);
	const char *made = arena_strdup(&f->st->arena, text);

	f->no_memory |= !made;
	return made;
}

static const char *copy_build_id(struct filling *f, const struct as_elf *elf)
{
	char hex[2 * AS_BUILD_ID + 1] = "";

	for (unsigned i = 0; i < elf->build_id_bytes && i < AS_BUILD_ID; i++)
		snprintf(hex + 2 * i, 3, "%02x", elf->build_id[i]);
	return hex[0] ? copy_text(f, hex, sizeof(hex)) : NULL;
}

static const struct module_text *text_of(struct filling *f, struct as_module *m)
{
	const struct as_modules *list = &f->look->peek->unwinder.modules;
	struct module_text *t = &f->look->text[m - list->module];

	if (t->is_there)
		return t;
	t->is_there = true;
	t->build_id = copy_build_id(f, as_module_elf(m, &f->look->peek->unwinder.mem));
	t->path = m->path_len ? copy_text(f, as_module_path(list, m), m->path_len) : NULL;
	const char *slash = t->path ? strrchr(t->path, '/') : NULL;

	t->module = !t->path ? as_module_kind_name(m->kind) : slash ? slash + 1 : t->path;
	return t;
}

static void fill_frame(struct filling *f, uint64_t pc, unsigned flags, struct state_frame *frame)
{
	struct as_unwinder *u = &f->look->peek->unwinder;

	frame->exact = flags & AS_FRAME_EXACT;
	frame->guessed = flags & AS_FRAME_GUESSED;
	frame->offset = pc;
	/* a return address may lie behind the last byte of a function that never returns */
	struct as_module *m = as_modules_find(&u->modules, pc - !frame->exact);

	if (!m)
		return;
	const struct module_text *text = text_of(f, m);

	frame->offset = pc - m->elf.bias;
	frame->path = text->path;
	frame->module = text->module;
	frame->build_id = text->build_id;
}

static int fill_stack(struct filling *f, const struct as_thread *from)
{
	struct state_stack *s = state_add_stack(f->st);

	if (s)
		s->frame = arena_take(&f->st->arena, from->frames * sizeof(*s->frame));
	if (!s || !s->frame) {
		f->no_memory = true;
		return -1;
	}
	s->frames = from->frames;
	s->end = from->end == AS_END_BOTTOM ? NULL : as_end_name(from->end);
	for (unsigned i = 0; i < from->frames; i++)
		fill_frame(f, from->frame[i], from->flags[i], &s->frame[i]);
	return (int)(s - f->st->stack);
}

/* ---- threads ----------------------------------------------------------------------------- */

enum { ENDS_LISTED = 1024 }; /* in one process: the rest is counted */

/* The open files that it waits on. Who has their other ends is a question for ends_look. */
static bool read_ends(struct filling *f, const struct as_thread *from)
{
	struct as_ends *e = &f->look->ends;
	/* only in a look at all threads is its memory at hand */
	struct as_mem *mem = f->has_peek ? &f->look->peek->unwinder.mem : NULL;

	if (from->nr < 0 || f->ends >= ENDS_LISTED || !as_ends_read(e, f->proc_fd, mem, from))
		return false;
	for (unsigned i = 0; i < e->listed; i++)
		f->look->link[i][as_ends_link(f->proc_fd, from, &e->end[i], f->look->link[i])] = '\0';
	return true;
}

static void fill_ends(struct filling *f, struct state_thread *t, const struct as_thread *from)
{
	const struct as_ends *e = &f->look->ends;
	struct ends_given given[AS_ENDS];

	for (unsigned i = 0; i < e->listed; i++) {
		const char *link = f->look->link[i];

		given[i] = (struct ends_given){ .fd = e->end[i].fd,
						.events = e->end[i].events,
						.is = *link ? link : NULL,
						.is_fifo = *link == '/' &&
							   as_ends_is_fifo(f->proc_fd, from->tid,
									   e->end[i].fd) };
	}
	f->ends += e->listed;
	f->no_memory |= ends_take(f->st, t, given, e->listed, e->n, e->set) != 0;
	t->ends_more = e->more;
}

/* What a blocked thread waits for; told only if it still is in that call afterwards. */
static void fill_wait(struct filling *f, struct state_thread *t, const struct as_thread *from)
{
	const struct as_proc_mark *mark = &from->mark;

	struct as_proc_watch watch;
	struct as_proc_mark after;
	struct proc_wait w;

	if (t->moved || from->captured != AS_CAPTURED_PEEK) {
		wait_set(f->st, t, NULL);
		return;
	}
	proc_wait_decode(t->sys, t->arg, &w);
	const struct proc_wait plain = w;
	proc_wait_look(f->p->pid, t->tid, &w);
	const bool is_shared = ends_share(f->p, t, as_ends_set_of(from));
	const bool has_ends = !is_shared && read_ends(f, from);

	if (as_proc_watch_open(&watch, f->proc_fd, t->tid, &after)) {
		wait_set(f->st, t, &plain);
		return;
	}
	as_proc_watch_close(&watch);
	const bool is_still = as_proc_mark_same(mark, &after);

	wait_set(f->st, t, is_still ? &w : &plain);
	if (is_still && has_ends)
		fill_ends(f, t, from);
	if (!is_still)
		t->ends_all = t->ends = 0;
	if (is_still && w.kind == PROC_WAIT_FLOCK)
		f->no_memory |= lock_take_file(f->st, t, w.object[0] ? w.object : NULL, w.holder,
					       mono_us()) != 0;
}

/* ---- what threads sleep on --------------------------------------------------------------- */

static void fill_word(struct filling *f, struct state_thread *t, const struct as_wait *wait)
{
	const struct as_peek *peek = f->look->peek;
	struct state_holder holder[AS_WAIT_HOLDERS];
	struct lock_look look = {
		.look = wait->look,
		.still = wait->still,
		.addr = wait->addr,
		.value = wait->value,
		.at_us = mono_us(),
		.bytes = wait->byte,
		.bytes_addr = wait->from,
		.bytes_n = wait->is_new && wait->addr ? wait->bytes : 0,
		.holder = holder,
		.holders = wait->holders,
	};
	struct as_module *m = wait->is_new && wait->look == 1
				      ? as_modules_holding(&peek->unwinder.modules,
							   &f->look->peek->unwinder.mem, wait->addr)
				      : NULL;

	for (unsigned i = 0; i < wait->holders; i++)
		holder[i] = (struct state_holder){ wait->holder[i].tid, wait->holder[i].pid,
						   wait->holder[i].state, wait->holder[i].comm };
	if (m && m->path_len) {
		const struct module_text *text = text_of(f, m);

		look.path = text->path;
		look.build_id = text->build_id;
		look.offset = wait->addr - m->elf.bias;
	}
	f->no_memory |= lock_take(f->st, t, &look) != 0;
}

/* The second look, when all threads were told: they come in the same order. */
static void fill_words_again(struct filling *f)
{
	struct process_look *look = f->look;
	size_t at = 0;

	for (unsigned i = 0; i < look->waits.count && !f->no_memory; i++) {
		struct as_wait wait;

		as_waits_second(&look->waits, look->peek, i, &wait);
		while (at < f->p->threads && f->p->thread[at].tid != wait.tid)
			at++;
		if (at < f->p->threads)
			fill_word(f, &f->p->thread[at], &wait);
	}
}

static struct state_thread *add_thread(struct filling *f, const struct as_thread *from)
{
	struct state_thread *t = state_add_thread(f->st, f->p);

	if (!t) {
		f->no_memory = true;
		return NULL;
	}
	t->tid = from->tid;
	if (f->has_peek && f->look->waits.is_foreign)
		t->inner_tid = as_proc_inner_tid(f->proc_fd, from->tid);
	t->name = copy_text(f, from->comm, sizeof(from->comm));
	t->state = from->state;
	t->own = from->tid == f->own_tid;
	t->moved = from->moved;
	t->sys = from->nr;
	memcpy(t->arg, from->args, sizeof(t->arg));
	t->sp = from->sp;
	t->pc = from->pc;
	return t;
}

static void fill_thread(struct filling *f, const struct as_thread *from)
{
	struct state_thread *t = add_thread(f, from);

	if (!t)
		return;
	switch (from->captured) {
	case AS_CAPTURED_PEEK:
		t->captured = "peek";
		t->stack = from->frames ? fill_stack(f, from) : -1;
		break;
	case AS_CAPTURED_RUNNING:
		t->captured = "proc";
		t->reason = "it runs";
		break;
	default:
		t->captured = "proc";
		t->reason = from->error == -ENODATA ? "it has no stack of its own"
						    : copy_text(f, strerror(-from->error), 256);
		f->refused = from->error == -EACCES || from->error == -EPERM ? from->error : f->refused;
	}
	if (from->mark.is_time)
		t->cpu = (struct state_cpu){ mono_us(), from->mark.ran / 1000,
					     from->mark.waited / 1000 };
	if (from->mark.ran || from->mark.times)
		t->still_us = at_rest_since(f, from->tid, from->start, &from->mark);
	if (t->still_us && from->captured != AS_CAPTURED_RUNNING && !from->moved && from->state != 'R')
		t->blocked_us = mono_us() - t->still_us;
	fill_wait(f, t, from);
}

static void fill_thread_and_word(struct filling *f, const struct as_thread *from)
{
	struct process_look *look = f->look;
	struct as_wait wait;

	fill_thread(f, from);
	if (!f->no_memory && as_waits_first(&look->waits, look->peek, from, &wait))
		fill_word(f, &f->p->thread[f->p->threads - 1], &wait);
}

static void fill_stacks(struct filling *f)
{
	struct process_look *look = f->look;
	size_t n = 0;

	const int e = as_peek_init(look->peek, f->p->pid);

	if (e == -ESRCH)
		return;
	if (e)
		f->refused = e;
	f->has_peek = true;
	as_peek_refresh(look->peek);
	memset(look->text, 0, sizeof(look->text));
	as_waits_begin(&look->waits, look->peek);
	f->p->all_threads = as_proc_tids(f->proc_fd, look->tids, PROCESS_LOOK_THREADS, &n) == 0;
	if (n == PROCESS_LOOK_THREADS && !f->p->all_threads)
		f->p->left_out = as_proc_more(f->proc_fd, n);
	if (f->p->left_out)
		state_note_unseen(f->st, "%s (pid %d): more than %d threads; the others were not looked at",
				  f->p->name, f->p->pid, PROCESS_LOOK_THREADS);
	for (size_t i = 0; i < n && !f->no_memory; i++) {
		as_peek_thread(look->peek, look->tids[i], &look->thread);
		if (look->thread.captured != AS_CAPTURED_GONE)
			fill_thread_and_word(f, &look->thread);
	}
	fill_words_again(f);
	as_peek_fini(look->peek);
}

/* The same without its stack: state letter, system call, and a proof that it did not move. */
static void look_at_thread(struct filling *f, int32_t tid)
{
	struct as_thread *t = &f->look->thread;
	struct as_proc_watch watch;
	struct as_proc_mark after;
	struct as_proc_stat stat;
	struct as_proc_syscall call;

	if (as_proc_stat(f->proc_fd, tid, &stat) ||
	    as_proc_watch_open(&watch, f->proc_fd, tid, &t->mark))
		return;
	t->tid = tid;
	t->state = stat.state;
	t->start = stat.start;
	memcpy(t->comm, stat.comm, sizeof(t->comm));
	t->frames = 0;
	t->nr = -1;
	t->error = as_proc_syscall(f->proc_fd, tid, &call);
	t->captured = t->error ? AS_CAPTURED_PROC : AS_CAPTURED_PEEK;
	if (!t->error && call.form == AS_PROC_RUNNING)
		t->captured = AS_CAPTURED_RUNNING;
	if (!t->error && call.form == AS_PROC_CALL) {
		t->nr = call.nr;
		memcpy(t->args, call.args, sizeof(t->args));
	}
	t->sp = t->error ? 0 : call.sp;
	t->pc = t->error ? 0 : call.pc;
	t->moved = as_proc_watch_mark(&watch, &after) || !as_proc_mark_same(&t->mark, &after);
	as_proc_watch_close(&watch);
	fill_thread(f, t);
}

/* ---- the process ------------------------------------------------------------------------- */

static bool has_ended(const struct proc_stat *stat)
{
	/* its first thread may have ended before the others */
	return (stat->state == 'Z' || stat->state == 'X') && stat->threads <= 1;
}

bool process_look_is_alive(int32_t pid, uint64_t start)
{
	struct proc_stat stat;

	return !proc_stat(pid, &stat, NULL) && (!start || stat.start_ticks == start) &&
	       !has_ended(&stat);
}

static struct library *find_library(struct process_look *look, int32_t pid, uint64_t start)
{
	for (size_t i = 0; i < look->libraries; i++)
		if (look->library[i].pid == pid) {
			if (look->library[i].start != start)
				look->library[i] = (struct library){ .pid = pid, .start = start };
			return &look->library[i];
		}
	if (!GROW(look->library, look->libraries, look->libraries_room))
		return NULL;
	look->library[look->libraries] = (struct library){ .pid = pid, .start = start };
	return &look->library[look->libraries++];
}

/* Whether our library is in it, and how the program calls itself. */
static void fill_library(struct filling *f, uint64_t start)
{
	struct library *l = find_library(f->look, f->p->pid, start);
	const uint64_t now_us = mono_us();

	if (!l) {
		f->no_memory = true;
		return;
	}
	if (!l->asked_us || now_us - l->asked_us > LIBRARY_AGE_US) {
		struct as_control_found found;

		l->asked_us = now_us;
		l->dumper = 0;
		l->name[0] = '\0';
		if (!as_control_find(f->proc_fd, f->p->pid, &found, f->look->maps,
				     sizeof(f->look->maps)) &&
		    found.has_page) {
			/* relaxed: a private copy of the page */
			l->dumper = atomic_load_explicit(&found.page.dumper, memory_order_relaxed);
			memcpy(l->name, found.page.name, sizeof(l->name));
		}
		l->is_there = found.library;
	}
	f->p->library = l->is_there;
	f->own_tid = l->dumper;
	if (l->name[0])
		f->p->name = copy_text(f, l->name, sizeof(l->name));
}

static void fill_process(struct filling *f, const struct proc_stat *stat)
{
	struct state_process *p = f->p;
	char boot[PROC_BOOT_ID], host[PROC_HOSTNAME], exe[4096], link[64];

	p->pid = stat->pid;
	p->start = stat->start_ticks;
	p->name = copy_text(f, stat->comm, sizeof(stat->comm));
	p->source = STATE_LIVE;
	p->alive = has_ended(stat) ? STATE_NO : STATE_YES;
	p->state = stat->state;
	p->seen_us = mono_us();
	p->rss_bytes = (int64_t)stat->rss_bytes;
	if (!proc_boot_id(boot, NULL))
		p->boot = copy_text(f, boot, sizeof(boot));
	proc_hostname(host);
	p->host = copy_text(f, host, sizeof(host));
	proc_pidns(stat->pid, &p->pid_ns, NULL);
	snprintf(link, sizeof(link), "/proc/%d/exe", stat->pid);
	const ssize_t n = readlink(link, exe, sizeof(exe));

	if (n > 0)
		p->exe = copy_text(f, exe, (size_t)n);
	unsigned count[PROC_FD_KINDS];

	p->fds = proc_fd_count(stat->pid, count, NULL);
	if (p->fds < 0)
		p->fds = -1;
}

static void note_refused(struct filling *f)
{
	if (f->refused)
		state_note_unseen(f->st, "%s (pid %d): what its threads wait for may not be read (%s)",
				  f->p->name, f->p->pid, strerror(-f->refused));
}

/* Of signals that its own faults raise, and of those that the C library has for itself, nobody's
 * waits depend. The library's own handlers look like the program's. */
void process_look_signals(struct state_process *p)
{
	static const int internal[] = { SIGINT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT,
					SIGSYS, 32, 33 };
	struct proc_status status;

	if (proc_status(p->pid, p->pid, &status, NULL))
		return;
	uint64_t mask = status.signals.caught;

	for (size_t i = 0; i < sizeof(internal) / sizeof(internal[0]); i++)
		mask &= ~(UINT64_C(1) << (internal[i] - 1));
	p->handles = !mask ? STATE_NO : p->library ? STATE_UNKNOWN : STATE_YES;
}

int process_look_fill(struct process_look *look, struct state *st, int32_t pid, uint64_t start,
		      const int32_t *tids, size_t n, bool stacks)
{
	struct filling f = { .look = look, .st = st };
	struct proc_stat stat;

	f.proc_fd = as_proc_open(pid);
	if (f.proc_fd < 0)
		return 0;
	/* the fd stays with the process, so what is read below is of the same one */
	if (proc_stat(pid, &stat, NULL) || (start && stat.start_ticks != start)) {
		close(f.proc_fd);
		return 0;
	}
	f.p = state_add_process(st);
	if (!f.p) {
		close(f.proc_fd);
		return -ENOMEM;
	}
	fill_process(&f, &stat);
	if (f.p->alive == STATE_YES) {
		fill_library(&f, stat.start_ticks);
		process_look_signals(f.p);
		if (stacks) {
			f.p->dump_us = mono_us();
			fill_stacks(&f);
		}
		for (size_t i = 0; i < n && !stacks; i++)
			look_at_thread(&f, tids[i]);
		note_refused(&f);
	}
	close(f.proc_fd);
	return f.no_memory ? -ENOMEM : 1;
}
