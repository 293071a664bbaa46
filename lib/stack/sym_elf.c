/*
 * Files are mapped, not read: of a debug file of 500 MB only the parts that are looked at come
 * into memory. The price is that a file truncated under us kills us (SIGBUS); package managers
 * and compilers replace files, they do not truncate them.
 */
#include "lib/stack/sym_priv.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_maps.h"

static void read_build_id(struct sym_elf *elf)
{
	static const char digits[] = "0123456789abcdef";
	const void *bits;
	const ssize_t n = dwelf_elf_gnu_build_id(elf->elf, &bits);
	size_t at = 0;

	for (ssize_t i = 0; i < n && at + 2 < sizeof(elf->build_id); i++) {
		const unsigned char byte = ((const unsigned char *)bits)[i];

		elf->build_id[at++] = digits[byte >> 4];
		elf->build_id[at++] = digits[byte & 15];
	}
	elf->build_id[at] = '\0';
}

static void note_section(struct sym_elf *elf, const char *name, const GElf_Shdr *shdr)
{
	if (shdr->sh_type == SHT_NOBITS)
		return;
	if (shdr->sh_type == SHT_SYMTAB)
		elf->has_symbols = true;
	else if (strcmp(name, ".zdebug_info") == 0)
		elf->has_dwarf = elf->is_deflated = true;
	else if (strcmp(name, ".debug_info") == 0) {
		elf->has_dwarf = true;
		elf->is_deflated = shdr->sh_flags & SHF_COMPRESSED;
	} else if (strcmp(name, ".gnu_debugdata") == 0)
		elf->has_minidebug = true;
}

/* False when the file has no readable list of sections. */
static bool read_sections(struct sym_elf *elf)
{
	size_t names;
	GElf_Ehdr header;
	GElf_Word crc;

	if (!gelf_getehdr(elf->elf, &header) || elf_getshdrstrndx(elf->elf, &names) != 0)
		return false;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf->elf, scn));) {
		GElf_Shdr shdr;
		const char *name;

		if (gelf_getshdr(scn, &shdr) && (name = elf_strptr(elf->elf, names, shdr.sh_name)))
			note_section(elf, name, &shdr);
	}
	read_build_id(elf);
	elf->link = dwelf_elf_gnu_debuglink(elf->elf, &crc);
	if (elf->link)
		elf->link_crc = crc;
	return true;
}

static struct sym_elf *wrap(Elf *handle, const char *path)
{
	struct sym_elf *elf = calloc(1, sizeof(*elf));

	if (!elf || !(elf->path = strdup(path))) {
		free(elf);
		elf_end(handle);
		return NULL;
	}
	elf->elf = handle;
	return elf;
}

static int not_elf(const char *path, int fd, struct err *err)
{
	unsigned char b[4] = { 0 };
	const ssize_t n = pread(fd, b, sizeof(b), 0);

	if (n < (ssize_t)sizeof(b))
		return err_set(err, -EBADMSG, "%s: not an ELF file (%zd bytes)", path, n < 0 ? 0 : n);
	return err_set(err, -EBADMSG, "%s: not an ELF file (starts with %02x %02x %02x %02x)", path,
		       b[0], b[1], b[2], b[3]);
}

int sym_elf_open(const char *path, struct sym_elf **elf, struct err *err)
{
	struct stat st;
	/* not blocking: a path out of a dump may by now be a pipe */
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be opened (%m)", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(err, -EBADMSG, "%s: not a regular file", path);
	elf_version(EV_CURRENT);
	Elf *handle = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!handle || elf_kind(handle) != ELF_K_ELF) {
		elf_end(handle);
		return not_elf(path, fd, err);
	}
	struct sym_elf *opened = wrap(handle, path);
	if (!opened)
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	if (!read_sections(opened)) {
		sym_elf_close(opened);
		return err_set(err, -EBADMSG, "%s: damaged ELF file (no list of sections)", path);
	}
	elf_cntl(handle, ELF_C_FDREAD); /* the descriptor is not needed any more */
	*elf = opened;
	return 0;
}

struct sym_elf *sym_elf_of_vdso(void)
{
	uint64_t start, end;
	void *image = (void *)getauxval(AT_SYSINFO_EHDR);

	if (!image || proc_maps_find(getpid(), "[vdso]", &start, &end, NULL) != 0)
		return NULL;
	elf_version(EV_CURRENT);
	Elf *handle = elf_memory(image, end - start);
	if (!handle)
		return NULL;
	struct sym_elf *elf = wrap(handle, "[vdso]");
	if (elf && !read_sections(elf)) {
		sym_elf_close(elf);
		return NULL;
	}
	return elf;
}

void sym_elf_close(struct sym_elf *elf)
{
	if (!elf)
		return;
	elf_end(elf->elf);
	free(elf->path);
	free(elf);
}

int sym_elf_crc(const char *path, uint32_t *crc)
{
	unsigned char buf[64 << 10];
	uLong sum = crc32(0, NULL, 0);
	CLOSES int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	for (ssize_t n; (n = read(fd, buf, sizeof(buf))) != 0;) {
		if (n < 0)
			return -errno;
		sum = crc32(sum, buf, (uInt)n);
	}
	*crc = (uint32_t)sum;
	return 0;
}
