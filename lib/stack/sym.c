#include "lib/stack/sym.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/grow.h"
#include "lib/stack/sym_priv.h"

/* ---- from a number to a number ------------------------------------------------------------ */

/* Open addressing; key 0 is "empty", so callers keep away from it. */
struct map {
	uint64_t *keys;
	uint32_t *values;
	size_t n, room; /* room is 0 or a power of two */
};

static size_t slot_of(const struct map *map, uint64_t key)
{
	size_t at = (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (map->room - 1);

	while (map->keys[at] && map->keys[at] != key)
		at = (at + 1) & (map->room - 1);
	return at;
}

static bool map_get(const struct map *map, uint64_t key, uint32_t *value)
{
	if (!map->room)
		return false;
	const size_t at = slot_of(map, key);

	if (!map->keys[at])
		return false;
	*value = map->values[at];
	return true;
}

static bool map_grow(struct map *map)
{
	struct map bigger = { .room = map->room ? map->room * 2 : 64, .n = map->n };

	bigger.keys = calloc(bigger.room, sizeof(*bigger.keys));
	bigger.values = calloc(bigger.room, sizeof(*bigger.values));
	if (!bigger.keys || !bigger.values) {
		free(bigger.keys);
		free(bigger.values);
		return false;
	}
	for (size_t i = 0; i < map->room; i++) {
		if (!map->keys[i])
			continue;
		const size_t at = slot_of(&bigger, map->keys[i]);

		bigger.keys[at] = map->keys[i];
		bigger.values[at] = map->values[i];
	}
	free(map->keys);
	free(map->values);
	*map = bigger;
	return true;
}

static bool map_put(struct map *map, uint64_t key, uint32_t value)
{
	if (map->n * 2 >= map->room && !map_grow(map))
		return false;
	const size_t at = slot_of(map, key);

	map->n += !map->keys[at];
	map->keys[at] = key;
	map->values[at] = value;
	return true;
}

static void map_fini(struct map *map)
{
	free(map->keys);
	free(map->values);
}

/* ---- the cache ---------------------------------------------------------------------------- */

/* Frames of one address, already found. */
struct answer {
	uint32_t first, n; /* in cache->frames */
};

struct sym_module {
	char *path, *base, *build_id, *source; /* in cache->arena */
	pid_t pid;
	enum sym_status status;
	struct sym_found found;
	struct sym_table table;
	struct sym_dwarf *dwarf;
	struct map answers; /* address + 1 -> index into cache->answers */
};

struct sym_cache {
	struct sym_options options;
	struct arena arena;
	struct sym_module **modules;
	size_t n_modules, room_modules;
	struct answer *answers;
	size_t n_answers, room_answers;
	struct sym_frame *frames;
	size_t n_frames, room_frames;
	struct map names; /* pointer to a raw name -> index into shown */
	const char **shown;
	size_t n_shown, room_shown;
	struct err *warnings;
	size_t n_warnings, room_warnings;
	struct sym_reached reached;
};

static int check_dir(const char *option, const char *dir, struct err *err)
{
	struct stat st;

	if (!dir)
		return 0;
	if (stat(dir, &st) != 0)
		return err_set(err, -errno, "%s %s: %m", option, dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "%s %s: not a directory", option, dir);
	return 0;
}

int sym_create(const struct sym_options *options, struct sym_cache **cache, struct err *err)
{
	int code = check_dir("--sysroot", options->sysroot, err);

	if (!code)
		code = check_dir("--debug-dir", options->debug_dir, err);
	if (code < 0)
		return code;
	struct sym_cache *c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, -ENOMEM, "symbols: out of memory");
	c->options = (struct sym_options){
		.sysroot = arena_strdup(&c->arena, options->sysroot),
		.debug_dir = arena_strdup(&c->arena, options->debug_dir),
		.no_symbols = options->no_symbols,
		.libc_by_symbols = options->libc_by_symbols,
		.reached = &c->reached,
	};
	if ((options->sysroot && !c->options.sysroot) ||
	    (options->debug_dir && !c->options.debug_dir)) {
		sym_destroy(c);
		return err_set(err, -ENOMEM, "symbols: out of memory");
	}
	*cache = c;
	return 0;
}

static void module_destroy(struct sym_module *m)
{
	sym_dwarf_close(m->dwarf);
	sym_table_close(&m->table);
	sym_elf_close(m->found.debug);
	sym_elf_close(m->found.main);
	map_fini(&m->answers);
	free(m);
}

void sym_destroy(struct sym_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->n_modules; i++)
		module_destroy(cache->modules[i]);
	free(cache->modules);
	free(cache->answers);
	free(cache->frames);
	map_fini(&cache->names);
	free(cache->shown);
	free(cache->warnings);
	arena_fini(&cache->arena);
	free(cache);
}

/* ---- modules ------------------------------------------------------------------------------ */

/* What a place is called when it has no name: the base name, or what kind of memory it is. */
static char *base_name(struct arena *arena, const char *path)
{
	static const char deleted[] = " (deleted)";
	const char *base = strrchr(path, '/');
	char *copy = arena_strdup(arena, !path[0] ? "[jit]" : base && base[1] ? base + 1 : path);
	char *tail = copy ? strstr(copy, deleted) : NULL;

	if (tail && tail[sizeof(deleted) - 1] == '\0')
		*tail = '\0';
	return copy;
}

static struct sym_module *module_create(struct sym_cache *cache, const struct sym_want *want)
{
	struct sym_module *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->path = arena_strdup(&cache->arena, want->path ? want->path : "");
	m->build_id = arena_strdup(&cache->arena, want->build_id ? want->build_id : "");
	m->source = arena_strdup(&cache->arena, want->source ? want->source : "the dump");
	m->pid = want->pid;
	if (m->path)
		m->base = base_name(&cache->arena, m->path);
	if (!m->base || !m->build_id || !m->source) {
		free(m);
		return NULL;
	}
	return m;
}

struct sym_module *sym_module(struct sym_cache *cache, const struct sym_want *want)
{
	const char *path = want->path ? want->path : "";
	const char *build_id = want->build_id ? want->build_id : "";

	for (size_t i = 0; i < cache->n_modules; i++) {
		struct sym_module *m = cache->modules[i];

		if (strcmp(m->path, path) != 0 || strcmp(m->build_id, build_id) != 0)
			continue;
		/* the process asked for last is the one most likely to be still there */
		if (m->status == SYM_UNUSED && want->pid)
			m->pid = want->pid;
		return m;
	}
	if (!GROW(cache->modules, cache->n_modules, cache->room_modules))
		return NULL;
	struct sym_module *m = module_create(cache, want);
	if (m)
		cache->modules[cache->n_modules++] = m;
	return m;
}

/* The first four digits, as people compare them. */
static void short_id(char out[16], const char *build_id)
{
	if (build_id[0])
		snprintf(out, 16, "%.4s..", build_id);
	else
		snprintf(out, 16, "none");
}

static void warn(struct sym_cache *cache, const struct sym_module *m, uint64_t offset)
{
	struct err w = { 0 };
	char have[16], want[16], place[SYM_PLACE];

	short_id(have, m->found.other_id);
	short_id(want, m->build_id);
	sym_place(m, offset, place);
	switch (m->status) {
	case SYM_MISMATCH:
		err_set(&w, -ESTALE, "%s: build id %s on disk, %s in %s: symbols not used", m->base,
			have, want, m->source);
		err_next(&w, "--debug-dir DIR with the matching file; frames are shown as %s", place);
		break;
	case SYM_MISSING:
		err_set(&w, -ENOENT, "%s: not found at %s: no symbols", m->base, m->path);
		err_next(&w, "--sysroot DIR or --debug-dir DIR with the file; frames are shown as %s",
			 place);
		break;
	case SYM_DAMAGED:
		err_set(&w, m->found.why.code, "%s: no symbols (%.300s)", m->base, m->found.why.text);
		err_next(&w, "--sysroot DIR or --debug-dir DIR with the file; frames are shown as %s",
			 place);
		break;
	default:
		if (m->dwarf && sym_dwarf_missing(m->dwarf)) {
			err_set(&w, -ENOENT, "%s: its debug information refers to %.200s, which is not "
				"there: names may be missing", m->base, sym_dwarf_missing(m->dwarf));
			err_next(&w, "--debug-dir DIR with that file, or install the debug package it "
				 "belongs to");
			break;
		}
		if (m->found.is_proven || (m->status != SYM_FULL && m->status != SYM_TABLE))
			return;
		err_set(&w, -ESTALE, "%s: no build id in %s: names are those of the file found now",
			m->base, m->source);
		err_next(&w, "if the file was replaced since, they are wrong: --no-symbols shows %s",
			 place);
	}
	if (GROW(cache->warnings, cache->n_warnings, cache->room_warnings))
		cache->warnings[cache->n_warnings++] = w;
}

/* The files that libc6 brings and libc6-dbg describes. */
static bool is_libc(const char *base)
{
	static const char *const names[] = { "libc.so.6", "ld-linux-x86-64.so.2", "libpthread.so.0",
					     "libm.so.6", "libmvec.so.1", "librt.so.1", "libdl.so.2",
					     "libresolv.so.2", "libanl.so.1" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(base, names[i]) == 0)
			return true;
	return false;
}

/* The file with the DWARF to read; NULL: there is none, or it is not worth the time. */
static struct sym_elf *dwarf_of(const struct sym_cache *cache, const struct sym_module *m)
{
	struct sym_elf *elf = m->found.debug && m->found.debug->has_dwarf ? m->found.debug :
									      m->found.main;

	if (!elf || !elf->has_dwarf)
		return NULL;
	/* a system without its symbols, but with its DWARF, is none that anybody ships */
	if (cache->options.libc_by_symbols && elf->is_deflated && elf->has_symbols && is_libc(m->base))
		return NULL;
	return elf;
}

static enum sym_status read_module(struct sym_cache *cache, struct sym_module *m)
{
	const struct sym_want want = {
		.path = m->path, .build_id = m->build_id, .source = m->source, .pid = m->pid,
	};
	struct sym_found *f = &m->found;

	if (cache->options.no_symbols)
		return SYM_OFF;
	sym_find(&cache->options, &want, f);
	if (f->status != SYM_UNUSED)
		return f->status;
	sym_table_open(f->main, f->debug, &m->table);
	struct sym_elf *dwarf = dwarf_of(cache, m);
	if (dwarf)
		m->dwarf = sym_dwarf_open(&cache->options, dwarf);
	return m->dwarf ? SYM_FULL : m->table.has_code ? SYM_TABLE : SYM_NONE;
}

/* Opens a module when its first address is asked for, so that the warning can show one. */
static void use_module(struct sym_cache *cache, struct sym_module *m, uint64_t offset)
{
	if (m->status != SYM_UNUSED)
		return;
	m->status = read_module(cache, m);
	warn(cache, m, offset);
}

enum sym_status sym_status(struct sym_cache *cache, struct sym_module *module)
{
	if (!module)
		return SYM_NO_FILE;
	use_module(cache, module, 0);
	return module->status;
}

const char *sym_path(const struct sym_module *module)
{
	return module && module->found.main ? module->found.main->path : NULL;
}

char *sym_place(const struct sym_module *module, uint64_t offset, char buf[SYM_PLACE])
{
	if (module)
		snprintf(buf, SYM_PLACE, "%.64s+0x%" PRIx64, module->base, offset);
	else
		snprintf(buf, SYM_PLACE, "0x%" PRIx64, offset);
	return buf;
}

/* ---- names and frames --------------------------------------------------------------------- */

/* A raw name as it is shown: demangled once, kept for good. NULL stays NULL. */
static const char *show(struct sym_cache *cache, const char *raw)
{
	char buf[SYM_NAME];
	const uint64_t key = (uintptr_t)raw;
	uint32_t at;

	if (!raw || !*raw)
		return NULL;
	if (map_get(&cache->names, key, &at))
		return cache->shown[at];
	const char *name = sym_name(raw, buf);
	if (name == buf)
		name = arena_strdup(&cache->arena, buf);
	if (!name || !GROW(cache->shown, cache->n_shown, cache->room_shown))
		return raw;
	cache->shown[cache->n_shown] = name;
	if (map_put(&cache->names, key, (uint32_t)cache->n_shown))
		cache->n_shown++;
	return name;
}

/* A C library's own name for its function (__GI___libc_read) is not what its caller wrote. */
static bool is_internal(const char *name)
{
	return name[0] == '_' && name[1] != 'Z' && name[1] != 'R';
}

/* The real function's name: DWARF's, unless the symbol table has a better one for its entry. */
static const char *function_name(struct sym_module *m, const struct sym_raw *raw, uint64_t addr)
{
	struct sym_entry entry;

	if (raw->name && !is_internal(raw->name))
		return raw->name;
	if (sym_table_code(&m->table, addr, &entry) && (!raw->name || entry.addr == raw->entry))
		return entry.name;
	return raw->name;
}

/* Finds the frames of an address and keeps them. Returns their answer, or NULL without memory. */
static const struct answer *find_frames(struct sym_cache *cache, struct sym_module *m, uint64_t addr)
{
	struct sym_raw raw[SYM_DEPTH] = { 0 };
	unsigned n = m->dwarf ? sym_dwarf_frames(m->dwarf, addr, raw) : 0;

	if (!n)
		n = 1;
	raw[n - 1].name = function_name(m, &raw[n - 1], addr);
	if (!GROW(cache->answers, cache->n_answers, cache->room_answers))
		return NULL;
	struct answer *answer = &cache->answers[cache->n_answers];
	*answer = (struct answer){ (uint32_t)cache->n_frames, n };
	for (unsigned i = 0; i < n; i++) {
		if (!GROW(cache->frames, cache->n_frames, cache->room_frames)) {
			cache->n_frames = answer->first;
			return NULL;
		}
		cache->frames[cache->n_frames++] = (struct sym_frame){
			.function = show(cache, raw[i].name),
			.file = raw[i].file,
			.line = raw[i].line,
			.inlined = i + 1 < n,
		};
	}
	if (map_put(&m->answers, addr + 1, (uint32_t)cache->n_answers))
		cache->n_answers++;
	return answer;
}

unsigned sym_frames(struct sym_cache *cache, struct sym_module *module, uint64_t offset,
		    bool is_return, struct sym_frame *frames, unsigned room)
{
	const uint64_t addr = offset - (is_return && offset);
	const struct answer *answer = NULL;
	uint32_t at;

	frames[0] = (struct sym_frame){ 0 };
	if (!module || addr == UINT64_MAX)
		return 1;
	use_module(cache, module, offset);
	if (!module->dwarf && !module->table.has_code)
		return 1;
	if (map_get(&module->answers, addr + 1, &at))
		answer = &cache->answers[at];
	else
		answer = find_frames(cache, module, addr);
	if (!answer)
		return 1;
	const struct sym_frame *found = &cache->frames[answer->first];
	const unsigned n = answer->n < room ? answer->n : room;
	memcpy(frames, found, n * sizeof(*frames));
	/* the function that is really there is the one that must not be missing */
	frames[n - 1] = found[answer->n - 1];
	return n;
}

bool sym_data_at(struct sym_cache *cache, struct sym_module *module, uint64_t offset,
		 struct sym_data *data)
{
	if (!module)
		return false;
	use_module(cache, module, offset);
	struct sym_entry entry;
	if (!sym_table_data(&module->table, offset, &entry))
		return false;
	*data = (struct sym_data){
		.name = show(cache, entry.name),
		.offset = offset - entry.addr,
		.size = entry.end - entry.addr,
	};
	return true;
}

size_t sym_warnings(const struct sym_cache *cache)
{
	return cache->n_warnings;
}

const struct err *sym_warning(const struct sym_cache *cache, size_t i)
{
	return i < cache->n_warnings ? &cache->warnings[i] : NULL;
}
