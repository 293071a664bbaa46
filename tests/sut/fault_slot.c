#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "lib/hub/hub_fault.h"
#include "tests/sut/sut_faults.h"
#include "tests/sut/sut_peer.h"

enum { HOARD_SLOTS = 4, HOARD_BYTES = 5000000, LOST_BYTES = 5000, FULL_BYTES = 16000000 };

static atomic_bool refused;

static void work_hoard(struct sut_lane *lane, struct sut_link *link)
{
	sut_exchange(lane, link, SUT_KEEP, HOARD_BYTES, 64, 0, -1);
}

static bool has_hoarded(const struct sut_look_peer *seen)
{
	return seen->calls_pending == HOARD_SLOTS && seen->recv_waiting == 0 && seen->asleep;
}

/* The largest class: nothing lies above it to fall back on. One more caller waits for a slot. */
int inject_hoarder(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	int r = 0;

	atomic_store_explicit(&hub_faults.no_shares, 1, memory_order_relaxed);
	for (unsigned i = 0; i < HOARD_SLOTS && !r; i++)
		r = sut_caller(host, spec->peer, work_hoard, err);
	if (!r)
		r = sut_until(host, spec->peer, "holding every large slot", has_hoarded, err);
	return r ? r : sut_caller(host, spec->peer, work_hoard, err);
}

/* The largest payload that there is: nobody had pages for its end before. It tries again and
 * again, as somebody would who has something to say. */
static void work_try(struct sut_lane *lane, struct sut_link *link)
{
	while (!lane->host->stopping) {
		if (sut_exchange(lane, link, SUT_RENDER, FULL_BYTES, 64, 0, SUT_PATIENCE_MS) ==
		    -ENOSPC)
			atomic_store_explicit(&refused, true, memory_order_relaxed);
		nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
	}
}

int inject_disk_full(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	atomic_store_explicit(&hub_faults.no_space, 1, memory_order_relaxed);
	const int r = sut_caller(host, spec->peer, work_try, err);

	for (unsigned i = 0; !r && !atomic_load_explicit(&refused, memory_order_relaxed); i++)
		if (sut_pause(host, 2) || i == 5000)
			return err_set(err, -ETIMEDOUT, "nothing was refused");
	return r;
}

int inject_lost_descriptor(struct sut_host *host, const struct sut_fault_spec *spec,
			   struct err *err)
{
	hub_fault_set(spec->peer, HUB_FAULT_LOSE_DESCRIPTOR);
	const int r =
		sut_note(&host->lane[SUT_LANE_MAIN], &host->link[spec->peer], LOST_BYTES, 1000, 0);
	return r ? err_set(err, r, "cannot send (%s)", strerror(-r)) : 0;
}
