/*
 * words_host - the host: starts PROGRAM as its peer, sends it words from four threads, and holds
 * what it says against its own count.
 *
 *	words_host HUB PROGRAM          ends in order; exit 0 when all was right
 *	words_host HUB PROGRAM --die    at the end kills itself without a word
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "words.h"

enum {
	THREADS = 4,
	MESSAGES = 2500, /* of each thread */
	VOCABULARY = 500,
	LONG_EVERY = 100, /* such a message has so many words: */
	LONG = 2000,      /*   some 10 KB, in a slot */
	LONGEST = 40000,  /*   some 200 KB, read in place */
	COUNTS = 100,     /* calls of each thread */
};

static struct shmhub *hub;
static unsigned peer;
static uint64_t sent[VOCABULARY]; /* how often each word was sent, by all threads */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void must(int result, const char *what)
{
	if (result == 0)
		return;
	fprintf(stderr, "words_host: %s: %s\n", what, strerror(-result));
	exit(1);
}

/* Answers with the word in lower case. Runs on one of the hub's threads. */
static void base(struct shmhub_request *request, void *arg)
{
	unsigned char room[WORDS_TEXT + SHMHUB_NUMBER_MAX];
	char text[WORDS_TEXT];
	struct shmhub_reader r;
	struct shmhub_writer w;
	size_t len;

	(void)arg;
	shmhub_reader_init(&r, shmhub_request_data(request), shmhub_request_len(request));
	shmhub_get_str(&r, text, sizeof(text));
	for (char *p = text; *p; p++)
		*p = (char)tolower(*p);
	shmhub_writer_init(&w, room, sizeof(room));
	shmhub_put_str(&w, text);
	shmhub_writer_end(&w, &len);
	shmhub_reply(request, shmhub_reader_end(&r), room, len);
}

static void word_of(char text[WORDS_TEXT], unsigned i)
{
	snprintf(text, WORDS_TEXT, "w%u", i);
}

static void send_words(const unsigned *word, size_t words)
{
	char text[WORDS_TEXT];
	struct shmhub_writer w;
	struct shmhub_buf buf;
	size_t len;

	must(shmhub_reserve(hub, peer, words * 8 + 16, 10000, &buf), "reserve");
	shmhub_writer_init(&w, buf.data, buf.size);
	shmhub_put_array(&w, words);
	for (size_t i = 0; i < words; i++) {
		word_of(text, word[i]);
		shmhub_put_str(&w, text);
	}
	must(shmhub_writer_end(&w, &len), "write");
	must(shmhub_notify_buf(hub, WORDS_ADD, &buf, len, 10000, 0), "notify");
}

static void *sender(void *arg)
{
	unsigned seed = 1 + (unsigned)(size_t)arg;
	unsigned *word = calloc(LONGEST, sizeof(*word));
	uint64_t mine[VOCABULARY] = { 0 };

	for (unsigned m = 0; word && m < MESSAGES; m++) {
		const size_t words = m == MESSAGES / 2 ? LONGEST
				   : m % LONG_EVERY == 0 ? LONG
				   : (size_t)rand_r(&seed) % 3 + 1;

		for (size_t i = 0; i < words; i++) {
			word[i] = (unsigned)rand_r(&seed) % VOCABULARY;
			mine[word[i]]++;
		}
		send_words(word, words);
	}
	free(word);
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < VOCABULARY; i++)
		sent[i] += mine[i];
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* Asks for words in upper case: to answer, the peer asks the host back. */
static uint64_t ask(unsigned i)
{
	unsigned char room[WORDS_TEXT + SHMHUB_NUMBER_MAX];
	char text[WORDS_TEXT];
	struct shmhub_writer w;
	struct shmhub_reader r;
	struct shmhub_msg reply;
	size_t len;

	word_of(text, i);
	text[0] = 'W';
	shmhub_writer_init(&w, room, sizeof(room));
	shmhub_put_str(&w, text);
	must(shmhub_writer_end(&w, &len), "write");
	must(shmhub_call(hub, peer, WORDS_COUNT, room, len, 10000, &reply), "call");
	must(reply.status, "answer");
	shmhub_reader_init(&r, reply.data, reply.len);
	const uint64_t n = shmhub_get_u64(&r);

	must(shmhub_reader_end(&r), "read");
	shmhub_msg_release(&reply);
	return n;
}

static void *asker(void *arg)
{
	unsigned seed = 100 + (unsigned)(size_t)arg;

	for (unsigned k = 0; k < COUNTS; k++) {
		const unsigned i = (unsigned)rand_r(&seed) % VOCABULARY;
		const uint64_t n = ask(i);

		if (n == sent[i])
			continue;
		fprintf(stderr, "words_host: w%u was sent %llu times, counted %llu times\n", i,
			(unsigned long long)sent[i], (unsigned long long)n);
		exit(1);
	}
	return NULL;
}

static void in_threads(void *(*fn)(void *arg))
{
	pthread_t thread[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		must(-pthread_create(&thread[i], NULL, fn, (void *)i), "thread");
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void check_list(void)
{
	struct shmhub_reader r;
	struct shmhub_msg reply;
	char text[WORDS_TEXT];
	unsigned wrong = 0;

	must(shmhub_call(hub, peer, WORDS_LIST, NULL, 0, 10000, &reply), "list");
	shmhub_reader_init(&r, reply.data, reply.len);
	const size_t n = shmhub_get_array(&r, 2);

	for (size_t i = 0; i < n; i++) {
		shmhub_get_str(&r, text, sizeof(text));
		const unsigned long k = strtoul(text + 1, NULL, 10);

		wrong += k >= VOCABULARY || shmhub_get_u64(&r) != sent[k];
	}
	must(shmhub_reader_end(&r), "read the list");
	shmhub_msg_release(&reply);
	if (n != VOCABULARY || wrong) {
		fprintf(stderr, "words_host: %zu words, %u with a wrong count\n", n, wrong);
		exit(1);
	}
	printf("words_host: %u messages, every word counted\n", THREADS * MESSAGES);
}

/* Nanoseconds of CPU that a process has used. */
static uint64_t cpu_ns(int pid)
{
	struct timespec t = { 0, 0 };
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		must(-errno, "CPU clock of the peer");
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* With nothing to do the peer must not run: a loop that polls would use all of this second. */
static void check_idle(int pid)
{
	const struct timespec second = { 1, 0 };
	const uint64_t before = cpu_ns(pid);

	nanosleep(&second, NULL);
	const uint64_t used = cpu_ns(pid) - before;

	if (used > 50000000) {
		fprintf(stderr, "words_host: the idle peer used %.1f ms CPU of a second\n",
			(double)used / 1e6);
		exit(1);
	}
	printf("words_host: the idle peer sleeps\n");
}

int main(int argc, char **argv)
{
	struct shmhub_spawn spawn = { .size = sizeof(spawn), .name = "words" };
	struct shmhub_peer_info info = { .size = sizeof(info) };
	struct shmhub_config config;
	struct shmhub_error error;

	if (argc < 3)
		return fprintf(stderr, "usage: words_host HUB PROGRAM [--die]\n"), 2;
	shmhub_config_init(&config);
	config.path = argv[1];
	spawn.path = argv[2];
	spawn.argv = (char *[]){ argv[2], NULL };
	if (shmhub_create(&config, &hub, &error))
		return fprintf(stderr, "%s\n  next: %s\n", error.text, error.next), 1;
	must(shmhub_handle(hub, WORDS_BASE, "base", base, NULL), "handle");
	if (shmhub_spawn(hub, &spawn, &peer, &error))
		return fprintf(stderr, "%s\n  next: %s\n", error.text, error.next), 1;
	in_threads(sender);
	check_list();
	in_threads(asker);
	must(shmhub_peer_get(hub, peer, &info), "the peer");
	check_idle(info.pid);
	ask(7); /* it wakes up again */
	fflush(stdout);
	if (argc > 3)
		kill(getpid(), SIGKILL);
	must(shmhub_stop(hub, peer, 10000), "stop");
	must(shmhub_peer_get(hub, peer, &info), "the peer");
	if (info.exit_status != 0)
		return fprintf(stderr, "words_host: the peer ended with status 0x%x\n",
			       (unsigned)info.exit_status), 1;
	shmhub_destroy(hub, 1000);
	return 0;
}
