// Files that tests read: the checkout's own, and test vectors of others, which are kept outside of
// it under their own licences. Tests that read those skip where their folder is absent.
#pragma once

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "wire/sse/sse_parser.h"

namespace seekroute::testing {

// A file of the checkout, by its path from the root; empty where absent.
std::string ReadSource(std::string_view path);

// The folder named by SEEKROUTE_SHARED, else `shared` beside the checkout; empty where absent.
std::string SharedFolder();

// Every file of a folder below corpora/, by name; empty where absent.
struct CorpusFile {
  std::string name;
  std::string bytes;
};
std::vector<CorpusFile> ReadCorpus(std::string_view folder);

// One byte stream and the events it makes.
struct SseVector {
  std::string name;
  std::string input;
  std::vector<SseEvent> expected;
};
std::vector<SseVector> ReadSseVectors();

// What a scripted upstream sends and what the client must then see.
struct UpstreamScenario {
  std::string id;
  bool stream = false;
  bool has_head = false;
  int status = 0;
  std::string content_encoding;
  std::string bytes;  // all it sends, pauses left out
  std::string client;
};
std::vector<UpstreamScenario> ReadUpstreamScenarios();

// Calls feed(piece) for the pieces of `bytes`: whole, one byte at a time, and cut at random by a
// fixed seed. `restart` is called before each round with its name.
template <typename Restart, typename Feed, typename Done>
void ForEachCutting(std::string_view bytes, int random_rounds, Restart restart, Feed feed,
                    Done done) {
  restart(std::string("whole"));
  feed(bytes);
  done();
  restart(std::string("byte at a time"));
  for (size_t i = 0; i < bytes.size(); ++i) feed(bytes.substr(i, 1));
  done();
  std::mt19937 random(20240229);
  for (int round = 0; round < random_rounds; ++round) {
    restart("random round " + std::to_string(round));
    for (size_t at = 0; at < bytes.size();) {
      // Mostly short pieces, some long: both ends of the parser's paths.
      const size_t longest = random() % 4 == 0 ? 4096 : 16;
      const size_t size = std::min(bytes.size() - at, 1 + random() % longest);
      feed(bytes.substr(at, size));
      at += size;
    }
    done();
  }
}

}  // namespace seekroute::testing
