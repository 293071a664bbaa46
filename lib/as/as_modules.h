/*
 * as_modules - the executable mappings of a process, sorted: which module does a pc lie in?
 *
 * A module is the run of mappings of one file that begins at its offset 0 and of which at
 * least one may be executed; [vdso]; or executable memory without a file (JIT code).
 */
#ifndef SHMSCOPE_AS_MODULES_H
#define SHMSCOPE_AS_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/as/as_elf.h"
#include "lib/as/as_mem.h"

enum as_module_kind { AS_MODULE_FILE, AS_MODULE_DELETED, AS_MODULE_VDSO, AS_MODULE_JIT };

/* The kind's name in the feed: "file", "deleted", "vdso", "jit". Safety: AS-safe, MT-safe. */
const char *as_module_kind_name(enum as_module_kind kind);

struct as_module {
	uint64_t start, end;           /* all its mappings */
	uint64_t exec_start, exec_end; /* from the first executable one to the last */
	uint64_t offset;               /* in the file, of `start` */
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	uint32_t path;     /* place in as_modules.names; see as_module_path() */
	uint16_t path_len;
	uint8_t kind;      /* enum as_module_kind */
	bool elf_read;     /* elf was filled, or found not to be there: bias and hdr are 0 */
	bool path_cut;     /* the path did not fit */
	struct as_elf elf;
};

enum { AS_MODULES_DEVICES = 8 };

struct as_device { /* a filesystem that something of the process is mapped from, code or data */
	uint32_t dev_major, dev_minor;
	bool is_known;  /* what the next one is; the caller's, both */
	bool is_served;
};

struct as_modules {
	struct as_device device[AS_MODULES_DEVICES]; /* kept from one reading to the next */
	unsigned devices;
	struct as_module *module;
	size_t room, count;
	char *names;
	size_t names_room, names_len;
	uint64_t dropped; /* modules there was no room for */
	uint64_t print;   /* changes with every change of the list */
};

/*
 * as_modules_init - an empty table in the caller's memory.
 * Safety: AS-safe, one-owner, wait-free.
 */
void as_modules_init(struct as_modules *t, struct as_module *module, size_t room, char *names,
		     size_t names_room);

/*
 * as_modules_read - fill the table from /proc/PID/maps.
 *
 * Headers of the files are not looked at before as_module_elf(). Where a module stayed the
 * same (range, file) since the last reading, what was known of it is kept; then `print` is the
 * same too if that holds for all.
 * tid, buf, room  as for as_maps_open(); borrowed for the call.
 * Returns 0; a negative errno, then the table is empty or holds what was read until then.
 * Safety: AS-safe, one-owner; may block while the target's memory map is locked.
 */
int as_modules_read(struct as_modules *t, int proc_fd, pid_t tid, char *buf, size_t room);

/*
 * as_modules_find - the module whose executable part a pc lies in; NULL when there is none.
 * Safety: AS-safe, MT-safe with other readers, wait-free.
 */
struct as_module *as_modules_find(const struct as_modules *t, uint64_t pc);

/*
 * as_modules_holding - the module whose memory an address of data lies in, .bss included; NULL
 * when there is none.
 * m  the target's memory: headers are read where they were not yet.
 * Safety: AS-safe, one-owner (of t and m).
 */
struct as_module *as_modules_holding(const struct as_modules *t, struct as_mem *m, uint64_t addr);

/*
 * as_module_elf - the ELF headers of a module, read at the first call.
 * Returns the module's elf; all zero when it has none (JIT code, or the file is no ELF file).
 * Safety: AS-safe, one-owner (of t and m).
 */
const struct as_elf *as_module_elf(struct as_module *module, struct as_mem *m);

/* as_module_path - its path (as the kernel prints it, not terminated). Safety: AS-safe. */
static inline const char *as_module_path(const struct as_modules *t, const struct as_module *m)
{
	return t->names + m->path;
}

#endif
