#include "tests/bench/stack_symbols.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stack/sym.h"

enum { PCS = 5000 };

/* Debian's debug build of Python: 25 MB, DWARF 5, nothing stripped or compressed. */
static const char library[] = "/usr/lib/x86_64-linux-gnu/libpython3.11d.so.1.0";

/* Spread over .text, the same each time. */
static bool make_addresses(const char *path, uint64_t pc[PCS])
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t state = 12345;
	size_t names;
	bool found = false;

	if (fd < 0)
		return false;
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_getshdrstrndx(elf, &names) == 0)
		for (Elf_Scn *scn = NULL; !found && (scn = elf_nextscn(elf, scn));) {
			GElf_Shdr sh;
			const char *name;

			if (!gelf_getshdr(scn, &sh) || !(name = elf_strptr(elf, names, sh.sh_name)) ||
			    strcmp(name, ".text") != 0)
				continue;
			for (unsigned i = 0; i < PCS; i++) {
				state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
				pc[i] = sh.sh_addr + (state >> 20) % sh.sh_size;
			}
			found = true;
		}
	elf_end(elf);
	close(fd);
	return found;
}

/* Our turn: names all and prints as addr2line does, so that the output costs the same. */
static void name_all(const char *path)
{
	static uint64_t pc[PCS];
	struct sym_frame frame[SYM_FRAMES];
	struct sym_cache *cache;

	if (!make_addresses(path, pc) || sym_create(&(struct sym_options){ 0 }, &cache, NULL))
		_exit(1);
	struct sym_module *module = sym_module(cache, &(struct sym_want){ .path = path });
	for (unsigned i = 0; i < PCS; i++) {
		const unsigned n = sym_frames(cache, module, pc[i], false, frame, SYM_FRAMES);

		for (unsigned k = 0; k < n; k++)
			printf("%s\n%s:%u\n", frame[k].function ? frame[k].function : "??",
			       frame[k].file ? frame[k].file : "??", frame[k].line);
	}
	fflush(stdout);
	_exit(0);
}

void symbols_main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--symbols") == 0)
		name_all(argv[2]);
}

struct cost {
	double s[BENCH_ROUNDS_MAX], mb;
	unsigned n, lines;
};

static unsigned count_lines(int fd)
{
	char buf[65536];
	unsigned lines = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += buf[i] == '\n';
	return lines;
}

static void run(struct cost *cost, const char *addresses, char *const *argv)
{
	const uint64_t start = bench_now_ns();
	int out[2], status = 0;
	struct rusage use;

	if (pipe(out))
		return;
	const pid_t pid = fork();
	if (pid == 0) {
		dup2(open(addresses, O_RDONLY), 0);
		dup2(out[1], 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		close(out[0]);
		close(out[1]);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(out[1]);
	const unsigned lines = count_lines(out[0]);
	close(out[0]);
	wait4(pid, &status, 0, &use);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || cost->n == BENCH_ROUNDS_MAX)
		return;
	cost->s[cost->n++] = (double)(bench_now_ns() - start) / 1e9;
	cost->mb = (double)use.ru_maxrss / 1024;
	cost->lines = lines;
}

static bool write_addresses(char *path)
{
	static uint64_t pc[PCS];
	FILE *f;
	const int fd = mkstemp(path);

	if (fd < 0 || !make_addresses(library, pc) || !(f = fdopen(fd, "w")))
		return false;
	for (unsigned i = 0; i < PCS; i++)
		fprintf(f, "0x%llx\n", (unsigned long long)pc[i]);
	return fclose(f) == 0;
}

unsigned symbols_measure(unsigned rounds, struct bench_row *row)
{
	static const char *const names[] = { "addr2line", "eu-addr2line", "llvm-symbolizer" };
	struct cost ours = { .n = 0 }, peer[3] = { { .n = 0 } };
	char addresses[] = "/tmp/stack_bench.XXXXXX";

	if (!write_addresses(addresses)) {
		unlink(addresses);
		printf("    symbols: no %s (libpython3.11-dbg)\n", library);
		return 0;
	}
	for (unsigned i = 0; i < rounds; i++) {
		run(&ours, addresses, (char *[]){ "/proc/self/exe", "--symbols", (char *)library, NULL });
		run(&peer[0], addresses, (char *[]){ "addr2line", "-fie", (char *)library, NULL });
		run(&peer[1], addresses, (char *[]){ "eu-addr2line", "-fie", (char *)library, NULL });
		run(&peer[2], addresses,
		    (char *[]){ "llvm-symbolizer", "-e", (char *)library, "--inlines", NULL });
	}
	unlink(addresses);
	const double s = bench_median(ours.s, ours.n);
	printf("    5000 PCs: %.3f s, %.0f MB, %u lines", s, ours.mb, ours.lines);
	row[0] = (struct bench_row){ .name = "symbols", .unit = "s", .ours = s, .peer = "limit",
				     .theirs = 0.25, .ratio = s > 0 ? 0.25 / s : 0, .target = 1,
				     .gated = ours.n > 0, .rounds = ours.n };
	row[1] = (struct bench_row){ .name = "symbols_memory", .unit = "MB", .ours = ours.mb,
				     .peer = "limit", .theirs = 60, .target = 1,
				     .ratio = ours.mb > 0 ? 60 / ours.mb : 0, .gated = ours.n > 0,
				     .rounds = ours.n };
	for (unsigned i = 0; i < 3; i++) {
		const double t = bench_median(peer[i].s, peer[i].n);

		printf("; %s %.3f s, %.0f MB, %u lines", names[i], t, peer[i].mb, peer[i].lines);
		row[2 + i] = (struct bench_row){ .name = "symbols", .unit = "s", .ours = s,
						 .peer = names[i], .theirs = t,
						 .ratio = s > 0 ? t / s : 0, .rounds = peer[i].n,
						 .note = peer[i].n ? NULL : "peer not installed" };
	}
	printf("\n");
	return SYMBOLS_ROWS;
}
