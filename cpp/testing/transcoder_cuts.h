// Tries through the Transcoder's interface alone: wherever the bytes of an answer are cut, the
// client gets the same.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/dialect.h"
#include "wire/profile.h"
#include "wire/request_form.h"
#include "wire/surface.h"
#include "wire/transcoder.h"

namespace seekroute::testing {

// One request, and the tries that can be opened for it, which it outlives. A test fails where it
// cannot be read.
class AskedOfDialect {
 public:
  AskedOfDialect(SurfaceId surface, DialectId dialect, std::string body);
  AskedOfDialect(const AskedOfDialect&) = delete;
  AskedOfDialect& operator=(const AskedOfDialect&) = delete;

  Result<std::unique_ptr<Transcoder>> TryOpen() const;
  // A test fails where it cannot be opened.
  std::unique_ptr<Transcoder> Open() const;

  TranscoderPlan plan;  // but for what is read of the request
  RequestForm form;
  UsageReport report;  // what Finish() is given

 private:
  const DialectId dialect_;
  const Profile profile_;
  const std::string body_;
  std::unique_ptr<const ParsedRequest> request_;
};

struct Ended {
  std::string out;    // with what Finish() writes, where it ended
  std::string known;  // before that: all that can be known of the try, as text
};

// The answer in one piece.
Ended Relay(const AskedOfDialect& asked, std::string_view bytes, std::string_view media_type);

// A test fails unless it is the same at every place to cut in two, byte by byte, and in random
// pieces; returns what it is.
Ended SameAtEveryCut(const AskedOfDialect& asked, std::string_view bytes,
                     std::string_view media_type = "application/json");

}  // namespace seekroute::testing
