#include "lib/proc/proc_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "tests/t.h"

static const char list[] = "1: FLOCK  ADVISORY  WRITE 100 08:01:393 0 EOF\n"
			   "1: -> FLOCK  ADVISORY  WRITE 200 08:01:393 0 EOF\n"
			   "2: POSIX  ADVISORY  READ 300 08:01:394 0 9\n"
			   "3: POSIX  ADVISORY  READ 301 08:01:394 10 19\n"
			   "3: -> POSIX  ADVISORY  WRITE 200 08:01:394 12 12\n"
			   "3:  -> POSIX  ADVISORY  WRITE 201 08:01:394 12 12\n"
			   "4: OFDLCK ADVISORY  WRITE -1 08:01:395 0 EOF\n"
			   "4: -> OFDLCK ADVISORY  WRITE -1 08:01:395 0 EOF\n";

TEST(the_holder_is_the_lock_above_the_one_that_waits)
{
	T_EQ(proc_lock_parse(list, 200, 393), 100);
	T_EQ(proc_lock_parse(list, 200, 394), 301);
	T_EQ(proc_lock_parse(list, 201, 394), 301);
}

TEST(a_holder_without_a_pid_is_held_by_nobody_known)
{
	T_EQ(proc_lock_parse(list, 200, 395), 0);
}

TEST(a_waiter_not_yet_in_the_list_still_finds_who_holds_the_file)
{
	T_EQ(proc_lock_parse(list, 999, 393), 100);
}

TEST(a_lock_of_its_own_keeps_nobody_waiting)
{
	T_EQ(proc_lock_parse(list, 100, 393), -ENOENT);
	T_EQ(proc_lock_parse(list, 200, 396), -ENOENT);
	T_EQ(proc_lock_parse("", 200, 396), -ENOENT);
	T_EQ(proc_lock_parse("garbage\n5: x\n", 200, 396), -ENOENT);
}

/* ---- of the system ------------------------------------------------------------------------- */

static char path[300];
static pid_t other;

/* A child called "other" that has locked a file, by a record lock or (whole) by flock. Returns our
 * own open file of it. */
static int begin(bool whole)
{
	struct flock record = { .l_type = F_WRLCK };
	int said[2];
	char byte;

	snprintf(path, sizeof(path), "%s/file", getenv("TMPDIR"));
	const int fd = open(path, O_RDWR | O_CREAT, 0600);

	T_OK(fd >= 0);
	T_EQ(pipe(said), 0);
	other = fork();
	if (!other) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "other");
		const int own = open(path, O_RDWR);

		if (whole ? flock(own, LOCK_EX) : fcntl(own, F_SETLK, &record))
			_exit(1);
		if (write(said[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	T_EQ(read(said[0], &byte, 1), 1);
	return fd;
}

static void end(void)
{
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	unlink(path);
}

TEST(a_file_that_we_have_open_and_another_one_has_locked_is_found)
{
	struct proc_lock_other found;

	begin(false);
	T_OK(proc_lock_by_other(getpid(), &found));
	T_EQ(found.pid, other);
	T_STR(found.name, "other");
	T_STR(found.path, path);
	/* it has locked it itself */
	T_OK(!proc_lock_by_other(other, &found));
	end();
}

TEST(a_file_that_both_have_locked_keeps_nobody_from_going_on)
{
	struct flock read_lock = { .l_type = F_RDLCK, .l_start = 100, .l_len = 1 };
	struct flock record = { .l_type = F_UNLCK, .l_start = 100, .l_len = 1 };
	struct proc_lock_other found;
	const int fd = begin(true);

	T_OK(proc_lock_by_other(getpid(), &found));
	T_EQ(fcntl(fd, F_SETLK, &read_lock), 0);
	T_OK(!proc_lock_by_other(getpid(), &found));
	T_EQ(fcntl(fd, F_SETLK, &record), 0);
	T_OK(proc_lock_by_other(getpid(), &found));
	close(fd);
	T_OK(!proc_lock_by_other(getpid(), &found));
	end();
}

TEST(who_carries_the_lock_is_told_by_its_open_file)
{
	begin(true);
	T_OK(proc_lock_is_with(other, path));
	T_OK(!proc_lock_is_with(getpid(), path));
	T_OK(!proc_lock_is_with(other, "/nowhere"));
	end();
}
