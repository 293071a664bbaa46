#include "lib/hub/hub_fault.h"

#ifdef SHMHUB_FAULTS

#include <errno.h>

struct hub_faults hub_faults;

bool hub_fault(unsigned peer, uint32_t bit)
{
	if (peer >= HUB_FAULT_PEERS)
		return false;
	_Atomic uint32_t *word = &hub_faults.peer[peer];

	/* relaxed: a switch; nothing is read on its account */
	if (!(atomic_load_explicit(word, memory_order_relaxed) & bit))
		return false;
	if (!(bit & HUB_FAULT_ONCE))
		return true;
	/* relaxed: only one of those who come at once may find the bit set */
	if (!(atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed) & bit))
		return false;
	/* relaxed: a lone counter */
	atomic_fetch_add_explicit(&hub_faults.happened, 1, memory_order_relaxed);
	return true;
}

void hub_fault_set(unsigned peer, uint32_t bits)
{
	/* relaxed: a switch */
	atomic_fetch_or_explicit(&hub_faults.peer[peer], bits, memory_order_relaxed);
}

void hub_fault_clear(unsigned peer, uint32_t bits)
{
	/* relaxed: a switch */
	atomic_fetch_and_explicit(&hub_faults.peer[peer], ~bits, memory_order_relaxed);
}

bool hub_fault_is(const _Atomic uint32_t *fault)
{
	/* relaxed: a switch */
	return atomic_load_explicit(fault, memory_order_relaxed) != 0;
}

void hub_step(const char *label)
{
	if (hub_faults.step)
		hub_faults.step(label);
}

void hub_slept(long result)
{
	if (result < 0 && errno == EINTR && hub_faults.interrupted)
		/* relaxed: a lone counter */
		atomic_fetch_add_explicit(hub_faults.interrupted, 1, memory_order_relaxed);
}

#endif
