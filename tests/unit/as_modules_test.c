#include "lib/as/as_modules.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/as/as_proc.h"
#include "tests/t.h"

enum { ROOM = 64 };

static struct as_module module[ROOM];
static char names[8192], text[4096];
static struct as_modules t;
static struct as_mem mem;

static void look_at_ourselves(size_t room, size_t names_room)
{
	static uint8_t window[AS_MEM_WINDOW_MIN], pages[8 * AS_MEM_PAGE];
	static uint64_t page_addr[8];
	const int fd = as_proc_open(0);

	T_EQ(as_mem_init(&mem, getpid(), fd, window, sizeof(window), pages, page_addr, 8), 0);
	as_modules_init(&t, module, room, names, names_room);
	T_EQ(as_modules_read(&t, fd, 0, text, sizeof(text)), 0);
	close(fd);
}

static void read_again(void)
{
	const int fd = as_proc_open(0);

	T_EQ(as_modules_read(&t, fd, 0, text, sizeof(text)), 0);
	close(fd);
}

static uint64_t address(void *function)
{
	return (uint64_t)(uintptr_t)function;
}

TEST(the_module_of_a_function_is_found_by_its_address)
{
	char exe[256];

	look_at_ourselves(ROOM, sizeof(names));
	const struct as_module *own = as_modules_find(&t, address(look_at_ourselves));
	const ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe));

	T_OK(own);
	T_EQ(own->path_len, n);
	T_EQ(memcmp(as_module_path(&t, own), exe, (size_t)n), 0);
	T_EQ(own->kind, AS_MODULE_FILE);
	T_OK(own->start <= address(look_at_ourselves) && own->end > address(look_at_ourselves));
	T_OK(as_modules_find(&t, address(malloc)) != own);
	T_OK(!as_modules_find(&t, 0));
	T_OK(!as_modules_find(&t, address(&mem)));
	T_OK(!as_modules_find(&t, UINT64_MAX));
}

TEST(the_vdso_is_a_module_with_unwind_tables)
{
	look_at_ourselves(ROOM, sizeof(names));
	struct as_module *vdso = as_modules_find(&t, getauxval(AT_SYSINFO_EHDR));

	T_OK(vdso);
	T_EQ(vdso->kind, AS_MODULE_VDSO);
	T_OK(as_module_elf(vdso, &mem)->hdr);
	T_OK(vdso->elf.build_id_bytes > 0);
}

struct want {
	const char *part;
	uint64_t bias, hdr;
	unsigned char build_id[AS_BUILD_ID];
	unsigned build_id_bytes;
};

static void take_note(struct want *w, const char *at, size_t n)
{
	while (n >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
		const size_t desc = sizeof(*note) + ((note->n_namesz + 3) & ~3u);

		if (note->n_type == NT_GNU_BUILD_ID) {
			w->build_id_bytes = note->n_descsz;
			memcpy(w->build_id, at + desc, note->n_descsz);
		}
		const size_t all = desc + ((note->n_descsz + 3) & ~3u);

		at += all;
		n -= all;
	}
}

static int ask_loader(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct want *w = arg;

	(void)size;
	if (!strstr(info->dlpi_name, w->part))
		return 0;
	w->bias = info->dlpi_addr;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_GNU_EH_FRAME)
			w->hdr = info->dlpi_addr + ph->p_vaddr;
		if (ph->p_type == PT_NOTE)
			take_note(w, (const char *)(info->dlpi_addr + ph->p_vaddr), ph->p_memsz);
	}
	return 1;
}

TEST(bias_table_and_build_id_are_what_the_loader_says)
{
	struct want w = { .part = "libc.so" };

	look_at_ourselves(ROOM, sizeof(names));
	T_EQ(dl_iterate_phdr(ask_loader, &w), 1);
	const struct as_elf *elf = as_module_elf(as_modules_find(&t, address(gnu_get_libc_version)), &mem);

	T_EQ(elf->bias, w.bias);
	T_EQ(elf->hdr, w.hdr);
	T_EQ(elf->build_id_bytes, w.build_id_bytes);
	T_EQ(memcmp(elf->build_id, w.build_id, w.build_id_bytes), 0);
}

static void *map_code(int fd, size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_EXEC, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE,
		       fd, 0);

	T_OK(p != MAP_FAILED);
	return p;
}

TEST(executable_memory_without_a_file_is_jit_code)
{
	void *code = map_code(-1, 8192);

	look_at_ourselves(ROOM, sizeof(names));
	struct as_module *jit = as_modules_find(&t, address(code));

	T_OK(jit);
	T_EQ(jit->kind, AS_MODULE_JIT);
	T_EQ(as_module_elf(jit, &mem)->hdr, 0);
	T_STR(as_module_kind_name(jit->kind), "jit");
}

TEST(a_file_that_is_mapped_twice_is_two_modules)
{
	const int fd = open("/proc/self/exe", O_RDONLY);
	void *first = map_code(fd, 4096), *second = map_code(fd, 4096);

	look_at_ourselves(ROOM, sizeof(names));
	T_OK(as_modules_find(&t, address(first)));
	T_OK(as_modules_find(&t, address(second)));
	T_OK(as_modules_find(&t, address(first)) != as_modules_find(&t, address(second)));
}

TEST(a_file_without_a_name_is_shown_as_deleted)
{
	const int fd = memfd_create("gone", 0);

	T_EQ(write(fd, "no ELF file", 11), 11);
	void *code = map_code(fd, 4096);

	look_at_ourselves(ROOM, sizeof(names));
	struct as_module *m = as_modules_find(&t, address(code));

	T_OK(m);
	T_EQ(m->kind, AS_MODULE_DELETED);
	T_EQ(as_module_elf(m, &mem)->bias, 0);
	T_EQ(m->elf.hdr, 0);
}

TEST(what_there_is_no_room_for_is_counted)
{
	look_at_ourselves(2, sizeof(names));
	T_EQ(t.count, 2);
	T_OK(t.dropped >= 2);

	look_at_ourselves(ROOM, 10);
	T_OK(t.count > 2);
	T_EQ(t.dropped, 0);
	T_EQ(module[0].path_cut, 1);
	T_EQ(module[0].path_len, 10);
	T_EQ(module[1].path_len, 0);
}

TEST(the_print_changes_with_the_modules_and_only_then)
{
	look_at_ourselves(ROOM, sizeof(names));
	struct as_module *libc = as_modules_find(&t, address(gnu_get_libc_version));

	T_OK(as_module_elf(libc, &mem)->hdr);
	const uint64_t print = t.print, hdr = libc->elf.hdr;

	read_again();
	T_EQ(t.print, print);
	/* known headers are kept */
	libc = as_modules_find(&t, address(gnu_get_libc_version));
	T_EQ(libc->elf_read, 1);
	T_EQ(libc->elf.hdr, hdr);
	void *code = map_code(-1, 4096);

	read_again();
	T_OK(t.print != print);
	munmap(code, 4096);
	read_again();
	T_EQ(t.print, print);
	T_EQ(as_module_elf(as_modules_find(&t, address(gnu_get_libc_version)), &mem)->hdr, hdr);
}

TEST(garbage_where_headers_should_be_is_no_elf_file_and_no_crash)
{
	Elf64_Ehdr *eh = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uint64_t at = address(eh);
	struct as_elf elf;

	look_at_ourselves(ROOM, sizeof(names));
	memcpy(eh, (void *)(uintptr_t)as_modules_find(&t, address(gnu_get_libc_version))->start, 4096);
	T_EQ(as_elf_read(&mem, at, at + (1 << 16), &elf), 0);
	srand((unsigned)t_seed());
	for (unsigned round = 0; round < 20000 * t_length(); round++) {
		unsigned char *bytes = (unsigned char *)eh;

		memcpy(eh, (void *)(uintptr_t)as_modules_find(&t, address(gnu_get_libc_version))->start, 1024);
		for (int i = rand() % 8; i >= 0; i--)
			bytes[rand() % 1024] = (unsigned char)rand();
		as_mem_forget(&mem);
		if (as_elf_read(&mem, at, at + (1 << 16), &elf) == 0 && elf.hdr)
			T_OK(elf.hdr >= at && elf.hdr + elf.hdr_bytes <= at + (1 << 16));
	}
	T_EQ(as_elf_read(&mem, 0x1000, 0x2000, &elf), -EFAULT);
}
