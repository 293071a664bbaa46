/* as_unwind_priv - what as_row.c, as_guess.c and as_unwind.c share. */
#ifndef SHMSCOPE_AS_UNWIND_PRIV_H
#define SHMSCOPE_AS_UNWIND_PRIV_H

#include "lib/as/as_unwind.h"

/*
 * as_row_find - what the CFI says about a pc: from the cache, or looked up and cached.
 * Returns the row; AS_ROW_NONE in its flags when there is no CFI.
 */
struct as_row as_row_find(struct as_unwinder *u, uint64_t pc);

/* as_row_apply - from a frame's registers to its caller's. As as_cfi_apply(). */
int as_row_apply(struct as_unwinder *u, const struct as_row *row, struct as_regs *regs);

/* as_row_apply_cfa - the same for a row that is not complex, with the CFA already known. */
int as_row_apply_cfa(struct as_unwinder *u, const struct as_row *row, uint64_t cfa,
		     struct as_regs *regs);

/*
 * as_is_sigreturn - whether the code at pc is what a signal handler returns to (the system call
 * that ends it), told by its bytes: not every C library has CFI for it.
 */
bool as_is_sigreturn(struct as_unwinder *u, uint64_t pc);

/*
 * as_guess_caller - from a frame's registers to its caller's, where CFI cannot tell.
 *
 * row    of the frame: none, or one whose CFA needs a register that is not known.
 * g      what the walk knows beside the registers.
 * Returns 0 with regs replaced; 1 when this looks like the outermost frame; -ENOENT when nothing
 * believable was found; -E2BIG when the stack budget ended the search.
 */
struct as_guess {
	bool exact;     /* the frame's pc is no return address */
	bool by_record; /* the frame was found by a frame record; kept up by as_guess_caller() */
};

int as_guess_caller(struct as_unwinder *u, const struct as_row *row, struct as_guess *g,
		    struct as_regs *regs);

#endif
