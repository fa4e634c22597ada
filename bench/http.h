// The little HTTP/1.1 the benchmark needs: header look-up and a reader of answers.
#pragma once

#include <strings.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace seekroute::bench {

inline bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

inline std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// The value of a header in a message head, empty when it is absent.
inline std::string_view HeaderValue(std::string_view head, std::string_view name) {
  std::size_t line = head.find('\n');
  while (line != std::string_view::npos) {
    head.remove_prefix(line + 1);
    line = head.find('\n');
    const std::string_view text = head.substr(0, line);
    if (text.size() > name.size() && text[name.size()] == ':' &&
        strncasecmp(text.data(), name.data(), name.size()) == 0) {
      return Trim(text.substr(name.size() + 1));
    }
  }
  return {};
}

// A whole number without sign, or -1.
inline int64_t ParseNumber(std::string_view text) {
  constexpr std::size_t kMaxDigits = 18;
  if (text.empty() || text.size() > kMaxDigits) return -1;
  int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

// Reads one answer after another from a keep-alive connection: a fixed length, chunked, or until
// the peer closes. Not thread-safe.
class ResponseReader {
 public:
  // Takes the bytes and hands the body to sink(std::string_view) as it comes. Bytes after the end
  // break it: nobody asked for them.
  template <typename Sink>
  void Feed(std::string_view data, Sink&& sink) {
    while (!data.empty() && !done() && !broken()) {
      switch (state_) {
        case State::kHead:
          data = TakeHead(data);
          break;
        case State::kFixed:
        case State::kChunkData: {
          const auto take = std::min<std::size_t>(data.size(), static_cast<std::size_t>(left_));
          sink(data.substr(0, take));
          data.remove_prefix(take);
          left_ -= static_cast<int64_t>(take);
          if (left_ == 0) state_ = state_ == State::kFixed ? State::kDone : State::kChunkEnd;
          break;
        }
        case State::kUntilClose:
          sink(data);
          data = {};
          break;
        default:
          TakeFraming(data.front());
          data.remove_prefix(1);
      }
    }
    if (!data.empty()) state_ = State::kBroken;
  }

  // The peer has closed: that ends an answer without a length and breaks every other.
  void Closed() { state_ = state_ == State::kUntilClose ? State::kDone : State::kBroken; }

  void Reset() {
    state_ = State::kHead;
    head_.clear();
  }

  bool done() const { return state_ == State::kDone; }
  bool broken() const { return state_ == State::kBroken; }
  int status() const { return status_; }
  bool keep_alive() const { return keep_alive_; }

 private:
  enum class State {
    kHead,
    kFixed,
    kUntilClose,
    kChunkSize,
    kChunkExtension,
    kChunkData,
    kChunkEnd,
    kTrailer,
    kDone,
    kBroken,
  };
  // Far above any gateway's answer head; a peer that never ends its head must not fill the memory.
  static constexpr std::size_t kMaxHead = 65536;
  static constexpr int64_t kMaxChunk = int64_t{1} << 30;

  std::string_view TakeHead(std::string_view data) {
    // The usual case: the whole head in one read, so nothing is copied.
    const std::size_t before = head_.size();
    if (before == 0) {
      const std::size_t end = data.find("\r\n\r\n");
      if (end != std::string_view::npos) {
        ParseHead(data.substr(0, end + 2));
        return data.substr(end + 4);
      }
    }
    head_.append(data);
    const std::size_t end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (end == std::string::npos) {
      if (head_.size() > kMaxHead) state_ = State::kBroken;
      return {};
    }
    const std::size_t rest = head_.size() - (end + 4);
    ParseHead(std::string_view(head_).substr(0, end + 2));
    head_.clear();
    return data.substr(data.size() - rest);
  }

  void ParseHead(std::string_view head) {
    if (head.size() < 12 || !head.starts_with("HTTP/1.")) {
      state_ = State::kBroken;
      return;
    }
    status_ = static_cast<int>(ParseNumber(head.substr(9, 3)));
    if (status_ >= 100 && status_ < 200) return;  // An interim answer: the real head follows.
    keep_alive_ = head[7] == '1' && !EqualsIgnoringCase(HeaderValue(head, "connection"), "close");
    if (EqualsIgnoringCase(HeaderValue(head, "transfer-encoding"), "chunked")) {
      left_ = 0;
      state_ = State::kChunkSize;
      return;
    }
    const std::string_view length = HeaderValue(head, "content-length");
    if (length.empty()) {
      keep_alive_ = false;
      state_ = State::kUntilClose;
      return;
    }
    left_ = ParseNumber(length);
    state_ = left_ < 0 ? State::kBroken : left_ == 0 ? State::kDone : State::kFixed;
  }

  void TakeFraming(char c) {
    if (state_ == State::kChunkEnd) {
      if (c == '\n') state_ = State::kChunkSize;
    } else if (state_ == State::kTrailer) {
      if (c == '\n') {
        if (line_is_empty_) state_ = State::kDone;
        line_is_empty_ = true;
      } else if (c != '\r') {
        line_is_empty_ = false;
      }
    } else if (c == '\n') {
      line_is_empty_ = true;
      state_ = left_ == 0 ? State::kTrailer : State::kChunkData;
    } else if (c == ';') {
      state_ = State::kChunkExtension;
    } else if (state_ == State::kChunkSize && c != '\r') {
      TakeHexDigit(c);
    }
  }

  void TakeHexDigit(char c) {
    const char lower = static_cast<char>(c | 0x20);
    const int digit = c >= '0' && c <= '9'           ? c - '0'
                      : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
                                                     : -1;
    left_ = left_ * 16 + digit;
    if (digit < 0 || left_ > kMaxChunk) state_ = State::kBroken;
  }

  State state_ = State::kHead;
  std::string head_;
  int64_t left_ = 0;
  int status_ = 0;
  bool keep_alive_ = true;
  bool line_is_empty_ = true;
};

}  // namespace seekroute::bench
