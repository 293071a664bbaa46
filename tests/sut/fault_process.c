#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/hub/hub_fault.h"
#include "tests/sut/sut_faults.h"
#include "tests/sut/sut_peer.h"

enum { PILE = 6, KEPT = 4, IN_FLIGHT = 4, KEPT_BYTES = 200000 };

static char process_state(pid_t pid)
{
	char path[64], line[512] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return '?';
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	const char *end = strrchr(line, ')');
	return end && end[1] ? end[2] : '?';
}

static bool is_idle(const struct sut_look_peer *seen)
{
	return seen->recv_waiting == 0 && seen->send_waiting == 0 && seen->asleep;
}

static bool is_behind(const struct sut_look_peer *seen)
{
	return seen->recv_waiting > PILE;
}

int inject_stopped_peer(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	const pid_t pid = sut_peer_pid(host, spec->peer);
	int r = sut_until(host, spec->peer, "idle", is_idle, err);

	if (r)
		return r;
	if (kill(pid, SIGSTOP) != 0)
		return err_set(err, -errno, "cannot stop %d (%m)", (int)pid);
	while (process_state(pid) != 'T')
		if (sut_pause(host, 1))
			return err_set(err, -ECANCELED, "told to stop");
	r = sut_pile(host, spec->peer, PILE, err);
	if (!r)
		r = sut_caller(host, spec->peer, sut_work_call, err);
	return r ? r : sut_until(host, spec->peer, "behind with its ring", is_behind, err);
}

/* ---- killed-peer ------------------------------------------------------------------------ */

static void work_keep(struct sut_lane *lane, struct sut_link *link)
{
	sut_exchange(lane, link, SUT_KEEP, KEPT_BYTES, 64, 0, -1);
}

static int keep(struct sut_host *host, unsigned peer, unsigned n, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < n && !r; i++)
		r = sut_caller(host, peer, work_keep, err);
	return r;
}

/* A call counts as pending before it is in the ring: its slot tells that it has arrived. */
static bool has_kept(const struct sut_look_peer *seen)
{
	return seen->slots == KEPT && seen->recv_waiting == 0 && seen->asleep;
}

static bool has_more_coming(const struct sut_look_peer *seen)
{
	/* credit for notes may lie there too */
	return seen->slots == KEPT + IN_FLIGHT && seen->recv_waiting >= IN_FLIGHT;
}

static bool is_dead(const struct sut_look_peer *seen)
{
	return seen->state == HUB_PEER_DEAD;
}

/*
 * Some payloads are held by the peer, some lie in flight to it (it is made to sit still for
 * that); then it is killed, and nothing is taken back.
 */
int inject_killed_peer(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
{
	const unsigned peer = spec->peer;
	int r = keep(host, peer, KEPT, err);

	if (!r)
		r = sut_until(host, peer, "holding slots", has_kept, err);
	if (!r)
		r = sut_tell(host, spec, err);
	if (!r)
		r = keep(host, peer, IN_FLIGHT, err);
	if (!r)
		r = sut_until(host, peer, "behind with its ring", has_more_coming, err);
	if (r)
		return r;
	hub_fault_set(peer, HUB_FAULT_NO_RECLAIM);
	kill(sut_peer_pid(host, peer), SIGKILL);
	return sut_until(host, peer, "dead", is_dead, err);
}

void act_killed_peer(struct sut_peer *peer, const struct sut_fault_spec *spec)
{
	act_frozen_beat(peer, spec);
}
