// Which form an answer has by its own first bytes: providers and proxies label streams as plain
// text, and send one where the other was asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace seekroute {

enum class AnswerForm : uint8_t {
  kUnknown,  // nothing but white space, or too little, has come
  kEvents,   // server-sent events, or lines of JSON of which each is one
  kWhole,    // anything else: JSON, or what is no answer at all
};

// Looks at an answer that grows. Not thread-safe.
class FormSniffer {
 public:
  // `begun`: all of the answer so far. The form is kept once it is known; it is known at the sixth
  // byte that is not white space, at the latest, unless that is of a JSON object: then at the end
  // of its first line. Where that is all of an object and a chunk, or anything but white space
  // follows it, these are lines. `labelled_events`: its head says that it is an event stream, which
  // holds unless the first byte is one that JSON or HTML begins with.
  AnswerForm Look(std::string_view begun, bool labelled_events);

 private:
  AnswerForm LookAtObject(std::string_view begun);

  AnswerForm form_ = AnswerForm::kUnknown;
  size_t blank_ = 0;         // bytes at the beginning that tell nothing
  size_t looked_ = 0;        // up to where the end of the first line was looked for
  bool line_whole_ = false;  // the first line is a whole object, which ends before looked_
};

// What a Content-Encoding does to an answer, for people: "compressed as br". Empty where it does
// nothing: none, names of no coding (`identity`, `none`, `utf-8`), and `aws-chunked`, which storage
// that has decoded it leaves standing. `encodings`: lower-cased, a list with commas.
std::string NameOfEncoding(std::string_view encodings);

// What came in the place of JSON, for people: "text/html", where the head says so, or by its bytes.
// Empty for what may be JSON. `content_type`: as the provider sent it, without parameters.
std::string NameOfNoJson(std::string_view content_type, std::string_view body);

}  // namespace seekroute
