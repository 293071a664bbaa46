/*
 * Where a module's file may be, nearest first:
 *
 *	the live process's own view (/proc/PID/exe, /proc/PID/root, /proc/PID/map_files), which
 *	    has files that were deleted or replaced since, and those of another mount namespace
 *	the sysroot, or without one the path itself
 *	the debug directory, by build id, by path and by name
 *
 * and its debug file: by build id below the debug directories, then by .gnu_debuglink. What is
 * taken must have the recorded build id; the first file that had another one is remembered.
 */
#include "lib/stack/sym_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/proc/proc_maps.h"

static const char deleted[] = " (deleted)";
static const char system_debug[] = "/usr/lib/debug";

enum { PLACES = 4 };

struct search {
	const struct sym_options *options;
	const char *build_id;       /* "": not recorded */
	pid_t pid;
	char path[PATH_MAX];        /* without " (deleted)" */
	char root[32];              /* "/proc/PID/root"; "" without a process */
	const char *dirs[PLACES];   /* directories with debug files; NULL ends */
	char system_dirs[PLACES][PATH_MAX];
	struct sym_found *found;
};

static void add_system_dir(struct search *s, size_t *n, const char *prefix)
{
	if (snprintf(s->system_dirs[*n], PATH_MAX, "%s%s", prefix, system_debug) < PATH_MAX) {
		s->dirs[*n] = s->system_dirs[*n];
		(*n)++;
	}
}

static void add_dirs(struct search *s)
{
	const struct sym_options *o = s->options;
	size_t n = 0;

	if (o->debug_dir)
		s->dirs[n++] = o->debug_dir;
	if (o->sysroot)
		add_system_dir(s, &n, o->sysroot);
	else if (s->root[0])
		add_system_dir(s, &n, s->root);
	if (!o->sysroot)
		add_system_dir(s, &n, "");
	s->dirs[n] = NULL;
}

static void begin(struct search *s, const struct sym_options *options, const struct sym_want *want,
		  struct sym_found *found)
{
	*s = (struct search){
		.options = options,
		.build_id = want->build_id ? want->build_id : "",
		.pid = options->sysroot ? 0 : want->pid,
		.found = found,
	};
	const size_t n = strlen(want->path), tail = sizeof(deleted) - 1;
	const bool is_deleted = n > tail && strcmp(want->path + n - tail, deleted) == 0;
	snprintf(s->path, sizeof(s->path), "%.*s", (int)(is_deleted ? n - tail : n), want->path);
	if (s->pid)
		snprintf(s->root, sizeof(s->root), "/proc/%d/root", (int)s->pid);
	add_dirs(s);
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Its filesystem answers. What lies below /proc/PID is the process's own view, or the file itself. */
static bool is_in_reach(struct search *s, const char *path)
{
	const size_t n = strlen(s->root);

	if (n && strncmp(path, s->root, n) == 0)
		return sym_reach(s->options->reached, s->pid, path + n, path);
	if (strncmp(path, "/proc/", 6) == 0)
		return sym_reach(s->options->reached, s->pid, s->path, path);
	return sym_reach(s->options->reached, 0, path, path);
}

/* Opens a path made of pieces; NULL when it is too long or not there. Why is kept once. */
__attribute__((format(printf, 2, 3))) static struct sym_elf *open_at(struct search *s,
								      const char *fmt, ...)
{
	char path[PATH_MAX];
	struct sym_elf *elf;
	struct err err;
	va_list ap;

	va_start(ap, fmt);
	const int n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(path))
		return NULL;
	const int code = is_in_reach(s, path)
				 ? sym_elf_open(path, &elf, &err)
				 : err_set(&err, -ETIMEDOUT, "%s: its filesystem does not answer", path);
	if (!code)
		return elf;
	/* a file that is there but cannot be used explains more than one that is not */
	if (!s->found->why.code || (s->found->why.code == -ENOENT && code != -ENOENT))
		s->found->why = err;
	return NULL;
}

/* The file, if it is the one that is wanted; else it is closed. */
static struct sym_elf *if_wanted(struct search *s, struct sym_elf *elf)
{
	if (!elf || !s->build_id[0] || strcmp(elf->build_id, s->build_id) == 0)
		return elf;
	if (s->found->status != SYM_MISMATCH) {
		s->found->status = SYM_MISMATCH;
		snprintf(s->found->other_id, sizeof(s->found->other_id), "%s", elf->build_id);
	}
	sym_elf_close(elf);
	return NULL;
}

static bool is_exe(const struct search *s, const char *wanted)
{
	char link[64], target[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)s->pid);
	const ssize_t n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return strcmp(target, wanted) == 0;
}

static struct sym_elf *of_mapping(struct search *s)
{
	uint64_t start, end;

	if (proc_maps_find(s->pid, s->path, &start, &end, NULL) != 0)
		return NULL;
	return open_at(s, "/proc/%d/map_files/%llx-%llx", (int)s->pid, (unsigned long long)start,
		       (unsigned long long)end);
}

/* The file as the live process has it. */
static struct sym_elf *of_process(struct search *s, const struct sym_want *want)
{
	struct sym_elf *elf = NULL;

	if (!s->pid)
		return NULL;
	if (is_exe(s, want->path))
		elf = if_wanted(s, open_at(s, "/proc/%d/exe", (int)s->pid));
	s->found->is_proven = elf != NULL;
	if (!elf && strcmp(s->path, want->path) == 0)
		elf = if_wanted(s, open_at(s, "%s%s", s->root, s->path));
	/* needs privilege, and the whole list of mappings to be read: only for a library that
	 * was deleted or replaced since */
	if (!elf) {
		elf = if_wanted(s, of_mapping(s));
		s->found->is_proven = elf != NULL;
	}
	return elf;
}

static struct sym_elf *of_debug_dir(struct search *s)
{
	const char *dir = s->options->debug_dir;
	struct sym_elf *elf = NULL;

	if (!dir)
		return NULL;
	if (strlen(s->build_id) > 2)
		elf = if_wanted(s, open_at(s, "%s/.build-id/%.2s/%s", dir, s->build_id,
					   s->build_id + 2));
	if (!elf)
		elf = if_wanted(s, open_at(s, "%s%s", dir, s->path));
	if (!elf)
		elf = if_wanted(s, open_at(s, "%s/%s", dir, base_of(s->path)));
	return elf;
}

static struct sym_elf *find_main(struct search *s, const struct sym_want *want)
{
	struct sym_elf *elf = of_process(s, want);
	const char *sysroot = s->options->sysroot;

	/* without a build id, another process's path means nothing in our own file system */
	if (!elf && (!s->pid || s->build_id[0]))
		elf = if_wanted(s, open_at(s, "%s%s", sysroot ? sysroot : "", s->path));
	if (!elf)
		elf = of_debug_dir(s);
	return elf;
}

/* ---- debug files -------------------------------------------------------------------------- */

static struct sym_elf *by_build_id(struct search *s, const char *build_id)
{
	if (strlen(build_id) <= 2)
		return NULL;
	for (const char *const *dir = s->dirs; *dir; dir++) {
		struct sym_elf *elf = open_at(s, "%s/.build-id/%.2s/%s.debug", *dir, build_id,
					      build_id + 2);

		if (elf && strcmp(elf->build_id, build_id) == 0)
			return elf;
		sym_elf_close(elf);
	}
	return NULL;
}

/* Is this the debug file of main? By build id, or without one by the checksum in the link. */
static struct sym_elf *if_debug_of(const struct sym_elf *main, const char *build_id,
				   struct sym_elf *elf)
{
	uint32_t crc;

	if (!elf)
		return NULL;
	if (build_id[0] ? strcmp(elf->build_id, build_id) == 0
			: main && main->link && sym_elf_crc(elf->path, &crc) == 0 &&
				  crc == main->link_crc)
		return elf;
	sym_elf_close(elf);
	return NULL;
}

/* What a person puts into --debug-dir: NAME, NAME.debug, or a tree with the path. */
static struct sym_elf *by_name(struct search *s, const struct sym_elf *main, const char *build_id)
{
	const char *dir = s->options->debug_dir;
	struct sym_elf *elf;

	if (!dir)
		return NULL;
	elf = if_debug_of(main, build_id, open_at(s, "%s%s.debug", dir, s->path));
	if (!elf)
		elf = if_debug_of(main, build_id, open_at(s, "%s/%s.debug", dir, base_of(s->path)));
	if (!elf)
		elf = if_debug_of(main, build_id, open_at(s, "%s/%s", dir, base_of(s->path)));
	return elf;
}

static struct sym_elf *by_link(struct search *s, const struct sym_elf *main, const char *build_id)
{
	const char *sysroot = s->options->sysroot, *link = main ? main->link : NULL;
	const char *root = sysroot ? sysroot : s->root;
	const int n = (int)(base_of(s->path) - s->path);
	struct sym_elf *elf;

	/* it is a base name; anything else came from somebody who wants us elsewhere */
	if (!link || !*link || strchr(link, '/'))
		return NULL;
	elf = if_debug_of(main, build_id, open_at(s, "%s%.*s%s", root, n, s->path, link));
	if (!elf)
		elf = if_debug_of(main, build_id,
				  open_at(s, "%s%.*s.debug/%s", root, n, s->path, link));
	for (const char *const *dir = s->dirs; *dir && !elf; dir++) {
		elf = if_debug_of(main, build_id, open_at(s, "%s%.*s%s", *dir, n, s->path, link));
		if (!elf)
			elf = if_debug_of(main, build_id, open_at(s, "%s/%s", *dir, link));
	}
	return elf;
}

static struct sym_elf *find_debug(struct search *s, const struct sym_elf *main)
{
	const char *build_id = main ? main->build_id : s->build_id;
	struct sym_elf *elf = by_build_id(s, build_id);

	if (!elf)
		elf = by_name(s, main, build_id);
	if (!elf)
		elf = by_link(s, main, build_id);
	if (elf && (elf->has_dwarf || elf->has_symbols))
		return elf;
	sym_elf_close(elf);
	return NULL;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static void find_vdso(const struct sym_want *want, struct sym_found *found)
{
	struct sym_elf *elf = sym_elf_of_vdso();
	const char *wanted = want->build_id ? want->build_id : "";

	/* ours is that of every process of this boot; what another boot had, nobody kept */
	if (elf && (wanted[0] ? strcmp(elf->build_id, wanted) == 0 : want->pid != 0)) {
		found->main = elf;
		found->is_proven = true;
		return;
	}
	sym_elf_close(elf);
	found->status = SYM_NO_FILE;
}

/* Is this the path of a file that can be opened, or one of the names maps gives to memory? */
static bool is_file(const struct sym_want *want)
{
	static const char *const memory[] = { "/dev/zero", "/SYSV", "/anon_hugepage", "/memfd:" };

	if (want->path[0] != '/')
		return false;
	/* code made at run time has no build id; a library loaded from a memfd has */
	if (want->build_id && want->build_id[0])
		return true;
	for (size_t i = 0; i < sizeof(memory) / sizeof(*memory); i++)
		if (strncmp(want->path, memory[i], strlen(memory[i])) == 0)
			return false;
	return true;
}

void sym_find(const struct sym_options *options, const struct sym_want *want,
	      struct sym_found *found)
{
	struct search s;

	*found = (struct sym_found){ 0 };
	if (strcmp(want->path, "[vdso]") == 0) {
		find_vdso(want, found);
		return;
	}
	if (!is_file(want)) {
		found->status = SYM_NO_FILE;
		return;
	}
	begin(&s, options, want, found);
	found->main = find_main(&s, want);
	if (!found->main || !found->main->has_dwarf)
		found->debug = find_debug(&s, found->main);
	if (found->main || found->debug) {
		found->status = SYM_UNUSED;
		found->is_proven = found->is_proven || s.build_id[0];
	} else if (found->status != SYM_MISMATCH) {
		found->status = found->why.code == -ENOENT ? SYM_MISSING : SYM_DAMAGED;
	}
}

/* The file, if it has that build id; else it is closed. */
static struct sym_elf *if_alt(struct sym_elf *elf, const char *build_id)
{
	if (elf && strcmp(elf->build_id, build_id) == 0)
		return elf;
	sym_elf_close(elf);
	return NULL;
}

struct sym_elf *sym_find_alt(const struct sym_options *options, const struct sym_elf *of,
			     const char *name, const char *build_id)
{
	struct sym_found found = { 0 };
	struct search s;

	begin(&s, options, &(struct sym_want){ .path = "/" }, &found);
	struct sym_elf *elf = by_build_id(&s, build_id);
	const size_t n = sizeof(system_debug) - 1;

	if (!elf && name[0] != '/')
		elf = if_alt(open_at(&s, "%.*s%s", (int)(base_of(of->path) - of->path), of->path, name),
			     build_id);
	/* distributions put it below /usr/lib/debug/.dwz, which a debug directory may be a copy of */
	for (const char *const *dir = s.dirs; *dir && !elf && strncmp(name, system_debug, n) == 0; dir++)
		elf = if_alt(open_at(&s, "%s%s", *dir, name + n), build_id);
	if (!elf && name[0] == '/')
		elf = if_alt(open_at(&s, "%s%s", options->sysroot ? options->sysroot : "", name),
			     build_id);
	return elf;
}
