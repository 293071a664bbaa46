/*
 * Guesses: the caller of a frame where CFI cannot tell.
 *
 * Two cases. A blocked thread's rbp is not in /proc, and code with frame pointers (-O0) has its
 * CFA in it: the frame's end is then searched on the stack. And code without CFI (JIT, Go,
 * hand-written) is walked by frame records, or searched as well.
 *
 * What counts as a return address: it points into executable memory, behind a call instruction.
 * What makes one believable, best first: the call's target is the function the frame is in
 * (directly, through a PLT entry, or through a pointer in memory); it stands where the
 * function's own prologue puts it; the frame it leads to has a believable return address as
 * well. In a search by address, stale return addresses of earlier calls lie between the locals,
 * so plausibility alone is taken only for want of anything better.
 */
#include <errno.h>
#include <string.h>

#include "lib/as/as_unwind_priv.h"

enum {
	SEARCH_WORDS = 4096,    /* of a frame with a known function: 32 KiB of locals */
	SEARCH_BLIND = 512,     /* without CFI, nothing to compare with */
	FRAME_MAX = 1 << 20,    /* a frame record further away is none */
	FUNCTION_MAX = 1 << 16, /* a function without CFI is not taken to be longer */
	CALL_BYTES_MAX = 7,
	JUMP_BYTES = 256,       /* of a function, looked through for a jump into its other half */
	PROLOGUE = 64,
};

/* ---- calls ----------------------------------------------------------------------------- */

enum call_kind {
	CALL_NONE,
	CALL_DIRECT,
	CALL_INDIRECT,
	CALL_KERNEL, /* a signal handler: it returns to code that nobody called */
};

struct call {
	enum call_kind kind;
	uint64_t target; /* 0: not known */
};

/* Bytes that a mod/rm byte takes with what follows it (no prefixes: rip-relative is disp32). */
static unsigned modrm_bytes(uint8_t modrm, uint8_t sib)
{
	const unsigned mod = modrm >> 6, rm = modrm & 7;

	if (mod == 3)
		return 1;
	const unsigned with_sib = 1 + (rm == 4);

	if (mod == 1)
		return with_sib + 1;
	if (mod == 2)
		return with_sib + 4;
	return with_sib + (rm == 5 || (rm == 4 && (sib & 7) == 5) ? 4 : 0);
}

/* The indirect call (ff /2) that ends where code ends, if there is one. */
static bool is_indirect_call(const uint8_t code[CALL_BYTES_MAX], unsigned *bytes)
{
	for (unsigned n = 2; n <= CALL_BYTES_MAX; n++) {
		const uint8_t *at = code + CALL_BYTES_MAX - n;

		if (at[0] == 0xff && (at[1] >> 3 & 7) == 2 &&
		    1 + modrm_bytes(at[1], n > 2 ? at[2] : 0) == n) {
			*bytes = n;
			return true;
		}
	}
	return false;
}

/* The pointer at [rip + disp] of a six-byte instruction whose last four bytes are disp. */
static uint64_t rip_pointer(struct as_unwinder *u, uint64_t next, const uint8_t *disp)
{
	int32_t offset;
	uint64_t target;

	memcpy(&offset, disp, sizeof(offset));
	/* not through the image pages: the GOT is data, it changes */
	if (as_mem_read(&u->mem, next + (uint64_t)(int64_t)offset, &target, 8) != 8)
		return 0;
	return target;
}

/* The bytes before a return address; what lies before the code's start reads as zero. */
static bool read_before(struct as_unwinder *u, uint64_t ra, uint8_t code[CALL_BYTES_MAX])
{
	const struct as_module *m = as_modules_find(&u->modules, ra - 1);

	if (!m)
		return false;
	const uint64_t have = ra - m->exec_start;
	const size_t n = have < CALL_BYTES_MAX ? (size_t)have : CALL_BYTES_MAX;

	memset(code, 0, CALL_BYTES_MAX);
	return !as_mem_image(&u->mem, ra - n, code + CALL_BYTES_MAX - n, n);
}

/* The call instruction before a return address. */
static struct call call_before(struct as_unwinder *u, uint64_t ra)
{
	uint8_t code[CALL_BYTES_MAX];
	int32_t offset;
	unsigned bytes;

	if (!read_before(u, ra, code))
		return (struct call){ CALL_NONE, 0 };
	if (code[2] == 0xe8) {
		memcpy(&offset, code + 3, sizeof(offset));
		const uint64_t target = ra + (uint64_t)(int64_t)offset;

		if (as_modules_find(&u->modules, target))
			return (struct call){ CALL_DIRECT, target };
	}
	if (!is_indirect_call(code, &bytes))
		return (struct call){ as_is_sigreturn(u, ra) ? CALL_KERNEL : CALL_NONE, 0 };
	/* call *disp(%rip): code built without a PLT */
	if (bytes == 6 && code[2] == 0x15)
		return (struct call){ CALL_INDIRECT, rip_pointer(u, ra, code + 3) };
	return (struct call){ CALL_INDIRECT, 0 };
}

/* Where a PLT entry at `target` jumps to: [endbr64] [bnd] jmp *disp(%rip); else target itself. */
static uint64_t behind_plt(struct as_unwinder *u, uint64_t target)
{
	static const uint8_t endbr64[4] = { 0xf3, 0x0f, 0x1e, 0xfa };
	uint8_t code[11];
	unsigned at = 0;

	if (as_mem_image(&u->mem, target, code, sizeof(code)))
		return target;
	if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
		at += sizeof(endbr64);
	if (code[at] == 0xf2)
		at++;
	if (at + 6 > sizeof(code) || code[at] != 0xff || code[at + 1] != 0x25)
		return target;
	return rip_pointer(u, target + at + 6, code + at + 2);
}

/*
 * Whether the code at `target` jumps into [from, to]: the compiler splits functions, and what
 * was called is then the half that goes on in the other one (read -> read.part.0).
 */
static bool jumps_into(struct as_unwinder *u, uint64_t target, uint64_t from, uint64_t to)
{
	uint8_t code[JUMP_BYTES + 4];
	int32_t offset;

	if (as_mem_image(&u->mem, target, code, sizeof(code)))
		return false;
	for (unsigned i = 0; i + 5 <= sizeof(code); i++) {
		/* jmp rel32, or the second byte of jcc rel32 */
		if (code[i] != 0xe9 && (!i || code[i - 1] != 0x0f || (code[i] & 0xf0) != 0x80))
			continue;
		memcpy(&offset, code + i + 1, sizeof(offset));
		const uint64_t to_here = target + i + 5 + (uint64_t)(int64_t)offset;

		if (to_here >= from && to_here <= to)
			return true;
	}
	return false;
}

/* Whether a call led to `pc` in the function that begins at `function`. */
static bool is_call_to(struct as_unwinder *u, const struct call *call, uint64_t function,
		       uint64_t pc)
{
	if (!call->target || !function)
		return false;
	const uint64_t target = call->target == function ? function : behind_plt(u, call->target);

	return target == function || jumps_into(u, target, function, pc);
}

/* ---- the function's own prologue -------------------------------------------------------- */

/*
 * Bytes of an instruction that moves something about and leaves the stack alone, as compilers
 * mix them into prologues; 0 for any other. Prefixes, one byte of opcode, mod/rm, maybe an
 * immediate.
 */
static unsigned plain_bytes(const uint8_t *code)
{
	static const uint8_t moves[] = { 0x89, 0x8b, 0x8d, 0x31, 0x33, 0x85, 0x63, 0x88, 0x8a };
	unsigned at = code[0] == 0x64; /* fs: the stack protector's canary */
	const uint8_t rex = (code[at] & 0xf0) == 0x40 ? code[at++] : 0;
	const uint8_t op = code[at++];

	if (op >= 0xb8 && op <= 0xbf) /* mov $imm,reg */
		return at + (rex & 8 ? 8 : 4);
	const uint8_t modrm = code[at];
	const unsigned bytes = at + modrm_bytes(modrm, code[at + 1]);

	if (op == 0xc7)
		return bytes + 4;
	if (op == 0xc6)
		return bytes + 1;
	if (!memchr(moves, op, sizeof(moves)))
		return 0;
	/* what writes rsp is no plain move */
	if ((op == 0x8b || op == 0x8d || op == 0x33) && (modrm >> 3 & 7) == 4 && !(rex & 4))
		return 0;
	if ((op == 0x89 || op == 0x31) && modrm >> 6 == 3 && (modrm & 7) == 4 && !(rex & 1))
		return 0;
	return bytes;
}

static bool is_push(const uint8_t *code, unsigned *bytes)
{
	*bytes = code[0] == 0x41 ? 2 : 1;
	return (code[*bytes - 1] & 0xf8) == 0x50;
}

/* sub $n,rsp */
static bool is_sub(const uint8_t *code, uint64_t *n)
{
	int32_t wide;

	if (code[0] != 0x48 || (code[1] != 0x83 && code[1] != 0x81) || code[2] != 0xec)
		return false;
	memcpy(&wide, code + 3, sizeof(wide));
	*n = code[1] == 0x83 ? (uint64_t)(int64_t)(int8_t)code[3] : (uint64_t)(int64_t)wide;
	return true;
}

/* Moves *at over plain instructions. */
static void skip_plain(const uint8_t *code, unsigned *at)
{
	for (unsigned bytes; *at < PROLOGUE && (bytes = plain_bytes(code + *at)) > 0;)
		*at += bytes;
}

/*
 * How far below rbp a function's prologue leaves rsp: push rbp; mov rsp,rbp; pushes of other
 * registers; sub $n,rsp. Where calls are made rsp is never above that, so the return address
 * lies at rsp + n + 8 or (alloca, pushed arguments) further up.
 */
static bool read_prologue(struct as_unwinder *u, uint64_t function, uint64_t *below)
{
	static const uint8_t endbr64[4] = { 0xf3, 0x0f, 0x1e, 0xfa };
	static const uint8_t set_frame[3] = { 0x48, 0x89, 0xe5 };
	uint8_t code[PROLOGUE + 32] = { 0 };
	unsigned at = 0, bytes;
	uint64_t n;

	if (as_mem_image(&u->mem, function, code, PROLOGUE + 16))
		return false;
	if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
		at += sizeof(endbr64);
	if (code[at++] != 0x55)
		return false;
	while (at < PROLOGUE && memcmp(code + at, set_frame, sizeof(set_frame)) != 0) {
		bytes = plain_bytes(code + at);
		if (!bytes)
			return false;
		at += bytes;
	}
	at += sizeof(set_frame);
	*below = 0;
	skip_plain(code, &at);
	while (at < PROLOGUE && is_push(code + at, &bytes)) {
		*below += 8;
		at += bytes;
		skip_plain(code, &at);
	}
	if (at < PROLOGUE && is_sub(code + at, &n))
		*below += n < FRAME_MAX ? n : 0;
	return at < PROLOGUE;
}

/* ---- is a frame believable? ------------------------------------------------------------- */

enum belief {
	NOT_BELIEVED,
	UNLIKELY, /* it leads to code, but to none behind a call: a made-up first frame does */
	MAY_BE,   /* nothing is known of the frame */
	BELIEVED,
};

static bool looks_like_frame(uint64_t fp, uint64_t sp)
{
	return fp >= sp && fp - sp < FRAME_MAX && !(fp & 7);
}

/* Whether the word above the one at fp is an address of code, or even one behind a call. */
static bool is_record(struct as_unwinder *u, uint64_t fp, bool want_call)
{
	uint64_t ra;

	u->mem.probing = true;
	const int err = as_mem_word(&u->mem, fp + 8, &ra);

	u->mem.probing = false;
	return !err && as_modules_find(&u->modules, ra) &&
	       (!want_call || call_before(u, ra).kind != CALL_NONE);
}

/* Whether the frame at hand leads on to a return address: one step of CFI further, or of frame records
 * where there is none. */
static enum belief look_ahead(struct as_unwinder *u, const struct as_regs *regs)
{
	const struct as_row row = as_row_find(u, regs->v[AS_RIP] - 1);
	struct as_regs caller = *regs;

	if (row.flags & AS_ROW_NONE)
		return as_regs_has(regs, AS_RBP) && looks_like_frame(regs->v[AS_RBP], regs->v[AS_RSP]) &&
				       is_record(u, regs->v[AS_RBP], true)
			       ? BELIEVED
			       : MAY_BE;
	/* where a wrong guess leads may be far away: the window stays where the search is */
	u->mem.probing = true;
	const int err = as_row_apply(u, &row, &caller);

	u->mem.probing = false;
	switch (err) {
	case 1:
		return BELIEVED;
	case -ENODATA:
		return MAY_BE;
	case 0:
		break;
	default:
		return NOT_BELIEVED;
	}
	/* what a signal interrupted may be any instruction, on any stack */
	if (row.flags & AS_ROW_SIGNAL)
		return as_modules_find(&u->modules, caller.v[AS_RIP]) ? BELIEVED : NOT_BELIEVED;
	if (caller.v[AS_RSP] <= regs->v[AS_RSP])
		return NOT_BELIEVED;
	if (!caller.v[AS_RIP] || call_before(u, caller.v[AS_RIP]).kind != CALL_NONE)
		return BELIEVED;
	return as_modules_find(&u->modules, caller.v[AS_RIP]) ? UNLIKELY : NOT_BELIEVED;
}

/* ---- CFA needs an unknown register -------------------------------------------------------- */

struct search {
	struct as_unwinder *u;
	const struct as_row *row;
	const struct as_regs *regs;
	uint64_t at;           /* where in its function the frame is */
	uint64_t function;     /* 0: not known */
	uint64_t expected;     /* where the prologue puts the return address; 0: not known */
	struct as_regs second; /* the best find so far that is not proved; the first of equals */
	enum belief second_belief;
};

/*
 * The caller's registers, if this frame's return address stood at `place`. Where the CFA comes
 * from an expression (realigned stacks), that place holds the copy which makes a frame record
 * of it: rbp points right below.
 */
static bool caller_at(const struct search *s, uint64_t place, struct as_regs *caller)
{
	*caller = *s->regs;
	if (!(s->row->flags & AS_ROW_COMPLEX))
		return as_row_apply_cfa(s->u, s->row, place + 8, caller) == 0;
	if (as_regs_has(caller, AS_RBP))
		return false;
	as_regs_set(caller, AS_RBP, place - 8);
	s->u->mem.probing = true;
	const int err = as_row_apply(s->u, s->row, caller);

	s->u->mem.probing = false;
	return err == 0 && caller->v[AS_RSP] > place;
}

/* Looks at one place; true when it is the one, with *caller filled. */
static bool try_place(struct search *s, uint64_t place, uint64_t word, struct as_regs *caller)
{
	const struct call call = call_before(s->u, word);

	if (call.kind == CALL_NONE || !caller_at(s, place, caller))
		return false;
	const enum belief belief = look_ahead(s->u, caller);

	if (belief > UNLIKELY && is_call_to(s->u, &call, s->function, s->at))
		return true;
	/* a call to something else led here: by a pointer, or that function jumped to ours */
	if (belief == BELIEVED && place == s->expected)
		return true;
	if (belief > s->second_belief && call.kind != CALL_DIRECT && !call.target) {
		s->second = *caller;
		s->second_belief = belief;
	}
	return false;
}

/* Nothing that was called: where a coroutine begins, say, a return address was made up. */
static bool take_expected(struct search *s, struct as_regs *caller)
{
	uint64_t word;

	return s->expected && !as_mem_word(&s->u->mem, s->expected, &word) &&
	       as_modules_find(&s->u->modules, word) && caller_at(s, s->expected, caller);
}

static int search_frame_end(struct as_unwinder *u, const struct as_row *row, bool exact,
			    struct as_regs *regs)
{
	const struct as_regs frame = *regs;
	struct search s = { .u = u, .row = row, .regs = &frame, .at = regs->v[AS_RIP] - !exact };
	uint64_t place = regs->v[AS_RSP], below, word;
	int err = 0;

	if (row->into < UINT32_MAX)
		s.function = s.at - row->into;
	if (place & 7)
		return -ENOENT;
	if (row->cfa_reg == AS_RBP && !(row->flags & AS_ROW_COMPLEX) && !exact &&
	    read_prologue(u, s.function, &below)) {
		place += below + 8;
		s.expected = place;
	}
	for (unsigned i = 0; i < SEARCH_WORDS && !err; i++, place += 8) {
		err = as_mem_word(&u->mem, place, &word);
		if (!err && try_place(&s, place, word, regs))
			return 0;
	}
	*regs = s.second_belief ? s.second : frame;
	if (s.second_belief || take_expected(&s, regs))
		return 0;
	return err == -E2BIG ? err : -ENOENT;
}

/* ---- no CFI at all ---------------------------------------------------------------------- */

/*
 * A frame record {caller's frame pointer, return address} at fp. Interpreters push return
 * addresses that no call left behind: then the caller's record must look like one too.
 */
static bool by_frame_record(struct as_unwinder *u, uint64_t fp, struct as_regs *regs)
{
	uint64_t caller_fp, ra;

	if (as_mem_word(&u->mem, fp, &caller_fp) || as_mem_word(&u->mem, fp + 8, &ra))
		return false;
	if (call_before(u, ra).kind == CALL_NONE &&
	    !(as_modules_find(&u->modules, ra) && caller_fp > fp &&
	      looks_like_frame(caller_fp, fp) && is_record(u, caller_fp, false)))
		return false;
	regs->known = 0;
	as_regs_set(regs, AS_RIP, ra);
	as_regs_set(regs, AS_RSP, fp + 16);
	as_regs_set(regs, AS_RBP, caller_fp);
	return true;
}

/* A function that has no frame (yet): its return address is on top of the stack. */
static bool by_stack_top(struct as_unwinder *u, struct as_regs *regs)
{
	struct as_regs caller = *regs;
	uint64_t ra;

	if (as_mem_word(&u->mem, regs->v[AS_RSP], &ra) || call_before(u, ra).kind == CALL_NONE)
		return false;
	caller.known &= AS_REGS_SAVED;
	as_regs_set(&caller, AS_RIP, ra);
	as_regs_set(&caller, AS_RSP, regs->v[AS_RSP] + 8);
	if (look_ahead(u, &caller) < MAY_BE)
		return false;
	*regs = caller;
	return true;
}

/* Whether a call may have led into the code at pc, of which no CFI tells the beginning. */
static bool may_lead_to(struct as_unwinder *u, const struct call *call, uint64_t pc)
{
	const uint64_t target = call->target ? behind_plt(u, call->target) : 0;

	return target && target < pc && pc - target < FUNCTION_MAX &&
	       as_modules_find(&u->modules, target) == as_modules_find(&u->modules, pc - 1) &&
	       as_row_find(u, target).flags & AS_ROW_NONE;
}

/* The frame of a caller whose return address is at `place`, `below` being the word under it. */
static bool blind_caller(struct as_unwinder *u, uint64_t place, uint64_t ra, uint64_t below,
			 struct as_regs *caller)
{
	caller->known = 0;
	as_regs_set(caller, AS_RIP, ra);
	as_regs_set(caller, AS_RSP, place + 8);
	if (below <= place || !looks_like_frame(below, place) || !is_record(u, below, true))
		return false;
	as_regs_set(caller, AS_RBP, below);
	return true;
}

/*
 * A return address up the stack: the first whose call may have led to where we are; or else the
 * first with a frame record of its caller below it, or whose frame leads on by CFI.
 */
static int search_blind(struct as_unwinder *u, struct as_regs *regs)
{
	uint64_t place = regs->v[AS_RSP], word = 0;
	const uint64_t pc = regs->v[AS_RIP];
	struct as_regs caller;
	bool has_second = false;
	int err = 0;

	if (place & 7)
		return -ENOENT;
	for (unsigned i = 0; i < SEARCH_BLIND && !err; i++, place += 8) {
		const uint64_t below = word;

		err = as_mem_word(&u->mem, place, &word);
		const struct call call = err ? (struct call){ CALL_NONE, 0 } : call_before(u, word);

		if (call.kind == CALL_NONE)
			continue;
		const bool has_record = blind_caller(u, place, word, below, &caller);
		const bool is_ours = may_lead_to(u, &call, pc);

		if (is_ours || (!has_second && (has_record || look_ahead(u, &caller) == BELIEVED))) {
			*regs = caller;
			has_second = true;
		}
		if (is_ours)
			return 0;
	}
	return has_second ? 0 : err == -E2BIG ? err : -ENOENT;
}

static int without_cfi(struct as_unwinder *u, struct as_guess *g, struct as_regs *regs)
{
	const bool was_chain = g->by_record;

	g->by_record = false;
	if (g->exact && by_stack_top(u, regs))
		return 0;
	if (as_regs_has(regs, AS_RBP)) {
		const uint64_t fp = regs->v[AS_RBP];

		/* code without CFI lives by frame pointers, and 0 ends their chain */
		if (!fp && !g->exact)
			return 1;
		if (looks_like_frame(fp, regs->v[AS_RSP]) && by_frame_record(u, fp, regs)) {
			g->by_record = true;
			return 0;
		}
	}
	/* a return address that no call left behind was put there to begin a stack */
	if (!g->exact && call_before(u, regs->v[AS_RIP]).kind == CALL_NONE)
		return 1;
	/* a chain of records that ends elsewhere (on another stack) is not mended by a search */
	return was_chain ? -ENOENT : search_blind(u, regs);
}

int as_guess_caller(struct as_unwinder *u, const struct as_row *row, struct as_guess *g,
		    struct as_regs *regs)
{
	if (row->flags & AS_ROW_NONE)
		return without_cfi(u, g, regs);
	g->by_record = false;
	return search_frame_end(u, row, g->exact, regs);
}
