// What the load generator reads of a stream.
#pragma once

#include <string>
#include <string_view>

#include "http.h"
#include "net.h"

namespace seekroute::bench {

// Cuts the bytes of one event stream into lines, counts the upstream's content chunks, and sees the
// end. Not thread-safe.
class SseCounter {
 public:
  // Calls chunk(int64_t sent_ns) with the time the upstream stamped into each content chunk.
  template <typename Chunk>
  void Feed(std::string_view bytes, Chunk&& chunk) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      if (end == std::string_view::npos) {
        if (line_.size() + bytes.size() <= kMaxLine) line_.append(bytes);
        return;
      }
      if (line_.empty()) {
        TakeLine(bytes.substr(0, end), chunk);
      } else {
        line_.append(bytes.substr(0, end));
        TakeLine(line_, chunk);
        line_.clear();
      }
      bytes.remove_prefix(end + 1);
    }
  }

  void Reset() { *this = SseCounter(); }

  int64_t chunks() const { return chunks_; }
  bool saw_usage() const { return saw_usage_; }
  bool saw_done() const { return saw_done_; }

 private:
  static constexpr std::size_t kMaxLine = 65536;

  template <typename Chunk>
  void TakeLine(std::string_view line, Chunk&& chunk) {
    if (!line.starts_with("data:")) return;
    const std::size_t mark = line.find("@@");
    if (mark != std::string_view::npos) {
      const int64_t sent_ns = Stamp(line.substr(mark + 2));
      if (sent_ns >= 0) {
        ++chunks_;
        chunk(sent_ns);
      }
      return;
    }
    if (Trim(line.substr(5)) == "[DONE]" || line == "data: [DONE]") saw_done_ = true;
    if (line.find("\"completion_tokens\"") != std::string_view::npos) saw_usage_ = true;
  }

  static int64_t Stamp(std::string_view text) {
    if (text.size() < kStampDigits) return -1;
    int64_t value = 0;
    for (const char c : text.substr(0, kStampDigits)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  }

  std::string line_;
  int64_t chunks_ = 0;
  bool saw_usage_ = false;
  bool saw_done_ = false;
};

}  // namespace seekroute::bench
