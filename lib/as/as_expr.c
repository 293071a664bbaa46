#include "lib/as/as_expr.h"

#include <errno.h>

#include "lib/as/as_cursor.h"

/* Operations, by their numbers in the DWARF standard. */
enum op {
	OP_addr = 0x03, OP_deref = 0x06,
	OP_const1u = 0x08, OP_const1s, OP_const2u, OP_const2s, OP_const4u, OP_const4s, OP_const8u,
	OP_const8s, OP_constu, OP_consts,
	OP_dup = 0x12, OP_drop, OP_over, OP_pick, OP_swap, OP_rot, OP_xderef,
	OP_abs = 0x19, OP_and, OP_div, OP_minus, OP_mod, OP_mul, OP_neg, OP_not, OP_or, OP_plus,
	OP_plus_uconst, OP_shl, OP_shr, OP_shra, OP_xor, OP_bra,
	OP_eq = 0x29, OP_ge, OP_gt, OP_le, OP_lt, OP_ne, OP_skip,
	OP_lit0 = 0x30, OP_lit31 = 0x4f,
	OP_breg0 = 0x70, OP_breg31 = 0x8f,
	OP_bregx = 0x92, OP_deref_size = 0x94, OP_nop = 0x96,
};

struct machine {
	struct as_cursor code;
	uint64_t start;
	struct as_mem *mem;
	const struct as_regs *regs;
	uint64_t stack[AS_EXPR_STACK];
	unsigned depth;
	int err;
};

static void fail(struct machine *x, int err)
{
	if (!x->err)
		x->err = err;
}

static void push(struct machine *x, uint64_t v)
{
	if (x->depth == AS_EXPR_STACK)
		fail(x, -EBADMSG);
	else
		x->stack[x->depth++] = v;
}

static uint64_t pop(struct machine *x)
{
	if (!x->depth) {
		fail(x, -EBADMSG);
		return 0;
	}
	return x->stack[--x->depth];
}

static uint64_t peek_at(struct machine *x, unsigned below_top)
{
	if (below_top >= x->depth) {
		fail(x, -EBADMSG);
		return 0;
	}
	return x->stack[x->depth - 1 - below_top];
}

static void push_register(struct machine *x, uint64_t reg, int64_t offset)
{
	if (reg >= AS_REGS)
		fail(x, -EBADMSG);
	else if (!as_regs_has(x->regs, (unsigned)reg))
		fail(x, -ENODATA);
	else
		push(x, x->regs->v[reg] + (uint64_t)offset);
}

static void deref(struct machine *x, unsigned bytes)
{
	uint64_t v = 0;
	const uint64_t addr = pop(x);

	if (bytes == 0 || bytes > 8)
		fail(x, -EBADMSG);
	if (x->err)
		return;
	if (bytes == 8)
		x->err = as_mem_word(x->mem, addr, &v);
	else if (as_mem_read(x->mem, addr, &v, bytes) != (ssize_t)bytes)
		x->err = -EFAULT;
	push(x, v);
}

static void jump(struct machine *x, int16_t by)
{
	const uint64_t to = x->code.at + (uint64_t)(int64_t)by;

	if (to < x->start || to > x->code.end)
		fail(x, -EBADMSG);
	else
		x->code.at = to;
}

static uint64_t divide(struct machine *x, uint64_t a, uint64_t b, bool want_rest)
{
	/* the quotient is signed, the remainder not (DWARF 5, 2.5.1.4) */
	if (!b || (!want_rest && (int64_t)b == -1 && (int64_t)a == INT64_MIN)) {
		fail(x, -EBADMSG);
		return 0;
	}
	return want_rest ? a % b : (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t shift(uint64_t v, uint64_t by, enum op op)
{
	if (op == OP_shra)
		return (uint64_t)((int64_t)v >> (by < 63 ? by : 63));
	if (by > 63)
		return 0;
	return op == OP_shl ? v << by : v >> by;
}

/* Operations on the two topmost values; the second one is the left operand. */
static void binary(struct machine *x, enum op op)
{
	const uint64_t b = pop(x), a = pop(x);
	const int64_t sa = (int64_t)a, sb = (int64_t)b;

	switch (op) {
	case OP_and: push(x, a & b); break;
	case OP_or: push(x, a | b); break;
	case OP_xor: push(x, a ^ b); break;
	case OP_plus: push(x, a + b); break;
	case OP_minus: push(x, a - b); break;
	case OP_mul: push(x, a * b); break;
	case OP_div: push(x, divide(x, a, b, false)); break;
	case OP_mod: push(x, divide(x, a, b, true)); break;
	case OP_shl:
	case OP_shr:
	case OP_shra: push(x, shift(a, b, op)); break;
	case OP_eq: push(x, a == b); break;
	case OP_ne: push(x, a != b); break;
	case OP_ge: push(x, sa >= sb); break;
	case OP_gt: push(x, sa > sb); break;
	case OP_le: push(x, sa <= sb); break;
	case OP_lt: push(x, sa < sb); break;
	default: fail(x, -ENOTSUP);
	}
}

static void constant(struct machine *x, enum op op)
{
	struct as_cursor *c = &x->code;

	switch (op) {
	case OP_addr:
	case OP_const8u:
	case OP_const8s: push(x, as_cursor_u64(c)); break;
	case OP_const1u: push(x, as_cursor_u8(c)); break;
	case OP_const1s: push(x, (uint64_t)(int8_t)as_cursor_u8(c)); break;
	case OP_const2u: push(x, as_cursor_u16(c)); break;
	case OP_const2s: push(x, (uint64_t)(int16_t)as_cursor_u16(c)); break;
	case OP_const4u: push(x, as_cursor_u32(c)); break;
	case OP_const4s: push(x, (uint64_t)(int32_t)as_cursor_u32(c)); break;
	case OP_constu: push(x, as_cursor_uleb(c)); break;
	default: push(x, (uint64_t)as_cursor_sleb(c));
	}
}

static void rearrange(struct machine *x, enum op op)
{
	const uint64_t a = peek_at(x, 0);

	switch (op) {
	case OP_dup: push(x, a); break;
	case OP_drop: pop(x); break;
	case OP_over: push(x, peek_at(x, 1)); break;
	case OP_pick: push(x, peek_at(x, as_cursor_u8(&x->code))); break;
	case OP_swap:
	case OP_rot: {
		const uint64_t top = pop(x), second = pop(x);
		const uint64_t third = op == OP_rot ? pop(x) : 0;

		push(x, top);
		if (op == OP_rot)
			push(x, third);
		push(x, second);
		break;
	}
	default: fail(x, -ENOTSUP);
	}
}

static void unary(struct machine *x, enum op op)
{
	const uint64_t a = pop(x);

	switch (op) {
	case OP_abs: push(x, (int64_t)a < 0 ? -a : a); break;
	case OP_neg: push(x, -a); break;
	case OP_not: push(x, ~a); break;
	default: push(x, a + as_cursor_uleb(&x->code));
	}
}

static void branch(struct machine *x, bool taken)
{
	const int16_t by = (int16_t)as_cursor_u16(&x->code);

	if (taken)
		jump(x, by);
}

static void step(struct machine *x)
{
	const unsigned op = as_cursor_u8(&x->code);

	if (op >= OP_lit0 && op <= OP_lit31)
		push(x, op - OP_lit0);
	else if (op >= OP_breg0 && op <= OP_breg31)
		push_register(x, op - OP_breg0, as_cursor_sleb(&x->code));
	else if (op == OP_addr || (op >= OP_const1u && op <= OP_consts))
		constant(x, op);
	else if (op >= OP_dup && op <= OP_rot)
		rearrange(x, op);
	else if (op == OP_abs || op == OP_neg || op == OP_not || op == OP_plus_uconst)
		unary(x, op);
	else if (op == OP_skip)
		branch(x, true);
	else if (op == OP_bra)
		branch(x, pop(x) != 0);
	else if ((op >= OP_and && op <= OP_xor) || (op >= OP_eq && op <= OP_ne))
		binary(x, op);
	else if (op == OP_deref)
		deref(x, 8);
	else if (op == OP_deref_size)
		deref(x, as_cursor_u8(&x->code));
	else if (op == OP_bregx) {
		const uint64_t reg = as_cursor_uleb(&x->code);

		push_register(x, reg, as_cursor_sleb(&x->code));
	} else if (op != OP_nop)
		fail(x, -ENOTSUP);
}

int as_expr_run(struct as_mem *m, uint64_t addr, uint64_t n, const struct as_regs *regs,
		const uint64_t *cfa, uint64_t *value)
{
	struct machine x = { .code = as_cursor_at(m, addr, n), .start = addr, .mem = m, .regs = regs };

	if (n > AS_EXPR_BYTES_MAX)
		return -EBADMSG;
	if (cfa)
		push(&x, *cfa);
	for (unsigned steps = 0; x.code.at < x.code.end; steps++) {
		if (steps == AS_EXPR_STEPS_MAX)
			return -ELOOP;
		step(&x);
		if (x.code.err)
			return x.code.err;
		if (x.err)
			return x.err;
	}
	if (!x.depth)
		return -EBADMSG;
	*value = x.stack[x.depth - 1];
	return 0;
}
