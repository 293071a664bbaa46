/* Calls between a host and peers that are forks of the test. */
#include "tests/t.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/hub/shmhub.h"

enum { ECHO = 1 };

static void echo(struct shmhub_request *r, void *arg)
{
	(void)arg;
	shmhub_reply(r, 0, shmhub_request_data(r), shmhub_request_len(r));
}

static int echo_peer(const struct shmhub_peer_config *config, void *arg)
{
	struct shmhub_error error;
	struct shmhub_peer *peer;

	(void)arg;
	if (shmhub_peer_attach(config, &peer, &error)) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	shmhub_peer_handle(peer, ECHO, "echo", echo, NULL);
	const int r = shmhub_peer_run(peer);

	shmhub_peer_detach(peer);
	return r ? 2 : 0;
}

static struct shmhub *create(const char *name)
{
	struct shmhub_config config;
	struct shmhub_error error;
	struct shmhub *hub;

	shmhub_config_init(&config);
	config.name = name;
	if (shmhub_create(&config, &hub, &error))
		T_FAIL("%s", error.text);
	return hub;
}

static unsigned spawn(struct shmhub *hub, int (*child)(const struct shmhub_peer_config *, void *))
{
	const struct shmhub_spawn s = { .size = sizeof(s), .name = "echo", .child = child };
	struct shmhub_error error;
	unsigned peer;

	if (shmhub_spawn(hub, &s, &peer, &error))
		T_FAIL("%s", error.text);
	return peer;
}

TEST(an_answer_is_what_the_handler_gave)
{
	char name[64];

	snprintf(name, sizeof(name), "t-call-%d", getpid());
	struct shmhub *hub = create(name);
	const unsigned peer = spawn(hub, echo_peer);
	struct shmhub_msg reply;

	for (int i = 0; i < 1000; i++) {
		T_EQ(shmhub_call(hub, peer, ECHO, &i, sizeof(i), 5000, &reply), 0);
		T_EQ(reply.len, sizeof(i));
		T_EQ(memcmp(reply.data, &i, sizeof(i)), 0);
		T_EQ(reply.status, 0);
		shmhub_msg_release(&reply);
	}
	shmhub_destroy(hub, 2000);
}
