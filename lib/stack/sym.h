/*
 * sym - names for program counters: function, file and line, inlined frames.
 *
 *	struct sym_cache *cache;
 *	sym_create(&(struct sym_options){ .sysroot = NULL }, &cache, &err);
 *	struct sym_module *m = sym_module(cache, &(struct sym_want){
 *		.path = "/usr/lib/libthumbs.so", .build_id = "9f3c...", .source = "the core" });
 *	n = sym_frames(cache, m, offset, is_return, frames, SYM_FRAMES);
 *	for (i = 0; i < sym_warnings(cache); i++) err_print(stderr, tool, "warning", sym_warning(cache, i));
 *	sym_destroy(cache);
 *
 * Offsets. Everywhere in dumps, feeds and reports a frame is (module, offset) with
 *
 *	offset = pc - load bias of the module
 *
 * which is the ELF virtual address: the number that nm(1), objdump(1) and addr2line(1) use. It
 * is not a position in the file. The load bias is what the loader added to p_vaddr: for the
 * mapping at `start` with file offset `off`, and the PT_LOAD whose p_offset range holds `off`,
 * bias = start - (p_vaddr + (off - p_offset)); for a program at a fixed address it is 0. Where
 * the module is no ELF file (code made at run time) offset = pc - start of the mapping.
 *
 * Build ids. A file is used only if its build id is the one recorded; a different one is said
 * in a warning and the frames stay `libthumbs.so+0x1a2b0`. Where nothing was recorded, that is
 * said too: a name from a file that nobody can check is marked, never silently believed.
 *
 * Nothing here goes to the network (debuginfod is never asked), and nothing is opened before
 * the first frame of a module is looked up. ELF files are mapped while the cache lives: do not
 * truncate them meanwhile.
 */
#ifndef SHMSCOPE_STACK_SYM_H
#define SHMSCOPE_STACK_SYM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

struct sym_cache;
struct sym_module;
struct sym_reached;

struct sym_options {
	const char *sysroot;   /* --sysroot: take files from below here only; NULL: from / */
	const char *debug_dir; /* --debug-dir: look here too, and first for debug files; NULL */
	bool no_symbols;       /* --no-symbols: every frame is module+offset */
	bool libc_by_symbols;  /* the C library's own functions by its symbol table alone, where its
				* DWARF would have to be inflated first: some 50 ms with libc6-dbg */
	struct sym_reached *reached; /* the cache's own */
};

/* A module as the dump describes it. All borrowed for the call. */
struct sym_want {
	const char *path;      /* as the process saw it; "" for code that belongs to no file */
	const char *build_id;  /* hex; NULL or "": not recorded */
	const char *source;    /* where that was recorded: "the core", "the feed"; NULL: "the dump" */
	pid_t pid;             /* still that process (proc_is_same()): its files are looked at; 0 */
};

enum sym_status {
	SYM_UNUSED = 0,  /* no frame was looked up yet */
	SYM_FULL,        /* functions, lines, inlined frames */
	SYM_TABLE,       /* functions only: no debug information */
	SYM_NONE,        /* the right file, but it names nothing (stripped) */
	SYM_MISSING,     /* no file */
	SYM_MISMATCH,    /* only files with another build id */
	SYM_DAMAGED,     /* there is a file that is no ELF file, or cannot be read */
	SYM_NO_FILE,     /* code that belongs to no file (made at run time, vdso of elsewhere) */
	SYM_OFF          /* --no-symbols */
};

struct sym_frame {
	const char *function; /* demangled; NULL: not known. As long as the cache lives */
	const char *file;     /* as the compiler wrote it, usually absolute; NULL: not known */
	unsigned line;        /* 0: not known */
	bool inlined;         /* into the function of the next frame */
};

struct sym_data {
	const char *name;     /* demangled; as long as the cache lives */
	uint64_t offset;      /* from its start */
	uint64_t size;        /* of the object */
};

enum { SYM_FRAMES = 32, SYM_PLACE = 96 };

/*
 * sym_create - an empty cache.
 * options  borrowed for the call.  cache  returned; sym_destroy() it.
 * Returns 0; -ENOMEM; -ENOENT or -ENOTDIR when sysroot or debug_dir is no directory.
 * Safety: one-owner; may block on files, as all that open them do.
 */
int sym_create(const struct sym_options *options, struct sym_cache **cache, struct err *err);

/* sym_destroy - with everything it gave out. NULL is fine. Safety: one-owner. */
void sym_destroy(struct sym_cache *cache);

/*
 * sym_module - the handle of a module; the same one for the same path and build id.
 * Opens nothing. Returns NULL only when memory is exhausted; NULL may be given to all others.
 * Safety: one-owner.
 */
struct sym_module *sym_module(struct sym_cache *cache, const struct sym_want *want);

/*
 * sym_frames - the frames of one program counter, innermost first, the real function last.
 *
 * is_return  offset is a return address: the call before it is looked up. False for the
 *            innermost frame of a thread, for the frame that a signal interrupted and for the
 *            signal frame itself (AS_FRAME_EXACT, AS_FRAME_SIGNAL in a dump).
 * frames     set; room at least 1. When there are more, inner ones are left out between the
 *            innermost and the real function.
 *
 * Returns how many were set, at least 1; an unknown place is one frame without a function.
 * Answers are kept: asking again costs a look into a table.
 * Safety: one-owner; the first question about a module may block on files.
 */
unsigned sym_frames(struct sym_cache *cache, struct sym_module *module, uint64_t offset,
		    bool is_return, struct sym_frame *frames, unsigned room);

/*
 * sym_data_at - the global or static variable at an address ("index_lock").
 * Returns false when no symbol covers it; data is then untouched.
 * Safety: as sym_frames().
 */
bool sym_data_at(struct sym_cache *cache, struct sym_module *module, uint64_t offset,
		 struct sym_data *data);

/* sym_place - "libthumbs.so+0x1a2b0", "[vdso]+0x9a0", "[jit]+0x40". Returns buf. Safety: one-owner. */
char *sym_place(const struct sym_module *module, uint64_t offset, char buf[SYM_PLACE]);

/* sym_status - what is known about a module; opens it if need be. Safety: as sym_frames(). */
enum sym_status sym_status(struct sym_cache *cache, struct sym_module *module);

/*
 * sym_path - the file the names came from (not the debug file), or NULL. As long as the cache
 * lives. Safety: one-owner.
 */
const char *sym_path(const struct sym_module *module);

/*
 * sym_warnings, sym_warning - what the reader must be told, in the order it was found; at most
 * one for each module. Safety: one-owner.
 */
size_t sym_warnings(const struct sym_cache *cache);
const struct err *sym_warning(const struct sym_cache *cache, size_t i);

#endif
