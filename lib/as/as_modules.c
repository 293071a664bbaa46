#include "lib/as/as_modules.h"

#include <errno.h>
#include <string.h>

#include "lib/as/as_maps.h"

const char *as_module_kind_name(enum as_module_kind kind)
{
	static const char *const name[] = { "file", "deleted", "vdso", "jit" };

	return kind <= AS_MODULE_JIT ? name[kind] : "?";
}

void as_modules_init(struct as_modules *t, struct as_module *module, size_t room, char *names,
		     size_t names_room)
{
	*t = (struct as_modules){
		.module = module, .room = room, .names = names, .names_room = names_room
	};
}

/* What is being put together from neighbouring lines of maps. */
struct building {
	struct as_module now;
	bool open;
	uint64_t last_offset;
};

/* A multiplicative mix of words: only used to see that something changed. */
static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t print_of(const struct as_module *m)
{
	uint64_t h = mix(m->start, m->end);

	h = mix(mix(h, m->exec_start), m->exec_end);
	h = mix(mix(h, m->inode), (uint64_t)m->dev_major << 32 | m->dev_minor);
	return mix(h, m->kind);
}

/*
 * The module at hand is complete: into the table with it. Its slot still holds what the last
 * reading left there; if that is the same module, its ELF headers need not be read again.
 */
static void finish(struct as_modules *t, struct building *b)
{
	if (!b->open || !b->now.exec_end) {
		b->open = false;
		return;
	}
	b->open = false;
	if (t->count == t->room) {
		t->dropped++;
		return;
	}
	struct as_module *slot = &t->module[t->count++];

	if (slot->elf_read && print_of(slot) == print_of(&b->now)) {
		b->now.elf_read = true;
		b->now.elf = slot->elf;
	}
	*slot = b->now;
	t->print = mix(t->print, print_of(slot));
}

static void keep_path(struct as_modules *t, struct as_module *module, const struct as_map *m)
{
	size_t n = m->path_len;

	if (n > UINT16_MAX)
		n = UINT16_MAX;
	if (n > t->names_room - t->names_len)
		n = t->names_room - t->names_len;
	memcpy(t->names + t->names_len, m->path, n);
	module->path = (uint32_t)t->names_len;
	module->path_len = (uint16_t)n;
	module->path_cut = n < m->path_len || m->path_cut;
	t->names_len += n;
}

static void begin(struct building *b, const struct as_map *m, enum as_module_kind kind)
{
	b->open = true;
	b->now = (struct as_module){ .start = m->start,
				     .end = m->end,
				     .offset = m->offset,
				     .inode = m->inode,
				     .dev_major = m->dev_major,
				     .dev_minor = m->dev_minor,
				     .kind = (uint8_t)kind };
}

static bool is_named_file(const struct as_map *m)
{
	return m->kind == AS_MAP_FILE || m->kind == AS_MAP_MEMFD;
}

/* Whether a mapping goes on with the module at hand. */
static bool belongs(const struct building *b, const struct as_map *m)
{
	const struct as_module *now = &b->now;

	if (!b->open)
		return false;
	if (now->kind == AS_MODULE_JIT)
		return !is_named_file(m) && m->kind != AS_MAP_VDSO && m->start == now->end &&
		       m->perms & AS_MAP_EXEC;
	return is_named_file(m) && m->inode == now->inode && m->dev_major == now->dev_major &&
	       m->dev_minor == now->dev_minor && m->offset && m->offset >= b->last_offset;
}

static void extend(struct as_modules *t, struct building *b, const struct as_map *m)
{
	b->now.end = m->end;
	b->last_offset = m->offset;
	if (!(m->perms & AS_MAP_EXEC))
		return;
	if (!b->now.exec_end) {
		/* only now is it known to be worth its name */
		b->now.exec_start = m->start;
		keep_path(t, &b->now, m);
	}
	b->now.exec_end = m->end;
}

static void keep_device(struct as_modules *t, const struct as_map *m)
{
	for (unsigned i = 0; i < t->devices; i++)
		if (t->device[i].dev_major == m->dev_major && t->device[i].dev_minor == m->dev_minor)
			return;
	if (t->devices < AS_MODULES_DEVICES)
		t->device[t->devices++] = (struct as_device){ .dev_major = m->dev_major,
							      .dev_minor = m->dev_minor };
}

static void add(struct as_modules *t, struct building *b, const struct as_map *m)
{
	if (m->kind == AS_MAP_FILE)
		keep_device(t, m);
	if (!belongs(b, m)) {
		/* [vsyscall] is the kernel's page, above every user address */
		const bool is_code = m->perms & AS_MAP_EXEC && !(m->start >> 63);

		/* anonymous memory between the parts of a file (its .bss) ends nothing */
		if (!is_named_file(m) && m->kind != AS_MAP_VDSO && !is_code)
			return;
		finish(t, b);
		begin(b, m,
		      m->kind == AS_MAP_VDSO ? AS_MODULE_VDSO
		      : !is_named_file(m)    ? AS_MODULE_JIT
		      : m->deleted           ? AS_MODULE_DELETED
					     : AS_MODULE_FILE);
	}
	extend(t, b, m);
}

int as_modules_read(struct as_modules *t, int proc_fd, pid_t tid, char *buf, size_t room)
{
	struct building b = { .open = false };
	struct as_maps r;
	struct as_map m;
	int got;

	t->names_len = 0;
	t->dropped = 0;
	t->print = 0;
	/* what lies behind the old count is no module of an earlier reading */
	for (size_t i = t->count; i < t->room; i++)
		t->module[i].elf_read = false;
	t->count = 0;
	got = as_maps_open(&r, proc_fd, tid, buf, room);
	while (!got && (got = as_maps_next(&r, &m)) > 0) {
		add(t, &b, &m);
		got = 0;
	}
	finish(t, &b);
	as_maps_close(&r);
	return got;
}

struct as_module *as_modules_find(const struct as_modules *t, uint64_t pc)
{
	size_t lo = 0, hi = t->count;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (t->module[mid].exec_start <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && pc < t->module[lo - 1].exec_end ? &t->module[lo - 1] : NULL;
}

struct as_module *as_modules_holding(const struct as_modules *t, struct as_mem *m, uint64_t addr)
{
	size_t lo = 0, hi = t->count;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (t->module[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	struct as_module *module = &t->module[lo - 1];

	return addr < module->end || addr < as_module_elf(module, m)->end ? module : NULL;
}

const struct as_elf *as_module_elf(struct as_module *module, struct as_mem *m)
{
	if (!module->elf_read) {
		module->elf_read = true;
		if (module->kind == AS_MODULE_JIT || (module->offset && module->kind != AS_MODULE_VDSO) ||
		    as_elf_read(m, module->start, module->end, &module->elf))
			module->elf = (struct as_elf){ .bias = 0 };
	}
	return &module->elf;
}
