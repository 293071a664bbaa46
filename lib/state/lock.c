#include "lib/state/lock.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

enum { FRAMES_LOOKED_AT = 10, TID_LIMIT = 1 << 22 };

static const struct {
	const char *name;
	const char *verb; /* how a wait for it is told */
	bool has_owner;
} kinds[] = {
	[STATE_LOCK_FUTEX] = { "futex", "futex", false },
	[STATE_LOCK_MUTEX] = { "mutex", "pthread_mutex_lock", true },
	[STATE_LOCK_READ] = { "rwlock (to read)", "pthread_rwlock_rdlock", true },
	[STATE_LOCK_WRITE] = { "rwlock (to write)", "pthread_rwlock_wrlock", true },
	[STATE_LOCK_JOIN] = { "thread", "pthread_join", true },
	[STATE_LOCK_COND] = { "condition variable", "pthread_cond_wait", false },
	[STATE_LOCK_SEM] = { "semaphore", "sem_wait", false },
	[STATE_LOCK_BARRIER] = { "barrier", "pthread_barrier_wait", false },
	[STATE_LOCK_ONCE] = { "pthread_once", "pthread_once", false },
	[STATE_LOCK_LOW] = { "lock of the C library", "lll_lock_wait", false },
	[STATE_LOCK_FILE] = { "file lock", "flock", true },
};

const char *lock_kind_name(enum state_lock_kind kind)
{
	return kinds[kind].name;
}

bool lock_has_owner(enum state_lock_kind kind)
{
	return kinds[kind].has_owner;
}

char *lock_text(const struct state_lock *lock, char buf[LOCK_TEXT])
{
	int n;

	if (lock->kind == STATE_LOCK_JOIN && lock->owner_tid) {
		snprintf(buf, LOCK_TEXT, "the end of tid %" PRId32, lock->owner_tid);
		return buf;
	}
	if (!lock->word) {
		snprintf(buf, LOCK_TEXT, "%s%s%s", kinds[lock->kind].name, lock->name ? " of " : "",
			 lock->name ? lock->name : "");
		return buf;
	}
	n = snprintf(buf, LOCK_TEXT, "%s 0x%" PRIx64, kinds[lock->kind].name, lock->addr);
	if (lock->name && n < LOCK_TEXT)
		snprintf(buf + n, (size_t)(LOCK_TEXT - n), " (%s)", lock->name);
	return buf;
}

/* ---- taking looks ------------------------------------------------------------------------ */

static const void *copy_bytes(struct state *st, const void *from, size_t n)
{
	void *to = arena_take(&st->arena, n);

	return to ? memcpy(to, from, n) : NULL;
}

static int take_memory(struct state *st, struct state_lock *lock, const struct lock_look *look)
{
	struct state_memory *m = &lock->around[look->look - 1];

	if (look->bytes_n) {
		*m = (struct state_memory){ copy_bytes(st, look->bytes, look->bytes_n),
					    look->bytes_addr, look->bytes_n };
		if (!m->bytes)
			return -ENOMEM;
	}
	if (look->holders) {
		struct state_holder *h =
			arena_take(&st->arena, look->holders * sizeof(*h));

		if (!h)
			return -ENOMEM;
		for (size_t i = 0; i < look->holders; i++) {
			h[i] = look->holder[i];
			h[i].name = arena_strdup(&st->arena, look->holder[i].name);
		}
		lock->holder = h;
		lock->holders = look->holders;
	}
	return 0;
}

static int first_look(struct state *st, struct state_thread *t, const struct lock_look *look)
{
	const bool is_futex = t->sys == SYS_futex || t->sys == SYS_restart_syscall;

	if (!is_futex || !look->addr)
		return 0;
	t->lock = arena_take(&st->arena, sizeof(*t->lock));
	if (!t->lock)
		return -ENOMEM;
	*t->lock = (struct state_lock){
		.addr = look->addr,
		.word = look->addr,
		.expected = (uint32_t)t->arg[2],
		.value = { look->value, look->value },
		.looks = 1,
		.is_private = t->arg[1] & FUTEX_PRIVATE_FLAG,
		.is_timed = t->arg[3] != 0,
		.from_us = t->still_us ? t->still_us : look->at_us,
		.to_us = look->at_us,
		.owner_alive = STATE_UNKNOWN,
		.offset = look->offset,
	};
	t->lock->path = arena_strdup(&st->arena, look->path);
	t->lock->build_id = arena_strdup(&st->arena, look->build_id);
	return take_memory(st, t->lock, look);
}

int lock_take(struct state *st, struct state_thread *t, const struct lock_look *look)
{
	struct state_lock *lock = t->lock;

	if (look->look != 2)
		return first_look(st, t, look);
	if (!lock)
		return 0;
	if (!look->still || look->addr != lock->word) {
		lock->moved = true;
		return 0;
	}
	lock->looks = 2;
	lock->value[1] = look->value;
	if (look->at_us > lock->to_us)
		lock->to_us = look->at_us;
	return take_memory(st, lock, look);
}

int lock_take_file(struct state *st, struct state_thread *t, const char *path, int32_t holder,
		   uint64_t at_us)
{
	t->lock = arena_take(&st->arena, sizeof(*t->lock));
	if (!t->lock)
		return -ENOMEM;
	*t->lock = (struct state_lock){
		.kind = STATE_LOCK_FILE,
		.sure = true,
		.name = arena_strdup(&st->arena, path),
		.looks = 1,
		.from_us = t->still_us ? t->still_us : at_us,
		.to_us = at_us,
		.owner_pid = holder,
		.owner_alive = holder ? STATE_YES : STATE_UNKNOWN,
	};
	return 0;
}

/* ---- which kind: by names ---------------------------------------------------------------- */

static const struct {
	const char *function; /* without what glibc puts before its names */
	enum state_lock_kind kind;
} functions[] = {
	{ "pthread_mutex_", STATE_LOCK_MUTEX },
	{ "pthread_rwlock_rdlock", STATE_LOCK_READ },
	{ "pthread_rwlock_timedrdlock", STATE_LOCK_READ },
	{ "pthread_rwlock_clockrdlock", STATE_LOCK_READ },
	{ "pthread_rwlock_wrlock", STATE_LOCK_WRITE },
	{ "pthread_rwlock_timedwrlock", STATE_LOCK_WRITE },
	{ "pthread_rwlock_clockwrlock", STATE_LOCK_WRITE },
	{ "pthread_join", STATE_LOCK_JOIN },
	{ "pthread_clockjoin", STATE_LOCK_JOIN },
	{ "pthread_timedjoin", STATE_LOCK_JOIN },
	{ "thrd_join", STATE_LOCK_JOIN },
	{ "pthread_cond_", STATE_LOCK_COND },
	{ "sem_wait", STATE_LOCK_SEM },
	{ "sem_timedwait", STATE_LOCK_SEM },
	{ "sem_clockwait", STATE_LOCK_SEM },
	{ "new_sem_wait", STATE_LOCK_SEM },
	{ "pthread_barrier_wait", STATE_LOCK_BARRIER },
	{ "pthread_once", STATE_LOCK_ONCE },
	{ "lll_lock_wait", STATE_LOCK_LOW },
	{ "lll_lock_wait_private", STATE_LOCK_LOW },
};

/* "___pthread_mutex_lock", "__GI___pthread_mutex_lock" -> "pthread_mutex_lock" */
static const char *plain_name(const char *function)
{
	for (;;) {
		if (*function == '_')
			function++;
		else if (strncmp(function, "GI_", 3) == 0)
			function += 3;
		else
			return function;
	}
}

static bool kind_of_function(const char *function, enum state_lock_kind *kind)
{
	const char *name = plain_name(function);

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (strncmp(name, functions[i].function, strlen(functions[i].function)) == 0) {
			*kind = functions[i].kind;
			return true;
		}
	}
	return false;
}

/* Layouts are glibc's; in a static program its functions lie in the program itself. */
static bool is_of_other_libc(const struct state_frame *f)
{
	return f->module && (strstr(f->module, "musl") || strstr(f->module, "bionic"));
}

/*
 * The outermost function of the library that sleeps tells what was asked for: pthread_mutex_lock
 * calls lll_lock_wait. Frames of other modules are the program's.
 */
static bool kind_by_names(const struct state *st, const struct state_thread *t,
			  enum state_lock_kind *kind)
{
	if (t->stack < 0 || (size_t)t->stack >= st->stacks)
		return false;
	const struct state_stack *s = &st->stack[t->stack];
	bool found = false;

	for (size_t i = 0; i < s->frames && i < FRAMES_LOOKED_AT; i++) {
		const struct state_frame *f = &s->frame[i];

		if (is_of_other_libc(f) ||
		    (i && (!f->module || !s->frame[0].module ||
			   strcmp(f->module, s->frame[0].module) != 0)))
			break;
		if (f->function && kind_of_function(f->function, kind))
			found = true;
		if (found && *kind != STATE_LOCK_LOW)
			break;
	}
	return found;
}

/* ---- which kind: by the numbers ---------------------------------------------------------- */

static bool is_pi(const struct state_thread *t)
{
	const int command = (int)t->arg[1] & FUTEX_CMD_MASK;

	return command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2;
}

static bool is_bitset_wait(const struct state_thread *t)
{
	return ((int)t->arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
}

/* Waits for 2 to go away, as in lll_lock(): how a plain mutex is slept on, also by a condition
 * variable's waiter that was woken and takes its mutex back. */
static bool is_lll_sleep(const struct state_thread *t)
{
	return !is_bitset_wait(t) && t->lock->expected == 2;
}

static bool is_robust_sleep(const struct state_lock *lock)
{
	return lock->expected & FUTEX_WAITERS;
}

static uint32_t word_at(const struct state_memory *m, uint64_t addr)
{
	uint32_t v;

	if (!m->bytes || addr < m->addr || addr - m->addr > m->n ||
	    m->n - (addr - m->addr) < sizeof(v))
		return 0;
	memcpy(&v, m->bytes + (addr - m->addr), sizeof(v));
	return v;
}

/* What stands there in every look that has it; 0 when the looks disagree. */
static uint32_t steady_word(const struct state_lock *lock, uint64_t addr)
{
	const struct state_memory *a = &lock->around[0], *b = &lock->around[1];
	const uint32_t first = a->bytes ? word_at(a, addr) : word_at(b, addr);

	return b->bytes && word_at(b, addr) != first ? 0 : first;
}

/* __kind: type, robust, protocol, shared, elision. */
static bool looks_like_mutex(const struct state_lock *lock)
{
	const uint32_t owner = steady_word(lock, lock->word + 8);
	const uint32_t users = steady_word(lock, lock->word + 12);
	const uint32_t type = steady_word(lock, lock->word + 16);

	return owner > 1 && owner <= TID_LIMIT && users && users < TID_LIMIT && !(type & ~0x3ffu);
}

static enum state_lock_kind kind_by_bytes(const struct state_thread *t)
{
	const struct state_lock *lock = t->lock;

	if ((is_lll_sleep(t) || is_robust_sleep(lock)) && looks_like_mutex(lock))
		return STATE_LOCK_MUTEX;
	/* whoever sleeps until a thread's number goes away */
	if (is_bitset_wait(t) && !lock->is_private && lock->expected > 1 &&
	    lock->expected <= TID_LIMIT && lock->value[1] == lock->expected)
		return STATE_LOCK_JOIN;
	return STATE_LOCK_FUTEX;
}

static void find_kind(const struct state *st, struct state_thread *t)
{
	struct state_lock *lock = t->lock;
	enum state_lock_kind kind = STATE_LOCK_FUTEX;

	lock->sure = kind_by_names(st, t, &kind);
	if (lock->sure && kind == STATE_LOCK_COND && is_lll_sleep(t))
		kind = STATE_LOCK_MUTEX;
	if (is_pi(t)) {
		lock->sure = true;
		kind = STATE_LOCK_MUTEX;
	}
	lock->kind = lock->sure ? kind : kind_by_bytes(t);
}

/* ---- owner and address ------------------------------------------------------------------- */

static uint32_t owner_in_word(const struct state_lock *lock)
{
	return lock->value[0] == lock->value[1] ? lock->value[1] & FUTEX_TID_MASK : 0;
}

static void find_mutex_owner(struct state_thread *t)
{
	struct state_lock *lock = t->lock;

	if (is_pi(t) || is_robust_sleep(lock)) {
		lock->owner_tid = (int32_t)owner_in_word(lock);
		lock->owner_died = lock->value[1] & FUTEX_OWNER_DIED;
	} else if (is_lll_sleep(t) && lock->value[0] && lock->value[1]) {
		lock->owner_tid = (int32_t)steady_word(lock, lock->word + 8);
	}
	/* else glibc sleeps for ever on a word of its own: the kernel had found a circle */
}

enum { WRITE_PHASE = 1, READER_WAITS = 4, READER_SHIFT = 3 };

/* How many have locked it to read: those who registered, while it is the readers' turn. */
static uint32_t readers_of(const struct state_lock *lock)
{
	const uint32_t word = steady_word(lock, lock->addr);

	return word & WRITE_PHASE ? 0 : word >> READER_SHIFT;
}

/*
 * A rwlock is slept on at its readers' word (offset 0, with the bit "a reader waits"), at the
 * phase (8), or at the writers' word (12); the writer's number stands at 24.
 */
static void find_holder_of_rwlock(struct state_lock *lock)
{
	const uint64_t offset = lock->word % 8 ? 12 : lock->expected & READER_WAITS ? 0 : 8;

	lock->addr = lock->word - offset;
	lock->owner_tid = (int32_t)steady_word(lock, lock->addr + 24);
	if (!lock->owner_tid)
		lock->readers = readers_of(lock);
}

static void find_owner(struct state_thread *t)
{
	struct state_lock *lock = t->lock;

	lock->addr = lock->word;
	lock->owner_tid = lock->owner_pid = 0;
	lock->readers = 0;
	lock->owner_name = NULL;
	lock->owner_alive = STATE_UNKNOWN;
	lock->owner_died = false;
	switch (lock->kind) {
	case STATE_LOCK_MUTEX:
		find_mutex_owner(t);
		break;
	case STATE_LOCK_READ:
	case STATE_LOCK_WRITE:
		find_holder_of_rwlock(lock);
		break;
	case STATE_LOCK_JOIN:
		lock->owner_tid = (int32_t)owner_in_word(lock);
		break;
	case STATE_LOCK_COND: /* the words of its two groups of waiters */
		lock->addr = lock->word - (lock->word % 8 ? 44 : 40);
		break;
	case STATE_LOCK_BARRIER:
		lock->addr = lock->word - 4;
		break;
	default:
		break;
	}
	if (lock->owner_tid > TID_LIMIT)
		lock->owner_tid = 0;
}

/* ---- who that is ------------------------------------------------------------------------- */

struct by_tid { /* all threads of the state, by the number that stands in their memory */
	const struct state_thread *thread;
	const struct state_process *process;
};

static int32_t own_tid(const struct by_tid *at)
{
	return at->thread->inner_tid ? at->thread->inner_tid : at->thread->tid;
}

static int compare_tid(const void *a, const void *b)
{
	const int32_t x = own_tid(a), y = own_tid(b);

	return (x > y) - (x < y);
}

/* The thread of that number: in its own process, or in another if the lock may be shared. */
static const struct by_tid *find_thread(const struct by_tid *all, size_t n, const struct state_process *p,
					const struct state_lock *lock)
{
	const struct by_tid *other = NULL;
	size_t lo = 0, hi = n;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (own_tid(&all[mid]) < lock->owner_tid)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < n && own_tid(&all[lo]) == lock->owner_tid; lo++) {
		const struct state_process *q = all[lo].process;

		if (q == p)
			return &all[lo];
		if (!lock->is_private && !q->carried && (!p->pid_ns || !q->pid_ns || p->pid_ns == q->pid_ns))
			other = &all[lo];
	}
	return other;
}

static bool has_ended(char letter)
{
	return letter == 'Z' || letter == 'X';
}

static void use_holder(struct state_lock *lock, const struct state_process *p)
{
	for (size_t i = 0; i < lock->holders; i++) {
		const struct state_holder *h = &lock->holder[i];

		if (h->tid != lock->owner_tid)
			continue;
		lock->owner_pid = h->pid ? h->pid : lock->is_private ? p->pid : 0;
		lock->owner_name = h->name && *h->name ? h->name : NULL;
		if (h->state != '?')
			lock->owner_alive = has_ended(h->state) ? STATE_NO : STATE_YES;
	}
}

static void find_who(const struct by_tid *all, size_t n, const struct state_process *p,
		     struct state_lock *lock)
{
	if (!lock->owner_tid)
		return;
	const struct by_tid *found = find_thread(all, n, p, lock);

	if (!found) {
		use_holder(lock, p);
		return;
	}
	lock->owner_tid = found->thread->tid;
	lock->owner_pid = found->process->pid;
	lock->owner_name = found->thread->name;
	lock->owner_alive = has_ended(found->thread->state) ? STATE_NO : STATE_YES;
}

/* ---- all of a state ---------------------------------------------------------------------- */

struct sleeper {
	struct state_lock *lock;
	size_t order;
};

static int by_word(const void *a, const void *b)
{
	const struct sleeper *x = a, *y = b;

	if (x->lock->word != y->lock->word)
		return x->lock->word < y->lock->word ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

/* What was told with one sleeper holds for all on the same word. */
static void share(struct sleeper *s, size_t n)
{
	const struct state_lock *told = NULL, *told_again = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct state_lock *lock = s[i].lock;

		if (!told && (lock->path || lock->around[0].bytes))
			told = lock;
		if (!told_again && (lock->around[1].bytes || lock->holders))
			told_again = lock;
	}
	for (size_t i = 0; i < n; i++) {
		struct state_lock *lock = s[i].lock;

		if (told) {
			lock->path = told->path;
			lock->build_id = told->build_id;
			lock->offset = told->offset;
			lock->around[0] = told->around[0];
		}
		if (told_again) {
			lock->around[1] = told_again->around[1];
			lock->holder = told_again->holder;
			lock->holders = told_again->holders;
		}
	}
}

static int share_words(struct state_process *p)
{
	struct sleeper *s = calloc(p->threads + 1, sizeof(*s));
	size_t n = 0;

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < p->threads; i++)
		if (p->thread[i].lock && p->thread[i].lock->word)
			s[n++] = (struct sleeper){ p->thread[i].lock, i };
	qsort(s, n, sizeof(*s), by_word);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i; k < n && s[k].lock->word == s[i].lock->word; k++)
			;
		share(&s[i], k - i);
	}
	free(s);
	return 0;
}

static void list_threads(const struct state *st, struct by_tid *all)
{
	size_t n = 0;

	for (size_t i = 0; i < st->processes; i++)
		for (size_t k = 0; k < st->process[i].threads; k++)
			all[n++] = (struct by_tid){ &st->process[i].thread[k], &st->process[i] };
	qsort(all, n, sizeof(*all), compare_tid);
}

/* " held by tid 4143 "query-1"", " held by 2 readers; who they are is not recorded" */
static const char *text_of_owner(struct state *st, const struct state_lock *lock)
{
	if (lock->readers == 1)
		return " held by a reader; who that is is not recorded";
	if (lock->readers)
		return arena_printf(&st->arena,
				    " held by %" PRIu32 " readers; who they are is not recorded",
				    lock->readers);
	if (!lock->owner_tid)
		return "";
	const char *name = lock->owner_name
				   ? arena_printf(&st->arena, " \"%s\"", lock->owner_name)
				   : "";

	return name ? arena_printf(&st->arena, " %s tid %" PRId32 "%s%s",
				   lock->kind == STATE_LOCK_JOIN ? "of" : "held by", lock->owner_tid, name,
				   lock->owner_alive == STATE_NO ? ", which has ended" : "")
		    : NULL;
}

/* "pthread_mutex_lock on 0x55d0c0a8 (index_lock) held by tid 4143 "query-1"" */
static int tell(struct state *st, struct state_thread *t)
{
	const struct state_lock *lock = t->lock;
	const char *verb = kinds[lock->kind].verb;

	if (lock->kind == STATE_LOCK_FUTEX)
		return 0;
	const char *owner = text_of_owner(st, lock);

	if (!owner)
		return -ENOMEM;
	if (lock->kind == STATE_LOCK_JOIN && lock->owner_tid)
		t->wait_text = arena_printf(&st->arena, "%s%s", verb, owner);
	else
		t->wait_text = arena_printf(&st->arena, "%s on 0x%" PRIx64 "%s%s%s%s", verb, lock->addr,
					    lock->name ? " (" : "", lock->name ? lock->name : "",
					    lock->name ? ")" : "", owner);
	return t->wait_text ? 0 : -ENOMEM;
}

static int resolve(struct state *st, const struct by_tid *all, size_t n, struct state_process *p)
{
	for (size_t k = 0; k < p->threads; k++) {
		struct state_thread *t = &p->thread[k];

		if (!t->lock || !t->lock->word)
			continue;
		find_kind(st, t);
		find_owner(t);
		find_who(all, n, p, t->lock);
		if (tell(st, t))
			return -ENOMEM;
	}
	return 0;
}

int lock_resolve(struct state *st)
{
	size_t n = 0, locks = 0;

	for (size_t i = 0; i < st->processes; i++) {
		n += st->process[i].threads;
		for (size_t k = 0; k < st->process[i].threads; k++)
			locks += st->process[i].thread[k].lock != NULL;
	}
	if (!locks)
		return 0;
	struct by_tid *all = malloc(n * sizeof(*all));

	if (!all)
		return -ENOMEM;
	list_threads(st, all);
	int e = 0;

	for (size_t i = 0; !e && i < st->processes; i++) {
		e = share_words(&st->process[i]);
		if (!e)
			e = resolve(st, all, n, &st->process[i]);
	}
	free(all);
	return e;
}
