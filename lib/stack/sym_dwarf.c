/*
 * dwarf_getscopes() walks a whole unit for each address. Here a unit is walked once, when its
 * first address is looked up, and leaves two arrays:
 *
 *	scopes    each function and each inlined call: its DIE, and the scope it lies in
 *	segments  sorted addresses, each with the innermost scope from there on
 *
 * so that an address costs one binary search and then one DIE for each frame. Scopes nest;
 * where a producer's ranges do not, the inner one is cut to the outer.
 *
 * The units themselves are found by .debug_aranges, which names no unit that clang made; for an
 * address that is not in it, by an index over the ranges of all units, made when it is first
 * needed: it reads the beginning of every unit, of which a big program has thousands.
 */
#include "lib/stack/sym_priv.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/grow.h"

/* Against damaged files: DIEs visited in a unit, depth of their nesting. */
enum { VISITS = 1 << 26, NESTING = 256, OVERLAPPING = 16 };

static const uint32_t no_scope = UINT32_MAX;

struct scope {
	Dwarf_Off die;
	uint32_t parent; /* no_scope: outermost */
	bool is_inlined;
};

struct segment {
	uint64_t start;
	uint32_t scope;
};

struct unit {
	Dwarf_Die lines;  /* its line table and files */
	Dwarf_Die scopes_die; /* its functions; another file's with split DWARF */
	struct scope *scopes;
	struct segment *segments;
	uint32_t n_segments;
	bool is_loaded;
};

struct range {
	uint64_t low, high;
	uint32_t unit;
};

struct sym_dwarf {
	Dwarf *dw, *alt;
	struct sym_elf *alt_elf;
	const char *missing; /* name of the file that should be alt, and is not there */
	struct unit *units;   /* each that was asked for; all, some twice, once there is an index */
	size_t n_units, room_units;
	Dwarf_Aranges *aranges; /* NULL: there are none */
	bool is_indexed;
	struct range *ranges; /* sorted */
	size_t n_ranges, room_ranges;
};

/* A range of a scope, while a unit is walked. */
struct piece {
	uint64_t low, high;
	uint32_t scope, depth;
};

struct walk {
	struct scope *scopes;
	size_t n_scopes, room_scopes;
	struct piece *pieces;
	size_t n_pieces, room_pieces;
	bool into_types; /* functions may be defined inside types (Rust) */
	long visits;
	int code;
};

/* ---- units -------------------------------------------------------------------------------- */

static int by_low(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

static int add_unit(struct sym_dwarf *dwarf, const Dwarf_Die *die, const Dwarf_Die *split)
{
	if (!GROW(dwarf->units, dwarf->n_units, dwarf->room_units))
		return -ENOMEM;
	dwarf->units[dwarf->n_units++] = (struct unit){
		.lines = *die,
		.scopes_die = dwarf_tag((Dwarf_Die *)split) == DW_TAG_compile_unit ? *split : *die,
	};
	return 0;
}

static int add_with_ranges(struct sym_dwarf *dwarf, const Dwarf_Die *die, const Dwarf_Die *split)
{
	Dwarf_Addr base, low, high;
	Dwarf_Die copy = *die;
	size_t before = dwarf->n_ranges;

	for (ptrdiff_t at = 0; (at = dwarf_ranges(&copy, at, &base, &low, &high)) > 0;) {
		/* functions that the linker dropped were left at address 0 or 1 */
		if (low < 2 || high <= low)
			continue;
		if (!GROW(dwarf->ranges, dwarf->n_ranges, dwarf->room_ranges))
			return -ENOMEM;
		dwarf->ranges[dwarf->n_ranges++] =
			(struct range){ low, high, (uint32_t)dwarf->n_units };
	}
	return before == dwarf->n_ranges ? 0 : add_unit(dwarf, die, split);
}

static bool is_compiled(uint8_t type)
{
	return type == DW_UT_compile || type == DW_UT_skeleton;
}

static int index_units(struct sym_dwarf *dwarf)
{
	Dwarf_Die die, split;
	uint8_t type;

	for (Dwarf_CU *cu = NULL; dwarf_get_units(dwarf->dw, cu, &cu, NULL, &type, &die, &split) == 0;)
		if (is_compiled(type) && add_with_ranges(dwarf, &die, &split) < 0)
			return -ENOMEM;
	if (dwarf->n_ranges)
		qsort(dwarf->ranges, dwarf->n_ranges, sizeof(*dwarf->ranges), by_low);
	return 0;
}

static bool has_units(Dwarf *dw)
{
	Dwarf_CU *cu = NULL;

	return dwarf_get_units(dw, cu, &cu, NULL, NULL, NULL, NULL) == 0;
}

/* DIEs that several files share lie in one file beside them (dwz -m). */
static void open_alt(struct sym_dwarf *dwarf, const struct sym_options *options,
		     const struct sym_elf *of)
{
	const char *name;
	const unsigned char *bits;
	const ssize_t n = dwelf_dwarf_gnu_debugaltlink(dwarf->dw, &name, (const void **)&bits);
	char build_id[SYM_BUILD_ID] = "";

	if (n <= 0 || n > (ssize_t)(sizeof(build_id) - 1) / 2)
		return;
	for (ssize_t i = 0; i < n; i++)
		snprintf(build_id + 2 * i, 3, "%02x", bits[i]);
	dwarf->alt_elf = sym_find_alt(options, of, name, build_id);
	if (dwarf->alt_elf)
		dwarf->alt = dwarf_begin_elf(dwarf->alt_elf->elf, DWARF_C_READ, NULL);
	if (dwarf->alt)
		dwarf_setalt(dwarf->dw, dwarf->alt);
	else
		dwarf->missing = name;
}

struct sym_dwarf *sym_dwarf_open(const struct sym_options *options, struct sym_elf *elf)
{
	struct sym_dwarf *dwarf = calloc(1, sizeof(*dwarf));

	if (!dwarf)
		return NULL;
	dwarf->dw = dwarf_begin_elf(elf->elf, DWARF_C_READ, NULL);
	if (dwarf->dw)
		open_alt(dwarf, options, elf);
	if (!dwarf->dw || !has_units(dwarf->dw)) {
		sym_dwarf_close(dwarf);
		return NULL;
	}
	size_t n;
	if (dwarf_getaranges(dwarf->dw, &dwarf->aranges, &n) != 0)
		dwarf->aranges = NULL;
	return dwarf;
}

void sym_dwarf_close(struct sym_dwarf *dwarf)
{
	if (!dwarf)
		return;
	for (size_t i = 0; i < dwarf->n_units; i++) {
		free(dwarf->units[i].scopes);
		free(dwarf->units[i].segments);
	}
	free(dwarf->units);
	free(dwarf->ranges);
	dwarf_end(dwarf->dw);
	dwarf_end(dwarf->alt);
	sym_elf_close(dwarf->alt_elf);
	free(dwarf);
}

const char *sym_dwarf_missing(const struct sym_dwarf *dwarf)
{
	return dwarf->missing;
}

/* The unit that .debug_aranges names. NULL: it names none, or none that can be read. */
static struct unit *by_aranges(struct sym_dwarf *dwarf, uint64_t addr)
{
	Dwarf_Arange *range = dwarf->aranges ? dwarf_getarange_addr(dwarf->aranges, addr) : NULL;
	Dwarf_Off at;
	Dwarf_Die die, split;
	uint8_t type;

	if (!range || dwarf_getarangeinfo(range, NULL, NULL, &at) != 0 ||
	    !dwarf_offdie(dwarf->dw, at, &die))
		return NULL;
	for (size_t i = 0; i < dwarf->n_units; i++)
		if (dwarf->units[i].lines.addr == die.addr)
			return &dwarf->units[i];
	if (dwarf_cu_info(die.cu, NULL, &type, NULL, &split, NULL, NULL, NULL) != 0 ||
	    !is_compiled(type) || add_unit(dwarf, &die, &split) < 0)
		return NULL;
	return &dwarf->units[dwarf->n_units - 1];
}

static struct unit *by_index(struct sym_dwarf *dwarf, uint64_t addr)
{
	if (!dwarf->is_indexed && index_units(dwarf) < 0)
		return NULL;
	dwarf->is_indexed = true;
	size_t low = 0, high = dwarf->n_ranges;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (dwarf->ranges[mid].low <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = 0; i < OVERLAPPING && i < low; i++)
		if (addr < dwarf->ranges[low - 1 - i].high)
			return &dwarf->units[dwarf->ranges[low - 1 - i].unit];
	return NULL;
}

static struct unit *unit_of(struct sym_dwarf *dwarf, uint64_t addr)
{
	struct unit *unit = by_aranges(dwarf, addr);

	return unit ? unit : by_index(dwarf, addr);
}

/* ---- one walk over a unit ----------------------------------------------------------------- */

/* Adds a scope if the DIE has code. Returns its index, or no_scope. */
static uint32_t add_scope(struct walk *w, Dwarf_Die *die, uint32_t parent, unsigned depth)
{
	Dwarf_Addr base, low, high;
	const size_t before = w->n_pieces;

	for (ptrdiff_t at = 0; (at = dwarf_ranges(die, at, &base, &low, &high)) > 0;) {
		if (low < 2 || high <= low)
			continue;
		if (!GROW(w->pieces, w->n_pieces, w->room_pieces)) {
			w->code = -ENOMEM;
			return no_scope;
		}
		w->pieces[w->n_pieces++] = (struct piece){ low, high, (uint32_t)w->n_scopes, depth };
	}
	if (before == w->n_pieces)
		return no_scope;
	if (w->n_scopes >= no_scope || !GROW(w->scopes, w->n_scopes, w->room_scopes)) {
		w->code = -ENOMEM;
		return no_scope;
	}
	w->scopes[w->n_scopes] = (struct scope){
		.die = dwarf_dieoffset(die),
		.parent = parent,
		.is_inlined = dwarf_tag(die) == DW_TAG_inlined_subroutine,
	};
	return (uint32_t)w->n_scopes++;
}

static void walk_children(struct walk *w, Dwarf_Die *parent, uint32_t scope, unsigned depth);

static void visit(struct walk *w, Dwarf_Die *die, uint32_t parent, unsigned depth)
{
	uint32_t scope;

	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
		/* an abstract body has no code, but the functions of its lambdas may */
		scope = add_scope(w, die, parent, depth);
		if (scope != no_scope || (w->into_types && dwarf_tag(die) == DW_TAG_subprogram))
			walk_children(w, die, scope, depth + 1);
		break;
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
	case DW_TAG_namespace:
	case DW_TAG_module:
		walk_children(w, die, parent, depth + 1);
		break;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_interface_type:
		if (w->into_types)
			walk_children(w, die, parent, depth + 1);
		break;
	default:
		break;
	}
}

static void walk_children(struct walk *w, Dwarf_Die *parent, uint32_t scope, unsigned depth)
{
	Dwarf_Die die;

	if (depth > NESTING || !dwarf_haschildren(parent) || dwarf_child(parent, &die) != 0)
		return;
	do
		visit(w, &die, scope, depth);
	while (!w->code && --w->visits > 0 && dwarf_siblingof(&die, &die) == 0);
}

static int by_low_then_depth(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return (x->depth > y->depth) - (x->depth < y->depth);
}

/*
 * The pieces, sorted by where they begin and outer before inner, become segments: at each
 * address the innermost scope counts. `open` is the stack of pieces not yet ended.
 */
static int cut_segments(struct walk *w, struct unit *unit)
{
	struct piece open[NESTING + 2];
	unsigned depth = 0;
	uint32_t n = 0;
	struct segment *segments = calloc(2 * w->n_pieces + 1, sizeof(*segments));

	if (!segments)
		return -ENOMEM;
	for (size_t i = 0; i <= w->n_pieces; i++) {
		struct piece piece = { .low = UINT64_MAX };

		if (i < w->n_pieces)
			piece = w->pieces[i];
		while (depth && open[depth - 1].high <= piece.low) {
			const uint64_t end = open[--depth].high;

			segments[n++] = (struct segment){ end, depth ? open[depth - 1].scope : no_scope };
		}
		if (i == w->n_pieces || depth > NESTING)
			continue;
		if (depth && piece.high > open[depth - 1].high)
			piece.high = open[depth - 1].high;
		segments[n++] = (struct segment){ piece.low, piece.scope };
		open[depth++] = piece;
	}
	unit->segments = segments;
	unit->n_segments = n;
	return 0;
}

static bool defines_in_types(Dwarf_Die *unit)
{
	switch (dwarf_srclang(unit)) {
	case DW_LANG_C89:
	case DW_LANG_C:
	case DW_LANG_C99:
	case DW_LANG_C11:
	case DW_LANG_Mips_Assembler:
		return false;
	default:
		return true;
	}
}

static int load(struct unit *unit)
{
	struct walk w = { .visits = VISITS, .into_types = defines_in_types(&unit->scopes_die) };

	if (unit->is_loaded)
		return 0;
	walk_children(&w, &unit->scopes_die, no_scope, 0);
	if (!w.code && w.n_pieces)
		qsort(w.pieces, w.n_pieces, sizeof(*w.pieces), by_low_then_depth);
	if (!w.code)
		w.code = cut_segments(&w, unit);
	free(w.pieces);
	if (w.code < 0) {
		free(w.scopes);
		return w.code;
	}
	unit->scopes = w.scopes;
	unit->is_loaded = true;
	return 0;
}

/* ---- one address -------------------------------------------------------------------------- */

static uint32_t innermost(const struct unit *unit, uint64_t addr)
{
	uint32_t low = 0, high = unit->n_segments;

	while (low < high) {
		const uint32_t mid = low + (high - low) / 2;

		if (unit->segments[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? unit->segments[low - 1].scope : no_scope;
}

static const char *name_of(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	const char *name = NULL;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr))
		name = dwarf_formstring(&attr);
	return name ? name : dwarf_diename(die);
}

/* UINT64_MAX when it has no such attribute. */
static uint64_t number_of(Dwarf_Die *die, unsigned attribute)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	if (!dwarf_attr(die, attribute, &attr) || dwarf_formudata(&attr, &value) != 0)
		return UINT64_MAX;
	return value;
}

/* Since version 5 files count from 0; before, 0 was "none". */
static uint64_t first_file(Dwarf_Die *die)
{
	Dwarf_Half version;

	return dwarf_cu_info(die->cu, &version, NULL, NULL, NULL, NULL, NULL, NULL) == 0 &&
	       version >= 5 ? 0 : 1;
}

/* The place in the program text from which `die` was inlined. */
static void set_call_site(struct unit *unit, Dwarf_Die *die, struct sym_raw *caller)
{
	Dwarf_Files *files;
	size_t n;
	const uint64_t file = number_of(die, DW_AT_call_file);
	const uint64_t line = number_of(die, DW_AT_call_line);

	caller->line = line <= INT32_MAX ? (unsigned)line : 0;
	caller->file = NULL;
	if (file >= first_file(die) && dwarf_getsrcfiles(&unit->scopes_die, &files, &n) == 0 &&
	    file < n)
		caller->file = dwarf_filesrc(files, file, NULL, NULL);
}

static void set_line(struct unit *unit, uint64_t addr, struct sym_raw *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(&unit->lines, addr);
	int number;

	if (!line || dwarf_lineno(line, &number) != 0)
		return;
	frame->file = dwarf_linesrc(line, NULL, NULL);
	frame->line = number > 0 ? (unsigned)number : 0;
}

unsigned sym_dwarf_frames(struct sym_dwarf *dwarf, uint64_t addr, struct sym_raw frames[SYM_DEPTH])
{
	struct unit *unit = unit_of(dwarf, addr);
	unsigned n = 0;

	if (!unit || load(unit) < 0)
		return 0;
	frames[0] = (struct sym_raw){ 0 };
	set_line(unit, addr, &frames[0]);
	for (uint32_t s = innermost(unit, addr); s != no_scope; s = unit->scopes[s].parent) {
		const struct scope *scope = &unit->scopes[s];
		Dwarf_Die die;

		if (!dwarf_offdie(dwarf_cu_getdwarf(unit->scopes_die.cu), scope->die, &die))
			break;
		frames[n].name = name_of(&die);
		frames[n].entry = 0;
		if (!scope->is_inlined) {
			Dwarf_Addr entry;

			if (dwarf_entrypc(&die, &entry) == 0)
				frames[n].entry = entry;
			return n + 1;
		}
		/* too deep: the outermost ones are kept, in the last place */
		if (n + 1 < SYM_DEPTH)
			n++;
		set_call_site(unit, &die, &frames[n]);
	}
	/* only a line: assembler, or inlined calls in no function */
	return n || frames[0].file ? n + 1 : 0;
}
