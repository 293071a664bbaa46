#include "lib/proc/proc_ident.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/t.h"

TEST(boot_id_host_and_pid_namespace_are_told)
{
	char id[PROC_BOOT_ID], again[PROC_BOOT_ID], name[PROC_HOSTNAME], want[256];
	uint64_t inode = 0, parents = 0;

	T_EQ(proc_boot_id(id, NULL), 0);
	T_EQ(proc_boot_id(again, NULL), 0);
	T_STR(id, again);
	T_EQ(strspn(id, "0123456789abcdef-"), PROC_BOOT_ID - 1);
	proc_hostname(name);
	gethostname(want, sizeof(want));
	T_STR(name, want);
	T_EQ(proc_pidns(0, &inode, NULL), 0);
	T_EQ(proc_pidns(getppid(), &parents, NULL), 0);
	T_OK(inode != 0);
	T_EQ(inode, parents);
}

TEST(the_namespace_of_nobody_is_not_told)
{
	uint64_t inode = 5;
	struct err err;

	T_EQ(proc_pidns(0x3fffffff, &inode, &err), -ESRCH);
	T_STR(err.text, "pid 1073741823: no such process");
	T_EQ(inode, 5);
}
