/* words - the peer's handlers, without any loop. */
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096 };

static struct word {
	char text[WORDS_TEXT];
	uint64_t count;
} table[ROOM];
static size_t words;

static struct shmhub_peer *self;

/* The entry of a word, or the free one where it belongs. */
static struct word *find(const char *text)
{
	uint32_t hash = 2166136261u;

	for (const char *p = text; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	while (table[hash % ROOM].text[0] && strcmp(table[hash % ROOM].text, text) != 0)
		hash++;
	return &table[hash % ROOM];
}

static void add(struct shmhub_request *request, void *arg)
{
	struct shmhub_reader r;
	char text[WORDS_TEXT];

	(void)arg;
	shmhub_reader_init(&r, shmhub_request_data(request), shmhub_request_len(request));
	for (size_t n = shmhub_get_array(&r, 1); n && !r.error; n--) {
		if (!shmhub_get_str(&r, text, sizeof(text)) || words == ROOM - 1)
			continue;
		struct word *w = find(text);

		if (!w->text[0]) {
			strcpy(w->text, text);
			words++;
		}
		w->count++;
	}
	if (shmhub_reader_end(&r))
		fprintf(stderr, "words: an ADD makes no sense: %s\n", strerror(-shmhub_reader_end(&r)));
	shmhub_reply(request, 0, NULL, 0); /* a notification: this ends it, nothing is sent */
}

/* The host has told the base form: now the call that waits for it can be answered. */
static void counted(void *arg, int result, struct shmhub_msg *reply)
{
	struct shmhub_request *request = arg;
	unsigned char room[SHMHUB_NUMBER_MAX];
	char text[WORDS_TEXT];
	struct shmhub_reader r;
	struct shmhub_writer w;
	size_t len;

	if (result || reply->status) {
		shmhub_reply(request, result ? result : reply->status, NULL, 0);
		return;
	}
	shmhub_reader_init(&r, reply->data, reply->len);
	shmhub_get_str(&r, text, sizeof(text));
	shmhub_writer_init(&w, room, sizeof(room));
	shmhub_put_u64(&w, find(text)->count);
	result = shmhub_reader_end(&r);
	shmhub_writer_end(&w, &len);
	shmhub_reply(request, result, room, result ? 0 : len);
}

/* A handler of a peer must not wait for the host: it asks, and answers when it was told. */
static void count(struct shmhub_request *request, void *arg)
{
	const int error = shmhub_peer_call_async(self, WORDS_BASE, shmhub_request_data(request),
						 shmhub_request_len(request), 5000, 0, counted,
						 request, NULL);

	(void)arg;
	if (error)
		shmhub_reply(request, error, NULL, 0);
	else
		shmhub_request_defer(request);
}

static void put_list(struct shmhub_writer *w)
{
	shmhub_put_array(w, words);
	for (size_t i = 0; i < ROOM; i++) {
		if (!table[i].text[0])
			continue;
		shmhub_put_str(w, table[i].text);
		shmhub_put_u64(w, table[i].count);
	}
}

/* Measured first, then written straight into the slot that travels. */
static void list(struct shmhub_request *request, void *arg)
{
	struct shmhub_buf buf;
	struct shmhub_writer w;
	size_t len;

	(void)arg;
	shmhub_writer_init(&w, NULL, 0);
	put_list(&w);
	shmhub_writer_end(&w, &len);
	const int error = shmhub_reply_reserve(request, len, 1000, &buf);

	if (error) {
		shmhub_reply(request, error, NULL, 0);
		return;
	}
	shmhub_writer_init(&w, buf.data, buf.size);
	put_list(&w);
	shmhub_reply_buf(request, shmhub_writer_end(&w, &len), &buf, len);
}

struct shmhub_peer *words_attach(int argc, char **argv)
{
	struct shmhub_peer_config config = { .size = sizeof(config) };
	struct shmhub_error error;

	if (shmhub_peer_args(&argc, argv, &config, &error) ||
	    shmhub_peer_attach(&config, &self, &error)) {
		fprintf(stderr, "words: %s\n  next: %s\n", error.text, error.next);
		exit(1);
	}
	shmhub_peer_handle(self, WORDS_ADD, "add", add, NULL);
	shmhub_peer_handle(self, WORDS_COUNT, "count", count, NULL);
	shmhub_peer_handle(self, WORDS_LIST, "list", list, NULL);
	return self;
}

int words_end(struct shmhub_peer *peer, int why)
{
	shmhub_peer_detach(peer);
	if (why == -EOWNERDEAD)
		printf("words: the host is gone\n");
	else if (why == 0 || why == -ESHUTDOWN) /* shmhub_peer_run(), shmhub_peer_drain() */
		printf("words: told to leave\n");
	else
		printf("words: %s\n", strerror(-why));
	fflush(stdout);
	return why == -EOWNERDEAD ? WORDS_HOST_GONE : why && why != -ESHUTDOWN;
}
