/*
 * Are the chains right? Each blocked thread of several programs is looked at twice: from its
 * stack pointer and program counter alone, while it sleeps (as_peek), and stopped, with all its
 * registers, by libunwind. The last test prints the table of all programs and holds the sum
 * against what is promised: 99 of 100 equal, and what rests on a guess flagged.
 *
 * To stop a thread wakes it up for a moment, and programs have clocks of their own: a pair of looks
 * counts if the thread was at the same place in both, else both are taken again.
 */
#include "lib/as/as_peek.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <libunwind-ptrace.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/t.h"

enum { TIDS = 4096, TRIES = 40, SUBJECTS = 16 };

/* What came out for one program. */
struct tally {
	char name[24];
	unsigned threads;         /* that were blocked, at the same place in both looks */
	unsigned equal;
	unsigned guessed;         /* with a guess in the chain, and equal */
	unsigned differ_flagged;  /* differ behind a frame that is marked as guessed */
	unsigned differ;          /* differ, and nothing warns of it */
	unsigned ran;             /* never seen blocked at the same place twice */
	char first[160];          /* the first difference */
};

/* Each TEST is a process of its own: what they found is shared. */
static struct {
	struct tally tally[SUBJECTS];
	unsigned n;
} *all;

__attribute__((constructor)) static void share_tallies(void)
{
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* ---- programs to look at ----------------------------------------------------------------- */

struct program {
	pid_t pid;
	int in, out; /* our ends of its stdin and stdout */
};

static struct program start(char *const argv[])
{
	int in[2], out[2];

	T_EQ(pipe2(in, O_CLOEXEC), 0);
	T_EQ(pipe2(out, O_CLOEXEC), 0);
	struct program prog = { .pid = fork(), .in = in[1], .out = out[0] };

	if (prog.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	return prog;
}

static void finish(struct program *prog)
{
	close(prog->in);
	close(prog->out);
	kill(prog->pid, SIGKILL);
	waitpid(prog->pid, NULL, 0);
}

/* Reads the program's output up to a line with `word` in it. */
static void expect_line(struct program *prog, const char *word)
{
	char line[512];
	size_t n = 0;

	for (;;) {
		T_OK(n < sizeof(line) - 1);
		if (read(prog->out, line + n, 1) != 1)
			t_skip("no line with \"%s\": not installed, or it does not start", word);
		if (line[n++] != '\n')
			continue;
		line[n] = '\0';
		if (strstr(line, word))
			return;
		n = 0;
	}
}

/* ---- the two looks ------------------------------------------------------------------------ */

static struct as_thread thread;

struct chain {
	uint64_t pc[AS_PEEK_FRAMES];
	unsigned n;
	uint64_t sp;
};

/* False when the thread has ended, or would not stop. */
static bool stopped_look(unw_addr_space_t space, pid_t tid, struct chain *c)
{
	struct user_regs_struct user;
	const struct iovec set = { &user, sizeof(user) };
	unw_cursor_t cursor;
	unw_word_t ip;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL))
		return false;
	T_EQ(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL), 0);
	T_EQ(waitpid(tid, NULL, __WALL), tid);
	void *arg = _UPT_create(tid);

	c->n = 0;
	T_EQ(ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &set), 0);
	c->sp = user.rsp;
	T_EQ(unw_init_remote(&cursor, space, arg), 0);
	do {
		unw_get_reg(&cursor, UNW_REG_IP, &ip);
		if (!ip)
			break;
		c->pc[c->n++] = ip;
	} while (c->n < AS_PEEK_FRAMES && unw_step(&cursor) > 0);
	_UPT_destroy(arg);
	ptrace(PTRACE_DETACH, tid, NULL, NULL);
	return true;
}

/* Both looks at one thread, at the same place; false when there was no such pair. */
static bool look_twice(struct as_peek *p, unw_addr_space_t space, pid_t tid, struct chain *c)
{
	for (unsigned i = 0; i < TRIES; i++) {
		as_peek_thread(p, tid, &thread);
		if (thread.captured == AS_CAPTURED_GONE)
			return false;
		if (thread.captured == AS_CAPTURED_PEEK && thread.nr >= 0 && !thread.moved) {
			if (!stopped_look(space, tid, c))
				return false;
			if (c->n && c->sp == thread.sp && c->pc[0] == thread.pc)
				return true;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
	}
	return false;
}

static int place(const struct as_peek *p, uint64_t pc, char *text, size_t room)
{
	const struct as_module *m = as_modules_find(&p->unwinder.modules, pc);
	const char *path = m ? as_module_path(&p->unwinder.modules, m) : "?";
	const int n = m ? m->path_len : 1;
	int base = n;

	while (base && path[base - 1] != '/')
		base--;
	return snprintf(text, room, "%.*s+0x%llx", m && !n ? 3 : n - base, m && !n ? "jit" : path + base,
			(unsigned long long)(m ? pc - m->start : pc));
}

static void keep_difference(const struct as_peek *p, const struct chain *c, unsigned same,
			    struct tally *tally)
{
	char ours[64] = "nothing", theirs[64] = "nothing", text[sizeof(tally->first)];

	if (same < thread.frames)
		place(p, thread.frame[same], ours, sizeof(ours));
	if (same < c->n)
		place(p, c->pc[same], theirs, sizeof(theirs));
	snprintf(text, sizeof(text), "\"%.15s\" #%u: %s (%s), stopped %s", thread.comm, same, ours,
		 as_end_name(thread.end), theirs);
	printf("    %d %s\n", thread.tid, text);
	if (!tally->first[0])
		memcpy(tally->first, text, sizeof(text));
}

static void compare(const struct as_peek *p, const struct chain *c, struct tally *tally)
{
	unsigned same = 0;
	bool flagged = thread.end != AS_END_BOTTOM, guessed = false;

	while (same < c->n && same < thread.frames && c->pc[same] == thread.frame[same])
		same++;
	for (unsigned i = 0; i < thread.frames; i++) {
		const bool g = thread.flags[i] & AS_FRAME_GUESSED;

		guessed |= g;
		flagged |= g && i <= same;
	}
	tally->threads++;
	if (same == c->n && same == thread.frames) {
		tally->equal++;
		tally->guessed += guessed;
		return;
	}
	tally->differ_flagged += flagged;
	tally->differ += !flagged;
	keep_difference(p, c, same, tally);
}

static struct tally compare_process(const char *name, pid_t pid)
{
	static pid_t tids[TIDS];
	static struct chain c;
	struct tally tally = { .threads = 0 };
	unw_addr_space_t space = unw_create_addr_space(&_UPT_accessors, 0);
	struct as_peek *p = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t n = 0;

	snprintf(tally.name, sizeof(tally.name), "%s", name);
	T_EQ(as_peek_init(p, pid), 0);
	T_EQ(as_peek_refresh(p), 0);
	T_EQ(as_proc_tids(p->proc_fd, tids, TIDS, &n), 0);
	unw_set_caching_policy(space, UNW_CACHE_GLOBAL);
	for (size_t i = 0; i < n; i++) {
		if (look_twice(p, space, tids[i], &c))
			compare(p, &c, &tally);
		else
			tally.ran++;
	}
	unw_destroy_addr_space(space);
	as_peek_fini(p);
	T_OK(all->n < SUBJECTS);
	all->tally[all->n++] = tally;
	return tally;
}

/* ---- our fixture, in three builds ---------------------------------------------------------- */

static void check_fixture(const char *name)
{
	char path[256];
	const char *build = getenv("B");

	snprintf(path, sizeof(path), "%s/fixture/%s", build ? build : "build/plain", name);
	struct program prog = start((char *[]){ path, NULL });

	expect_line(&prog, "threads ");
	const struct tally tally = compare_process(name, prog.pid);

	finish(&prog);
	T_OK(tally.threads > 200);
	T_OK(tally.equal * 100 >= tally.threads * 99);
	T_EQ(tally.differ, 0);
}

TEST(chains_equal_those_of_full_registers_without_optimisation)
{
	check_fixture("stacks-O0");
}

TEST(chains_equal_those_of_full_registers_without_frame_pointers)
{
	check_fixture("stacks-O2");
}

TEST(chains_equal_those_of_full_registers_with_frame_pointers)
{
	check_fixture("stacks-fp");
}

/* ---- programs of others ---------------------------------------------------------------------- */

static void check_program(const char *name, char *const argv[], const char *ready)
{
	struct program prog = start(argv);

	expect_line(&prog, ready);
	const struct tally tally = compare_process(name, prog.pid);

	finish(&prog);
	T_OK(tally.threads);
	T_EQ(tally.differ, 0);
}

TEST(chains_equal_those_of_full_registers_in_python)
{
	check_program("python3",
		      (char *[]){ "python3", "-c",
				  "import threading, time, sys, select\n"
				  "def f(n): f(n - 1) if n else time.sleep(1000)\n"
				  "for i in range(12): threading.Thread(target=f, args=(i,), daemon=True).start()\n"
				  "q = threading.Event()\n"
				  "for i in range(3): threading.Thread(target=q.wait, daemon=True).start()\n"
				  "print('ready', flush=True)\n"
				  "select.select([sys.stdin], [], [])\n",
				  NULL },
		      "ready");
}

TEST(chains_equal_those_of_full_registers_in_redis)
{
	char path[256];
	const char *dir = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%s/redis.sock", dir ? dir : "/tmp");
	check_program("redis-server",
		      (char *[]){ "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
				  "--hz", "1", NULL },
		      "onnections");
	unlink(path);
}

/* Workers that wait below script functions: frames of the interpreter, and of compiled code. */
TEST(chains_equal_those_of_full_registers_in_node)
{
	check_program("node",
		      (char *[]){ "node", "-e",
				  "const { Worker } = require('worker_threads');\n"
				  "const code = `const { parentPort, workerData } = require('worker_threads');\n"
				  "  const word = new Int32Array(new SharedArrayBuffer(8));\n"
				  "  function hot(x) { let s = 0; for (let i = 0; i < x; i++) s += i % 7; return s; }\n"
				  "  function deep(n, ms) { return n ? deep(n - 1, ms) + hot(n) :\n"
				  "    Atomics.wait(word, 0, 0, ms) === 'ok' ? 1 : 2; }\n"
				  "  for (let i = 0; i < 3000; i++) deep(workerData, 0);\n"
				  "  parentPort.postMessage(1); deep(workerData, 1e9);`;\n"
				  "let ready = 0;\n"
				  "for (let i = 0; i < 4; i++)\n"
				  "  new Worker(code, { eval: true, workerData: 3 + 4 * i }).on('message',\n"
				  "    () => { if (++ready === 4) console.log('ready'); });\n"
				  "process.stdin.resume();\n",
				  NULL },
		      "ready");
}

TEST(chains_equal_those_of_full_registers_in_java)
{
	static const char source[] =
		"import java.util.concurrent.locks.LockSupport;\n"
		"public class Chains {\n"
		"  static int deep(int n, boolean wait) {\n"
		"    if (n > 0) return deep(n - 1, wait) + 1;\n"
		"    if (wait) LockSupport.park();\n"
		"    return 0;\n"
		"  }\n"
		"  public static void main(String[] a) throws Exception {\n"
		"    for (int i = 0; i < 30000; i++) deep(20, false);\n"
		"    final Object lock = new Object();\n"
		"    for (int i = 0; i < 12; i++) {\n"
		"      final int n = i;\n"
		"      Thread t = new Thread(() -> { try {\n"
		"        switch (n % 3) {\n"
		"        case 0: deep(n, true); break;\n"
		"        case 1: synchronized (lock) { lock.wait(); } break;\n"
		"        default: Thread.sleep(1000000); } } catch (Exception e) {} });\n"
		"      t.setDaemon(true); t.start();\n"
		"    }\n"
		"    System.out.println(\"ready\");\n"
		"    System.in.read();\n"
		"  }\n"
		"}\n";
	const char *dir = getenv("TMPDIR");
	char path[256];

	snprintf(path, sizeof(path), "%s/Chains.java", dir ? dir : "/tmp");
	FILE *f = fopen(path, "w");

	T_OK(f && fputs(source, f) >= 0 && fclose(f) == 0);
	/* no file of the virtual machine in /tmp, which is not the test's */
	check_program("java",
		      (char *[]){ "java", "-XX:-UsePerfData", "-XX:+UseSerialGC", path, NULL },
		      "ready");
	unlink(path);
}

TEST(chains_equal_those_of_full_registers_in_gdb)
{
	check_program("gdb", (char *[]){ "gdb", "-q", "-nx", "-ex", "echo ready\\n", NULL }, "ready");
}

/* ---- all together ---------------------------------------------------------------------------- */

TEST(of_a_hundred_chains_ninety_nine_are_equal_and_no_guess_is_hidden)
{
	struct tally sum = { .threads = 0 };

	if (!all->n)
		t_skip("the table is that of the tests before this one");
	printf("    %-14s %8s %6s %16s %17s %10s %5s\n", "program", "threads", "equal", "of them guessed",
	       "differ, flagged", "unflagged", "ran");
	for (unsigned i = 0; i < all->n; i++) {
		const struct tally *t = &all->tally[i];

		printf("    %-14s %8u %6u %16u %17u %10u %5u  %s\n", t->name, t->threads, t->equal, t->guessed,
		       t->differ_flagged, t->differ, t->ran, t->first);
		sum.threads += t->threads;
		sum.equal += t->equal;
		sum.guessed += t->guessed;
		sum.differ_flagged += t->differ_flagged;
		sum.differ += t->differ;
		sum.ran += t->ran;
	}
	printf("    %-14s %8u %6u %16u %17u %10u %5u  %.2f %% equal\n", "all", sum.threads, sum.equal,
	       sum.guessed, sum.differ_flagged, sum.differ, sum.ran, 100.0 * sum.equal / sum.threads);
	T_OK(sum.threads >= 300);
	T_OK(sum.equal * 100 >= sum.threads * 99);
	T_EQ(sum.differ, 0);
}
