#include "lib/as/as_peek.h"

#include <errno.h>

#include "lib/as/as_avoid.h"
#include "lib/as/as_fmt.h"
#include "lib/as/as_sys.h"

const char *as_captured_name(enum as_captured captured)
{
	static const char *const name[] = { "peek", "running", "gone", "proc" };

	return captured <= AS_CAPTURED_PROC ? name[captured] : "?";
}

static int init_memory(struct as_peek *p, pid_t tid)
{
	return as_mem_init(&p->unwinder.mem, tid, p->proc_fd, p->window, AS_PEEK_WINDOW, p->pages,
			   p->page_addr, AS_PEEK_PAGES);
}

static int init_memory_by_others(struct as_peek *p)
{
	pid_t tid[16];
	size_t n = 0;
	int err = as_proc_tids(p->proc_fd, tid, sizeof(tid) / sizeof(tid[0]), &n);

	err = err < 0 ? err : -ESRCH;
	for (size_t i = 0; i < n && err == -ESRCH; i++)
		err = init_memory(p, tid[i]);
	return err;
}

int as_peek_init(struct as_peek *p, pid_t pid)
{
	struct as_unwinder *u = &p->unwinder;

	p->pid = pid ? pid : as_sys_getpid();
	p->proc_fd = as_proc_open(pid);
	*u = (struct as_unwinder){ .row = p->row, .row_count = AS_PEEK_ROWS, .mem.mem_fd = -1 };
	as_modules_init(&u->modules, p->module, AS_PEEK_MODULES, p->names, AS_PEEK_NAMES);
	if (p->proc_fd < 0)
		return p->error = p->proc_fd;
	p->error = init_memory(p, p->pid);
	/* a first thread that has ended has no memory any more; the others may go on */
	if (p->error == -ESRCH)
		p->error = init_memory_by_others(p);
	return p->error;
}

void as_peek_fini(struct as_peek *p)
{
	as_mem_fini(&p->unwinder.mem);
	if (p->proc_fd >= 0)
		as_sys_close(p->proc_fd);
	p->proc_fd = -1;
}

/* Modules as a thread sees them; the window is free between two stacks and holds the text. */
static int read_modules(struct as_peek *p, pid_t tid)
{
	return as_modules_read(&p->unwinder.modules, p->proc_fd, tid, (char *)p->window,
			       AS_PEEK_WINDOW);
}

/* A first thread that has ended has no memory map any more: ask the others. */
static int read_modules_of_others(struct as_peek *p)
{
	pid_t tid[16];
	size_t n;
	int err = as_proc_tids(p->proc_fd, tid, sizeof(tid) / sizeof(tid[0]), &n);

	for (size_t i = 0; i < n && !p->unwinder.modules.count; i++)
		err = read_modules(p, tid[i]);
	return err < 0 ? err : 0;
}

int as_peek_refresh(struct as_peek *p)
{
	int err;

	if (p->proc_fd < 0)
		return p->error;
	err = read_modules(p, 0);
	if (!err && !p->unwinder.modules.count)
		err = read_modules_of_others(p);
	as_unwind_refresh(&p->unwinder);
	as_avoid(&p->unwinder.modules, &p->unwinder.mem, p->proc_fd);
	return err;
}

static void unwind(struct as_peek *p, const struct as_regs *regs, struct as_thread *t)
{
	enum as_end end;

	t->sp = regs->v[AS_RSP];
	t->pc = regs->v[AS_RIP];
	t->frames = as_unwind(&p->unwinder, regs, t->frame, t->flags, AS_PEEK_FRAMES, &end);
	t->end = (uint8_t)end;
}

void as_peek_regs(struct as_peek *p, const struct as_regs *regs, struct as_thread *t)
{
	as_mem_new_stack(&p->unwinder.mem);
	unwind(p, regs, t);
}

void as_peek_copy(struct as_peek *p, const struct as_regs *regs, uint64_t addr, const void *stack,
		  size_t n, struct as_thread *t)
{
	as_mem_given_stack(&p->unwinder.mem, addr, stack, n);
	unwind(p, regs, t);
}

/* What /proc tells of the registers of a thread that is not running. */
static void known_regs(const struct as_proc_syscall *call, struct as_regs *regs)
{
	static const uint8_t arg_reg[6] = { AS_RDI, AS_RSI, AS_RDX, AS_R10, AS_R8, AS_R9 };

	regs->known = 0;
	as_regs_set(regs, AS_RSP, call->sp);
	as_regs_set(regs, AS_RIP, call->pc);
	for (unsigned i = 0; i < 6 && call->form == AS_PROC_CALL; i++)
		as_regs_set(regs, arg_reg[i], call->args[i]);
}

static void take_call(const struct as_proc_syscall *call, struct as_thread *t)
{
	t->nr = call->nr;
	for (unsigned i = 0; i < 6; i++)
		t->args[i] = call->args[i];
	t->sp = call->sp;
	t->pc = call->pc;
}

static void unwind_call(struct as_peek *p, const struct as_proc_syscall *call, struct as_thread *t)
{
	struct as_regs regs;

	take_call(call, t);
	if (!call->pc) {
		t->captured = AS_CAPTURED_PROC;
		t->error = -ENODATA;
	} else if (p->error) {
		t->captured = AS_CAPTURED_PROC;
		t->error = p->error;
	} else {
		/* not by the process' own number: its first thread may have ended */
		p->unwinder.mem.pid = t->tid;
		known_regs(call, &regs);
		as_peek_regs(p, &regs, t);
		t->captured = AS_CAPTURED_PEEK;
	}
}

/* Returns 1: there is no sense in another try. */
static int give_up(struct as_thread *t, int err)
{
	t->captured = err == -ESRCH ? AS_CAPTURED_GONE : AS_CAPTURED_PROC;
	t->error = err == -ESRCH ? 0 : err;
	return 1;
}

/* One try: 1 when there is no sense in another, 0 when the thread ran. t->mark is its mark
 * before the try, and afterwards the one behind it. */
static int try_once(struct as_peek *p, const struct as_proc_watch *w, struct as_thread *t)
{
	const struct as_proc_mark before = t->mark;
	struct as_proc_syscall call;
	int err = as_proc_syscall(p->proc_fd, t->tid, &call);

	t->frames = 0;
	t->moved = false;
	if (err)
		return give_up(t, err);
	if (call.form == AS_PROC_RUNNING) {
		t->captured = AS_CAPTURED_RUNNING;
		return 0;
	}
	unwind_call(p, &call, t);
	err = as_proc_watch_mark(w, &t->mark);
	if (err)
		return give_up(t, err);
	t->moved = !as_proc_mark_same(&before, &t->mark);
	return !t->moved;
}

static void try_thread(struct as_peek *p, struct as_thread *t)
{
	struct as_proc_watch w;
	const int err = as_proc_watch_open(&w, p->proc_fd, t->tid, &t->mark);

	if (err) {
		give_up(t, err);
		return;
	}
	for (unsigned i = 0; i < AS_PEEK_TRIES && !try_once(p, &w, t); i++)
		;
	as_proc_watch_close(&w);
}

void as_peek_thread(struct as_peek *p, pid_t tid, struct as_thread *t)
{
	struct as_proc_stat st;

	t->tid = tid;
	t->comm[0] = '\0';
	t->state = '?';
	t->nr = -1;
	t->error = 0;
	t->mark = (struct as_proc_mark){ .ran = 0 }; /* not that of the thread before */
	t->sp = t->pc = t->start = 0;
	t->end = AS_END_NO_CFI;
	for (unsigned i = 0; i < 6; i++)
		t->args[i] = 0;
	try_thread(p, t);
	if (as_proc_stat(p->proc_fd, tid, &st)) {
		t->captured = AS_CAPTURED_GONE;
		t->frames = 0;
		return;
	}
	struct as_fmt comm;

	as_fmt_init(&comm, t->comm, sizeof(t->comm));
	as_fmt_str(&comm, st.comm);
	t->state = st.state;
	t->start = st.start;
}
