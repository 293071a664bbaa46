#include "lib/proc/proc_syscall.h"

#include <stddef.h>
#include <sys/syscall.h>

#include "tests/t.h"

TEST(system_calls_have_their_names)
{
	T_STR(proc_syscall_name(SYS_epoll_wait), "epoll_wait");
	T_STR(proc_syscall_name(SYS_futex), "futex");
	T_STR(proc_syscall_name(SYS_restart_syscall), "restart_syscall");
	T_STR(proc_syscall_name(0), "read");
}

TEST(numbers_that_are_none_have_no_name)
{
	T_OK(proc_syscall_name(-1) == NULL);
	T_OK(proc_syscall_name(400) == NULL); /* a hole of the table */
	T_OK(proc_syscall_name(1 << 20) == NULL);
}
