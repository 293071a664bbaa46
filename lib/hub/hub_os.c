#include "lib/hub/hub_os.h"

static __thread uint32_t tid;

uint32_t hub_tid(void)
{
	if (!tid)
		tid = (uint32_t)syscall(SYS_gettid);
	return tid;
}

void hub_tid_forget(void)
{
	tid = 0;
}
