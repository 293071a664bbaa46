#include "lib/proc/proc_lock.h"

#include <errno.h>

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
