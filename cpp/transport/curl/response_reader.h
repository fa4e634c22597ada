// Reads one HTTP/1.1 response from the bytes of a connection. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "transport/curl/head_reader.h"

namespace seekroute {

// Strict where two readers could disagree about where an answer ends: no two lengths that differ,
// digits only, "chunked" as the only transfer coding, CRLF around chunks, and nothing odd about the
// headers that say so. Holds at most two header lines. Not thread-safe.
class ResponseReader {
 public:
  enum class Step : uint8_t {
    kMore,      // the input is used up
    kHead,      // head() is whole; said once
    kBody,      // bytes of the body
    kEnd,       // the response is over; what is left of the input belongs to no one
    kTooLarge,  // heads and trailers together exceed the limit
    kInvalid,   // not a response of HTTP/1
  };

  // `wanted`: as TransportRequest::wanted_headers; outlives this.
  explicit ResponseReader(size_t max_head_bytes, std::span<const std::string_view> wanted = {})
      : head_(max_head_bytes, wanted) {}

  // Takes bytes from the front of `input` up to the next thing to tell. For kBody, `body` is the
  // part of the input that is body. Once a failure or kEnd was told it is told again.
  Step Next(std::string_view* input, std::string_view* body);

  // The connection was closed: true if the response was whole, or ends just so.
  bool EndOfInput() const;

  bool begun() const { return head_.begun() || !line_.empty(); }
  bool head_done() const { return head_.done(); }
  const TransportHead& head() const { return head_.head(); }

  // After kEnd: another request may follow on the connection.
  bool keep_alive() const { return state_ == State::kEnd && head_.framing().keep_alive; }
  int64_t idle_limit_s() const { return head_.framing().idle_limit_s; }  // -1: unsaid

 private:
  enum class State : uint8_t {
    kHead,
    kLength,
    kUntilClose,
    kChunkSize,  // its first digit
    kChunkSizeMore,
    kChunkExtension,
    kChunkSizeEnd,  // LF
    kChunkData,
    kChunkDataEnd,  // CR
    kChunkDataEnd2,
    kTrailers,
    kEnd,
    kTooLarge,
    kInvalid,
  };

  Step HeadLines(std::string_view* input);
  Step Trailers(std::string_view* input);
  Step BodyBytes(std::string_view* input, std::string_view* body, State next);
  Step ChunkByte(char c);
  Step Fail(State how);
  bool TakeLine(std::string_view* input, std::string_view* line);

  HeadReader head_;
  State state_ = State::kHead;
  std::string line_;         // the part of a line that has come
  uint64_t left_ = 0;        // of the body or the chunk
  uint32_t chunk_line_ = 0;  // bytes of the chunk's size line so far
  uint32_t interim_heads_ = 0;
};

}  // namespace seekroute
