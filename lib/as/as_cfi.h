/*
 * as_cfi - call frame information (.eh_frame): from a pc to the rules of its frame.
 *
 * Reads the tables in the memory of the process they are mapped in, through as_mem, and trusts
 * none of it: lengths are bounded, so is every loop, an address that leads nowhere is an error
 * code. Nothing is kept between calls: as_row caches.
 */
#ifndef SHMSCOPE_AS_CFI_H
#define SHMSCOPE_AS_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/as/as_elf.h"
#include "lib/as/as_mem.h"
#include "lib/as/as_regs.h"

enum { AS_CFI_BYTES_MAX = 1 << 16, AS_CFI_REMEMBER = 8 };

/* One FDE with its CIE: which code, and where the programs for it are. */
struct as_fde {
	uint64_t begin, end; /* code it describes */
	uint64_t cie_code, cie_code_end;
	uint64_t code, code_end;
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding; /* of pointers in the program */
	bool is_signal;   /* frame made by the kernel to deliver a signal */
};

enum as_rule_kind {
	AS_RULE_UNSET,     /* nothing said: as the ABI has it */
	AS_RULE_UNDEFINED, /* lost; for the return address: the end of the stack */
	AS_RULE_SAME,
	AS_RULE_AT_CFA,    /* saved at CFA + v */
	AS_RULE_IS_CFA,    /* its value is CFA + v */
	AS_RULE_REGISTER,  /* in register v; for the CFA: register `reg` plus v */
	AS_RULE_AT_EXPR,   /* saved at the address that the expression at v gives */
	AS_RULE_IS_EXPR,   /* its value is what the expression at v gives */
};

struct as_rule {
	uint8_t kind; /* enum as_rule_kind */
	uint8_t reg;
	uint16_t expr_bytes;
	int64_t v;
};

struct as_rules {
	struct as_rule cfa; /* AS_RULE_REGISTER or AS_RULE_IS_EXPR; AS_RULE_UNSET: none given */
	struct as_rule reg[AS_REGS];
};

/* Room to run a program in: the caller's, because a signal stack is small. */
struct as_cfi_work {
	struct as_rules now; /* the result of as_cfi_rules() */
	struct as_rules initial;
	struct as_rules saved[AS_CFI_REMEMBER];
};

/*
 * as_cfi_find - the FDE for a pc, by the search table of a module.
 *
 * elf  where the module's .eh_frame_hdr is.
 * Returns 0; -ENOENT when nothing describes that pc; -ENOTSUP when the table is of a form that
 * cannot be searched; -EBADMSG or an error of as_mem when it is damaged.
 * Safety: AS-safe, one-owner (of m); bounded.
 */
int as_cfi_find(struct as_mem *m, const struct as_elf *elf, uint64_t pc, struct as_fde *fde);

/*
 * as_cfi_rules - run the programs of an FDE up to a pc; the rules are then in w->now.
 * Returns 0; -EBADMSG, -ENOTSUP or -E2BIG (more than AS_CFI_REMEMBER states remembered) when the
 * program is damaged; or an error of as_mem.
 * Safety: AS-safe, one-owner (of m and w); bounded.
 */
int as_cfi_rules(struct as_mem *m, const struct as_fde *fde, uint64_t pc, struct as_cfi_work *w);

/*
 * as_cfi_apply - from a frame's registers to its caller's.
 *
 * regs  the frame's; replaced by the caller's on success. Registers that the frame did not
 *       save stay known only if a called function must keep them, or behind a signal frame.
 * Returns 0; 1 when this is the outermost frame (no return address); -ENODATA when the CFA
 * needs a register that is not known; -EBADMSG or an error of as_mem otherwise.
 * Safety: AS-safe, one-owner (of m); bounded.
 */
int as_cfi_apply(struct as_mem *m, const struct as_rules *rules, bool is_signal,
		 struct as_regs *regs);

#endif
