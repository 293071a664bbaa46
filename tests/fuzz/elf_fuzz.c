/*
 * elf - what reads foreign programs: the ELF headers and unwind tables in a process's memory
 * (as_elf, as_cfi), and the file itself (sym_elf, sym_table), when bytes of it were changed.
 *
 * The base is the vdso: a real, small object with unwind tables, in every process.
 */
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/as/as_cfi.h"
#include "lib/as/as_elf.h"
#include "lib/as/as_proc.h"
#include "lib/stack/sym_priv.h"
#include "tests/fuzz/fuzz.h"

enum { IMAGE = 2 * 4096, CHANGES = 64, PAGES = 16 };

static uint8_t *image;
static const uint8_t *vdso;
static struct as_mem mem;

void fuzz_start(void)
{
	static uint8_t window[AS_MEM_WINDOW_MIN], pages[PAGES * AS_MEM_PAGE];
	static uint64_t page_addr[PAGES];
	const int fd = as_proc_open(0);

	vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	image = mmap(NULL, IMAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!vdso || image == MAP_FAILED ||
	    as_mem_init(&mem, getpid(), fd, window, sizeof(window), pages, page_addr, PAGES))
		fuzz_found("no vdso to begin with");
	close(fd);
}

static void walk(const struct as_elf *elf, uint64_t pc)
{
	static uint64_t stack[512];
	static struct as_cfi_work work;
	struct as_regs regs = { .known = (1u << AS_REGS) - 1 };
	struct as_fde fde;

	for (unsigned i = 0; i < AS_REGS; i++)
		regs.v[i] = (uintptr_t)&stack[64 + i];
	if (as_cfi_find(&mem, elf, pc, &fde) || as_cfi_rules(&mem, &fde, pc, &work))
		return;
	as_mem_new_stack(&mem);
	as_cfi_apply(&mem, &work.now, fde.is_signal, &regs);
}

static void read_memory(uint8_t first)
{
	const uint64_t start = (uintptr_t)image;
	struct as_elf elf;

	as_mem_forget(&mem);
	if (as_elf_read(&mem, start, start + IMAGE, &elf))
		return;
	for (uint64_t pc = start + 0x400 + first; pc < start + IMAGE; pc += 61)
		walk(&elf, pc);
}

static void read_file(void)
{
	struct sym_table table = { 0 };
	struct sym_entry entry;
	struct sym_elf *elf;
	struct err err;

	if (sym_elf_open(fuzz_file(image, IMAGE), &elf, &err))
		return;
	if (!sym_table_open(elf, NULL, &table))
		for (uint64_t addr = 0; addr < IMAGE; addr += 97) {
			sym_table_code(&table, addr, &entry);
			sym_table_data(&table, addr, &entry);
		}
	sym_table_close(&table);
	sym_elf_close(elf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes in = { data, size };
	const uint8_t first = (uint8_t)fuzz_take(&in, 1);

	memcpy(image, vdso, IMAGE);
	for (int i = 0; in.left && i < CHANGES; i++) {
		const size_t at = fuzz_take(&in, 2) % (IMAGE - 8), n = 1 + fuzz_take(&in, 1) % 8;
		const uint64_t value = fuzz_take(&in, n);

		memcpy(image + at, &value, n);
	}
	if (first % 4)
		read_memory(first);
	else
		read_file();
	return 0;
}

static uint64_t offset_of_frames(void)
{
	uint64_t phoff, offset = 0x400;
	uint16_t n;

	memcpy(&phoff, vdso + 32, 8);
	memcpy(&n, vdso + 56, 2);
	for (unsigned i = 0; i < n; i++) {
		uint32_t type;

		memcpy(&type, vdso + phoff + 56 * i, 4);
		if (type == 0x6474e550) /* PT_GNU_EH_FRAME */
			memcpy(&offset, vdso + phoff + 56 * i + 8, 8);
	}
	return offset;
}

/* A change in each part: headers, search table, frames, symbols. */
void fuzz_seeds(void)
{
	char name[32];

	fuzz_start();
	const uint64_t frames = offset_of_frames();

	for (unsigned i = 0; i < 64; i++) {
		const uint16_t at = (uint16_t)(i < 16 ? i * 8 : i < 56 ? frames + (i - 16) * 19 : 0x100 + i * 40);
		const uint8_t bytes[] = { (uint8_t)i, (uint8_t)at, (uint8_t)(at >> 8), (uint8_t)(i % 8),
					  (uint8_t)(i * 5), 0xff, 0x80, 0, 1, 0x7f, 0xff, 0 };

		snprintf(name, sizeof(name), "change-%u", i);
		fuzz_seed(name, bytes, sizeof(bytes));
	}
}
