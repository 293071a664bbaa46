/*
 * Which symbol covers an address. A dump asks a dozen addresses of a C library with ten thousand
 * symbols: to sort these takes longer than all the rest of a small dump (1 ms, and a megabyte to
 * be touched), so at first the list is gone through for each address, as it lies in the file
 * (15 us). Who asks more often, or at a place that is not plainly inside a function, gets two
 * sorted arrays, one of functions and one of variables.
 *
 * Several names for one address are the rule in a C library (read, __read, __libc_read,
 * __GI___libc_read): the one kept is the one a programmer would have written.
 */
#include "lib/stack/sym_priv.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/grow.h"

/* How far an enclosing symbol is searched behind smaller ones inside it; lists gone through. */
enum { NESTED = 16, SCANS = 32 };

/* A symbol while the index is made. Many, so they are small, and names are only read where two
 * symbols share an address. */
struct raw {
	uint64_t addr, size; /* size 0: has none */
	const char *name;
	uint32_t section;
	unsigned char binding;
	bool is_data;
};

struct raws {
	struct raw *raw;
	size_t n, room;
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

static bool is_wanted(const struct sym_list *list, const GElf_Sym *sym)
{
	const struct sym_section *section =
		sym->st_shndx < list->n_sections ? &list->sections[sym->st_shndx] : NULL;

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

static bool is_data(const GElf_Sym *sym)
{
	return GELF_ST_TYPE(sym->st_info) == STT_OBJECT;
}

static struct raw raw_of(const GElf_Sym *sym, const char *name)
{
	return (struct raw){
		.addr = sym->st_value,
		.size = sym->st_size,
		.name = name,
		.section = sym->st_shndx,
		.binding = binding_rank(sym->st_info),
		.is_data = is_data(sym),
	};
}

static bool is_better(const struct raw *x, const struct raw *y)
{
	const size_t xs = strspn(x->name, "_"), ys = strspn(y->name, "_");

	if (!x->size != !y->size)
		return x->size;
	if (xs != ys)
		return xs < ys;
	if (x->binding != y->binding)
		return x->binding < y->binding;
	return strcmp(x->name, y->name) < 0;
}

/* ---- the list in the file ------------------------------------------------------------------ */

static int read_sections(struct sym_list *list, Elf *elf)
{
	size_t n;

	if (elf_getshdrnum(elf, &n) != 0 || !n)
		return 0;
	list->sections = calloc(n, sizeof(*list->sections));
	if (!list->sections)
		return -ENOMEM;
	list->n_sections = n;
	for (size_t i = 1; i < n; i++) {
		GElf_Shdr shdr;
		Elf_Scn *scn = elf_getscn(elf, i);

		if (scn && gelf_getshdr(scn, &shdr))
			list->sections[i] = (struct sym_section){
				.limit = shdr.sh_addr + shdr.sh_size,
				.is_code = shdr.sh_flags & SHF_EXECINSTR,
			};
	}
	return 0;
}

static void read_names(struct sym_list *list, Elf *elf, size_t section)
{
	Elf_Scn *scn = elf_getscn(elf, section);
	const Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;

	list->names = data ? data->d_buf : NULL;
	list->names_bytes = list->names ? data->d_size : 0;
	while (list->names_bytes && list->names[list->names_bytes - 1])
		list->names_bytes--;
}

/* The first section of that type. */
static int read_list(struct sym_list *list, Elf *elf, GElf_Word type)
{
	list->is_64 = gelf_getclass(elf) == ELFCLASS64;
	const size_t bytes = list->is_64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);

	for (Elf_Scn *scn = NULL; !list->data && (scn = elf_nextscn(elf, scn));) {
		GElf_Shdr shdr;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != type)
			continue;
		list->data = elf_getdata(scn, NULL);
		list->n = list->data && list->data->d_buf ? list->data->d_size / bytes : 0;
		read_names(list, elf, shdr.sh_link);
	}
	if (list->data && list->data->d_type != ELF_T_SYM)
		list->n = 0;
	return list->n ? read_sections(list, elf) : 0;
}

/* gelf_getsym() takes a lock for each: of a hundred thousand, that is most of the time. */
static bool read_symbol(const struct sym_list *list, size_t i, GElf_Sym *sym)
{
	if (!list->is_64)
		return i <= INT32_MAX && gelf_getsym(list->data, (int)i, sym);
	*sym = ((const Elf64_Sym *)list->data->d_buf)[i]; /* libelf aligns what the file does not */
	return true;
}

/* The name of a symbol that is of use here, or NULL. Name 0 is the empty one. */
static const char *name_if_wanted(const struct sym_list *list, const GElf_Sym *sym)
{
	return sym->st_name && sym->st_name < list->names_bytes && is_wanted(list, sym) ?
		       list->names + sym->st_name : NULL;
}

static bool has_code(const struct sym_list *list)
{
	GElf_Sym sym;

	for (size_t i = 1; i < list->n && read_symbol(list, i, &sym); i++)
		if (!is_data(&sym) && name_if_wanted(list, &sym))
			return true;
	return false;
}

/* The next symbol from i on whose value is in low..high; list->n: none. Nearly all are passed over. */
static size_t skip_to(const struct sym_list *list, size_t i, uint64_t low, uint64_t high)
{
	const Elf64_Sym *symbols = list->n ? list->data->d_buf : NULL;

	if (list->is_64)
		while (i < list->n && symbols[i].st_value - low > high - low)
			i++;
	return i;
}

/* The symbol that begins nearest before an address; where several do, the best. */
static bool scan(const struct sym_list *list, uint64_t addr, bool data, struct raw *nearest)
{
	GElf_Sym sym;

	nearest->addr = 0;
	for (size_t i = 1; (i = skip_to(list, i, nearest->addr, addr)) < list->n; i++) {
		if (!read_symbol(list, i, &sym))
			break;
		if (sym.st_value < nearest->addr || sym.st_value > addr || is_data(&sym) != data)
			continue;
		const char *name = name_if_wanted(list, &sym);
		if (!name)
			continue;
		const struct raw raw = raw_of(&sym, name);
		if (raw.addr > nearest->addr || is_better(&raw, nearest))
			*nearest = raw;
	}
	return nearest->addr; /* nothing that is wanted is at 0 */
}

/* ---- the sorted index ---------------------------------------------------------------------- */

static int add(struct raws *all, const GElf_Sym *sym, const char *name)
{
	uint64_t end;

	if (__builtin_add_overflow(sym->st_value, sym->st_size, &end))
		return 0;
	if (!GROW(all->raw, all->n, all->room))
		return -ENOMEM;
	all->raw[all->n++] = raw_of(sym, name);
	return 0;
}

static int add_list(struct raws *all, const struct sym_list *list)
{
	GElf_Sym sym;

	for (size_t i = 1; i < list->n && read_symbol(list, i, &sym); i++) {
		const char *name = name_if_wanted(list, &sym);

		if (name && add(all, &sym, name) < 0)
			return -ENOMEM;
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
		if (!*name || sym.st_shndx == SHN_UNDEF || sym.st_shndx == SHN_ABS)
			continue;
		sym.st_shndx = SHN_XINDEX; /* its sections are not those of the list */
		if (is_wanted(&table->list, &sym) && add(all, &sym, name) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* By address. Not qsort(), which takes three times as long. */
static int sort(struct raws *all)
{
	enum { BITS = 11, ROOM = 1 << BITS };
	struct raw *from = all->raw, *to = calloc(all->n, sizeof(*to));
	uint64_t differ = 0;

	if (!to)
		return -ENOMEM;
	for (size_t i = 1; i < all->n; i++)
		differ |= from[i].addr ^ from[0].addr;
	for (unsigned shift = 0; shift < 64 && differ >> shift; shift += BITS) {
		size_t at[ROOM + 1] = { 0 };

		for (size_t i = 0; i < all->n; i++)
			at[(from[i].addr >> shift) % ROOM + 1]++;
		for (size_t i = 1; i < ROOM; i++)
			at[i] += at[i - 1];
		for (size_t i = 0; i < all->n; i++)
			to[at[(from[i].addr >> shift) % ROOM]++] = from[i];
		struct raw *sorted = to;
		to = from;
		from = sorted;
	}
	all->raw = from;
	free(to);
	return 0;
}

/* The best symbol of one kind among those with the address of raw[i]; *end is behind them. */
static const struct raw *best_at(const struct raws *all, size_t i, bool data, size_t *end)
{
	const struct raw *best = NULL;
	const uint64_t addr = all->raw[i].addr;

	for (; i < all->n && all->raw[i].addr == addr; i++)
		if (all->raw[i].is_data == data && (!best || is_better(&all->raw[i], best)))
			best = &all->raw[i];
	*end = i;
	return best;
}

static uint64_t limit_of(const struct sym_list *list, const struct raw *raw)
{
	return raw->section < list->n_sections ? list->sections[raw->section].limit : 0;
}

/* Moves the symbols of one kind into an array of their own, one for each address. */
static int pack(const struct raws *all, const struct sym_list *list, bool data,
		struct sym_entry **entries, size_t *count)
{
	size_t n = 0, wanted = 0;
	uint64_t limit = 0;

	for (size_t i = 0; i < all->n; i++)
		wanted += all->raw[i].is_data == data;
	*count = 0;
	*entries = calloc(wanted + 1, sizeof(**entries));
	if (!*entries)
		return -ENOMEM;
	for (size_t i = 0; i < all->n;) {
		const struct raw *raw = best_at(all, i, data, &i);

		if (!raw)
			continue;
		/* one without a size ends where the next begins, at the latest with its section */
		if (n && (*entries)[n - 1].end == (*entries)[n - 1].addr)
			(*entries)[n - 1].end = raw->addr < limit ? raw->addr : limit;
		(*entries)[n++] = (struct sym_entry){ raw->addr, raw->addr + raw->size, raw->name };
		limit = limit_of(list, raw);
	}
	if (n && (*entries)[n - 1].end == (*entries)[n - 1].addr)
		(*entries)[n - 1].end = limit;
	*count = n;
	/* many names of a big program are aliases: give the rest back */
	struct sym_entry *fitting = realloc(*entries, (n ? n : 1) * sizeof(*fitting));
	if (fitting)
		*entries = fitting;
	return 0;
}

/* From the list, and from what strip(1) left of one that is not there any more. */
static int build(struct sym_table *table, const struct sym_elf *minidebug)
{
	struct raws all = { 0 };
	int code = add_list(&all, &table->list);

	if (!code && minidebug)
		code = add_minidebug(&all, minidebug, table);
	if (!code && all.n)
		code = sort(&all);
	if (!code)
		code = pack(&all, &table->list, false, &table->code, &table->n_code);
	if (!code)
		code = pack(&all, &table->list, true, &table->data, &table->n_data);
	free(all.raw);
	table->is_sorted = !code;
	return code;
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

/* ---- both ---------------------------------------------------------------------------------- */

int sym_table_open(const struct sym_elf *main, const struct sym_elf *debug,
		   struct sym_table *table)
{
	const struct sym_elf *minidebug = NULL;
	int code = 0;

	*table = (struct sym_table){ 0 };
	/* .symtab holds all that .dynsym does */
	if (debug && debug->has_symbols) {
		code = read_list(&table->list, debug->elf, SHT_SYMTAB);
	} else if (main && main->has_symbols) {
		code = read_list(&table->list, main->elf, SHT_SYMTAB);
	} else if (main) {
		code = read_list(&table->list, main->elf, SHT_DYNSYM);
		minidebug = main->has_minidebug ? main : NULL;
	}
	if (!code && minidebug)
		code = build(table, minidebug);
	table->has_code = table->n_code || has_code(&table->list);
	if (code < 0)
		sym_table_close(table);
	return code;
}

void sym_table_close(struct sym_table *table)
{
	free(table->list.sections);
	free(table->code);
	free(table->data);
	if (table->aux)
		dwfl_end(table->aux);
	*table = (struct sym_table){ 0 };
}

static bool look_up(struct sym_table *table, uint64_t addr, bool data, struct sym_entry *entry)
{
	struct raw raw;

	if (!table->is_sorted && table->scans++ < SCANS) {
		if (!scan(&table->list, addr, data, &raw))
			return false;
		if (addr - raw.addr < raw.size) {
			*entry = (struct sym_entry){ raw.addr, raw.addr + raw.size, raw.name };
			return true;
		}
	}
	if (!table->is_sorted && build(table, NULL) < 0)
		return false;
	const struct sym_entry *found = data ? find(table->data, table->n_data, addr) :
					       find(table->code, table->n_code, addr);
	if (found)
		*entry = *found;
	return found;
}

bool sym_table_code(struct sym_table *table, uint64_t addr, struct sym_entry *entry)
{
	return look_up(table, addr, false, entry);
}

bool sym_table_data(struct sym_table *table, uint64_t addr, struct sym_entry *entry)
{
	return look_up(table, addr, true, entry);
}
