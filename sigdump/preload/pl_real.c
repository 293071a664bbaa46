#include <dlfcn.h>

#include "sigdump/preload/pl_priv.h"

struct pl_real pl_real;

void pl_real_find(void)
{
#define PL_REAL_FIND(name, type, args) \
	pl_real.name = (type(*) args)(uintptr_t)dlsym(RTLD_NEXT, #name);
	PL_REAL(PL_REAL_FIND)
#undef PL_REAL_FIND
	pl_real_syscall = (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
}
