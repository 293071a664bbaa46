/*
 * words_uv - the peer in a libuv loop, beside a timer.
 *
 * libuv runs prepare handles, then asks how long it may sleep, polls, then runs check handles:
 * just the three places. When there is work already, an idle handle keeps it from sleeping; when
 * a call's deadline comes first, a timer ends the sleep.
 */
#include <errno.h>
#include <stdio.h>
#include <uv.h>

#include "words.h"

static struct shmhub_peer *peer;
static uv_loop_t *loop;
static uv_poll_t bell;
static uv_prepare_t before;
static uv_check_t after;
static uv_idle_t awake;
static uv_timer_t alarm_clock, own;
static unsigned long ticks;
static int why;

static void on_bell(uv_poll_t *handle, int status, int events)
{
	(void)handle, (void)status, (void)events; /* it only ends the sleep: see on_after() */
}

static void on_awake(uv_idle_t *handle)
{
	(void)handle;
}

static void on_alarm(uv_timer_t *handle)
{
	(void)handle;
}

static void on_tick(uv_timer_t *handle)
{
	(void)handle;
	ticks++;
}

static void on_before(uv_prepare_t *handle)
{
	const int ms = shmhub_peer_prepare(peer);

	(void)handle;
	if (ms == 0)
		uv_idle_start(&awake, on_awake);
	else
		uv_idle_stop(&awake);
	if (ms > 0) {
		uv_update_time(loop);
		uv_timer_start(&alarm_clock, on_alarm, (uint64_t)ms, 0);
	} else {
		uv_timer_stop(&alarm_clock);
	}
}

static void on_after(uv_check_t *handle)
{
	(void)handle;
	why = shmhub_peer_check(peer);
	if (!why)
		why = shmhub_peer_drain(peer, 64);
	if (why < 0)
		uv_stop(loop);
}

int main(int argc, char **argv)
{
	peer = words_attach(argc, argv);
	loop = uv_default_loop();
	uv_poll_init(loop, &bell, shmhub_peer_fd(peer));
	uv_prepare_init(loop, &before);
	uv_check_init(loop, &after);
	uv_idle_init(loop, &awake);
	uv_timer_init(loop, &alarm_clock);
	uv_timer_init(loop, &own);
	if (uv_poll_start(&bell, UV_READABLE, on_bell) || uv_prepare_start(&before, on_before) ||
	    uv_check_start(&after, on_after) || uv_timer_start(&own, on_tick, 100, 100))
		return fprintf(stderr, "words_uv: the loop does not take its handles\n"), 1;
	uv_run(loop, UV_RUN_DEFAULT);
	printf("words: %s of my own timer\n", ticks ? "ticks" : "no tick");
	uv_poll_stop(&bell); /* before its descriptor is closed */
	return words_end(peer, why);
}
