/*
 * sym_priv - how the files of this directory share the work of naming a program counter:
 *
 *	sym.c        modules, answers already given, warnings
 *	sym_find.c   which file belongs to a module, and its debug file
 *	sym_reach.c  whether a file's filesystem answers
 *	sym_elf.c    one ELF file: build id, debug link, symbol sections
 *	sym_table.c  which symbol covers an address
 *	sym_dwarf.c  functions, inlined calls and lines of one file's DWARF
 *	sym_name.c   demangling; sym_rust.c the v0 scheme of Rust
 */
#ifndef SHMSCOPE_STACK_SYM_PRIV_H
#define SHMSCOPE_STACK_SYM_PRIV_H

#include <elfutils/libdw.h>
#include <libelf.h>

#include "lib/base/arena.h"
#include "lib/stack/sym.h"

enum { SYM_BUILD_ID = 2 * 64 + 1, SYM_DEPTH = 64, SYM_NAME = 4096 };

/* ---- one ELF file ------------------------------------------------------------------------ */

struct sym_elf {
	Elf *elf;
	char *path;                  /* as opened */
	char build_id[SYM_BUILD_ID]; /* hex; "" when it has none */
	const char *link;            /* .gnu_debuglink: base name of the debug file; NULL */
	uint32_t link_crc;
	bool has_symbols;            /* .symtab */
	bool has_dwarf;              /* .debug_info, perhaps compressed */
	bool is_deflated;            /* it is: libdw inflates all of the DWARF to read a byte of it */
	bool has_minidebug;          /* .gnu_debugdata */
};

/*
 * sym_elf_open - map an ELF file.
 * Returns 0 with *elf to be sym_elf_close()d; -ENOENT, -EACCES...; -EBADMSG when it is no ELF
 * file or too damaged to have sections.
 */
int sym_elf_open(const char *path, struct sym_elf **elf, struct err *err);
void sym_elf_close(struct sym_elf *elf);

/* sym_elf_of_vdso - our own vdso, which is that of every process of this boot. NULL: none. */
struct sym_elf *sym_elf_of_vdso(void);

/* sym_elf_crc - the checksum that a debug link carries, of a whole file. Returns 0 or -errno. */
int sym_elf_crc(const char *path, uint32_t *crc);

/* ---- what can be reached ------------------------------------------------------------------ */

enum { SYM_REACHED = 16 };

struct sym_reached { /* filesystems that were tried */
	uint64_t dev[SYM_REACHED];
	bool answers[SYM_REACHED];
	unsigned n;
};

/*
 * sym_reach - `path`, which the process pid (0: ours) knows as `own`, can be opened without waiting
 * for long. Waits for a second at most, once for a filesystem; on local ones not at all.
 */
bool sym_reach(struct sym_reached *reached, pid_t pid, const char *own, const char *path);

/* ---- where files are --------------------------------------------------------------------- */

struct sym_found {
	struct sym_elf *main;        /* NULL: only a debug file was found */
	struct sym_elf *debug;       /* NULL: none, or main has everything */
	enum sym_status status;      /* SYM_UNUSED when something was found */
	bool is_proven;              /* the build id agrees, or it is the very file in use */
	char other_id[SYM_BUILD_ID]; /* SYM_MISMATCH: that of the file in its place */
	struct err why;              /* SYM_MISSING, SYM_DAMAGED */
};

/* sym_find - the files of a module; never fails, found->status says. */
void sym_find(const struct sym_options *options, const struct sym_want *want,
	      struct sym_found *found);

/*
 * sym_find_alt - the file that DWARF of another file refers to (dwz): by build id, and by the name
 * that the link gives, which is a path below /usr/lib/debug or relative to the file it stands in.
 * Returns NULL when there is none with that build id.
 */
struct sym_elf *sym_find_alt(const struct sym_options *options, const struct sym_elf *of,
			     const char *name, const char *build_id);

/* ---- symbols ----------------------------------------------------------------------------- */

struct sym_entry {
	uint64_t addr, end;
	const char *name;            /* raw, in the file's string table */
};

/* What a section says about the symbols in it. */
struct sym_section {
	uint64_t limit;
	bool is_code;
};

/* A list of symbols as it lies in the file. */
struct sym_list {
	Elf_Data *data;              /* NULL: there is none */
	size_t n;
	bool is_64;
	const char *names;
	size_t names_bytes;          /* up to the last name that ends */
	struct sym_section *sections;
	size_t n_sections;
};

struct sym_table {
	struct sym_list list;
	unsigned scans;              /* how often the list was gone through */
	bool has_code;               /* it names a function */
	bool is_sorted;              /* into these, one entry for each address: */
	struct sym_entry *code, *data;
	size_t n_code, n_data;
	void *aux;                   /* Dwfl that holds the names of .gnu_debugdata */
};

/*
 * sym_table_open - the symbols of main and debug, either may be NULL.
 * Returns 0, also when there are none, or -ENOMEM. The files outlive the table.
 */
int sym_table_open(const struct sym_elf *main, const struct sym_elf *debug,
		   struct sym_table *table);
void sym_table_close(struct sym_table *table);

/* sym_table_code, sym_table_data - the symbol that covers an address; false: there is none. */
bool sym_table_code(struct sym_table *table, uint64_t addr, struct sym_entry *entry);
bool sym_table_data(struct sym_table *table, uint64_t addr, struct sym_entry *entry);

/* ---- DWARF ------------------------------------------------------------------------------- */

struct sym_dwarf;

/* A frame as DWARF has it; strings live as long as the sym_dwarf. */
struct sym_raw {
	const char *name;  /* linkage name, or plain */
	const char *file;
	unsigned line;
	uint64_t entry;    /* of the function; 0 for inlined ones */
};

/* sym_dwarf_open - index the units of an ELF file's DWARF. NULL when there is none to use. */
struct sym_dwarf *sym_dwarf_open(const struct sym_options *options, struct sym_elf *elf);
void sym_dwarf_close(struct sym_dwarf *dwarf);

/* sym_dwarf_missing - the file it refers to that was not found; NULL: nothing is missing. */
const char *sym_dwarf_missing(const struct sym_dwarf *dwarf);

/*
 * sym_dwarf_frames - innermost first, the real function last; a place with a line but without
 * a function is one frame without a name. Returns how many, 0 when DWARF knows nothing of it.
 */
unsigned sym_dwarf_frames(struct sym_dwarf *dwarf, uint64_t addr, struct sym_raw frames[SYM_DEPTH]);

/* ---- names ------------------------------------------------------------------------------- */

/*
 * sym_name - a symbol's name as its author wrote it: demangled (C++, Rust), without symbol
 * version and without what the compiler appended to parts and clones (.cold, .part.0).
 * buf   SYM_NAME bytes. Returns buf, or raw when there was nothing to change.
 */
const char *sym_name(const char *raw, char *buf);

/* sym_rust - a v0 name ("_R..."); false when it is none. Nothing is written beyond room. */
bool sym_rust(const char *raw, char *buf, size_t room);

#endif
