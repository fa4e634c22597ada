// Incremental parser of server-sent events (WHATWG HTML, "interpreting an event stream").
// Does no I/O: bytes in, events out; any cutting of the input gives the same events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace seekroute {

// One dispatched event. `data` has its lines joined by LF, and invalid UTF-8 replaced by U+FFFD.
struct SseEvent {
  std::string type;  // "message" when the stream named none
  std::string data;
  int http_status = 0;  // that a comment within it told (DashScope's ":HTTP_STATUS/400"); 0: none
  bool stray = false;   // its data stood on lines that are no field
};

// The name tells that the event is an error: `error` and its neighbours, in any letter case.
bool IsErrorEvent(std::string_view type);

// "error: it broke", "[ERROR] it broke": the first word of a sentence is "error".
bool BeginsWithError(std::string_view text);

// Besides the standard, which would drop these, and with them the failure of the stream:
//  - a line `error: ...` (llama.cpp's) is an event of the type "error" of its own, whose data it
//    is; likewise an event of that type without data is told;
//  - lines that are no field are a stray event where they begin like JSON, like markup, or with the
//    word "error": a provider, or a proxy before it, wrote them past its own framing. One line, or
//    several up to one that closes the JSON, a field or a blank line. Whether it is anything is for
//    the reader to say. It comes behind an event that has begun.
//
// `id:` and `retry:` are read and forgotten: an answer is not resumed where it broke off, and an id
// would be kept as often as there are events.
//
// Not thread-safe.
class SseParser {
 public:
  struct Limits {
    size_t max_line = 1 << 20;   // 1 MiB: providers send base64 images in one line
    size_t max_event = 4 << 20;  // 4 MiB
  };
  SseParser() : SseParser(Limits{}) {}
  explicit SseParser(Limits limits);

  // Reads `bytes` and appends the events they complete to *events. Fails with
  // kBadUpstreamResponse once a line or an event is over its limit; the parser is then done and
  // every further call fails the same way.
  Status Feed(std::string_view bytes, std::vector<SseEvent>* events);

  // The input has come to a clean end: what it ended in is an event, too, though the standard drops
  // it, for providers forget the last blank line. It may be a part of one. Not to be called where
  // the connection broke. Fails as Feed(); nothing may be fed afterwards.
  Status EndOfInput(std::vector<SseEvent>* events);

 private:
  size_t SkipBom(std::string_view bytes);
  bool EndLine(std::string_view line, std::vector<SseEvent>* events);       // false: over the limit
  bool EndStrayLine(std::string_view line, std::vector<SseEvent>* events);  // likewise
  void Dispatch(std::vector<SseEvent>* events);
  void DispatchStray(std::vector<SseEvent>* events);
  Status TooLong();

  const Limits limits_;
  std::string line_;
  std::string data_;
  std::string stray_;
  std::string type_;
  int http_status_ = 0;
  size_t bom_seen_ = 0;  // bytes of a leading byte order mark matched so far
  bool at_start_ = true;
  bool after_cr_ = false;
  bool has_data_ = false;
  bool failed_ = false;
};

}  // namespace seekroute
