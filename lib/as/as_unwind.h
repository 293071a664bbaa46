/*
 * as_unwind - the stack of a thread as a list of program counters.
 *
 * Works on another process or on this one, in a signal handler or from outside: it reads the
 * stack and the unwind tables as copies (as_mem), starts from whatever registers are known, and
 * gives a reason when it ends. By CFI where there is any; by frame pointers where there is none
 * (JIT code, Go); and where the one register it would need is unknown, by looking for the call
 * that led here (as_guess.c). What rests on a guess is flagged.
 *
 * No static state and no locks: one unwinder per thread that unwinds.
 */
#ifndef SHMSCOPE_AS_UNWIND_H
#define SHMSCOPE_AS_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/as/as_cfi.h"
#include "lib/as/as_mem.h"
#include "lib/as/as_modules.h"
#include "lib/as/as_regs.h"

/*
 * What the CFI says about one pc, in the form that nearly all code has: a register plus a
 * number is the CFA, the return address lies at CFA - 8, registers are saved at CFA + 8 * n.
 */
enum as_row_flags {
	AS_ROW_NONE = 1,    /* no (usable) CFI for this pc */
	AS_ROW_BOTTOM = 2,  /* the outermost frame of a stack */
	AS_ROW_COMPLEX = 4, /* the program has to be run each time */
	AS_ROW_SIGNAL = 8,  /* a signal frame */
};

enum { AS_ROW_SAVED = 6, AS_ROW_NOT_SAVED = INT16_MIN };

struct as_row {
	uint64_t pc; /* looked up for; 0: empty */
	int32_t cfa_offset;
	uint8_t cfa_reg;
	uint8_t flags;
	int16_t saved[AS_ROW_SAVED]; /* rbx rbp r12 r13 r14 r15: place is CFA + 8 * this */
	uint32_t into;               /* bytes from the start of its function (FDE) to pc */
};
_Static_assert(sizeof(struct as_row) == 32, "two rows to a cache line");

struct as_unwinder {
	struct as_mem mem;
	struct as_modules modules;
	struct as_row *row; /* cache; a power of two */
	size_t row_count;
	uint64_t row_hits, row_misses;
	uint64_t print; /* of the modules that the rows are for */
	struct as_cfi_work work;
};

/* Flags of a frame; in the feed: "g", "x", "s". */
enum as_frame_flags {
	AS_FRAME_GUESSED = 1, /* found without CFI; frames further out rest on it */
	AS_FRAME_EXACT = 2,   /* pc is where the thread is, not a return address */
	AS_FRAME_SIGNAL = 4,  /* the frame by which the kernel called a signal handler */
};

/* Why a list of frames ends; as_end_name() gives the feed's word. */
enum as_end {
	AS_END_BOTTOM,     /* it is complete */
	AS_END_TRUNCATED,  /* the stack is larger than what is copied of one */
	AS_END_NO_CFI,     /* nothing says where the caller is */
	AS_END_UNREADABLE, /* memory that should hold the next frame is not there */
	AS_END_LOOP,       /* the next frame would not lie above this one */
	AS_END_LIMIT,      /* more frames than room */
};

const char *as_end_name(enum as_end end);

/*
 * as_unwind - list the frames of a stack.
 *
 * u       its mem and modules are up to date; its stack window is empty (as_mem_new_stack) or
 *         holds a copy of this very stack (as_mem_given_stack).
 * regs    of the innermost frame; at least rsp and rip are known.
 * pc, flags  filled, innermost first, `room` entries each.
 * end     set to why the list ends.
 * Returns the number of frames, at least 1 (when room is).
 * Safety: AS-safe, one-owner (of u); bounded by room and AS_MEM_STACK_MAX.
 */
unsigned as_unwind(struct as_unwinder *u, const struct as_regs *regs, uint64_t *pc,
		   uint8_t *flags, unsigned room, enum as_end *end);

/*
 * as_unwind_refresh - call after the modules were read again: forgets image pages, and cached
 * rows if any module changed.
 * Safety: AS-safe, one-owner.
 */
void as_unwind_refresh(struct as_unwinder *u);

#endif
