#include "lib/as/as_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/as/as_proc.h"
#include "tests/t.h"

static uint8_t window[AS_MEM_WINDOW_MIN], pages[4 * AS_MEM_PAGE];
static uint64_t page_addr[4];
static struct as_mem mem;

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static void look_at(pid_t pid)
{
	const int fd = as_proc_open(pid);

	T_EQ(as_mem_init(&mem, pid, fd, window, sizeof(window), pages, page_addr, 4), 0);
	close(fd);
}

/* n mapped bytes that hold their own offsets, with nothing mapped on either side. */
static uint64_t *map_island(size_t n)
{
	char *p = mmap(NULL, n + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *words = (uint64_t *)(p + 4096);

	T_EQ(mprotect(words, n, PROT_READ | PROT_WRITE), 0);
	for (size_t i = 0; i < n / 8; i++)
		words[i] = i * 8;
	return words;
}

TEST(words_are_read_from_any_place_in_any_order)
{
	enum { N = 1 << 19 };
	const uint64_t *words = map_island(N);
	uint64_t v;

	look_at(getpid());
	for (size_t i = 0; i < N / 8; i += 7) {
		T_EQ(as_mem_word(&mem, address(words + i), &v), 0);
		T_EQ(v, i * 8);
	}
	as_mem_new_stack(&mem);
	for (size_t i = 0; i < 40; i++) {
		const size_t at = i * 7919 % (N / 8);

		T_EQ(as_mem_word(&mem, address(words + at), &v), 0);
		T_EQ(v, at * 8);
	}
}

TEST(reading_on_costs_one_call_per_step_not_per_word)
{
	const uint64_t *words = map_island(32768);
	uint64_t v;

	look_at(getpid());
	const uint64_t before = mem.reads;

	for (size_t i = 0; i < 32768 / 8; i++)
		T_EQ(as_mem_word(&mem, address(words + i), &v), 0);
	T_EQ(mem.reads - before, 2);
}

TEST(where_nothing_is_mapped_the_word_is_an_error_and_its_neighbours_are_not)
{
	const uint64_t *words = map_island(8192);
	uint64_t v;

	look_at(getpid());
	T_EQ(as_mem_word(&mem, address(words) + 8192 - 8, &v), 0);
	T_EQ(v, 8192 - 8);
	T_EQ(as_mem_word(&mem, address(words) + 8192, &v), -EFAULT);
	T_EQ(as_mem_word(&mem, address(words) + 8192 - 4, &v), -EFAULT);
	T_EQ(as_mem_word(&mem, address(words) - 8, &v), -EFAULT);
	T_EQ(as_mem_word(&mem, 0, &v), -EFAULT);
	T_EQ(as_mem_word(&mem, UINT64_MAX - 3, &v), -EFAULT);
	T_EQ(as_mem_word(&mem, 0x800000000000, &v), -EFAULT);
	T_EQ(as_mem_word(&mem, address(words), &v), 0);
	T_EQ(v, 0);
}

TEST(a_stack_larger_than_the_budget_is_said_to_be)
{
	enum { N = AS_MEM_STACK_MAX + (1 << 20) };
	const uint64_t *words = map_island(N);
	uint64_t v;
	size_t i;
	int err = 0;

	look_at(getpid());
	for (i = 0; i < N / 8 && !err; i++)
		err = as_mem_word(&mem, address(words + i), &v);
	T_EQ(err, -E2BIG);
	T_OK(i * 8 > AS_MEM_STACK_MAX - AS_MEM_STEP && i * 8 <= AS_MEM_STACK_MAX + 8);
	as_mem_new_stack(&mem);
	T_EQ(as_mem_word(&mem, address(words), &v), 0);
}

TEST(probing_elsewhere_leaves_the_window_where_it_is)
{
	const uint64_t *words = map_island(1 << 18);
	uint64_t v;

	look_at(getpid());
	T_EQ(as_mem_word(&mem, address(words), &v), 0);
	const uint64_t addr = mem.window_addr, copied = mem.copied;

	mem.probing = true;
	T_EQ(as_mem_word(&mem, address(words + 30000), &v), 0);
	T_EQ(v, 240000);
	T_EQ(as_mem_word(&mem, 8, &v), -EFAULT);
	T_EQ(mem.window_addr, addr);
	T_EQ(mem.copied, copied);
}

TEST(image_bytes_cross_pages_and_are_read_once)
{
	const char *island = (const char *)map_island(3 * 4096);
	char got[300];

	look_at(getpid());
	for (size_t at = 0; at + sizeof(got) <= 3 * 4096; at += 100) {
		T_EQ(as_mem_image(&mem, address(island + at), got, sizeof(got)), 0);
		T_EQ(memcmp(got, island + at, sizeof(got)), 0);
	}
	T_EQ(mem.reads, 1 + 3);
	T_EQ(as_mem_image(&mem, address(island) + 3 * 4096 - 10, got, 20), -EFAULT);
	T_EQ(as_mem_image(&mem, address(island) - 1, got, 1), -EFAULT);
	T_EQ(as_mem_image(&mem, UINT64_MAX, got, 1), -EFAULT);
}

TEST(forgetting_shows_what_is_there_now)
{
	uint64_t *words = map_island(4096);
	uint64_t v;

	look_at(getpid());
	T_EQ(as_mem_image(&mem, address(words), &v, 8), 0);
	words[0] = 77;
	as_mem_forget(&mem);
	T_EQ(as_mem_image(&mem, address(words), &v, 8), 0);
	T_EQ(v, 77);
}

static pid_t start_sleeper(void)
{
	const pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

TEST(another_process_is_read_and_its_end_is_noticed)
{
	uint64_t *words = map_island(4096);
	uint64_t v;
	const pid_t pid = start_sleeper();

	words[1] = 0;
	look_at(pid);
	T_EQ(as_mem_word(&mem, address(words + 1), &v), 0);
	T_EQ(v, 8);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	T_EQ(as_mem_read(&mem, address(words), &v, 8), -ESRCH);
}

TEST(proc_mem_serves_where_the_system_call_is_refused)
{
	const uint64_t *words = map_island(8192);
	uint64_t v;

	look_at(getpid());
	mem.mem_fd = open("/proc/self/mem", O_RDONLY);
	T_EQ(as_mem_word(&mem, address(words + 1), &v), 0);
	T_EQ(v, 8);
	T_EQ(as_mem_word(&mem, 0x1000, &v), -EFAULT);
	T_EQ(as_mem_image(&mem, address(words + 2), &v, 8), 0);
	T_EQ(v, 16);
	as_mem_fini(&mem);
	T_EQ(mem.mem_fd, -1);
}

TEST(pages_to_avoid_are_read_only_where_they_are_there)
{
	char *p = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char byte = 1;

	look_at(getpid());
	p[4096] = 7;
	as_mem_avoid(&mem, address(p), address(p + 8192));
	T_EQ(as_mem_image(&mem, address(p), &byte, 1), -EFAULT);
	T_EQ(as_mem_read(&mem, address(p), &byte, 1), -EFAULT);
	T_EQ(as_mem_image(&mem, address(p + 4096), &byte, 1), 0);
	T_EQ(byte, 7);
	as_mem_forget(&mem);
	T_EQ(as_mem_image(&mem, address(p), &byte, 1), 0);
	T_EQ(byte, 0);
}

TEST(what_there_is_no_room_to_avoid_is_avoided_with_what_lies_before)
{
	look_at(getpid());
	for (uint64_t i = 0; i < AS_MEM_AVOIDED + 4; i++)
		as_mem_avoid(&mem, i * 0x10000, i * 0x10000 + 0x1000);
	T_EQ(mem.avoids, AS_MEM_AVOIDED);
	T_EQ(mem.avoid[AS_MEM_AVOIDED - 1].start, (AS_MEM_AVOIDED - 1) * 0x10000);
	T_EQ(mem.avoid[AS_MEM_AVOIDED - 1].end, (AS_MEM_AVOIDED + 3) * 0x10000 + 0x1000);
}
