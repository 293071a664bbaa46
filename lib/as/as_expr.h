/*
 * as_expr - the stack machine of DWARF expressions, as call frame information uses it.
 *
 * PLT entries compute their CFA by one, signal frames the place of every register.
 */
#ifndef SHMSCOPE_AS_EXPR_H
#define SHMSCOPE_AS_EXPR_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/as/as_mem.h"
#include "lib/as/as_regs.h"

enum { AS_EXPR_BYTES_MAX = 4096, AS_EXPR_STEPS_MAX = 1000, AS_EXPR_STACK = 32 };

/*
 * as_expr_run - run an expression.
 *
 * addr, n   its bytes, in the process' memory.
 * push      a value on the stack before it starts (the CFA), or NULL.
 * value     set to the top of the stack at the end.
 * Returns 0; -ENODATA when it needs a register that is not known; -ENOTSUP for an operation that
 * has no place in frame information; -ELOOP after AS_EXPR_STEPS_MAX steps; -EBADMSG for
 * anything else that is wrong with it; or what reading memory said.
 * Safety: AS-safe, one-owner (of m); bounded.
 */
int as_expr_run(struct as_mem *m, uint64_t addr, uint64_t n, const struct as_regs *regs,
		const uint64_t *push, uint64_t *value);

#endif
