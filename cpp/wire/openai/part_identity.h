// Internal to wire/: what a part of an answer is known by when it comes a second time.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace seekroute {

// Strings inside structured output that are text of the model. Base64 and ids are not.
inline bool IsText(std::string_view key) {
  return key == "text" || key == "arguments" || key == "name" || key == "summary" ||
         key == "transcript" || key == "thinking" || key == "input" || key == "refusal";
}

// Strings beside a picture or a sound that are not it.
inline bool IsLabel(std::string_view key) {
  return key == "type" || key == "id" || key == "object" || key == "detail" || key == "format" ||
         key == "mime_type" || key == "media_type" || key == "revised_prompt" || IsText(key);
}

// Reads the strings of a picture, a sound or another part. Pictures have megabytes: of what they
// hold only a hash is kept, which is nobody's secret and whose collision costs a provider one
// picture of its own. Value type.
class PartIdentity {
 public:
  // `key`: that of the string, empty in a list. The order does not count, as members have none.
  void Add(std::string_view key, std::string_view text) {
    (!key.empty() && IsLabel(key) ? labels_ : data_) += std::hash<std::string_view>{}(text);
  }
  // By what it holds, else by what it is called: a label may be missing the second time.
  uint64_t value() const { return data_ != 0 ? data_ : labels_; }

 private:
  uint64_t data_ = 0;
  uint64_t labels_ = 0;
};

}  // namespace seekroute
