#include "lib/as/as_expr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/as/as_proc.h"
#include "tests/t.h"

static struct as_mem mem;
static struct as_regs regs;
static uint8_t *code; /* a page of its own, with nothing mapped behind it */

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static void prepare(void)
{
	static uint8_t window[AS_MEM_WINDOW_MIN], pages[4 * AS_MEM_PAGE];
	static uint64_t page_addr[4];
	const int fd = as_proc_open(0);
	char *p = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	code = (uint8_t *)p + 4096;
	T_EQ(mprotect(code, 4096, PROT_READ | PROT_WRITE), 0);
	T_EQ(as_mem_init(&mem, getpid(), fd, window, sizeof(window), pages, page_addr, 4), 0);
	close(fd);
	regs = (struct as_regs){ .known = 0 };
	as_regs_set(&regs, AS_RSP, 0x1000);
	as_regs_set(&regs, AS_RIP, 0x401007);
}

static int run(const void *bytes, size_t n, const uint64_t *cfa, uint64_t *v)
{
	memcpy(code, bytes, n);
	as_mem_forget(&mem);
	return as_expr_run(&mem, address(code), n, &regs, cfa, v);
}

struct row {
	const char *name;
	uint8_t n, code[24];
	uint64_t want;
};

static const struct row rows[] = {
	{ "lit0", 1, { 0x30 }, 0 },
	{ "lit31", 1, { 0x4f }, 31 },
	{ "addr", 9, { 0x03, 8, 7, 6, 5, 4, 3, 2, 1 }, 0x0102030405060708 },
	{ "const1u", 2, { 0x08, 0xff }, 255 },
	{ "const1s", 2, { 0x09, 0xff }, -1 },
	{ "const2u", 3, { 0x0a, 0xfe, 0xff }, 0xfffe },
	{ "const2s", 3, { 0x0b, 0xfe, 0xff }, -2 },
	{ "const4u", 5, { 0x0c, 0xfd, 0xff, 0xff, 0xff }, 0xfffffffd },
	{ "const4s", 5, { 0x0d, 0xfd, 0xff, 0xff, 0xff }, -3 },
	{ "const8u", 9, { 0x0e, 1, 0, 0, 0, 0, 0, 0, 0x80 }, 0x8000000000000001 },
	{ "constu", 4, { 0x10, 0xe5, 0x8e, 0x26 }, 624485 },
	{ "consts", 4, { 0x11, 0x9b, 0xf1, 0x59 }, -624485 },
	{ "breg7 8", 2, { 0x77, 8 }, 0x1008 },
	{ "breg7 -8", 2, { 0x77, 0x78 }, 0xff8 },
	{ "bregx 16, 0", 3, { 0x92, 16, 0 }, 0x401007 },
	{ "dup plus", 3, { 0x35, 0x12, 0x22 }, 10 },
	{ "drop", 3, { 0x35, 0x36, 0x13 }, 5 },
	{ "over", 3, { 0x35, 0x36, 0x14 }, 5 },
	{ "pick 2", 5, { 0x31, 0x32, 0x33, 0x15, 2 }, 1 },
	{ "swap", 4, { 0x35, 0x36, 0x16, 0x1c }, 1 },
	/* 1 2 3 -> 3 1 2: top is 2, then 2 - ... = 1 - 2 */
	{ "rot minus", 5, { 0x31, 0x32, 0x33, 0x17, 0x1c }, -1 },
	{ "abs", 3, { 0x09, 0xfb, 0x19 }, 5 },
	{ "and", 4, { 0x08, 0x3c, 0x3f, 0x1a }, 0x0c },
	{ "div", 4, { 0x09, 0xf9, 0x32, 0x1b }, -3 },
	{ "mod", 3, { 0x37, 0x33, 0x1d }, 1 },
	{ "mul", 3, { 0x37, 0x33, 0x1e }, 21 },
	{ "neg", 2, { 0x37, 0x1f }, -7 },
	{ "not", 2, { 0x30, 0x20 }, UINT64_MAX },
	{ "or", 3, { 0x31, 0x32, 0x21 }, 3 },
	{ "plus_uconst", 4, { 0x31, 0x23, 0x80, 0x01 }, 129 },
	{ "shl", 3, { 0x31, 0x43, 0x24 }, 1 << 19 },
	{ "shl too far", 4, { 0x31, 0x08, 64, 0x24 }, 0 },
	{ "shr", 4, { 0x09, 0x80, 0x31, 0x25 }, 0x7fffffffffffffc0 },
	{ "shra", 4, { 0x09, 0x80, 0x31, 0x26 }, -64 },
	{ "xor", 3, { 0x35, 0x31, 0x27 }, 4 },
	{ "eq", 3, { 0x35, 0x35, 0x29 }, 1 },
	{ "ge", 4, { 0x09, 0xff, 0x31, 0x2a }, 0 },
	{ "gt", 3, { 0x35, 0x31, 0x2b }, 1 },
	{ "le", 3, { 0x35, 0x31, 0x2c }, 0 },
	{ "lt", 4, { 0x09, 0xff, 0x31, 0x2d }, 1 },
	{ "ne", 3, { 0x35, 0x31, 0x2e }, 1 },
	{ "skip", 5, { 0x35, 0x2f, 1, 0, 0x36 }, 5 },
	{ "bra taken", 6, { 0x35, 0x31, 0x28, 1, 0, 0x36 }, 5 },
	{ "bra not taken", 6, { 0x35, 0x30, 0x28, 1, 0, 0x36 }, 6 },
	{ "nop", 2, { 0x35, 0x96 }, 5 },
	/* what a PLT entry has for its CFA: rsp + 8 + ((rip & 15) >= 11) * 8, here rip is ..7 */
	{ "plt", 11, { 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22 }, 0x1008 },
};

TEST(each_operation_gives_what_the_standard_says)
{
	uint64_t v;

	prepare();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		v = 0xdead;
		const int err = run(rows[i].code, rows[i].n, NULL, &v);

		if (err || v != rows[i].want)
			T_FAIL("%s: error %d, value %lld, wanted %lld", rows[i].name, err, (long long)v,
			       (long long)rows[i].want);
	}
}

TEST(the_cfa_of_a_plt_entry_depends_on_how_far_it_is)
{
	const struct row *plt = &rows[sizeof(rows) / sizeof(rows[0]) - 1];
	uint64_t v;

	prepare();
	as_regs_set(&regs, AS_RIP, 0x40100b);
	T_EQ(run(plt->code, plt->n, NULL, &v), 0);
	T_EQ(v, 0x1010);
}

TEST(memory_is_read_and_what_is_not_there_is_an_error)
{
	static const uint64_t word = 0x1122334455667788;
	uint8_t bytes[] = { 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0x06, 0x96 };
	const uint64_t at = address(&word);
	uint64_t v;

	prepare();
	memcpy(bytes + 1, &at, 8);
	T_EQ(run(bytes, 10, NULL, &v), 0);
	T_EQ(v, word);
	bytes[9] = 0x94;
	bytes[10] = 2;
	T_EQ(run(bytes, 11, NULL, &v), 0);
	T_EQ(v, 0x7788);
	bytes[10] = 9;
	T_EQ(run(bytes, 11, NULL, &v), -EBADMSG);
	memset(bytes + 1, 0, 8);
	bytes[9] = 0x06;
	T_EQ(run(bytes, 10, NULL, &v), -EFAULT);
}

TEST(the_cfa_is_on_the_stack_at_the_start)
{
	static const uint8_t minus8[] = { 0x38, 0x1c };
	const uint64_t cfa = 0x7000;
	uint64_t v;

	prepare();
	T_EQ(run(minus8, 2, &cfa, &v), 0);
	T_EQ(v, 0x6ff8);
}

TEST(damage_is_told_and_bounded)
{
	static const struct {
		uint8_t n, code[8];
		int want;
	} bad[] = {
		{ 0, { 0 }, -EBADMSG },                    /* nothing on the stack */
		{ 1, { 0x22 }, -EBADMSG },                 /* plus of nothing */
		{ 2, { 0x31, 0x22 }, -EBADMSG },           /* plus of one */
		{ 3, { 0x31, 0x30, 0x1b }, -EBADMSG },     /* division by zero */
		{ 3, { 0x31, 0x30, 0x1d }, -EBADMSG },
		{ 3, { 0x2f, 0xfd, 0xff }, -ELOOP },       /* skip to itself */
		{ 3, { 0x2f, 0xf0, 0xff }, -EBADMSG },     /* skip out of it */
		{ 3, { 0x2f, 1, 0 }, -EBADMSG },
		{ 4, { 0x31, 0x2f, 0xfc, 0xff }, -EBADMSG }, /* pushes without end */
		{ 2, { 0x15, 3 }, -EBADMSG },
		{ 1, { 0x03 }, -EBADMSG },                 /* operand cut off */
		{ 1, { 0x9c }, -ENOTSUP },                 /* call_frame_cfa */
		{ 1, { 0x50 }, -ENOTSUP },                 /* reg0: a location, no value */
		{ 2, { 0x70, 0 }, -ENODATA },              /* rax is not known */
		{ 3, { 0x92, 0x7f, 0 }, -EBADMSG },        /* no such register */
	};
	uint64_t v;

	prepare();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		T_EQ(run(bad[i].code, bad[i].n, NULL, &v), bad[i].want);
	T_EQ(as_expr_run(&mem, 0x1000, 4, &regs, NULL, &v), -EFAULT);
	T_EQ(as_expr_run(&mem, address(code), 1 << 20, &regs, NULL, &v), -EBADMSG);
}

TEST(random_programs_end)
{
	uint8_t bytes[64];
	uint64_t v;

	prepare();
	regs.known = UINT32_MAX;
	srand((unsigned)t_seed());
	for (unsigned round = 0; round < 100000 * t_length(); round++) {
		const size_t n = (size_t)rand() % sizeof(bytes);

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(rand() % 4 ? rand() % 0x97 : rand());
		run(bytes, n, NULL, &v);
	}
}
