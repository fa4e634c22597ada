// Internal to wire/: what estimates the prompt of a chat request, member by member.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wire/json/json_scan.h"
#include "wire/openai/prompt_parts.h"
#include "wire/openai/request_fields.h"
#include "wire/token_estimate.h"

namespace seekroute {

// Adds up the estimate that EstimateChatPrompt() gives, from one scan of a body. Fails where the
// body is no object. `body` must outlive it. Not thread-safe.
class PromptSink final : public JsonSink {
 public:
  PromptSink(std::string_view body, int64_t unsized);

  TokenEstimate Estimate() const;

  Step OnOpen(const JsonPlace& place, JsonType type) override;
  bool OnClose(const JsonPlace& place, const JsonValue& value) override;
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override;

 private:
  static bool IsContent(const JsonPlace& place) { return place.key(3) == "content"; }

  void Count(const TokenEstimate& more) {
    counted_.tokens += more.tokens;
    counted_.upper += more.upper;
  }
  void AddText(std::string_view text) {
    text_.EndText();
    text_.Add(text);
  }
  void BeginField(const JsonPlace& place);
  bool CountMedia(MediaMembers* members, const JsonPlace& place, JsonType type,
                  std::string_view text = {});
  void AddDefinitions(std::string_view json, int64_t bytes);
  void AddField(const JsonPlace& place, const JsonValue& value);
  void AddToPart(const JsonPlace& place, const JsonValue& value);
  void EndPart();

  const std::string_view body_;
  const int64_t unsized_;
  TokenEstimator text_;
  TokenEstimate counted_;
  MediaMembers field_members_{MemberOf::kRequest, 1};
  MediaMembers message_members_{MemberOf::kMessage, 3};
  ContentPart part_;
  ToolEntry tool_;
  FieldUse use_ = FieldUse::kNone;  // of the member of the request that is being read
  bool in_messages_ = false;
  bool in_tools_ = false;
  bool may_hold_media_ = false;  // the member of the request
  bool low_detail_ = false;
  size_t sound_bytes_ = 0;
  size_t file_bytes_ = 0;
};

}  // namespace seekroute
