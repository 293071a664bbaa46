/*
 * One sorted array of functions and one of variables. Several names for one address are the
 * rule in a C library (read, __read, __libc_read, __GI___libc_read): the one kept is the one a
 * programmer would have written.
 */
#include "lib/stack/sym_priv.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/grow.h"

/* How far an enclosing symbol is searched behind smaller ones inside it. */
enum { NESTED = 16 };

/* A symbol while the index is made. */
struct raw {
	uint64_t addr, end; /* end == addr: has no size */
	uint64_t limit;     /* end of its section */
	const char *name;
	unsigned char underscores, binding;
	bool is_data;
};

struct raws {
	struct raw *raw;
	size_t n, room;
};

/* What a section says about symbols in it. */
struct section {
	uint64_t limit;
	bool is_code;
};

static unsigned char binding_rank(unsigned char info)
{
	switch (GELF_ST_BIND(info)) {
	case STB_GLOBAL:
		return 0;
	case STB_WEAK:
		return 1;
	default:
		return 2;
	}
}

static unsigned char underscores(const char *name)
{
	const size_t n = strspn(name, "_");

	return n < 255 ? (unsigned char)n : 255;
}

static bool is_wanted(const GElf_Sym *sym, const struct section *section)
{
	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS || !sym->st_value)
		return false;
	switch (GELF_ST_TYPE(sym->st_info)) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
	case STT_OBJECT:
		return true;
	case STT_NOTYPE: /* functions written in assembler; local ones are labels */
		return section && section->is_code && GELF_ST_BIND(sym->st_info) != STB_LOCAL;
	default:
		return false;
	}
}

static int add(struct raws *all, const GElf_Sym *sym, const char *name,
	       const struct section *section)
{
	uint64_t end;

	if (!name || !*name || !is_wanted(sym, section))
		return 0;
	if (!GROW(all->raw, all->n, all->room))
		return -ENOMEM;
	if (__builtin_add_overflow(sym->st_value, sym->st_size, &end))
		return 0;
	all->raw[all->n++] = (struct raw){
		.addr = sym->st_value,
		.end = end,
		.limit = section ? section->limit : 0,
		.name = name,
		.underscores = underscores(name),
		.binding = binding_rank(sym->st_info),
		.is_data = GELF_ST_TYPE(sym->st_info) == STT_OBJECT,
	};
	return 0;
}

static struct section *read_sections(Elf *elf, size_t *n)
{
	if (elf_getshdrnum(elf, n) != 0 || !*n)
		return NULL;
	struct section *sections = calloc(*n, sizeof(*sections));

	for (size_t i = 1; sections && i < *n; i++) {
		GElf_Shdr shdr;
		Elf_Scn *scn = elf_getscn(elf, i);

		if (scn && gelf_getshdr(scn, &shdr))
			sections[i] = (struct section){
				.limit = shdr.sh_addr + shdr.sh_size,
				.is_code = shdr.sh_flags & SHF_EXECINSTR,
			};
	}
	return sections;
}

/* The symbols of the sections of one type. */
static int add_symbols(struct raws *all, Elf *elf, GElf_Word type)
{
	size_t n_sections = 0;
	FREES struct section *sections = read_sections(elf, &n_sections);

	if (!sections)
		return 0;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr shdr;
		Elf_Data *data;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != type || !shdr.sh_entsize ||
		    !(data = elf_getdata(scn, NULL)))
			continue;
		const size_t n = data->d_size / shdr.sh_entsize;
		for (size_t i = 1; i < n && i <= INT32_MAX; i++) {
			GElf_Sym sym;

			if (!gelf_getsym(data, (int)i, &sym))
				break;
			if (add(all, &sym, elf_strptr(elf, shdr.sh_link, sym.st_name),
				sym.st_shndx < n_sections ? &sections[sym.st_shndx] : NULL) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* Without this, libdwfl would search for debug files by itself, and ask debuginfod. */
static int find_no_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
			     const char *file, const char *link, GElf_Word crc, char **found)
{
	(void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc;
	*found = NULL;
	return -1;
}

/* .gnu_debugdata: a compressed ELF file with the symbols that strip(1) removed. libdwfl knows
 * how to unpack it; the names live as long as table->aux. */
static int add_minidebug(struct raws *all, const struct sym_elf *main, struct sym_table *table)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = find_no_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);

	if (!dwfl)
		return 0;
	table->aux = dwfl;
	Dwfl_Module *module = dwfl_report_elf(dwfl, main->path, main->path, -1, 0, true);
	dwfl_report_end(dwfl, NULL, NULL);
	const int n = module ? dwfl_module_getsymtab(module) : 0;
	for (int i = 1; i < n; i++) {
		GElf_Sym sym;
		GElf_Addr addr;
		const char *name = dwfl_module_getsym_info(module, i, &sym, &addr, NULL, NULL, NULL);

		if (!name)
			continue;
		sym.st_value = addr;
		if (add(all, &sym, name, NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* By address; the name to keep comes first. */
static int by_address(const void *a, const void *b)
{
	const struct raw *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if ((x->end == x->addr) != (y->end == y->addr))
		return x->end == x->addr ? 1 : -1;
	if (x->underscores != y->underscores)
		return x->underscores - y->underscores;
	if (x->binding != y->binding)
		return x->binding - y->binding;
	return strcmp(x->name, y->name);
}

/* Moves the symbols of one kind into an array of their own, one for each address. */
static int pack(const struct raws *all, bool data, struct sym_entry **entries, size_t *count)
{
	size_t n = 0;

	*count = 0;
	*entries = calloc(all->n ? all->n : 1, sizeof(**entries));
	if (!*entries)
		return -ENOMEM;
	uint64_t limit = 0;
	for (size_t i = 0; i < all->n; i++) {
		const struct raw *raw = &all->raw[i];

		if (raw->is_data != data || (n && (*entries)[n - 1].addr == raw->addr))
			continue;
		/* one without a size ends where the next begins, at the latest with its section */
		if (n && (*entries)[n - 1].end == (*entries)[n - 1].addr)
			(*entries)[n - 1].end = raw->addr < limit ? raw->addr : limit;
		(*entries)[n++] = (struct sym_entry){ raw->addr, raw->end, raw->name };
		limit = raw->limit;
	}
	if (n && (*entries)[n - 1].end == (*entries)[n - 1].addr)
		(*entries)[n - 1].end = limit;
	*count = n;
	/* most names of a big program are aliases or of the other kind: give the rest back */
	struct sym_entry *fitting = realloc(*entries, (n ? n : 1) * sizeof(*fitting));
	if (fitting)
		*entries = fitting;
	return 0;
}

static int collect(const struct sym_elf *main, const struct sym_elf *debug, struct raws *all,
		   struct sym_table *table)
{
	/* .symtab holds all that .dynsym does */
	if (debug && debug->has_symbols)
		return add_symbols(all, debug->elf, SHT_SYMTAB);
	if (main && main->has_symbols)
		return add_symbols(all, main->elf, SHT_SYMTAB);
	if (!main)
		return 0;
	const int code = add_symbols(all, main->elf, SHT_DYNSYM);
	if (code < 0 || !main->has_minidebug)
		return code;
	return add_minidebug(all, main, table);
}

int sym_table_build(const struct sym_elf *main, const struct sym_elf *debug,
		    struct sym_table *table)
{
	struct raws all = { 0 };

	*table = (struct sym_table){ 0 };
	int code = collect(main, debug, &all, table);
	if (!code && all.n)
		qsort(all.raw, all.n, sizeof(*all.raw), by_address);
	if (!code)
		code = pack(&all, false, &table->code, &table->n_code);
	if (!code)
		code = pack(&all, true, &table->data, &table->n_data);
	free(all.raw);
	if (code < 0)
		sym_table_fini(table);
	return code;
}

void sym_table_fini(struct sym_table *table)
{
	free(table->code);
	free(table->data);
	if (table->aux)
		dwfl_end(table->aux);
	*table = (struct sym_table){ 0 };
}

static const struct sym_entry *find(const struct sym_entry *entries, size_t n, uint64_t addr)
{
	size_t low = 0, high = n;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (entries[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = 0; i < NESTED && i < low; i++)
		if (addr < entries[low - 1 - i].end)
			return &entries[low - 1 - i];
	return NULL;
}

const struct sym_entry *sym_table_code(const struct sym_table *table, uint64_t addr)
{
	return find(table->code, table->n_code, addr);
}

const struct sym_entry *sym_table_data(const struct sym_table *table, uint64_t addr)
{
	return find(table->data, table->n_data, addr);
}
