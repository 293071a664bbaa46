/*
 * Rows: what CFI says about a pc, looked up once and kept.
 *
 * A look-up reads the search table and runs two programs, some ten system calls when the pages
 * are cold. A thousand threads of one program stand in a few hundred places, so the answers are
 * kept in a table of 32-byte rows. What does not fit a row (expressions: signal frames, PLT
 * entries, realigned stacks) is marked complex and run again each time.
 */
#include <errno.h>
#include <string.h>

#include "lib/as/as_unwind_priv.h"

/* Which registers the places of as_row.saved stand for. */
static const uint8_t saved_reg[AS_ROW_SAVED] = { AS_RBX, AS_RBP, AS_R12, AS_R13, AS_R14, AS_R15 };

static bool fits_saved(const struct as_rule *rule, int16_t *saved)
{
	*saved = AS_ROW_NOT_SAVED;
	if (rule->kind == AS_RULE_UNSET || rule->kind == AS_RULE_SAME)
		return true;
	if (rule->kind != AS_RULE_AT_CFA || rule->v % 8 || rule->v / 8 <= INT16_MIN ||
	    rule->v / 8 > INT16_MAX)
		return false;
	*saved = (int16_t)(rule->v / 8);
	return true;
}

static bool is_saved_reg(unsigned reg)
{
	return AS_REGS_SAVED >> reg & 1;
}

/* Whether rules have the common form; then the row is filled from them. */
static bool fits_row(const struct as_rules *rules, struct as_row *row)
{
	const struct as_rule *ra = &rules->reg[AS_RIP], *sp = &rules->reg[AS_RSP];

	if (rules->cfa.kind != AS_RULE_REGISTER || rules->cfa.v != (int32_t)rules->cfa.v)
		return false;
	if (ra->kind != AS_RULE_AT_CFA || ra->v != -8)
		return false;
	if (sp->kind != AS_RULE_UNSET && (sp->kind != AS_RULE_IS_CFA || sp->v))
		return false;
	for (unsigned reg = 0; reg < AS_RIP; reg++)
		if (!is_saved_reg(reg) && reg != AS_RSP && rules->reg[reg].kind != AS_RULE_UNSET)
			return false;
	row->cfa_reg = rules->cfa.reg;
	row->cfa_offset = (int32_t)rules->cfa.v;
	for (unsigned i = 0; i < AS_ROW_SAVED; i++)
		if (!fits_saved(&rules->reg[saved_reg[i]], &row->saved[i]))
			return false;
	return true;
}

/* The rules for a pc, in u->work.now. */
static int look_up(struct as_unwinder *u, uint64_t pc, struct as_fde *fde)
{
	struct as_module *module = as_modules_find(&u->modules, pc);

	if (!module)
		return -ENOENT;
	const int err = as_cfi_find(&u->mem, as_module_elf(module, &u->mem), pc, fde);

	return err ? err : as_cfi_rules(&u->mem, fde, pc, &u->work);
}

static void fill_row(struct as_unwinder *u, uint64_t pc, struct as_row *row)
{
	struct as_fde fde;
	const int err = look_up(u, pc, &fde);

	*row = (struct as_row){ .pc = pc };
	if (err) {
		row->flags = AS_ROW_NONE;
		/* trouble with reading may pass: the next look-up tries again */
		if (err == -EFAULT || err == -ESRCH || err == -EPERM || err == -EACCES)
			row->pc = 0;
		return;
	}
	row->into = pc - fde.begin > UINT32_MAX ? UINT32_MAX : (uint32_t)(pc - fde.begin);
	if (u->work.now.reg[AS_RIP].kind == AS_RULE_UNDEFINED)
		row->flags |= AS_ROW_BOTTOM;
	if (fde.is_signal)
		row->flags |= AS_ROW_SIGNAL | AS_ROW_COMPLEX;
	if (!fits_row(&u->work.now, row))
		row->flags |= AS_ROW_COMPLEX;
}

struct as_row as_row_find(struct as_unwinder *u, uint64_t pc)
{
	const uint64_t h = pc * UINT64_C(0x9e3779b97f4a7c15);
	struct as_row *row = &u->row[h >> 32 & (u->row_count - 1)];

	if (row->pc == pc && pc) {
		u->row_hits++;
	} else {
		u->row_misses++;
		fill_row(u, pc, row);
	}
	return *row;
}

int as_row_apply_cfa(struct as_unwinder *u, const struct as_row *row, uint64_t cfa,
		     struct as_regs *regs)
{
	struct as_regs caller = { .known = 0 };
	uint64_t v;
	const int err = as_mem_word(&u->mem, cfa - 8, &v);

	if (err)
		return err;
	as_regs_set(&caller, AS_RIP, v);
	as_regs_set(&caller, AS_RSP, cfa);
	for (unsigned i = 0; i < AS_ROW_SAVED; i++) {
		const unsigned reg = saved_reg[i];

		if (row->saved[i] == AS_ROW_NOT_SAVED) {
			if (as_regs_has(regs, reg))
				as_regs_set(&caller, reg, regs->v[reg]);
		} else if (!as_mem_word(&u->mem, cfa + (uint64_t)(row->saved[i] * 8), &v)) {
			as_regs_set(&caller, reg, v);
		}
	}
	*regs = caller;
	return 0;
}

int as_row_apply(struct as_unwinder *u, const struct as_row *row, struct as_regs *regs)
{
	struct as_fde fde;

	if (row->flags & AS_ROW_NONE)
		return -ENOENT;
	if (row->flags & AS_ROW_BOTTOM)
		return 1;
	if (row->flags & AS_ROW_COMPLEX) {
		const int err = look_up(u, row->pc, &fde);

		return err ? err : as_cfi_apply(&u->mem, &u->work.now, fde.is_signal, regs);
	}
	if (!as_regs_has(regs, row->cfa_reg))
		return -ENODATA;
	return as_row_apply_cfa(u, row, regs->v[row->cfa_reg] + (uint64_t)(int64_t)row->cfa_offset,
				regs);
}

void as_unwind_refresh(struct as_unwinder *u)
{
	as_mem_forget(&u->mem);
	if (u->print == u->modules.print)
		return;
	u->print = u->modules.print;
	memset(u->row, 0, u->row_count * sizeof(u->row[0]));
}
