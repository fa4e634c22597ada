// Internal to wire/: what reads a chat request, member by member.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wire/json/json_scan.h"
#include "wire/openai/field_checks.h"
#include "wire/openai/parsed_chat.h"
#include "wire/openai/prompt_parts.h"
#include "wire/openai/request_fields.h"
#include "wire/openai/routing_reader.h"
#include "wire/profile.h"

namespace seekroute {

// Puts together a ParsedChat from one scan of a body; ChatSurface::Read() says what it refuses. Not
// thread-safe.
class RequestSink final : public JsonSink {
 public:
  explicit RequestSink(const Profile& profile) : profile_(profile) {}

  Step OnOpen(const JsonPlace& place, JsonType type) override;
  bool OnClose(const JsonPlace& place, const JsonValue& value) override;
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override;

  // After the scan that has ended so: the request, without an estimate, or why it is refused. Once.
  Result<std::unique_ptr<ParsedChat>> Take(const Status& scanned);

 private:
  enum class Role : uint8_t { kNone, kSystem, kUser, kAssistant, kTool };

  Status Check() const;
  Step OpenField(const JsonPlace& place, JsonType type);
  Step OpenInMessages(const JsonPlace& place, JsonType type);
  bool SetField(const JsonPlace& place, const JsonValue& value);
  bool SetModel(const JsonPlace& place, const JsonValue& value);
  bool SetStreamOption(const JsonPlace& place, JsonType type, ByteRange value);
  void LeaveOut(const JsonPlace& place, const JsonValue& value);
  void NoteRefusable(const JsonPlace& place, const JsonValue& value);
  void SetReasoning(const JsonPlace& place, const JsonValue& value);
  bool SetInteger(const JsonPlace& place, const JsonValue& value);
  bool SetMaxCost(const JsonPlace& place, const JsonValue& value);
  bool SetNumber(const JsonPlace& place, const JsonValue& value);
  bool SetInMessages(const JsonPlace& place, const JsonValue& value);
  static std::optional<Role> RoleNamed(std::string_view name);
  void SeeText(const JsonValue& value);
  bool EndMessage(const JsonPlace& place);
  void EndPart();
  void EndField(const JsonPlace& place, const JsonValue& value);
  void NoteSent(const JsonValue& value);
  void NotePart(std::string_view type);
  bool Passes(std::optional<Error> refused) { return !refused || Fail(*std::move(refused)); }
  void CountUnsized(int64_t parts) {
    has_media_ = has_media_ || parts > 0;
    ask_.unsized_parts += parts;
  }
  void CountMedia(MediaMembers* members, const JsonPlace& place, JsonType type,
                  std::string_view text = {}) {
    CountMedia(members->OnValue(place, type, text));
  }
  void CountMedia(const MediaCount& more) {
    if (more.all() == 0) return;
    has_media_ = true;
    media_tokens_ += more.pictures * kMostPictureTokens;
    CountUnsized(more.unsized);
    ask_.other_kinds = true;
  }
  bool IsSpelledRight(MemberOf where, const JsonPlace& place) {
    if (!IsKnownInOtherCase(where, place.key())) return true;
    return Fail(ErrorCode::kUnknownParameter, std::string(RefusalOf(FieldKind::kOtherSpelling)),
                place.Path());
  }
  bool WrongType(const JsonPlace& place, std::string_view expected, JsonType got) {
    return Fail(WrongTypeError(place, expected, got));
  }
  Step StopWrongType(const JsonPlace& place, std::string_view expected, JsonType got) {
    WrongType(place, expected, got);
    return Step::kStop;
  }

  const Profile& profile_;
  std::unique_ptr<ParsedChat> parsed_ = std::make_unique<ParsedChat>();
  ChatRequest& request_ = parsed_->chat;
  Ask& ask_ = parsed_->ask;
  FieldRule field_;  // the top-level member being read
  ReasoningField reasoning_;
  RoutingReader routing_;
  bool has_model_ = false;
  bool has_messages_ = false;
  bool has_options_ = false;
  bool own_fields_ = false;  // there is a field that is not in the table
  MediaMembers field_members_{MemberOf::kRequest, 1};
  // Bytes of whatever the model may read as text: messages, tools, the answer's schema, and every
  // field that is not known to be none of its business.
  size_t text_bytes_ = 0;
  int64_t media_tokens_ = 0;  // of what stands for more than its text, as far as it is sized
  bool has_media_ = false;    // something does: a part, a service
  int64_t messages_ = 0;
  int64_t tools_ = 0;
  bool has_prompt_text_ = false;      // so has the last message of a user
  bool has_odd_prompt_text_ = false;  // likewise

  // The message being read.
  Role role_ = Role::kNone;
  std::optional<ByteRange> content_;
  bool content_null_ = false;
  bool has_text_ = false;      // something else than white space
  bool has_odd_text_ = false;  // half of a surrogate pair
  MediaMembers message_members_{MemberOf::kMessage, 3};
  ContentPart part_;
  ToolEntry tool_;
};

}  // namespace seekroute
