#include "lib/stack/sym.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/as/as_peek.h"
#include "tests/t.h"

static char fixture[PATH_MAX], output[4096];

/* Runs the fixture to its end and keeps what it prints. */
static void run_fixture(void)
{
	const char *build = getenv("B");
	char command[PATH_MAX + 20], path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/fixture/sym_places", build ? build : "build/plain");
	T_OK(realpath(path, fixture));
	snprintf(command, sizeof(command), "'%s' </dev/null", fixture);
	FILE *pipe = popen(command, "r");
	T_OK(pipe);
	output[fread(output, 1, sizeof(output) - 1, pipe)] = '\0';
	T_EQ(pclose(pipe), 0);
}

static uint64_t place(const char *name)
{
	char key[64];

	snprintf(key, sizeof(key), "%s ", name);
	const char *at = strstr(output, key);
	T_OK(at && (at == output || at[-1] == '\n'));
	return strtoull(at + strlen(key), NULL, 16);
}

/* The line of the fixture's source that carries this comment. */
static unsigned line_of(const char *function)
{
	char line[256], comment[100];
	unsigned n = 0;
	FILE *source = fopen("tests/fixture/sym_places.c", "r");

	T_OK(source);
	snprintf(comment, sizeof(comment), "/* line of %s */", function);
	while (fgets(line, sizeof(line), source)) {
		n++;
		if (strstr(line, comment)) {
			fclose(source);
			return n;
		}
	}
	T_FAIL("no such comment: %s", comment);
}

static struct sym_cache *cache;
static struct sym_frame frames[SYM_FRAMES];

static struct sym_module *open_fixture(void)
{
	run_fixture();
	T_EQ(sym_create(&(struct sym_options){ 0 }, &cache, NULL), 0);
	struct sym_module *m = sym_module(cache, &(struct sym_want){ .path = fixture });
	T_OK(m);
	return m;
}

static const char *source_name(const struct sym_frame *frame)
{
	T_OK(frame->file);
	const char *slash = strrchr(frame->file, '/');

	return slash ? slash + 1 : frame->file;
}

TEST(inlined_calls_are_frames_of_their_own_with_the_line_of_each_call)
{
	struct sym_module *m = open_fixture();

	T_EQ(sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES), 3);
	static const char *const names[] = { "innermost", "middle", "outermost" };
	for (int i = 0; i < 3; i++) {
		T_STR(frames[i].function, names[i]);
		T_STR(source_name(&frames[i]), "sym_places.c");
		T_EQ(frames[i].line, line_of(names[i]));
		T_EQ(frames[i].inlined, i < 2);
	}
	T_EQ(sym_status(cache, m), SYM_FULL);
	sym_destroy(cache);
}

TEST(a_static_function_has_its_name)
{
	struct sym_module *m = open_fixture();

	T_EQ(sym_frames(cache, m, place("hidden"), true, frames, SYM_FRAMES), 1);
	T_STR(frames[0].function, "hidden_function");
	T_EQ(frames[0].line, line_of("hidden_function"));
	T_OK(!frames[0].inlined);
	sym_destroy(cache);
}

TEST(of_several_names_the_one_without_underscores_is_shown)
{
	struct sym_module *m = open_fixture();

	T_EQ(sym_frames(cache, m, place("aliased"), true, frames, SYM_FRAMES), 1);
	T_STR(frames[0].function, "places_public");
	sym_destroy(cache);
}

TEST(a_return_address_belongs_to_the_call_before_it)
{
	struct sym_module *m = open_fixture();
	const uint64_t start = place("start_of_outermost");

	T_OK(sym_frames(cache, m, start, false, frames, SYM_FRAMES) >= 1);
	T_STR(frames[0].function, "outermost");
	/* the address after a call that does not return may be where the next function starts */
	const unsigned n = sym_frames(cache, m, start, true, frames, SYM_FRAMES);
	T_OK(!frames[n - 1].function || strcmp(frames[n - 1].function, "outermost") != 0);
	sym_destroy(cache);
}

TEST(with_little_room_the_innermost_and_the_real_function_stay)
{
	struct sym_module *m = open_fixture();

	T_EQ(sym_frames(cache, m, place("inlined"), true, frames, 2), 2);
	T_STR(frames[0].function, "innermost");
	T_STR(frames[1].function, "outermost");
	T_EQ(sym_frames(cache, m, place("inlined"), true, frames, 1), 1);
	T_STR(frames[0].function, "outermost");
	sym_destroy(cache);
}

TEST(an_answer_is_given_again_unchanged)
{
	struct sym_module *m = open_fixture();
	struct sym_frame again[SYM_FRAMES];

	const unsigned n = sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES);
	for (uint64_t pc = place("start_of_outermost"); pc < place("start_of_outermost") + 4096; pc++)
		sym_frames(cache, m, pc, false, again, SYM_FRAMES);
	T_EQ(sym_frames(cache, m, place("inlined"), true, again, SYM_FRAMES), n);
	T_EQ(memcmp(frames, again, n * sizeof(*frames)), 0);
	sym_destroy(cache);
}

TEST(variables_have_names_too)
{
	struct sym_module *m = open_fixture();
	struct sym_data data = { .size = 7 };

	T_OK(sym_data_at(cache, m, place("index_lock") + 4, &data));
	T_STR(data.name, "index_lock");
	T_EQ(data.offset, 4);
	T_EQ(data.size, 10 * sizeof(int));
	T_OK(sym_data_at(cache, m, place("hidden_counter"), &data));
	T_STR(data.name, "hidden_counter");
	T_EQ(data.offset, 0);
	T_OK(!sym_data_at(cache, m, 0, &data));
	T_OK(!sym_data_at(cache, m, place("start_of_outermost"), &data));
	T_OK(!sym_data_at(cache, NULL, 0, &data));
	sym_destroy(cache);
}

TEST(a_place_without_a_name_is_module_and_offset)
{
	struct sym_module *m = open_fixture();
	char place_text[SYM_PLACE];

	T_EQ(sym_frames(cache, m, 0x7fffffff, false, frames, SYM_FRAMES), 1);
	T_OK(!frames[0].function && !frames[0].file && !frames[0].line);
	T_STR(sym_place(m, 0x1a2b0, place_text), "sym_places+0x1a2b0");
	T_STR(sym_place(NULL, 0x1a2b0, place_text), "0x1a2b0");
	T_EQ(sym_frames(cache, m, UINT64_MAX, false, frames, SYM_FRAMES), 1);
	T_EQ(sym_frames(cache, m, 0, true, frames, SYM_FRAMES), 1);
	T_EQ(sym_frames(cache, NULL, 5, false, frames, SYM_FRAMES), 1);
	sym_destroy(cache);
}

static void show_place(const char *path, const char *want)
{
	char text[SYM_PLACE];
	struct sym_module *m = sym_module(cache, &(struct sym_want){ .path = path });

	T_STR(sym_place(m, 0x40, text), want);
	T_EQ(sym_frames(cache, m, 0x40, false, frames, SYM_FRAMES), 1);
	T_OK(!frames[0].function);
	T_EQ(sym_status(cache, m), SYM_NO_FILE);
}

TEST(code_that_belongs_to_no_file_is_called_what_it_is)
{
	T_EQ(sym_create(&(struct sym_options){ 0 }, &cache, NULL), 0);
	show_place("", "[jit]+0x40");
	show_place("[heap]", "[heap]+0x40");
	show_place("[anon:v8]", "[anon:v8]+0x40");
	show_place("[vsyscall]", "[vsyscall]+0x40");
	show_place("/memfd:doublemapper (deleted)", "memfd:doublemapper+0x40");
	show_place("/dev/zero (deleted)", "zero+0x40");
	T_EQ(sym_warnings(cache), 0);
	sym_destroy(cache);
}

TEST(the_vdso_of_this_boot_has_names_and_that_of_another_has_not)
{
	bool seen = false;

	T_EQ(sym_create(&(struct sym_options){ 0 }, &cache, NULL), 0);
	struct sym_module *m =
		sym_module(cache, &(struct sym_want){ .path = "[vdso]", .pid = getpid() });
	for (uint64_t pc = 0; pc < 0x4000; pc += 4) {
		sym_frames(cache, m, pc, false, frames, SYM_FRAMES);
		seen = seen || (frames[0].function && strstr(frames[0].function, "clock_gettime"));
	}
	T_OK(seen);
	m = sym_module(cache, &(struct sym_want){ .path = "[vdso]", .build_id = "1234" });
	T_EQ(sym_status(cache, m), SYM_NO_FILE);
	T_EQ(sym_warnings(cache), 0);
	sym_destroy(cache);
}

TEST(no_symbols_means_none)
{
	run_fixture();
	T_EQ(sym_create(&(struct sym_options){ .no_symbols = true }, &cache, NULL), 0);
	struct sym_module *m = sym_module(cache, &(struct sym_want){ .path = fixture });
	T_EQ(sym_frames(cache, m, place("inlined"), true, frames, SYM_FRAMES), 1);
	T_OK(!frames[0].function && !frames[0].file);
	T_EQ(sym_status(cache, m), SYM_OFF);
	T_EQ(sym_warnings(cache), 0);
	sym_destroy(cache);
}

TEST(the_same_module_is_opened_once)
{
	T_EQ(sym_create(&(struct sym_options){ 0 }, &cache, NULL), 0);
	const struct sym_want a = { .path = "/a", .build_id = "12" };
	const struct sym_want again = { .path = "/a", .build_id = "12", .pid = 1 };
	const struct sym_want other = { .path = "/a", .build_id = "13" };
	struct sym_module *m = sym_module(cache, &a);

	T_OK(m == sym_module(cache, &again));
	T_OK(m != sym_module(cache, &other));
	sym_destroy(cache);
}

TEST(a_directory_option_that_names_no_directory_is_refused)
{
	struct err err;

	cache = NULL;
	T_EQ(sym_create(&(struct sym_options){ .sysroot = "/nowhere" }, &cache, &err), -ENOENT);
	T_STR(err.text, "--sysroot /nowhere: No such file or directory");
	T_EQ(sym_create(&(struct sym_options){ .debug_dir = "/dev/null" }, &cache, &err), -ENOTDIR);
	T_STR(err.text, "--debug-dir /dev/null: not a directory");
	T_OK(!cache);
	sym_destroy(NULL);
}

TEST(a_cxx_function_is_shown_as_its_author_wrote_it)
{
	static const char source[] = "namespace shop { template <class T> struct cart {\n"
				     "__attribute__((noinline)) static T add(T x) { return x + 1; } }; }\n"
				     "template struct shop::cart<int>;\n";
	const char *dir = getenv("TMPDIR");
	char base[200], command[1600], line[100];
	uint64_t offset = 0;

	if (system("command -v c++ >/dev/null") != 0)
		t_skip("no C++ compiler");
	snprintf(base, sizeof(base), "%s/cart.%d", dir ? dir : "/tmp", (int)getpid());
	snprintf(command, sizeof(command),
		 "printf '%%s' '%s' >%s.cc && c++ -g -O1 -fPIC -shared -o %s.so %s.cc && "
		 "nm %s.so | awk '/ W .*add/ { print $1 }'",
		 source, base, base, base, base);
	FILE *pipe = popen(command, "r");
	T_OK(pipe && fgets(line, sizeof(line), pipe));
	T_EQ(pclose(pipe), 0);
	offset = strtoull(line, NULL, 16);
	snprintf(command, sizeof(command), "%s.so", base);
	T_EQ(sym_create(&(struct sym_options){ 0 }, &cache, NULL), 0);
	struct sym_module *m = sym_module(cache, &(struct sym_want){ .path = command });
	T_EQ(sym_frames(cache, m, offset, false, frames, SYM_FRAMES), 1);
	unlink(command);
	snprintf(command, sizeof(command), "%s.cc", base);
	unlink(command);
	T_STR(frames[0].function, "shop::cart<int>::add(int)");
	T_EQ(frames[0].line, 2);
	sym_destroy(cache);
}

TEST(an_inlined_call_keeps_its_file_where_files_count_from_zero)
{
	/* clang's DWARF 5 gives the program's own source the number 0, gcc's never does */
	static const char source[] =
		"int seen; static inline __attribute__((always_inline)) void put(int x) { seen = x; }\n"
		"void outer(int x) {\nput(x);\n}\n";
	const char *dir = getenv("TMPDIR");
	char base[200], command[1600], line[100];

	if (system("command -v clang >/dev/null") != 0)
		t_skip("no clang");
	snprintf(base, sizeof(base), "%s/zero.%d", dir ? dir : "/tmp", (int)getpid());
	snprintf(command, sizeof(command),
		 "cd $(dirname %s) && printf '%%s' '%s' >%s.c && "
		 "clang -gdwarf-5 -O1 -fPIC -shared -o %s.so $(basename %s).c && "
		 "nm %s.so | awk '/ T outer/ { print $1 }'",
		 base, source, base, base, base, base);
	FILE *pipe = popen(command, "r");
	T_OK(pipe && fgets(line, sizeof(line), pipe));
	T_EQ(pclose(pipe), 0);
	snprintf(command, sizeof(command), "%s.so", base);
	T_EQ(sym_create(&(struct sym_options){ 0 }, &cache, NULL), 0);
	struct sym_module *m = sym_module(cache, &(struct sym_want){ .path = command });
	unsigned n = 1;
	for (uint64_t pc = strtoull(line, NULL, 16), end = pc + 16; pc < end && n < 2; pc++)
		n = sym_frames(cache, m, pc, false, frames, SYM_FRAMES);
	unlink(command);
	snprintf(command, sizeof(command), "%s.c", base);
	unlink(command);
	T_EQ(n, 2);
	T_STR(frames[0].function, "put");
	T_STR(frames[1].function, "outer");
	T_HAS(frames[1].file, "zero.");
	T_EQ(frames[1].line, 3);
	sym_destroy(cache);
}

/* The thread's frames as lines of text: what as_peek saw, named by what sym knows. */
static void name_frames(struct as_peek *peek, const struct as_thread *thread, char *out, size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < thread->frames; i++) {
		struct as_module *m = as_modules_find(&peek->unwinder.modules, thread->frame[i]);
		T_OK(m);
		char path[PATH_MAX];
		snprintf(path, sizeof(path), "%.*s", m->path_len,
			 as_module_path(&peek->unwinder.modules, m));
		const struct as_elf *elf = as_module_elf(m, &peek->unwinder.mem);
		const unsigned k = sym_frames(
			cache, sym_module(cache, &(struct sym_want){ .path = path, .pid = peek->pid }),
			thread->frame[i] - elf->bias, !(thread->flags[i] & (AS_FRAME_EXACT | AS_FRAME_SIGNAL)), frames,
			SYM_FRAMES);
		for (unsigned j = 0; j < k; j++)
			n += (size_t)snprintf(out + n, room - n, "%s\n",
					      frames[j].function ? frames[j].function : "?");
		T_OK(n < room);
	}
}

static bool is_guessed(const struct as_thread *thread)
{
	for (unsigned i = 0; i < thread->frames; i++)
		if (thread->flags[i] & AS_FRAME_GUESSED)
			return true;
	return false;
}

TEST(the_stack_of_a_blocked_process_is_named_from_its_own_files)
{
	static struct as_peek peek;
	static struct as_thread thread;
	char names[4096], byte;
	int in[2], out[2];

	run_fixture();
	T_EQ(pipe(in), 0);
	T_EQ(pipe(out), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		execl(fixture, fixture, (char *)NULL);
		_exit(127);
	}
	/* it prints before it reads; then it takes a moment to get there */
	T_EQ(read(out[0], &byte, 1), 1);
	T_EQ(sym_create(&(struct sym_options){ 0 }, &cache, NULL), 0);
	if (as_peek_init(&peek, pid) != 0)
		t_skip("other processes may not be read here");
	for (int i = 0; i < 10000; i++) {
		T_EQ(as_peek_refresh(&peek), 0);
		as_peek_thread(&peek, pid, &thread);
		if (thread.captured == AS_CAPTURED_PEEK && thread.nr == 0)
			break;
		usleep(1000);
	}
	name_frames(&peek, &thread, names, sizeof(names));
	T_EQ(strncmp(names, "read\n", 5), 0);
	T_HAS(names, "_start\n");
	/* through a sanitizer's read() the caller may have had to be guessed */
	if (!is_guessed(&thread))
		T_HAS(names, "read\nmain\n");
	as_peek_fini(&peek);
	sym_destroy(cache);
	close(in[1]);
	waitpid(pid, NULL, 0);
}
