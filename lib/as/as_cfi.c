#include "lib/as/as_cfi.h"

#include <errno.h>
#include <string.h>

#include "lib/as/as_cursor.h"
#include "lib/as/as_expr.h"

/* ---- the search table ------------------------------------------------------------------ */

struct table {
	uint64_t at;
	uint64_t count;
	uint64_t hdr; /* base of data-relative pointers */
	unsigned bytes; /* of one pointer */
	uint8_t encoding;
};

static int open_table(struct as_mem *m, const struct as_elf *elf, struct table *t)
{
	struct as_cursor c = as_cursor_at(m, elf->hdr, elf->hdr_bytes);
	const uint8_t version = as_cursor_u8(&c);
	const uint8_t frame_encoding = as_cursor_u8(&c);
	const uint8_t count_encoding = as_cursor_u8(&c);

	t->encoding = as_cursor_u8(&c);
	t->hdr = elf->hdr;
	as_cursor_pointer(&c, frame_encoding, elf->hdr);
	t->count = as_cursor_pointer(&c, count_encoding, elf->hdr);
	t->at = c.at;
	t->bytes = as_pointer_bytes(t->encoding);
	if (c.err)
		return c.err;
	if (version != 1)
		return -EBADMSG;
	if (count_encoding == AS_PE_OMIT || t->encoding == AS_PE_OMIT || !t->bytes)
		return -ENOTSUP;
	const uint64_t fits = (c.end - c.at) / (2 * t->bytes);

	t->count = t->count < fits ? t->count : fits;
	return 0;
}

static int read_entry(struct as_mem *m, const struct table *t, uint64_t i, uint64_t *begin,
		      uint64_t *fde)
{
	struct as_cursor c = as_cursor_at(m, t->at + i * 2 * t->bytes, 2 * t->bytes);

	*begin = as_cursor_pointer(&c, t->encoding, t->hdr);
	*fde = as_cursor_pointer(&c, t->encoding, t->hdr);
	return c.err;
}

/* The FDE whose code begins last at or before pc. */
static int search_table(struct as_mem *m, const struct table *t, uint64_t pc, uint64_t *fde)
{
	uint64_t lo = 0, hi = t->count, begin, found;

	*fde = 0;
	while (lo < hi) {
		const uint64_t mid = lo + (hi - lo) / 2;
		const int err = read_entry(m, t, mid, &begin, &found);

		if (err)
			return err;
		if (begin <= pc) {
			*fde = found;
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return *fde ? 0 : -ENOENT;
}

/* ---- CIE and FDE ----------------------------------------------------------------------- */

/* A cursor over the entry at addr, its length read; an entry of length 0 ends the section. */
static struct as_cursor open_entry(struct as_mem *m, uint64_t addr)
{
	struct as_cursor c = as_cursor_at(m, addr, 12);
	uint64_t n = as_cursor_u32(&c);

	if (n == UINT32_MAX)
		n = as_cursor_u64(&c);
	if (!c.err && n == 0)
		c.err = -ENOENT;
	if (!c.err && (n > AS_CFI_BYTES_MAX || n > UINT64_MAX - c.at))
		c.err = -EBADMSG;
	c.end = c.at + n;
	return c;
}

/* Augmentation data of a CIE, described by the letters behind 'z'. */
static void read_augmentation(struct as_cursor *c, const char *letters, struct as_fde *fde)
{
	for (; *letters && !c->err; letters++) {
		switch (*letters) {
		case 'R':
			fde->encoding = as_cursor_u8(c);
			break;
		case 'P': {
			const uint8_t encoding = as_cursor_u8(c);

			/* only its length matters: the routine is not ours to call */
			as_cursor_pointer(c, encoding & 0x7f, 0);
			break;
		}
		case 'L':
			as_cursor_u8(c);
			break;
		case 'S':
			fde->is_signal = true;
			break;
		default:
			/* an unknown letter: the data's length is known, its meaning is not */
			return;
		}
	}
}

static int read_cie(struct as_mem *m, uint64_t addr, struct as_fde *fde, bool *has_data)
{
	struct as_cursor c = open_entry(m, addr);
	char letters[8];
	unsigned n = 0;

	if (as_cursor_u32(&c) != 0 && !c.err)
		return -EBADMSG;
	const uint8_t version = as_cursor_u8(&c);

	do
		letters[n] = (char)as_cursor_u8(&c);
	while (letters[n] && ++n < sizeof(letters) && !c.err);
	if (!c.err && (n == sizeof(letters) || (version != 1 && version != 3 && version != 4)))
		return -EBADMSG;
	if (version == 4)
		as_cursor_skip(&c, 2); /* sizes of addresses and segments */
	fde->code_align = as_cursor_uleb(&c);
	fde->data_align = as_cursor_sleb(&c);
	const uint64_t ra = version == 1 ? as_cursor_u8(&c) : as_cursor_uleb(&c);

	fde->encoding = AS_PE_ABSPTR;
	fde->is_signal = false;
	*has_data = letters[0] == 'z';
	if (*has_data) {
		const uint64_t bytes = as_cursor_uleb(&c);
		const uint64_t data = c.at;

		as_cursor_skip(&c, bytes);
		struct as_cursor d = as_cursor_at(m, data, bytes);

		if (!c.err)
			read_augmentation(&d, letters + 1, fde);
		c.err = c.err ? c.err : d.err;
	} else if (!c.err && letters[0]) {
		return -ENOTSUP; /* without 'z' nobody can tell where the program begins */
	}
	fde->cie_code = c.at;
	fde->cie_code_end = c.end;
	return c.err ? c.err : ra == AS_RIP ? 0 : -ENOTSUP;
}

static int read_fde(struct as_mem *m, uint64_t addr, struct as_fde *fde)
{
	struct as_cursor c = open_entry(m, addr);
	const uint64_t place = c.at;
	const uint64_t back = as_cursor_u32(&c);
	bool has_data;

	if (c.err)
		return c.err;
	if (!back)
		return -EBADMSG; /* a CIE */
	const int err = read_cie(m, place - back, fde, &has_data);

	if (err)
		return err;
	fde->begin = as_cursor_pointer(&c, fde->encoding, 0);
	const uint64_t length = as_cursor_pointer(&c, fde->encoding & 0x0f, 0);

	if (has_data)
		as_cursor_skip(&c, as_cursor_uleb(&c));
	if (c.err)
		return c.err;
	fde->end = length > UINT64_MAX - fde->begin ? UINT64_MAX : fde->begin + length;
	fde->code = c.at;
	fde->code_end = c.end;
	return 0;
}

int as_cfi_find(struct as_mem *m, const struct as_elf *elf, uint64_t pc, struct as_fde *fde)
{
	struct table t;
	uint64_t addr = 0;
	int err;

	if (!elf->hdr)
		return -ENOENT;
	err = open_table(m, elf, &t);
	if (!err)
		err = search_table(m, &t, pc, &addr);
	if (!err)
		err = read_fde(m, addr, fde);
	if (err)
		return err;
	return pc >= fde->begin && pc < fde->end ? 0 : -ENOENT;
}

/* ---- the programs ---------------------------------------------------------------------- */

enum cfa_op {
	CFA_advance_loc = 0x40, CFA_offset = 0x80, CFA_restore = 0xc0, /* operand in the low bits */
	CFA_nop = 0x00, CFA_set_loc, CFA_advance_loc1, CFA_advance_loc2, CFA_advance_loc4,
	CFA_offset_extended, CFA_restore_extended, CFA_undefined, CFA_same_value, CFA_register,
	CFA_remember_state, CFA_restore_state, CFA_def_cfa, CFA_def_cfa_register,
	CFA_def_cfa_offset, CFA_def_cfa_expression, CFA_expression, CFA_offset_extended_sf,
	CFA_def_cfa_sf, CFA_def_cfa_offset_sf, CFA_val_offset, CFA_val_offset_sf,
	CFA_val_expression,
	CFA_GNU_window_save = 0x2d, CFA_GNU_args_size = 0x2e, CFA_GNU_negative_offset_extended,
};

struct program {
	struct as_cursor code;
	const struct as_fde *fde;
	struct as_cfi_work *w;
	uint64_t loc; /* code address that the rules at hand hold from */
	unsigned remembered;
	int err;
};

static void set_rule(struct program *p, uint64_t reg, struct as_rule rule)
{
	/* vector registers have numbers too, and nobody unwinds by them */
	if (reg < AS_REGS)
		p->w->now.reg[reg] = rule;
}

static int64_t factored(const struct program *p, int64_t v)
{
	return (int64_t)((uint64_t)v * (uint64_t)p->fde->data_align);
}

static void set_offset(struct program *p, uint64_t reg, enum as_rule_kind kind, int64_t v)
{
	set_rule(p, reg, (struct as_rule){ .kind = (uint8_t)kind, .v = factored(p, v) });
}

static void set_kind(struct program *p, uint64_t reg, enum as_rule_kind kind)
{
	set_rule(p, reg, (struct as_rule){ .kind = (uint8_t)kind });
}

static void restore(struct program *p, uint64_t reg)
{
	if (reg < AS_REGS)
		p->w->now.reg[reg] = p->w->initial.reg[reg];
}

static void set_cfa(struct program *p, uint64_t reg, int64_t offset)
{
	if (reg >= AS_REGS)
		p->err = -EBADMSG;
	else
		p->w->now.cfa = (struct as_rule){ .kind = AS_RULE_REGISTER,
						  .reg = (uint8_t)reg,
						  .v = offset };
}

/* A block of bytes: where it is and how long, the cursor moved behind it. */
static struct as_rule take_expression(struct program *p, enum as_rule_kind kind)
{
	const uint64_t n = as_cursor_uleb(&p->code);
	const struct as_rule rule = { .kind = (uint8_t)kind,
				      .expr_bytes = (uint16_t)n,
				      .v = (int64_t)p->code.at };

	if (n > AS_EXPR_BYTES_MAX)
		p->err = -EBADMSG;
	as_cursor_skip(&p->code, n);
	return rule;
}

static void remember(struct program *p)
{
	if (p->remembered == AS_CFI_REMEMBER)
		p->err = -E2BIG;
	else
		p->w->saved[p->remembered++] = p->w->now;
}

static void recall(struct program *p)
{
	if (!p->remembered)
		p->err = -EBADMSG;
	else
		p->w->now = p->w->saved[--p->remembered];
}

/* Instructions that say how the CFA is found. */
static void define_cfa(struct program *p, enum cfa_op op)
{
	struct as_cursor *c = &p->code;
	const struct as_rule *cfa = &p->w->now.cfa;
	uint64_t reg;

	switch (op) {
	case CFA_def_cfa:
		reg = as_cursor_uleb(c);
		set_cfa(p, reg, (int64_t)as_cursor_uleb(c));
		break;
	case CFA_def_cfa_sf:
		reg = as_cursor_uleb(c);
		set_cfa(p, reg, factored(p, as_cursor_sleb(c)));
		break;
	case CFA_def_cfa_register:
		set_cfa(p, as_cursor_uleb(c), cfa->v);
		break;
	case CFA_def_cfa_offset:
		set_cfa(p, cfa->reg, (int64_t)as_cursor_uleb(c));
		break;
	case CFA_def_cfa_offset_sf:
		set_cfa(p, cfa->reg, factored(p, as_cursor_sleb(c)));
		break;
	default:
		p->w->now.cfa = take_expression(p, AS_RULE_IS_EXPR);
	}
}

/* Instructions that say where a register of the caller is; their first operand is its number. */
static void define_register(struct program *p, enum cfa_op op)
{
	struct as_cursor *c = &p->code;
	const uint64_t reg = as_cursor_uleb(c);

	switch (op) {
	case CFA_offset_extended:
		set_offset(p, reg, AS_RULE_AT_CFA, (int64_t)as_cursor_uleb(c));
		break;
	case CFA_offset_extended_sf:
		set_offset(p, reg, AS_RULE_AT_CFA, as_cursor_sleb(c));
		break;
	case CFA_GNU_negative_offset_extended:
		set_offset(p, reg, AS_RULE_AT_CFA, -(int64_t)as_cursor_uleb(c));
		break;
	case CFA_val_offset:
		set_offset(p, reg, AS_RULE_IS_CFA, (int64_t)as_cursor_uleb(c));
		break;
	case CFA_val_offset_sf:
		set_offset(p, reg, AS_RULE_IS_CFA, as_cursor_sleb(c));
		break;
	case CFA_restore_extended:
		restore(p, reg);
		break;
	case CFA_undefined:
		set_kind(p, reg, AS_RULE_UNDEFINED);
		break;
	case CFA_same_value:
		set_kind(p, reg, AS_RULE_SAME);
		break;
	case CFA_register:
		set_rule(p, reg, (struct as_rule){ .kind = AS_RULE_REGISTER,
						   .v = (int64_t)as_cursor_uleb(c) });
		break;
	case CFA_expression:
		set_rule(p, reg, take_expression(p, AS_RULE_AT_EXPR));
		break;
	default:
		set_rule(p, reg, take_expression(p, AS_RULE_IS_EXPR));
	}
}

static void move_on(struct program *p, enum cfa_op op)
{
	struct as_cursor *c = &p->code;

	if (op == CFA_set_loc)
		p->loc = as_cursor_pointer(c, p->fde->encoding, 0);
	else
		p->loc += p->fde->code_align * (op == CFA_advance_loc1   ? as_cursor_u8(c)
						: op == CFA_advance_loc2 ? as_cursor_u16(c)
									 : as_cursor_u32(c));
}

static void instruct(struct program *p)
{
	const unsigned op = as_cursor_u8(&p->code);
	const unsigned low = op & 0x3f;

	if (op >= CFA_restore)
		restore(p, low);
	else if (op >= CFA_offset)
		set_offset(p, low, AS_RULE_AT_CFA, (int64_t)as_cursor_uleb(&p->code));
	else if (op >= CFA_advance_loc)
		p->loc += p->fde->code_align * low;
	else if (op >= CFA_set_loc && op <= CFA_advance_loc4)
		move_on(p, op);
	else if (op == CFA_remember_state)
		remember(p);
	else if (op == CFA_restore_state)
		recall(p);
	else if ((op >= CFA_def_cfa && op <= CFA_def_cfa_expression) || op == CFA_def_cfa_sf ||
		 op == CFA_def_cfa_offset_sf)
		define_cfa(p, op);
	else if ((op >= CFA_offset_extended && op <= CFA_val_expression) ||
		 op == CFA_GNU_negative_offset_extended)
		define_register(p, op);
	else if (op == CFA_GNU_args_size)
		as_cursor_uleb(&p->code);
	else if (op != CFA_nop)
		p->err = -ENOTSUP;
}

/* Runs the code at [at, end), up to where it speaks of addresses behind pc. */
static int run(struct program *p, struct as_mem *m, uint64_t at, uint64_t end, uint64_t pc)
{
	p->code = as_cursor_at(m, at, end - at);
	while (p->code.at < p->code.end) {
		instruct(p);
		if (p->code.err || p->err)
			return p->code.err ? p->code.err : p->err;
		if (p->loc > pc)
			break;
	}
	return 0;
}

int as_cfi_rules(struct as_mem *m, const struct as_fde *fde, uint64_t pc, struct as_cfi_work *w)
{
	struct program p = { .fde = fde, .w = w, .loc = fde->begin };

	memset(&w->now, 0, sizeof(w->now));
	memset(&w->initial, 0, sizeof(w->initial));
	int err = run(&p, m, fde->cie_code, fde->cie_code_end, UINT64_MAX);

	if (err)
		return err;
	w->initial = w->now;
	p.loc = fde->begin;
	p.remembered = 0;
	err = run(&p, m, fde->code, fde->code_end, pc);
	if (err)
		return err;
	return w->now.cfa.kind == AS_RULE_UNSET ? -EBADMSG : 0;
}

/* ---- from frame to frame --------------------------------------------------------------- */

static int find_cfa(struct as_mem *m, const struct as_rule *rule, const struct as_regs *regs,
		    uint64_t *cfa)
{
	if (rule->kind == AS_RULE_IS_EXPR)
		return as_expr_run(m, (uint64_t)rule->v, rule->expr_bytes, regs, NULL, cfa);
	if (!as_regs_has(regs, rule->reg))
		return -ENODATA;
	*cfa = regs->v[rule->reg] + (uint64_t)rule->v;
	return 0;
}

/* The caller's value of a register; -ENODATA when it is not known. */
static int find_register(struct as_mem *m, const struct as_rule *rule, unsigned reg, uint64_t cfa,
			 const struct as_regs *regs, bool is_signal, uint64_t *v)
{
	uint64_t addr;
	int err;

	switch ((enum as_rule_kind)rule->kind) {
	case AS_RULE_AT_CFA:
		return as_mem_word(m, cfa + (uint64_t)rule->v, v);
	case AS_RULE_IS_CFA:
		*v = cfa + (uint64_t)rule->v;
		return 0;
	case AS_RULE_AT_EXPR:
		err = as_expr_run(m, (uint64_t)rule->v, rule->expr_bytes, regs, &cfa, &addr);
		return err ? err : as_mem_word(m, addr, v);
	case AS_RULE_IS_EXPR:
		return as_expr_run(m, (uint64_t)rule->v, rule->expr_bytes, regs, &cfa, v);
	case AS_RULE_REGISTER:
		reg = rule->v >= 0 && rule->v < AS_REGS ? (unsigned)rule->v : AS_REGS;
		break;
	case AS_RULE_UNSET:
		if (reg == AS_RSP) {
			*v = cfa;
			return 0;
		}
		if (!is_signal && !(AS_REGS_SAVED >> reg & 1))
			return -ENODATA;
		break;
	case AS_RULE_SAME:
		break;
	default:
		return -ENODATA;
	}
	if (!as_regs_has(regs, reg))
		return -ENODATA;
	*v = regs->v[reg];
	return 0;
}

int as_cfi_apply(struct as_mem *m, const struct as_rules *rules, bool is_signal,
		 struct as_regs *regs)
{
	struct as_regs caller = { .known = 0 };
	const uint8_t ra = rules->reg[AS_RIP].kind;
	uint64_t cfa, v;
	int err = find_cfa(m, &rules->cfa, regs, &cfa);

	if (err)
		return err;
	if (ra == AS_RULE_UNDEFINED)
		return 1;
	/* nothing said of the return address: an entry that describes no frame of this machine */
	if (ra == AS_RULE_UNSET)
		return -EBADMSG;
	for (unsigned reg = 0; reg < AS_REGS; reg++) {
		err = find_register(m, &rules->reg[reg], reg, cfa, regs, is_signal, &v);
		if (!err)
			as_regs_set(&caller, reg, v);
		else if (reg == AS_RIP || reg == AS_RSP)
			return err;
	}
	*regs = caller;
	return 0;
}
