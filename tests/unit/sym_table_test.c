/* Both ways to find a symbol: the list gone through, and the sorted index. */
#include "lib/stack/sym_priv.h"

#include <string.h>

#include "tests/t.h"

enum { ASKED = 40 };

static struct sym_elf *elf;
static struct sym_table scanned, sorted;

static void begin(const char *path)
{
	struct sym_entry entry;

	T_EQ(sym_elf_open(path, &elf, NULL), 0);
	T_EQ(sym_table_open(elf, NULL, &scanned), 0);
	T_EQ(sym_table_open(elf, NULL, &sorted), 0);
	for (int i = 0; i < ASKED; i++)
		sym_table_code(&sorted, 1, &entry);
	T_OK(sorted.is_sorted && sorted.n_code && !scanned.is_sorted && scanned.has_code);
}

static void end(void)
{
	sym_table_close(&scanned);
	sym_table_close(&sorted);
	sym_elf_close(elf);
}

/* True when the list was enough to answer. */
static bool agree(uint64_t addr, bool (*ask)(struct sym_table *, uint64_t, struct sym_entry *))
{
	struct sym_entry a = { 0 }, b = { 0 };

	scanned.scans = 0;
	T_EQ(ask(&scanned, addr, &a), ask(&sorted, addr, &b));
	T_EQ(a.addr, b.addr);
	T_EQ(a.end, b.end);
	T_OK(a.name == b.name || strcmp(a.name, b.name) == 0);
	const bool was_enough = !scanned.is_sorted;
	if (!was_enough) {
		sym_table_close(&scanned);
		T_EQ(sym_table_open(elf, NULL, &scanned), 0);
	}
	return was_enough;
}

static void agree_everywhere(const char *path, size_t at_least)
{
	size_t enough = 0, asked = 0;

	begin(path);
	for (size_t i = 0; i < sorted.n_code; i += 1 + sorted.n_code / 2000) {
		const struct sym_entry *e = &sorted.code[i];

		/* its first byte, its last, and the one behind that */
		enough += agree(e->addr, sym_table_code);
		enough += agree(e->end - 1, sym_table_code);
		agree(e->end, sym_table_code);
		asked += 2;
	}
	for (size_t i = 0; i < sorted.n_data; i += 1 + sorted.n_data / 500) {
		agree(sorted.data[i].addr, sym_table_data);
		agree(sorted.data[i].end - 1, sym_table_data);
		agree(sorted.data[i].end, sym_table_data);
	}
	printf("    %s: %zu functions, %zu variables; %zu of %zu places needed no index\n", path,
	       sorted.n_code, sorted.n_data, enough, asked);
	T_OK(asked >= at_least && enough > asked / 2);
	end();
}

TEST(both_ways_find_the_same_symbol)
{
	agree_everywhere("/proc/self/exe", 100);
	agree_everywhere("/lib/x86_64-linux-gnu/libc.so.6", 1000);
}

TEST(who_asks_often_gets_the_index)
{
	struct sym_entry entry;

	begin("/proc/self/exe");
	for (int i = 0; i < ASKED; i++)
		T_OK(sym_table_code(&scanned, sorted.code[0].addr, &entry));
	T_OK(scanned.is_sorted);
	end();
}

TEST(neither_finds_anything_outside_of_the_file)
{
	struct sym_entry entry;
	static const uint64_t nowhere[] = { 0, 1, UINT64_MAX, UINT64_MAX - 1, (uint64_t)1 << 47 };

	begin("/proc/self/exe");
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++) {
		agree(nowhere[i], sym_table_code);
		T_OK(!sym_table_code(&sorted, nowhere[i], &entry));
		T_OK(!sym_table_data(&sorted, nowhere[i], &entry));
	}
	end();
}
