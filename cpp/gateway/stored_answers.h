// Answers that are given again to who repeats a request under its Idempotency-Key.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/digest.h"
#include "gateway/outlet.h"

namespace seekroute {

// A larger one is not kept: repeated, it is told as completed.
inline constexpr size_t kMaxStoredAnswerBytes = size_t{1} << 20;

// As the first client got it.
struct StoredAnswer {
  std::string generation_id;
  ResponseHead head;
  std::string body;
};

struct MacHash {
  size_t operator()(const Mac& mac) const;
};

// In memory, of at most `max_bytes` (heads and bodies): the oldest go first. Not thread-safe.
class StoredAnswers {
 public:
  explicit StoredAnswers(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Does nothing for one that is larger than kMaxStoredAnswerBytes, or than all that may be kept.
  void Put(const Mac& name, std::shared_ptr<const StoredAnswer> answer);
  // Null: none.
  std::shared_ptr<const StoredAnswer> Find(const Mac& name) const;
  void Erase(const Mac& name);

  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    Mac name;
    std::shared_ptr<const StoredAnswer> answer;
    size_t size;
  };
  using Entries = std::list<Entry>;  // oldest first

  void Erase(Entries::iterator entry);

  const size_t max_bytes_;
  size_t bytes_ = 0;
  Entries entries_;
  std::unordered_map<Mac, Entries::iterator, MacHash> index_;
};

// What one client is sent, gathered until it is complete. Gives up past kMaxStoredAnswerBytes.
class AnswerRecorder {
 public:
  void Head(const ResponseHead& head) { answer_.head = head; }
  void Body(std::string_view bytes);
  // The whole answer; null if it was too long. Once.
  std::shared_ptr<const StoredAnswer> Finish(const std::string& generation_id);

 private:
  StoredAnswer answer_;
  bool too_long_ = false;
};

}  // namespace seekroute
