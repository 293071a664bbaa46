/*
 * The peer of the live-host fuzzer: sound code in memory that is not. Not instrumented, so that
 * it starts in a millisecond; it may crash as it likes.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/hub/shmhub.h"
#include "tests/fuzz/hub_live.h"

static struct shmhub_peer *me;

static void echo(struct shmhub_request *r, void *arg)
{
	(void)arg;
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

static void ignore(void *arg, int result, struct shmhub_msg *reply)
{
	(void)arg;
	(void)result;
	(void)reply;
}

/* Calls and notifies the host; as large as its own request was. */
static void talk(struct shmhub_request *r, void *arg)
{
	const void *data = shmhub_request_data(r);
	const size_t n = shmhub_request_len(r);

	(void)arg;
	shmhub_peer_notify(me, FUZZ_NOTE, data, n, 10, SHMHUB_NOWAIT);
	shmhub_peer_call_async(me, FUZZ_ECHO, data, n, 20, SHMHUB_NOWAIT, ignore, NULL, NULL);
	shmhub_reply(r, 0, NULL, 0);
}

/* Answers in frames: as many as it has credit for. */
static void stream(struct shmhub_request *r, void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		if (shmhub_reply_part(r, "part", 4))
			break;
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

int main(int argc, char **argv)
{
	struct shmhub_peer_config config = { .size = sizeof(config) };

	if (shmhub_peer_args(&argc, argv, &config, NULL) ||
	    shmhub_peer_attach(&config, &me, NULL))
		return 1;
	shmhub_peer_handle(me, FUZZ_ECHO, NULL, echo, NULL);
	shmhub_peer_handle(me, FUZZ_TALK, NULL, talk, NULL);
	shmhub_peer_handle(me, FUZZ_STREAM, NULL, stream, NULL);
	return shmhub_peer_run(me) ? 1 : 0;
}
