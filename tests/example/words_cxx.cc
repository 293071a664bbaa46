/* words_cxx - the peer in C++17, with what C++ has: containers, exceptions that stay inside. */
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "words.h"

namespace {

struct Reader : shmhub_reader {
	explicit Reader(const void *data, size_t len) { shmhub_reader_init(this, data, len); }
	std::string str()
	{
		size_t len;
		const void *data = shmhub_get_bytes(this, &len);

		return data ? std::string(static_cast<const char *>(data), len) : std::string();
	}
	void end() const
	{
		if (const int e = shmhub_reader_end(this))
			throw std::runtime_error(std::strerror(-e));
	}
};

class Words {
public:
	explicit Words(const shmhub_peer_config &config)
	{
		shmhub_error error;

		if (shmhub_peer_attach(&config, &peer_, &error))
			throw std::runtime_error(error.text);
		handle(WORDS_ADD, "add", [](Words &w, shmhub_request *r) { w.add(r); });
		handle(WORDS_COUNT, "count", [](Words &w, shmhub_request *r) { w.count(r); });
		handle(WORDS_LIST, "list", [](Words &w, shmhub_request *r) { w.list(r); });
	}
	~Words() { shmhub_peer_detach(peer_); }
	Words(const Words &) = delete;
	Words &operator=(const Words &) = delete;

	int run() { return shmhub_peer_run(peer_); }

private:
	using Method = void (*)(Words &, shmhub_request *);
	struct Entry {
		Words *words;
		Method method;
	};
	struct Question {
		Words *words;
		shmhub_request *request;
	};

	void handle(unsigned method, const char *name, Method fn)
	{
		entries_.push_back(std::make_unique<Entry>(Entry{ this, fn }));
		shmhub_peer_handle(peer_, method, name, &Words::enter, entries_.back().get());
	}
	/* No exception may leave through the library, which is C. */
	static void enter(shmhub_request *request, void *arg)
	{
		auto *entry = static_cast<Entry *>(arg);

		try {
			entry->method(*entry->words, request);
		} catch (const std::exception &e) {
			std::fprintf(stderr, "words: %s\n", e.what());
			shmhub_reply(request, -22, nullptr, 0);
		}
	}

	void add(shmhub_request *request)
	{
		Reader r(shmhub_request_data(request), shmhub_request_len(request));
		std::vector<std::string> all(shmhub_get_array(&r, 1)); /* bounded by the payload */

		for (auto &word : all)
			word = r.str();
		r.end();
		for (const auto &word : all)
			++table_[word];
		shmhub_reply(request, 0, nullptr, 0);
	}

	void count(shmhub_request *request)
	{
		auto *question = new Question{ this, request };
		const int error = shmhub_peer_call_async(
			peer_, WORDS_BASE, shmhub_request_data(request), shmhub_request_len(request),
			5000, 0, &Words::counted, question, nullptr);

		if (!error) {
			shmhub_request_defer(request);
			return;
		}
		delete question;
		shmhub_reply(request, error, nullptr, 0);
	}
	static void counted(void *arg, int result, shmhub_msg *reply)
	{
		const std::unique_ptr<Question> question(static_cast<Question *>(arg));
		unsigned char room[SHMHUB_NUMBER_MAX];
		size_t len = 0;

		if (!result && !(result = reply->status)) {
			Reader r(reply->data, reply->len);
			const auto found = question->words->table_.find(r.str());
			shmhub_writer w;

			shmhub_writer_init(&w, room, sizeof(room));
			shmhub_put_u64(&w, found == question->words->table_.end() ? 0 : found->second);
			result = shmhub_writer_end(&w, &len);
		}
		shmhub_reply(question->request, result, room, len);
	}

	void list(shmhub_request *request)
	{
		std::vector<unsigned char> room;
		shmhub_writer w;
		size_t len = 0;

		do { /* the first round measures */
			room.resize(len);
			shmhub_writer_init(&w, room.data(), room.size());
			shmhub_put_array(&w, table_.size());
			for (const auto &[word, n] : table_) {
				shmhub_put_bytes(&w, word.data(), word.size());
				shmhub_put_u64(&w, n);
			}
		} while (shmhub_writer_end(&w, &len));
		shmhub_reply(request, 0, room.data(), len);
	}

	shmhub_peer *peer_ = nullptr;
	std::vector<std::unique_ptr<Entry>> entries_;
	std::map<std::string, uint64_t> table_;
};

} // namespace

int main(int argc, char **argv)
{
	shmhub_peer_config config{};
	shmhub_error error;

	config.size = sizeof(config);
	if (shmhub_peer_args(&argc, argv, &config, &error)) {
		std::fprintf(stderr, "words: %s\n", error.text);
		return 1;
	}
	try {
		Words words(config);
		const int why = words.run();

		std::printf(why ? "words: the host is gone\n" : "words: told to leave\n");
		return why ? WORDS_HOST_GONE : 0;
	} catch (const std::exception &e) {
		std::fprintf(stderr, "words: %s\n", e.what());
		return 1;
	}
}
