/* Which file the names come from: copies of the fixture, stripped, split, renamed, replaced. */
#include "lib/stack/sym.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/t.h"

static char dir[1024], copy[1100], output[4096], build_id[200], fixture_path[PATH_MAX];
static struct sym_cache *cache;
static struct sym_frame frames[SYM_FRAMES];

__attribute__((format(printf, 1, 2))) static void sh(const char *fmt, ...)
{
	char command[8 * PATH_MAX], all[9 * PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	snprintf(all, sizeof(all), "cd '%s' && %s", dir, command);
	const int status = system(all);
	if (status != 0)
		T_FAIL("exit %d: %s", WEXITSTATUS(status), command);
}

static void remove_dir(void)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	T_EQ(system(command), 0);
}

static void read_command(const char *command, char *out, size_t room)
{
	FILE *pipe = popen(command, "r");

	T_OK(pipe);
	out[fread(out, 1, room - 1, pipe)] = '\0';
	T_EQ(pclose(pipe), 0);
}

/* What "places" says of itself: where its functions are; and its build id. */
static void read_places(void)
{
	char command[2 * PATH_MAX];

	snprintf(command, sizeof(command), "'%s' </dev/null", copy);
	read_command(command, output, sizeof(output));
	snprintf(command, sizeof(command),
		 "readelf -n '%s' | sed -n 's/^ *Build ID: //p' | tr -d '\\n'", copy);
	read_command(command, build_id, sizeof(build_id));
	T_OK(strlen(build_id) == 40);
}

/* A directory of its own, with a copy of the fixture called "places". */
static void begin(void)
{
	const char *tmp = getenv("TMPDIR"), *build = getenv("B");
	char path[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s/find.XXXXXX", tmp ? tmp : "/tmp");
	T_OK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fixture/sym_places", build ? build : "build/plain");
	T_OK(realpath(path, fixture_path));
	snprintf(copy, sizeof(copy), "%s/places", dir);
	sh("cp '%s' places", fixture_path);
	read_places();
}

static uint64_t place(const char *name)
{
	char key[64];

	snprintf(key, sizeof(key), "%s ", name);
	const char *at = strstr(output, key);
	T_OK(at && (at == output || at[-1] == '\n'));
	return strtoull(at + strlen(key), NULL, 16);
}

static struct sym_module *open_with(const struct sym_options *options, const struct sym_want *want)
{
	T_EQ(sym_create(options, &cache, NULL), 0);
	struct sym_module *m = sym_module(cache, want);
	T_OK(m);
	return m;
}

static void has_all(struct sym_module *m)
{
	T_EQ(sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES), 3);
	T_STR(frames[0].function, "innermost");
	T_STR(frames[2].function, "outermost");
	T_OK(frames[2].file && frames[2].line);
	T_EQ(sym_status(cache, m), SYM_FULL);
	T_EQ(sym_warnings(cache), 0);
	sym_destroy(cache);
}

static void has_nothing(struct sym_module *m, enum sym_status status)
{
	T_EQ(sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES), 1);
	T_OK(!frames[0].function && !frames[0].file);
	T_EQ(sym_status(cache, m), status);
}

#define OPEN(options_, ...) \
	open_with(&(struct sym_options)options_, &(struct sym_want){ __VA_ARGS__ })
#define NO_OPTIONS { .sysroot = NULL }

TEST(a_file_with_the_recorded_build_id_is_used)
{
	begin();
	has_all(OPEN(NO_OPTIONS, .path = copy, .build_id = build_id));
	remove_dir();
}

TEST(another_build_id_is_said_and_its_names_are_not_used)
{
	char want[300];

	begin();
	struct sym_module *m = OPEN(NO_OPTIONS, .path = copy, .build_id = "a1b2c3d4",
				    .source = "the core");
	has_nothing(m, SYM_MISMATCH);
	has_nothing(m, SYM_MISMATCH);
	T_EQ(sym_warnings(cache), 1);
	snprintf(want, sizeof(want),
		 "places: build id %.4s.. on disk, a1b2.. in the core: symbols not used", build_id);
	T_STR(sym_warning(cache, 0)->text, want);
	snprintf(want, sizeof(want),
		 "--debug-dir DIR with the matching file; frames are shown as places+0x%lx",
		 (unsigned long)place("inlined"));
	T_STR(sym_warning(cache, 0)->next, want);
	T_OK(!sym_warning(cache, 1));
	sym_destroy(cache);
	remove_dir();
}

TEST(a_file_without_a_build_id_is_not_the_recorded_one)
{
	begin();
	sh("objcopy --remove-section .note.gnu.build-id places");
	struct sym_module *m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
	has_nothing(m, SYM_MISMATCH);
	T_HAS(sym_warning(cache, 0)->text, "places: build id none on disk, ");
	sym_destroy(cache);
	remove_dir();
}

TEST(without_a_recorded_build_id_the_names_come_with_a_warning)
{
	begin();
	struct sym_module *m = OPEN(NO_OPTIONS, .path = copy, .source = "the feed");
	T_EQ(sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES), 3);
	T_EQ(sym_warnings(cache), 1);
	T_STR(sym_warning(cache, 0)->text,
	      "places: no build id in the feed: names are those of the file found now");
	sym_destroy(cache);
	remove_dir();
}

TEST(a_stripped_file_names_its_exported_functions_only)
{
	begin();
	sh("strip places");
	struct sym_module *m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
	T_EQ(sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES), 1);
	T_STR(frames[0].function, "outermost");
	T_OK(!frames[0].file);
	T_EQ(sym_frames(cache, m, place("hidden"), true, frames, SYM_FRAMES), 1);
	T_OK(!frames[0].function);
	T_EQ(sym_status(cache, m), SYM_TABLE);
	T_EQ(sym_warnings(cache), 0);
	sym_destroy(cache);
	remove_dir();
}

TEST(a_debug_file_is_found_by_build_id_by_name_and_by_link)
{
	static const char *const where[] = {
		"debug/.build-id/%.2s/%s.debug", "debug/places.debug", "debug/places",
		"debug/linked.dbg", ".debug/linked.dbg", "linked.dbg",
	};
	char path[PATH_MAX];

	begin();
	sh("objcopy --only-keep-debug places linked.dbg && strip places && "
	   "objcopy --add-gnu-debuglink=linked.dbg places && mv linked.dbg all && mkdir debug .debug");
	const char *debug_dir = path;
	for (size_t i = 0; i < sizeof(where) / sizeof(*where); i++) {
		char to[256];

		if (strstr(where[i], "%"))
			snprintf(to, sizeof(to), "debug/.build-id/%.2s/%s.debug", build_id, build_id + 2);
		else
			snprintf(to, sizeof(to), "%s", where[i]);
		sh("mkdir -p $(dirname %s) && cp all %s", to, to);
		snprintf(path, sizeof(path), "%s/debug", dir);
		has_all(OPEN({ .debug_dir = debug_dir }, .path = copy, .build_id = build_id));
		/* without the option only what lies beside the file is found */
		struct sym_module *m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
		T_EQ(sym_status(cache, m), strncmp(to, "debug/", 6) == 0 ? SYM_TABLE : SYM_FULL);
		sym_destroy(cache);
		sh("rm %s", to);
	}
	remove_dir();
}

TEST(both_versions_of_dwarf_and_both_compilers_give_the_same_names)
{
	static const char *const builds[] = { "gcc -gdwarf-4", "gcc -gdwarf-5", "clang -gdwarf-4",
					      "clang -gdwarf-5", "gcc -gdwarf-5 -gsplit-dwarf",
					      "gcc -gdwarf-5 -gz" };
	char root[PATH_MAX];
	unsigned n = 0;

	T_OK(getcwd(root, sizeof(root)));
	begin();
	for (size_t i = 0; i < sizeof(builds) / sizeof(*builds); i++) {
		if (strncmp(builds[i], "clang", 5) == 0 && system("command -v clang >/dev/null") != 0)
			continue;
		/* clang makes a build id only when it is told to */
		sh("%s -D_GNU_SOURCE -std=gnu11 -O1 -pthread -rdynamic -Wl,--build-id=sha1 -I'%s' "
		   "-o places '%s/tests/fixture/sym_places.c' -ldl", builds[i], root, root);
		read_places();
		printf("    %s\n", builds[i]);
		has_all(OPEN(NO_OPTIONS, .path = copy, .build_id = build_id));
		n++;
	}
	T_OK(n >= 3);
	remove_dir();
}

/* As one compiler leaves .debug_aranges out of its objects, and the other does not. */
TEST(a_unit_that_debug_aranges_does_not_name_is_found_as_well)
{
	char root[PATH_MAX];

	T_OK(getcwd(root, sizeof(root)));
	begin();
	sh("gcc -g -D_GNU_SOURCE -std=gnu11 -O1 -pthread -I'%s' -c '%s/tests/fixture/sym_places.c' && "
	   "objcopy --remove-section .debug_aranges --remove-section .rela.debug_aranges sym_places.o && "
	   "echo 'int other(void) { return 1; }' >other.c && gcc -g -c other.c && "
	   "gcc -pthread -rdynamic -Wl,--build-id=sha1 -o places sym_places.o other.o -ldl && "
	   "readelf -S places | grep -q debug_aranges", root, root);
	read_places();
	has_all(OPEN(NO_OPTIONS, .path = copy, .build_id = build_id));
	remove_dir();
}

TEST(the_c_library_is_named_by_its_symbols_alone_only_where_that_saves_the_inflating)
{
	begin();
	sh("cp places libc.so.6");
	snprintf(copy, sizeof(copy), "%s/libc.so.6", dir);
	has_all(OPEN({ .libc_by_symbols = true }, .path = copy, .build_id = build_id));
	sh("objcopy --compress-debug-sections libc.so.6 && cp libc.so.6 places");
	has_all(OPEN(NO_OPTIONS, .path = copy, .build_id = build_id));
	struct sym_module *m = OPEN({ .libc_by_symbols = true }, .path = copy, .build_id = build_id);
	T_EQ(sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES), 1);
	T_STR(frames[0].function, "outermost");
	T_OK(!frames[0].file && !frames[0].inlined);
	T_EQ(sym_frames(cache, m, place("hidden"), true, frames, SYM_FRAMES), 1);
	T_STR(frames[0].function, "hidden_function");
	T_EQ(sym_status(cache, m), SYM_TABLE);
	T_EQ(sym_warnings(cache), 0);
	sym_destroy(cache);
	/* any other library is worth the time */
	snprintf(copy, sizeof(copy), "%s/places", dir);
	has_all(OPEN({ .libc_by_symbols = true }, .path = copy, .build_id = build_id));
	remove_dir();
}

/* What many debug files have in common lies in one more file, which they name and give the id of. */
TEST(what_dwz_moved_into_a_file_beside_is_found_by_its_name_and_by_its_build_id)
{
	char alt_id[200], command[2 * PATH_MAX], path[PATH_MAX];
	const char *debug_dir = path;
	struct sym_module *m;

	if (system("command -v dwz >/dev/null") != 0)
		t_skip("dwz is not installed");
	begin();
	/* twice the same: all of it is common */
	sh("cp places other && dwz -m common.debug -M common.debug places other 2>/dev/null && rm other");
	snprintf(command, sizeof(command),
		 "readelf -n '%s/common.debug' | sed -n 's/^ *Build ID: //p' | tr -d '\\n'", dir);
	read_command(command, alt_id, sizeof(alt_id));
	has_all(OPEN(NO_OPTIONS, .path = copy, .build_id = build_id));
	sh("mkdir -p debug/.build-id/%.2s && mv common.debug debug/.build-id/%.2s/%s.debug", alt_id,
	   alt_id, alt_id + 2);
	snprintf(path, sizeof(path), "%s/debug", dir);
	has_all(OPEN({ .debug_dir = debug_dir }, .path = copy, .build_id = build_id));
	/* without it names are missing, and that is said; so it is with a file of another build id */
	sh("cp places common.debug");
	m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
	sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES);
	T_EQ(sym_warnings(cache), 1);
	T_HAS(sym_warning(cache, 0)->text, "refers to common.debug, which is not there");
	sym_destroy(cache);
	/* a name below the system's directory, of which there is a copy elsewhere */
	sh("rm common.debug && cp '%s' places && cp places other && mkdir -p debug/.dwz && "
	   "dwz -m debug/.dwz/common.debug -M /usr/lib/debug/.dwz/common.debug places other 2>/dev/null",
	   fixture_path);
	has_all(OPEN({ .debug_dir = debug_dir }, .path = copy, .build_id = build_id));
	remove_dir();
}

TEST(a_linked_debug_file_is_checked_by_build_id_or_by_checksum)
{
	begin();
	sh("objcopy --only-keep-debug places linked.dbg && strip places && "
	   "objcopy --add-gnu-debuglink=linked.dbg places && "
	   "objcopy --remove-section .note.gnu.build-id linked.dbg");
	struct sym_module *m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
	T_EQ(sym_status(cache, m), SYM_TABLE);
	sym_destroy(cache);
	/* nobody has a build id: the checksum decides */
	sh("objcopy --remove-section .note.gnu.build-id --remove-section .gnu_debuglink places && "
	   "objcopy --add-gnu-debuglink=linked.dbg places");
	m = OPEN(NO_OPTIONS, .path = copy);
	T_EQ(sym_status(cache, m), SYM_FULL);
	sym_destroy(cache);
	sh("printf x >>linked.dbg");
	m = OPEN(NO_OPTIONS, .path = copy);
	T_EQ(sym_status(cache, m), SYM_TABLE);
	sym_destroy(cache);
	remove_dir();
}

TEST(the_debug_directory_mends_a_file_that_was_replaced)
{
	char debug[PATH_MAX];

	begin();
	/* the program was rebuilt since: only the copy kept aside is the right one */
	sh("mkdir kept && mv places kept/ && cp kept/places places && "
	   "objcopy --remove-section .note.gnu.build-id places");
	snprintf(debug, sizeof(debug), "%s/kept", dir);
	has_all(OPEN({ .debug_dir = debug }, .path = copy, .build_id = build_id));
	/* a debug file alone names everything, too */
	sh("objcopy --only-keep-debug kept/places kept/places.debug && rm places kept/places");
	has_all(OPEN({ .debug_dir = debug }, .path = copy, .build_id = build_id));
	remove_dir();
}

TEST(with_a_sysroot_files_come_from_there_only)
{
	char root[PATH_MAX];

	begin();
	snprintf(root, sizeof(root), "%s/root", dir);
	sh("mkdir -p root/usr/lib && cp places root/usr/lib/libthumbs.so");
	has_all(OPEN({ .sysroot = root }, .path = "/usr/lib/libthumbs.so", .build_id = build_id));
	struct sym_module *m = OPEN({ .sysroot = root }, .path = copy, .build_id = build_id);
	has_nothing(m, SYM_MISSING);
	sym_destroy(cache);
	remove_dir();
}

static pid_t start_copy(int *input)
{
	int in[2], out[2];
	char text[64];

	T_EQ(pipe(in), 0);
	T_EQ(pipe(out), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execl(copy, copy, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	/* it prints everything at once, then waits */
	T_OK(read(out[0], text, sizeof(text)) > 0);
	close(out[0]);
	*input = in[1];
	return pid;
}

TEST(a_program_deleted_while_it_runs_still_has_its_names)
{
	char path[PATH_MAX];
	int input;

	begin();
	const pid_t pid = start_copy(&input);
	sh("rm places");
	snprintf(path, sizeof(path), "%s (deleted)", copy);
	has_all(OPEN(NO_OPTIONS, .path = path, .build_id = build_id, .pid = pid));
	/* the very file that runs needs no build id to be believed */
	struct sym_module *m = OPEN(NO_OPTIONS, .path = path, .pid = pid);
	char text[SYM_PLACE];
	T_STR(sym_place(m, 16, text), "places+0x10");
	has_all(m);
	/* another file in its place is not taken for it */
	sh("cp /bin/true places");
	has_all(OPEN(NO_OPTIONS, .path = path, .build_id = build_id, .pid = pid));
	close(input);
	waitpid(pid, NULL, 0);
	/* now nobody has it any more */
	m = OPEN(NO_OPTIONS, .path = path, .build_id = build_id, .pid = pid);
	has_nothing(m, SYM_MISMATCH);
	T_EQ(sym_warnings(cache), 1);
	sym_destroy(cache);
	remove_dir();
}

TEST(what_cannot_be_read_as_a_program_is_said)
{
	struct sym_module *m;
	char want[PATH_MAX];

	begin();
	sh("rm places");
	m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
	has_nothing(m, SYM_MISSING);
	snprintf(want, sizeof(want), "places: not found at %s: no symbols", copy);
	T_STR(sym_warning(cache, 0)->text, want);
	sym_destroy(cache);

	sh("echo text here >places");
	m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
	has_nothing(m, SYM_DAMAGED);
	T_HAS(sym_warning(cache, 0)->text, "places: not an ELF file (starts with 74 65 78 74)");
	sym_destroy(cache);

	sh(": >places");
	m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
	has_nothing(m, SYM_DAMAGED);
	T_HAS(sym_warning(cache, 0)->text, "places: not an ELF file (0 bytes)");
	sym_destroy(cache);

	sh("rm places && mkfifo places");
	m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
	has_nothing(m, SYM_DAMAGED);
	T_HAS(sym_warning(cache, 0)->text, "places: not a regular file");
	sym_destroy(cache);
	remove_dir();
}

TEST(symbols_packed_into_the_program_are_read)
{
	begin();
	if (system("command -v xz >/dev/null") != 0) {
		remove_dir();
		t_skip("no xz");
	}
	sh("objcopy -S --remove-section .comment places mini && "
	   "nm places | awk '$2 ~ /[tT]/ { print $3 }' >keep && "
	   "objcopy --only-keep-debug places full && "
	   "objcopy -S --remove-section .comment --keep-symbols=keep full mini && xz mini && "
	   "strip places && objcopy --add-section .gnu_debugdata=mini.xz places");
	struct sym_module *m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
	T_EQ(sym_frames(cache, m, place("hidden"), true, frames, SYM_FRAMES), 1);
	T_STR(frames[0].function, "hidden_function");
	T_EQ(sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES), 1);
	T_STR(frames[0].function, "outermost");
	T_EQ(sym_status(cache, m), SYM_TABLE);
	sym_destroy(cache);
	remove_dir();
}

TEST(nobody_is_asked_over_the_network)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(addr);
	char url[64];
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	begin();
	T_EQ(bind(fd, (void *)&addr, n), 0);
	T_EQ(listen(fd, 5), 0);
	T_EQ(getsockname(fd, (void *)&addr, &n), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(addr.sin_port));
	setenv("DEBUGINFOD_URLS", url, 1);
	setenv("DEBUGINFOD_TIMEOUT", "1", 1);
	/* each reason to ask: no debug file, a packed table, no file at all */
	sh("strip places && objcopy --add-section .gnu_debugdata=places places");
	struct sym_module *m = OPEN(NO_OPTIONS, .path = copy, .build_id = build_id);
	T_EQ(sym_status(cache, m), SYM_TABLE);
	sh("rm places");
	m = sym_module(cache, &(struct sym_want){ .path = "/gone", .build_id = build_id });
	T_EQ(sym_status(cache, m), SYM_MISSING);
	T_EQ(accept(fd, NULL, NULL), -1);
	T_EQ(errno, EAGAIN);
	sym_destroy(cache);
	remove_dir();
}

/* Looks every place up in a file that may be damaged; any answer will do. */
static void use(const char *path)
{
	struct sym_module *m;
	struct sym_data data;

	T_EQ(sym_create(&(struct sym_options){ 0 }, &cache, NULL), 0);
	m = sym_module(cache, &(struct sym_want){ .path = path });
	for (uint64_t pc = 0x1000; pc < 0x1800; pc += 16)
		T_OK(sym_frames(cache, m, pc, false, frames, SYM_FRAMES) >= 1);
	sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES);
	sym_data_at(cache, m, place("index_lock"), &data);
	sym_destroy(cache);
}

static unsigned char *read_copy(size_t *n)
{
	FILE *file = fopen(copy, "r");
	struct stat st;

	T_OK(file && fstat(fileno(file), &st) == 0);
	unsigned char *bytes = malloc((size_t)st.st_size);
	*n = fread(bytes, 1, (size_t)st.st_size, file);
	fclose(file);
	return bytes;
}

static void write_bytes(const char *path, const unsigned char *bytes, size_t n)
{
	FILE *file = fopen(path, "w");

	T_OK(file && fwrite(bytes, 1, n, file) == n);
	fclose(file);
}

TEST(a_file_cut_off_anywhere_is_survived)
{
	char path[PATH_MAX];
	size_t n;

	begin();
	unsigned char *bytes = read_copy(&n);
	for (size_t cut = 0; cut < n; cut += n / 60 + 1) {
		/* a new file each time: libelf maps it */
		snprintf(path, sizeof(path), "%s/cut.%zu", dir, cut);
		write_bytes(path, bytes, cut);
		use(path);
	}
	free(bytes);
	remove_dir();
}

TEST(a_file_with_damaged_bytes_is_survived)
{
	char path[PATH_MAX];
	size_t n;

	begin();
	srand((unsigned)t_seed());
	unsigned char *bytes = read_copy(&n), *bad = malloc(n);
	for (unsigned i = 0; i < 150 * t_length(); i++) {
		memcpy(bad, bytes, n);
		for (int k = 0; k < 20; k++)
			bad[64 + (size_t)rand() % (n - 64)] = (unsigned char)rand();
		snprintf(path, sizeof(path), "%s/bad.%u", dir, i);
		write_bytes(path, bad, n);
		use(path);
		unlink(path);
	}
	free(bytes);
	free(bad);
	remove_dir();
}
