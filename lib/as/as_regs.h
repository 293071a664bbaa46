/*
 * as_regs - the registers of one frame, each known or not.
 *
 * Numbers are DWARF's for x86_64. Looking at a blocked thread from /proc gives the stack
 * pointer, the program counter and the arguments of its system call; the others become known
 * when a frame that saved them is passed.
 */
#ifndef SHMSCOPE_AS_REGS_H
#define SHMSCOPE_AS_REGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

enum as_reg {
	AS_RAX, AS_RDX, AS_RCX, AS_RBX, AS_RSI, AS_RDI, AS_RBP, AS_RSP,
	AS_R8, AS_R9, AS_R10, AS_R11, AS_R12, AS_R13, AS_R14, AS_R15,
	AS_RIP, /* the "return address" column: pc of the frame */
	AS_REGS,
};

struct as_regs {
	uint64_t v[AS_REGS];
	uint32_t known; /* bit per register */
};

/* What a called function gives back as it found it; all else is unknown behind a call. */
#define AS_REGS_SAVED                                                              \
	(1u << AS_RBX | 1u << AS_RBP | 1u << AS_R12 | 1u << AS_R13 | 1u << AS_R14 | \
	 1u << AS_R15)

static inline bool as_regs_has(const struct as_regs *r, unsigned reg)
{
	return reg < AS_REGS && r->known >> reg & 1;
}

static inline void as_regs_set(struct as_regs *r, unsigned reg, uint64_t v)
{
	r->v[reg] = v;
	r->known |= 1u << reg;
}

/*
 * as_regs_of_signal - from the machine context of a signal frame: `greg` are the first 17 words
 * of uc_mcontext (REG_R8 .. REG_RIP of <sys/ucontext.h>).
 * as_regs_of_ptrace - from PTRACE_GETREGSET or PTRACE_GETREGS.
 * Safety: AS-safe, MT-safe, wait-free.
 */
enum { AS_SIGNAL_REGS = 17 };

static inline void as_regs_of_signal(struct as_regs *r, const uint64_t greg[AS_SIGNAL_REGS])
{
	static const uint8_t order[AS_SIGNAL_REGS] = {
		AS_R8,  AS_R9,  AS_R10, AS_R11, AS_R12, AS_R13, AS_R14, AS_R15, AS_RDI,
		AS_RSI, AS_RBP, AS_RBX, AS_RDX, AS_RAX, AS_RCX, AS_RSP, AS_RIP,
	};

	r->known = 0;
	for (unsigned i = 0; i < AS_SIGNAL_REGS; i++)
		as_regs_set(r, order[i], greg[i]);
}

static inline void as_regs_of_ptrace(struct as_regs *r, const struct user_regs_struct *u)
{
	*r = (struct as_regs){
		.v = { u->rax, u->rdx, u->rcx, u->rbx, u->rsi, u->rdi, u->rbp, u->rsp, u->r8, u->r9,
		       u->r10, u->r11, u->r12, u->r13, u->r14, u->r15, u->rip },
		.known = (1u << AS_REGS) - 1,
	};
}

#endif
