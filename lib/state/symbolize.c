#include "lib/state/symbolize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/proc/proc_ident.h"
#include "lib/proc/proc_stat.h"
#include "lib/state/lock.h"
#include "lib/state/wait.h"

struct naming {
	struct state *st;
	struct sym_cache *cache;
	struct state_frame *out; /* of the stack at hand; NULL while they are counted */
	size_t n;
};

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash && slash[1] ? slash + 1 : path;
}

static struct sym_module *module_of(const struct naming *w, const struct state_frame *f, int32_t pid)
{
	const struct sym_want want = {
		.path = f->path ? f->path : "",
		.build_id = f->build_id,
		.source = pid ? "the process" : "the feed",
		.pid = pid,
	};

	return sym_module(w->cache, &want);
}

/* The text of a name lives as long as the cache, which may be less than what quotes the state. */
static int put(struct naming *w, const struct state_frame *f, const struct sym_frame *s)
{
	struct state_frame *to = &w->out[w->n];

	*to = *f;
	to->line = (int)s->line;
	to->inlined = s->inlined;
	to->function = arena_strdup(&w->st->arena, s->function);
	to->file = arena_strdup(&w->st->arena, base_name(s->file));
	return (s->function && !to->function) || (s->file && !to->file) ? -ENOMEM : 0;
}

static int name_frame(struct naming *w, const struct state_frame *f, int32_t pid)
{
	struct sym_frame found[SYM_FRAMES] = { 0 };
	const unsigned n = f->module ? sym_frames(w->cache, module_of(w, f, pid), f->offset, !f->exact,
						  found, SYM_FRAMES)
				     : 1;

	for (unsigned i = 0; i < n; i++, w->n++)
		if (w->out && put(w, f, &found[i]))
			return -ENOMEM;
	return 0;
}

static int name_frames(struct naming *w, const struct state_stack *s, int32_t pid)
{
	w->n = 0;
	for (size_t i = 0; i < s->frames; i++)
		if (name_frame(w, &s->frame[i], pid))
			return -ENOMEM;
	return 0;
}

/* Twice: the answers are kept in the cache, so counting first costs little. */
static int name_stack(struct naming *w, struct state_stack *s, int32_t pid)
{
	w->out = NULL;
	name_frames(w, s, pid);
	if (!w->n)
		return 0;
	w->out = arena_take(&w->st->arena, w->n * sizeof(*w->out));
	if (!w->out || name_frames(w, s, pid))
		return -ENOMEM;
	s->frame = w->out;
	s->frames = w->n;
	s->named = true;
	return 0;
}

/*
 * Files of a running process are looked for in its own view of them: they may have been replaced
 * since, by an upgrade, or lie in a container. What a feed tells of may be running still, if it
 * was on this machine and the number is still that of the same process. 0: it is not.
 */
static int32_t running_pid(const struct state_process *p)
{
	char boot[PROC_BOOT_ID];
	uint64_t ns;

	if (p->source == STATE_LIVE)
		return p->pid;
	/* (where it has an inner number, the other one is ours) */
	if (p->source != STATE_FEED || !p->boot || proc_boot_id(boot, NULL) || strcmp(boot, p->boot) != 0 ||
	    proc_pidns(p->inner_pid ? p->pid : 0, &ns, NULL) || p->pid_ns != ns ||
	    !proc_is_same(p->pid, p->start))
		return 0;
	return p->pid;
}

static void find_pids(const struct state *st, int32_t *pid)
{
	for (size_t i = 0; i < st->processes; i++) {
		const struct state_process *p = &st->process[i];
		const int32_t running = running_pid(p);

		for (size_t k = 0; k < p->threads && running; k++)
			if (p->thread[k].stack >= 0)
				pid[p->thread[k].stack] = running;
	}
}

/* ---- locks ------------------------------------------------------------------------------- */

/* "index_lock"; "table+0x28" for what lies inside a larger variable. */
static int name_lock(struct naming *w, int32_t pid, struct state_lock *lock)
{
	const struct sym_want want = {
		.path = lock->path,
		.build_id = lock->build_id,
		.source = "the dump",
		.pid = pid,
	};
	const uint64_t offset = lock->offset - (lock->word - lock->addr);
	struct sym_data found;

	lock->name = NULL;
	if (!sym_data_at(w->cache, sym_module(w->cache, &want), offset, &found))
		return 0;
	lock->name = found.offset ? arena_printf(&w->st->arena, "%s+0x%" PRIx64, found.name, found.offset)
				  : arena_strdup(&w->st->arena, found.name);
	return lock->name ? 0 : -ENOMEM;
}

/* First what kinds they are, for that tells where they begin. */
static int name_locks(struct naming *w)
{
	if (lock_resolve(w->st))
		return -ENOMEM;
	for (size_t i = 0; i < w->st->processes; i++) {
		const struct state_process *p = &w->st->process[i];
		/* once for all: the kernel adds up the times of all threads each time it is asked */
		const int32_t pid = running_pid(p);

		for (size_t k = 0; k < p->threads; k++)
			if (p->thread[k].lock && p->thread[k].lock->path &&
			    name_lock(w, pid, p->thread[k].lock))
				return -ENOMEM;
	}
	return lock_resolve(w->st);
}

int state_symbolize(struct state *st, struct sym_cache *cache, bool (*is_enough)(void))
{
	if (!st->stacks)
		return 0;
	int32_t *pid = calloc(st->stacks, sizeof(*pid));
	struct naming w = { .st = st, .cache = cache };
	int r = pid ? 0 : -ENOMEM;

	if (pid)
		find_pids(st, pid);
	for (size_t i = 0; !r && i < st->stacks; i++) {
		if (is_enough && is_enough())
			r = 1;
		else if (!st->stack[i].named)
			r = name_stack(&w, &st->stack[i], pid[i]);
	}
	free(pid);
	for (size_t i = 0; r >= 0 && i < st->processes; i++)
		for (size_t k = 0; k < st->process[i].threads; k++)
			wait_set_by_frames(st, &st->process[i].thread[k]);
	return r >= 0 && name_locks(&w) ? -ENOMEM : r;
}
