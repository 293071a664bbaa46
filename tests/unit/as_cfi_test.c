/*
 * Call frame information, built here byte by byte: a search table, CIEs and FDEs in every form
 * that compilers make, and in forms that only damage makes.
 */
#include "lib/as/as_cfi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/as/as_cursor.h"
#include "lib/as/as_proc.h"
#include "tests/t.h"

enum {
	HDR = 0,        /* the search table */
	FRAMES = 0x4000, /* .eh_frame */
	CODE = 0x6000,  /* functions; never read */
	IMAGE = 0x8000,
	STACK = 1024,
};

static uint8_t *image;
static size_t used; /* of FRAMES */
static struct as_mem mem;
static struct as_elf elf;
static struct as_fde fde;
static struct as_cfi_work work;
static uint64_t stack[STACK];

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static uint64_t function(unsigned i)
{
	return address(image) + CODE + i * 32;
}

static void prepare(void)
{
	static uint8_t window[AS_MEM_WINDOW_MIN], pages[16 * AS_MEM_PAGE];
	static uint64_t page_addr[16];
	const int fd = as_proc_open(0);

	/* below 2 GiB, so that absolute pointers of 4 bytes are possible */
	image = mmap(NULL, IMAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	T_OK(image != MAP_FAILED);
	T_EQ(as_mem_init(&mem, getpid(), fd, window, sizeof(window), pages, page_addr, 16), 0);
	close(fd);
	elf = (struct as_elf){ .hdr = address(image) + HDR, .hdr_bytes = FRAMES };
	used = 0;
}

/* ---- writing tables ----------------------------------------------------------------------- */

struct out {
	uint8_t *at;
};

static void put(struct out *o, const void *bytes, size_t n)
{
	if (n) /* bytes may be NULL then */
		memcpy(o->at, bytes, n);
	o->at += n;
}

static void put_number(struct out *o, uint64_t v, size_t n)
{
	put(o, &v, n);
}

static void put_uleb(struct out *o, uint64_t v)
{
	do {
		*o->at++ = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		v >>= 7;
	} while (v);
}

static void put_sleb(struct out *o, int64_t v)
{
	bool more = true;

	while (more) {
		const uint8_t bits = v & 0x7f;

		v >>= 7;
		more = !((v == 0 && !(bits & 0x40)) || (v == -1 && bits & 0x40));
		*o->at++ = (uint8_t)(bits | (more ? 0x80 : 0));
	}
}

static void put_pointer(struct out *o, uint8_t enc, uint64_t v)
{
	static uint64_t slots[64];
	static unsigned n_slots;

	if (enc == AS_PE_OMIT)
		return;
	if (enc & AS_PE_INDIRECT) {
		slots[n_slots % 64] = v;
		v = address(&slots[n_slots++ % 64]);
	}
	if ((enc & 0x70) == AS_PE_PCREL)
		v -= address(o->at);
	if ((enc & 0x70) == AS_PE_DATAREL)
		v -= elf.hdr;
	if ((enc & 0x0f) == AS_PE_ULEB128)
		put_uleb(o, v);
	else if ((enc & 0x0f) == AS_PE_SLEB128)
		put_sleb(o, (int64_t)v);
	else
		put_number(o, v, as_pointer_bytes(enc));
}

/* An entry of .eh_frame around `body`, with a length of 4 or of 12 bytes; returns its address. */
static uint8_t *put_entry(const uint8_t *body, size_t n, bool is_long)
{
	struct out o = { image + FRAMES + used };
	uint8_t *start = o.at;

	T_OK(used + n + 12 < CODE - FRAMES);
	if (is_long) {
		put_number(&o, UINT32_MAX, 4);
		put_number(&o, n, 8);
	} else {
		put_number(&o, n, 4);
	}
	put(&o, body, n);
	used += (size_t)(o.at - start);
	return start;
}

struct cie {
	const char *letters;
	uint8_t version, encoding, personality;
	bool is_long;
	const uint8_t *code;
	size_t code_bytes;
};

static uint8_t *put_cie(const struct cie *c)
{
	uint8_t body[256], data[32];
	/* the body will stand behind the length: pc-relative pointers must be made there */
	struct out o = { body }, d = { data };

	put_number(&o, 0, 4);
	put_number(&o, c->version ? c->version : 1, 1);
	put(&o, c->letters, strlen(c->letters) + 1);
	if (c->version == 4)
		put_number(&o, 0x0008, 2);
	put_uleb(&o, 1);
	put_sleb(&o, -8);
	put_uleb(&o, AS_RIP);
	for (const char *l = c->letters; *l && c->letters[0] == 'z'; l++) {
		if (*l == 'R')
			put_number(&d, c->encoding, 1);
		if (*l == 'L')
			put_number(&d, AS_PE_PCREL | AS_PE_SDATA4, 1);
		if (*l == 'P') {
			put_number(&d, c->personality, 1);
			put_number(&d, 0x1234, as_pointer_bytes(c->personality));
		}
	}
	if (c->letters[0] == 'z') {
		put_uleb(&o, (uint64_t)(d.at - data));
		put(&o, data, (size_t)(d.at - data));
	}
	put(&o, c->code, c->code_bytes);
	return put_entry(body, (size_t)(o.at - body), c->is_long);
}

static uint8_t *put_fde(const struct cie *c, const uint8_t *cie, uint64_t begin, uint64_t bytes,
			const uint8_t *code, size_t n)
{
	/* written in place: pointers may be relative to where they stand */
	struct out o = { image + FRAMES + used };
	uint8_t *start = o.at, *length = o.at;
	const uint8_t enc = c->letters[0] == 'z' && strchr(c->letters, 'R') ? c->encoding : AS_PE_ABSPTR;

	o.at += c->is_long ? 12 : 4;
	uint8_t *body = o.at;

	put_number(&o, (uint64_t)(o.at - cie), 4);
	put_pointer(&o, enc, begin);
	put_pointer(&o, enc & 0x0f, bytes);
	if (c->letters[0] == 'z') {
		const uint8_t lsda[4] = { 1, 2, 3, 4 };

		put_uleb(&o, strchr(c->letters, 'L') ? 4 : 0);
		put(&o, lsda, strchr(c->letters, 'L') ? 4 : 0);
	}
	put(&o, code, n);
	struct out l = { length };

	if (c->is_long)
		put_number(&l, UINT32_MAX, 4);
	put_number(&l, (uint64_t)(o.at - body), c->is_long ? 8 : 4);
	used += (size_t)(o.at - start);
	T_OK(used < CODE - FRAMES);
	return start;
}

static void put_table(uint8_t enc, unsigned n, uint8_t *const *fdes)
{
	struct out o = { image + HDR };
	const uint8_t head[4] = { 1, AS_PE_PCREL | AS_PE_SDATA4, AS_PE_UDATA4, enc };

	put(&o, head, 4);
	put_pointer(&o, head[1], address(image) + FRAMES);
	put_number(&o, n, 4);
	for (unsigned i = 0; i < n; i++) {
		put_pointer(&o, enc, function(2 * i));
		put_pointer(&o, enc, address(fdes[i]));
	}
	elf.hdr_bytes = (uint64_t)(o.at - image) - HDR;
	as_mem_forget(&mem);
}

/* What every compiler puts into the CIE: CFA = rsp + 8, return address at CFA - 8. */
static const uint8_t usual[] = { 0x0c, 7, 8, 0x80 + AS_RIP, 1 };

/* One function of 32 bytes at function(0) with this program. */
static void one_function(const uint8_t *code, size_t n)
{
	const struct cie c = { "zR", 1, AS_PE_PCREL | AS_PE_SDATA4, 0, false, usual, sizeof(usual) };

	prepare();
	uint8_t *f = put_fde(&c, put_cie(&c), function(0), 32, code, n);

	put_table(AS_PE_DATAREL | AS_PE_SDATA4, 1, &f);
	T_EQ(as_cfi_find(&mem, &elf, function(0), &fde), 0);
}

/* ---- finding ------------------------------------------------------------------------------- */

static void check_forms(const struct cie *c, uint8_t table_encoding)
{
	uint8_t *fdes[60];

	prepare();
	const uint8_t *cie = put_cie(c);

	for (unsigned i = 0; i < 60; i++)
		fdes[i] = put_fde(c, cie, function(2 * i), 32, NULL, 0);
	put_table(table_encoding, 60, fdes);
	for (unsigned i = 0; i < 60; i++) {
		T_EQ(as_cfi_find(&mem, &elf, function(2 * i), &fde), 0);
		T_EQ(fde.begin, function(2 * i));
		T_EQ(as_cfi_find(&mem, &elf, function(2 * i) + 31, &fde), 0);
		T_EQ(fde.begin, function(2 * i));
		T_EQ(fde.end, function(2 * i) + 32);
		T_EQ(fde.is_signal, strchr(c->letters, 'S') != NULL);
		T_EQ(as_cfi_rules(&mem, &fde, function(2 * i), &work), 0);
		T_EQ(work.now.cfa.v, 8);
		/* the hole between two functions */
		T_EQ(as_cfi_find(&mem, &elf, function(2 * i) + 32, &fde), -ENOENT);
	}
	T_EQ(as_cfi_find(&mem, &elf, function(0) - 1, &fde), -ENOENT);
	T_EQ(as_cfi_find(&mem, &elf, 0, &fde), -ENOENT);
	T_EQ(as_cfi_find(&mem, &elf, UINT64_MAX, &fde), -ENOENT);
}

TEST(every_encoding_of_the_search_table_is_found_in)
{
	static const uint8_t encodings[] = {
		AS_PE_DATAREL | AS_PE_SDATA4, AS_PE_DATAREL | AS_PE_UDATA4, AS_PE_DATAREL | AS_PE_SDATA8,
		AS_PE_PCREL | AS_PE_SDATA4,   AS_PE_PCREL | AS_PE_SDATA8,   AS_PE_ABSPTR,
		AS_PE_UDATA8,                 AS_PE_UDATA4,                 AS_PE_SDATA4,
		AS_PE_DATAREL | AS_PE_UDATA2,
	};
	const struct cie c = { "zR", 1, AS_PE_PCREL | AS_PE_SDATA4, 0, false, usual, sizeof(usual) };

	for (size_t i = 0; i < sizeof(encodings); i++)
		check_forms(&c, encodings[i]);
}

TEST(every_encoding_of_an_fde_is_read)
{
	static const uint8_t encodings[] = {
		AS_PE_PCREL | AS_PE_SDATA4,   AS_PE_PCREL | AS_PE_SDATA8, AS_PE_ABSPTR,
		AS_PE_UDATA4,                 AS_PE_UDATA8,               AS_PE_SDATA4,
		AS_PE_ULEB128,                AS_PE_SLEB128,              AS_PE_PCREL | AS_PE_SLEB128,
		AS_PE_INDIRECT | AS_PE_PCREL | AS_PE_SDATA8, AS_PE_INDIRECT | AS_PE_ABSPTR,
	};

	for (size_t i = 0; i < sizeof(encodings); i++) {
		const struct cie c = { "zR", 1, encodings[i], 0, false, usual, sizeof(usual) };

		check_forms(&c, AS_PE_DATAREL | AS_PE_SDATA4);
	}
}

TEST(every_form_of_a_cie_is_read)
{
	static const struct cie forms[] = {
		{ "", 1, 0, 0, false, usual, sizeof(usual) },
		{ "", 3, 0, 0, true, usual, sizeof(usual) },
		{ "z", 1, 0, 0, false, usual, sizeof(usual) },
		{ "zR", 3, AS_PE_PCREL | AS_PE_SDATA4, 0, true, usual, sizeof(usual) },
		{ "zR", 4, AS_PE_PCREL | AS_PE_SDATA4, 0, false, usual, sizeof(usual) },
		{ "zRS", 1, AS_PE_PCREL | AS_PE_SDATA4, 0, false, usual, sizeof(usual) },
		{ "zPLR", 1, AS_PE_PCREL | AS_PE_SDATA4, 0x9b, false, usual, sizeof(usual) },
		{ "zPLR", 1, AS_PE_PCREL | AS_PE_SDATA4, 0x03, false, usual, sizeof(usual) },
		{ "zPLR", 1, AS_PE_PCREL | AS_PE_SDATA8, 0x04, false, usual, sizeof(usual) },
		{ "zLR", 1, AS_PE_PCREL | AS_PE_SDATA4, 0, false, usual, sizeof(usual) },
		/* an unknown letter behind what matters: its data is skipped */
		{ "zRX", 1, AS_PE_PCREL | AS_PE_SDATA4, 0, false, usual, sizeof(usual) },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		check_forms(&forms[i], AS_PE_DATAREL | AS_PE_SDATA4);
}

TEST(what_cannot_be_searched_or_read_is_told)
{
	const struct cie eh = { "eh", 1, 0, 0, false, usual, sizeof(usual) };

	one_function(NULL, 0);
	image[HDR + 3] = AS_PE_OMIT;
	as_mem_forget(&mem);
	T_EQ(as_cfi_find(&mem, &elf, function(0), &fde), -ENOTSUP);
	image[HDR + 3] = AS_PE_ULEB128;
	as_mem_forget(&mem);
	T_EQ(as_cfi_find(&mem, &elf, function(0), &fde), -ENOTSUP);
	image[HDR] = 2;
	as_mem_forget(&mem);
	T_EQ(as_cfi_find(&mem, &elf, function(0), &fde), -EBADMSG);

	prepare();
	uint8_t *f = put_fde(&eh, put_cie(&eh), function(0), 32, NULL, 0);

	put_table(AS_PE_DATAREL | AS_PE_SDATA4, 1, &f);
	T_EQ(as_cfi_find(&mem, &elf, function(0), &fde), -ENOTSUP);
	elf.hdr = 0;
	T_EQ(as_cfi_find(&mem, &elf, function(0), &fde), -ENOENT);
	elf.hdr = 0x1000;
	T_EQ(as_cfi_find(&mem, &elf, function(0), &fde), -EFAULT);
}

/* ---- programs -------------------------------------------------------------------------------- */

struct want {
	uint8_t n, code[14];
	unsigned at; /* pc, from the start of the function */
	unsigned reg;
	enum as_rule_kind kind;
	int64_t v;
};

enum { CFA_RULE = 99 };

static const struct want programs[] = {
	{ 0, { 0 }, 0, CFA_RULE, AS_RULE_REGISTER, 8 },
	{ 0, { 0 }, 0, AS_RIP, AS_RULE_AT_CFA, -8 },
	{ 2, { 0x0e, 16 }, 0, CFA_RULE, AS_RULE_REGISTER, 16 },
	/* advance_loc 4; def_cfa_offset 16: not before pc 4 */
	{ 3, { 0x44, 0x0e, 16 }, 3, CFA_RULE, AS_RULE_REGISTER, 8 },
	{ 3, { 0x44, 0x0e, 16 }, 4, CFA_RULE, AS_RULE_REGISTER, 16 },
	{ 4, { 0x02, 20, 0x0e, 16 }, 19, CFA_RULE, AS_RULE_REGISTER, 8 },
	{ 4, { 0x02, 20, 0x0e, 16 }, 20, CFA_RULE, AS_RULE_REGISTER, 16 },
	{ 5, { 0x03, 20, 0, 0x0e, 16 }, 20, CFA_RULE, AS_RULE_REGISTER, 16 },
	{ 7, { 0x04, 20, 0, 0, 0, 0x0e, 16 }, 20, CFA_RULE, AS_RULE_REGISTER, 16 },
	{ 2, { 0x80 + AS_RBP, 2 }, 0, AS_RBP, AS_RULE_AT_CFA, -16 },
	{ 3, { 0x05, AS_R12, 3 }, 0, AS_R12, AS_RULE_AT_CFA, -24 },
	{ 3, { 0x11, AS_R12, 0x7d }, 0, AS_R12, AS_RULE_AT_CFA, 24 },
	{ 3, { 0x2f, AS_R12, 3 }, 0, AS_R12, AS_RULE_AT_CFA, 24 },
	{ 3, { 0x14, AS_RBX, 2 }, 0, AS_RBX, AS_RULE_IS_CFA, -16 },
	{ 3, { 0x15, AS_RBX, 0x7e }, 0, AS_RBX, AS_RULE_IS_CFA, 16 },
	{ 3, { 0x80 + AS_RBP, 2, 0xc0 + AS_RBP }, 0, AS_RBP, AS_RULE_UNSET, 0 },
	{ 4, { 0x80 + AS_RBP, 2, 0x06, AS_RBP }, 0, AS_RBP, AS_RULE_UNSET, 0 },
	{ 3, { 0x80 + AS_RIP, 5, 0xc0 + AS_RIP }, 0, AS_RIP, AS_RULE_AT_CFA, -8 },
	{ 2, { 0x07, AS_RIP }, 0, AS_RIP, AS_RULE_UNDEFINED, 0 },
	{ 2, { 0x08, AS_RDI }, 0, AS_RDI, AS_RULE_SAME, 0 },
	{ 3, { 0x09, AS_RIP, AS_RDI }, 0, AS_RIP, AS_RULE_REGISTER, AS_RDI },
	{ 3, { 0x0c, AS_RBP, 16 }, 0, CFA_RULE, AS_RULE_REGISTER, 16 },
	{ 3, { 0x12, AS_RBP, 0x7e }, 0, CFA_RULE, AS_RULE_REGISTER, 16 },
	{ 2, { 0x0d, AS_RBP }, 0, CFA_RULE, AS_RULE_REGISTER, 8 },
	{ 2, { 0x13, 0x7e }, 0, CFA_RULE, AS_RULE_REGISTER, 16 },
	{ 2, { 0x2e, 32 }, 0, CFA_RULE, AS_RULE_REGISTER, 8 },
	{ 1, { 0x00 }, 0, CFA_RULE, AS_RULE_REGISTER, 8 },
	/* remember; def_cfa_offset 16, rbp saved; restore */
	{ 6, { 0x0a, 0x0e, 16, 0x80 + AS_RBP, 2, 0x0b }, 0, CFA_RULE, AS_RULE_REGISTER, 8 },
	{ 6, { 0x0a, 0x0e, 16, 0x80 + AS_RBP, 2, 0x0b }, 0, AS_RBP, AS_RULE_UNSET, 0 },
	{ 8, { 0x0a, 0x0e, 16, 0x0a, 0x0e, 24, 0x0b, 0x00 }, 0, CFA_RULE, AS_RULE_REGISTER, 16 },
	/* vector registers have rules too, which nobody needs */
	{ 5, { 0x05, 17, 3, 0x0e, 16 }, 0, CFA_RULE, AS_RULE_REGISTER, 16 },
};

TEST(each_instruction_makes_its_rule)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		const struct want *w = &programs[i];

		one_function(w->code, w->n);
		T_EQ(as_cfi_rules(&mem, &fde, function(0) + w->at, &work), 0);
		const struct as_rule *r = w->reg == CFA_RULE ? &work.now.cfa : &work.now.reg[w->reg];

		if (r->kind != w->kind || (r->kind != AS_RULE_SAME && r->v != w->v))
			T_FAIL("program %zu: rule %u of value %lld, wanted %u of %lld", i, r->kind,
			       (long long)r->v, w->kind, (long long)w->v);
	}
}

TEST(a_register_named_for_the_cfa_is_used)
{
	static const uint8_t code[] = { 0x0c, AS_RBP, 16 };

	one_function(code, sizeof(code));
	T_EQ(as_cfi_rules(&mem, &fde, function(0), &work), 0);
	T_EQ(work.now.cfa.reg, AS_RBP);
}

TEST(damaged_programs_are_told)
{
	static const struct {
		uint8_t n, code[12];
		int want;
	} bad[] = {
		{ 1, { 0x0b }, -EBADMSG },             /* restore without remember */
		{ 1, { 0x3f }, -ENOTSUP },             /* no such instruction */
		{ 1, { 0x2d }, -ENOTSUP },             /* of another machine */
		{ 1, { 0x0e }, -EBADMSG },             /* operand cut off */
		{ 2, { 0x0e, 0x80 }, -EBADMSG },
		{ 3, { 0x0c, 99, 8 }, -EBADMSG },      /* no such register */
		{ 2, { 0x0f, 200 }, -EBADMSG },        /* expression past the end */
		{ 11, { 0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, -EBADMSG },
		{ 9, { 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a }, -E2BIG },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		one_function(bad[i].code, bad[i].n);
		T_EQ(as_cfi_rules(&mem, &fde, function(0) + 31, &work), bad[i].want);
	}
}

/* ---- from frame to frame ---------------------------------------------------------------------- */

static struct as_regs at_stack(unsigned word)
{
	struct as_regs r = { .known = 0 };

	for (unsigned i = 0; i < STACK; i++)
		stack[i] = 1000 + i;
	as_mem_forget(&mem);
	as_regs_set(&r, AS_RSP, address(&stack[word]));
	as_regs_set(&r, AS_RIP, function(0));
	return r;
}

static int apply(const uint8_t *code, size_t n, bool is_signal, struct as_regs *r)
{
	one_function(code, n);
	T_EQ(as_cfi_rules(&mem, &fde, function(0), &work), 0);
	return as_cfi_apply(&mem, &work.now, is_signal, r);
}

TEST(the_callers_registers_are_those_saved_or_kept)
{
	/* CFA = rsp + 32; rbx at CFA - 16; rbp is CFA - 24; r12 in r13 */
	static const uint8_t code[] = { 0x0e, 32, 0x83, 2, 0x14, AS_RBP, 3, 0x09, AS_R12, AS_R13 };
	struct as_regs r;

	prepare();
	r = at_stack(0);
	as_regs_set(&r, AS_R13, 13);
	as_regs_set(&r, AS_RAX, 1);
	T_EQ(apply(code, sizeof(code), false, &r), 0);
	T_EQ(r.v[AS_RSP], address(&stack[4]));
	T_EQ(r.v[AS_RIP], 1003);
	T_EQ(r.v[AS_RBX], 1002);
	T_EQ(r.v[AS_RBP], address(&stack[1]));
	T_EQ(r.v[AS_R12], 13);
	T_EQ(r.v[AS_R13], 13);
	/* a called function may change rax; r14 was never known */
	T_EQ(as_regs_has(&r, AS_RAX), 0);
	T_EQ(as_regs_has(&r, AS_R14), 0);
}

TEST(behind_a_signal_frame_all_registers_stay_known)
{
	struct as_regs r;

	prepare();
	r = at_stack(0);
	as_regs_set(&r, AS_RAX, 1);
	T_EQ(apply(NULL, 0, true, &r), 0);
	T_EQ(r.v[AS_RAX], 1);
	T_EQ(as_regs_has(&r, AS_RAX), 1);
}

TEST(an_undefined_return_address_is_the_end_of_the_stack)
{
	static const uint8_t code[] = { 0x07, AS_RIP };
	struct as_regs r;

	prepare();
	r = at_stack(0);
	T_EQ(apply(code, sizeof(code), false, &r), 1);
}

TEST(a_cfa_in_an_unknown_register_is_told_and_changes_nothing)
{
	static const uint8_t code[] = { 0x0c, AS_RBP, 16 };
	struct as_regs r;

	prepare();
	r = at_stack(0);
	const struct as_regs before = r;

	T_EQ(apply(code, sizeof(code), false, &r), -ENODATA);
	T_EQ(memcmp(&r, &before, sizeof(r)), 0);
	as_regs_set(&r, AS_RBP, address(&stack[8]));
	T_EQ(apply(code, sizeof(code), false, &r), 0);
	T_EQ(r.v[AS_RIP], 1009);
}

TEST(expressions_give_the_cfa_and_places_of_registers)
{
	/* CFA: rsp + 64; rbx at CFA - 40 by expression; r12 is CFA + 5 by expression */
	static const uint8_t code[] = { 0x0f, 3, 0x77, 0xc0, 0x00, 0x10, AS_RBX, 3, 0x08, 40, 0x1c,
					0x16, AS_R12, 2, 0x35, 0x22 };
	struct as_regs r;

	prepare();
	r = at_stack(0);
	T_EQ(apply(code, sizeof(code), false, &r), 0);
	T_EQ(r.v[AS_RSP], address(&stack[8]));
	T_EQ(r.v[AS_RIP], 1007);
	T_EQ(r.v[AS_RBX], 1003);
	T_EQ(r.v[AS_R12], address(&stack[8]) + 5);
}

TEST(a_stack_that_is_not_there_is_an_error)
{
	struct as_regs r = { .known = 0 };

	as_regs_set(&r, AS_RSP, 0x10);
	as_regs_set(&r, AS_RIP, 0);
	T_EQ(apply(NULL, 0, false, &r), -EFAULT);
}

/* ---- garbage ----------------------------------------------------------------------------------- */

static void look_everywhere(void)
{
	for (unsigned i = 0; i < 8; i++) {
		const uint64_t pc = function((unsigned)rand() % 130) + (unsigned)rand() % 32;
		struct as_regs r = at_stack(STACK / 2);

		if (as_cfi_find(&mem, &elf, pc, &fde) || as_cfi_rules(&mem, &fde, pc, &work))
			continue;
		r.known = UINT32_MAX >> (32 - AS_REGS);
		as_cfi_apply(&mem, &work.now, fde.is_signal, &r);
	}
}

TEST(tables_with_any_bytes_changed_neither_crash_nor_loop)
{
	static const uint8_t code[] = { 0x41, 0x0e, 16, 0x86, 2, 0x42, 0x0d, 6, 0x0a, 0x0b, 0x0f, 3, 0x77,
					0x08, 0x06, 0x10, 3, 2, 0x77, 0 };
	const struct cie c = { "zPLR", 1, AS_PE_PCREL | AS_PE_SDATA4, 0x9b, false, usual, sizeof(usual) };
	static uint8_t good[CODE];
	uint8_t *fdes[60];

	prepare();
	const uint8_t *cie = put_cie(&c);

	for (unsigned i = 0; i < 60; i++)
		fdes[i] = put_fde(&c, cie, function(2 * i), 32, code, sizeof(code));
	put_table(AS_PE_DATAREL | AS_PE_SDATA4, 60, fdes);
	memcpy(good, image, CODE);
	srand((unsigned)t_seed());
	for (unsigned round = 0; round < 6000 * t_length(); round++) {
		memcpy(image, good, CODE);
		for (int i = rand() % 6; i >= 0; i--)
			image[rand() % 2 ? rand() % 64 : FRAMES + rand() % (int)used] = (uint8_t)rand();
		as_mem_forget(&mem);
		look_everywhere();
	}
}

TEST(random_bytes_as_tables_neither_crash_nor_loop)
{
	prepare();
	srand((unsigned)t_seed());
	for (unsigned round = 0; round < 3000 * t_length(); round++) {
		for (unsigned i = 0; i < CODE; i += 4) {
			const uint32_t v = (uint32_t)rand();

			memcpy(image + i, &v, 4);
		}
		/* a head that is accepted, so that the rest is looked at */
		memcpy(image + HDR, "\x01\x1b\x03\x3b", 4);
		elf.hdr_bytes = (uint64_t)rand() % FRAMES;
		as_mem_forget(&mem);
		look_everywhere();
	}
}

TEST(random_programs_end)
{
	uint8_t code[80];

	srand((unsigned)t_seed());
	one_function(code, sizeof(code));
	const uint64_t at = fde.code;

	for (unsigned round = 0; round < 50000 * t_length(); round++) {
		struct as_regs r;

		for (unsigned i = 0; i < sizeof(code); i++)
			image[at - address(image) + i] = (uint8_t)(rand() % 3 ? rand() % 0x30 : rand());
		r = at_stack(STACK / 2);
		if (!as_cfi_rules(&mem, &fde, function(0) + (unsigned)rand() % 32, &work))
			as_cfi_apply(&mem, &work.now, false, &r);
	}
}
