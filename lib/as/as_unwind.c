#include "lib/as/as_unwind.h"

#include <errno.h>
#include <string.h>

#include "lib/as/as_unwind_priv.h"

enum { GUESSES_MAX = 32 };

const char *as_end_name(enum as_end end)
{
	static const char *const name[] = { "bottom", "truncated", "no-cfi",
					    "unreadable", "loop", "limit" };

	return end <= AS_END_LIMIT ? name[end] : "?";
}

/*
 * The frame that a C library without CFI for it returns to from a signal handler:
 * mov $15,%rax; syscall. The context that the kernel saved starts at its stack pointer.
 */
bool as_is_sigreturn(struct as_unwinder *u, uint64_t pc)
{
	static const uint8_t code[9] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
	uint8_t bytes[sizeof(code)];

	return as_modules_find(&u->modules, pc) &&
	       !as_mem_image(&u->mem, pc, bytes, sizeof(bytes)) &&
	       memcmp(bytes, code, sizeof(code)) == 0;
}

static int apply_sigreturn(struct as_unwinder *u, struct as_regs *regs)
{
	enum { GREGS = 40 }; /* offset of uc_mcontext in ucontext_t */
	const uint64_t at = regs->v[AS_RSP] + GREGS;
	uint64_t greg[AS_SIGNAL_REGS];

	for (unsigned i = 0; i < AS_SIGNAL_REGS; i++) {
		const int err = as_mem_word(&u->mem, at + 8 * i, &greg[i]);

		if (err)
			return err;
	}
	as_regs_of_signal(regs, greg);
	return 0;
}

struct walk {
	struct as_unwinder *u;
	struct as_regs regs;
	struct as_guess guess; /* exact: of the frame that regs describe */
	uint8_t flags;         /* of that frame */
	unsigned guesses;
};

static int go_by_guess(struct walk *w, const struct as_row *row)
{
	const int err = w->guesses++ < GUESSES_MAX || w->guess.by_record
				? as_guess_caller(w->u, row, &w->guess, &w->regs)
				: -ENOENT;

	w->flags = AS_FRAME_GUESSED;
	w->guess.exact = false;
	return err;
}

static int go_through_signal(struct walk *w, int err, uint8_t *this_flags)
{
	*this_flags |= AS_FRAME_SIGNAL;
	w->flags = AS_FRAME_EXACT;
	w->guess = (struct as_guess){ .exact = true };
	return err;
}

/*
 * To the caller's frame: 0, or 1 at the outermost one, or a negative errno. Sets the flags of
 * the caller's frame and, for a signal frame, that of this one.
 */
static int go_out(struct walk *w, uint8_t *this_flags)
{
	const bool exact = w->guess.exact;
	const struct as_row row = as_row_find(w->u, w->regs.v[AS_RIP] - !exact);
	const int err = as_row_apply(w->u, &row, &w->regs);

	if (row.flags & AS_ROW_SIGNAL)
		return go_through_signal(w, err, this_flags);
	if (err == -ENOENT && !exact && as_is_sigreturn(w->u, w->regs.v[AS_RIP]))
		return go_through_signal(w, apply_sigreturn(w->u, &w->regs), this_flags);
	if (err == -ENOENT || err == -ENODATA)
		return go_by_guess(w, &row);
	w->flags = 0;
	w->guess = (struct as_guess){ .exact = false };
	return err;
}

/* A signal handler may have a stack of its own; everything else grows upwards, but for an
 * innermost frame that holds its return address in a register (vfork). */
static bool is_outwards(uint64_t sp, uint64_t caller_sp, uint8_t flags)
{
	return flags & AS_FRAME_SIGNAL || caller_sp > sp ||
	       (caller_sp == sp && flags & AS_FRAME_EXACT);
}

static enum as_end end_of(int err)
{
	switch (err) {
	case 1:
		return AS_END_BOTTOM;
	case -E2BIG:
		return AS_END_TRUNCATED;
	case -EFAULT:
	case -ESRCH:
	case -EPERM:
	case -EACCES:
		return AS_END_UNREADABLE;
	default:
		return AS_END_NO_CFI;
	}
}

unsigned as_unwind(struct as_unwinder *u, const struct as_regs *regs, uint64_t *pc,
		   uint8_t *flags, unsigned room, enum as_end *end)
{
	struct walk w = { .u = u, .regs = *regs, .guess.exact = true, .flags = AS_FRAME_EXACT };
	unsigned n = 0;

	*end = AS_END_LIMIT;
	while (n < room) {
		const uint64_t sp = w.regs.v[AS_RSP];

		pc[n] = w.regs.v[AS_RIP];
		flags[n] = w.flags;
		const int err = go_out(&w, &flags[n]);

		n++;
		if (err) {
			*end = end_of(err);
			break;
		}
		if (!w.regs.v[AS_RIP]) {
			*end = AS_END_BOTTOM;
			break;
		}
		if (!is_outwards(sp, w.regs.v[AS_RSP], flags[n - 1])) {
			*end = AS_END_LOOP;
			break;
		}
	}
	return n;
}
