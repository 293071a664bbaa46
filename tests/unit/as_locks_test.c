/* Who holds a file's lock, held against a program that says it: tests/fixture/ends.c. */
#include "lib/as/as_locks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/program.h"
#include "tests/t.h"

static struct program prog;
static struct as_peek *peek;
static struct as_thread thread;
static struct as_lock lock;

/* left waits for what right holds. Returns the pid of right. */
static pid_t look(const char *mode)
{
	program_start(&prog, "ends", mode, getenv("TMPDIR"), NULL);
	program_expect(&prog, "left");
	const pid_t left = atoi(strchr(prog.line, ' '));

	program_expect(&prog, "right");
	const pid_t right = atoi(strchr(prog.line, ' '));

	program_expect(&prog, "ready");
	peek = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	T_EQ(as_peek_init(peek, left), 0);
	as_peek_thread(peek, left, &thread);
	T_OK(as_locks_wants(&thread));
	T_OK(as_locks_read(&lock, peek, &thread));
	return right;
}

static void remove_file(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/locked", getenv("TMPDIR"));
	unlink(path);
}

static void end(void)
{
	as_peek_fini(peek);
	program_end(&prog);
	remove_file();
}

static void expect(const char *kind, pid_t holder, const char *name)
{
	T_STR(lock.kind, kind);
	T_OK(lock.is_exact);
	T_EQ(lock.n, 1);
	T_EQ(lock.holders, 1);
	T_EQ(lock.holder[0].pid, holder);
	T_STR(lock.holder[0].comm, name);
}

TEST(the_holder_of_a_flock_is_the_process_that_took_it)
{
	const pid_t right = look("flock");

	expect("FLOCK", right, "right");
	T_EQ(lock.holder[0].state, 'S');
	end();
}

TEST(the_holder_of_a_record_lock_is_the_process_that_took_it)
{
	const pid_t right = look("posix");

	expect("POSIX", right, "right");
	end();
}

TEST(the_lock_of_an_open_file_description_names_no_process)
{
	look("ofd");
	expect("OFDLCK", 0, "");
	T_EQ(lock.holder[0].state, '?');
	end();
}

TEST(a_thread_in_another_call_wants_no_lock)
{
	thread.nr = 0;
	T_OK(!as_locks_wants(&thread));
}
