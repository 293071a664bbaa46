#include "lib/as/as_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { PHDRS_MAX = 64, NOTES_MAX = 64, NOTE_BYTES_MAX = 65536 };
#define AS_ELF_LOAD_MAX (UINT64_C(1) << 40) /* no segment is larger */

static bool is_inside(uint64_t addr, uint64_t n, uint64_t start, uint64_t end)
{
	return addr >= start && addr < end && n <= end - addr;
}

static bool is_ours(const Elf64_Ehdr *eh)
{
	return memcmp(eh->e_ident, ELFMAG, SELFMAG) == 0 && eh->e_ident[EI_CLASS] == ELFCLASS64 &&
	       eh->e_ident[EI_DATA] == ELFDATA2LSB && eh->e_machine == EM_X86_64 &&
	       eh->e_phentsize == sizeof(Elf64_Phdr);
}

static uint64_t round_up4(uint64_t n)
{
	return (n + 3) & ~(uint64_t)3;
}

/* The build id among the notes at [at, end). */
static void read_notes(struct as_mem *m, uint64_t at, uint64_t end, struct as_elf *elf)
{
	Elf64_Nhdr note;
	char name[4];

	for (unsigned i = 0; i < NOTES_MAX && end - at >= sizeof(note); i++) {
		if (as_mem_image(m, at, &note, sizeof(note)))
			return;
		at += sizeof(note);
		const uint64_t name_bytes = round_up4(note.n_namesz);
		const uint64_t desc_bytes = round_up4(note.n_descsz);

		if (name_bytes > end - at || desc_bytes > end - at - name_bytes)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(name) &&
		    note.n_descsz && note.n_descsz <= AS_BUILD_ID &&
		    !as_mem_image(m, at, name, sizeof(name)) && memcmp(name, "GNU", 4) == 0 &&
		    !as_mem_image(m, at + name_bytes, elf->build_id, note.n_descsz)) {
			elf->build_id_bytes = (uint8_t)note.n_descsz;
			return;
		}
		at += name_bytes + desc_bytes;
	}
}

/* The first PT_LOAD tells the bias; it is the lowest one. */
static void use_load(const Elf64_Phdr *ph, uint64_t start, bool *has_bias, struct as_elf *elf)
{
	if (!*has_bias)
		elf->bias = start - (ph->p_vaddr - ph->p_offset);
	*has_bias = true;
	const uint64_t end = ph->p_vaddr + elf->bias + ph->p_memsz;

	if (ph->p_memsz < AS_ELF_LOAD_MAX && end > elf->end)
		elf->end = end;
}

static void use_segment(struct as_mem *m, const Elf64_Phdr *ph, uint64_t start, uint64_t end,
			struct as_elf *elf)
{
	const uint64_t addr = ph->p_vaddr + elf->bias;

	if (!is_inside(addr, ph->p_memsz, start, end))
		return;
	if (ph->p_type == PT_GNU_EH_FRAME) {
		elf->hdr = addr;
		elf->hdr_bytes = ph->p_memsz;
	} else if (ph->p_type == PT_NOTE && !elf->build_id_bytes && ph->p_memsz <= NOTE_BYTES_MAX) {
		read_notes(m, addr, addr + ph->p_memsz, elf);
	}
}

int as_elf_read(struct as_mem *m, uint64_t start, uint64_t end, struct as_elf *elf)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	bool has_bias = false;
	int err;

	*elf = (struct as_elf){ .bias = 0 };
	err = as_mem_image(m, start, &eh, sizeof(eh));
	if (err)
		return err;
	if (!is_ours(&eh) || !eh.e_phnum || eh.e_phnum > PHDRS_MAX || eh.e_phoff > end - start ||
	    !is_inside(start + eh.e_phoff, (uint64_t)eh.e_phnum * sizeof(ph), start, end))
		return -EBADMSG;
	/* twice over the table: the bias stands in the first PT_LOAD, which others may precede */
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < eh.e_phnum; i++) {
			err = as_mem_image(m, start + eh.e_phoff + i * sizeof(ph), &ph, sizeof(ph));
			if (err)
				return err;
			if (pass)
				use_segment(m, &ph, start, end, elf);
			else if (ph.p_type == PT_LOAD)
				use_load(&ph, start, &has_bias, elf);
		}
		if (!has_bias)
			return -EBADMSG;
	}
	return 0;
}
