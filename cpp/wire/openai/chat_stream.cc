#include "wire/openai/chat_stream.h"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "base/letter_case.h"
#include "wire/json/non_finite.h"
#include "wire/json/splice.h"
#include "wire/openai/chat_object.h"
#include "wire/openai/chat_writer.h"
#include "wire/openai/chunk_shape.h"
#include "wire/upstream_refusal.h"

namespace seekroute {
namespace {

using enum ErrorCode;

// What may wait for the first content.
constexpr size_t kMaxPending = 64;
constexpr size_t kMaxPendingBytes = size_t{1} << 20;

constexpr std::string_view kQuotedObject = "\"chat.completion.chunk\"";

std::string JsonString(std::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

// Without white space and control characters around it.
std::string_view Stripped(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= 0x20) text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= 0x20) text.remove_suffix(1);
  return text;
}

// The beginning of a page that somebody else answered with in the middle of the stream.
bool BeginsPage(std::string_view text) {
  constexpr auto kTags =
      std::to_array<std::string_view>({"<!doctype", "<html", "<head", "<body", "<?xml"});
  return std::any_of(kTags.begin(), kTags.end(), [text](std::string_view tag) {
    return IsSameButForCase(text.substr(0, tag.size()), tag);
  });
}

// A quoted word is one as well: some write their words with a JSON library.
std::string_view Unquoted(std::string_view data) {
  const bool quoted = data.size() >= 2 && data.front() == '"' && data.back() == '"';
  return quoted ? data.substr(1, data.size() - 2) : data;
}

bool IsDone(std::string_view data) { return IsSameButForCase(Unquoted(data), "[DONE]"); }

// Pings, and comments of an upstream that some provider passed on as data.
bool IsPing(std::string_view data) {
  constexpr auto kWords = std::to_array<std::string_view>(
      {"", "null", "[]", "{}", "ping", "pong", "heartbeat", "keepalive", "keep-alive"});
  return data.starts_with(':') ||
         std::any_of(kWords.begin(), kWords.end(), [data](std::string_view word) {
           return IsSameButForCase(Unquoted(data), word);
         });
}

// An event that was not ended says something: what is a part of one does not.
bool TellsAtTheEnd(const SseEvent& event) {
  const std::string_view data = Stripped(event.data);
  if (IsErrorEvent(event.type) || BeginsWithError(data) || IsDone(data)) return true;
  if (event.stray && BeginsPage(data)) return true;
  return (data.starts_with('{') || data.starts_with('[')) && IsProvidersJson(data);
}

void AppendEvent(std::string_view json, std::string* out) {
  *out += "data: ";
  *out += json;
  *out += "\n\n";
}

}  // namespace

ChatStream::ChatStream(Options options)
    : options_(std::move(options)),
      id_(JsonString(options_.names.id)),
      model_(JsonString(options_.names.model)),
      parser_(options_.limits),
      created_(options_.names.created) {}

ChatStream::~ChatStream() = default;

Status ChatStream::Feed(std::string_view bytes, std::string* out) {
  if (state_ == State::kEnded) return {};
  if (state_ == State::kFailed) {
    return MakeError(kBadUpstreamResponse, "the provider's stream has failed already");
  }
  events_.clear();
  const Status parsed = parser_.Feed(bytes, &events_);
  // What was complete before a line that is too long still counts.
  Status read = OnEvents(out);
  if (!read || state_ == State::kEnded) return read;
  if (!parsed) return Fail(parsed.error());
  return {};
}

Status ChatStream::OnEvents(std::string* out) {
  for (const SseEvent& event : events_) {
    const std::string_view data = Stripped(event.data);
    if (IsErrorEvent(event.type) || BeginsWithError(data)) {
      return Fail(ReadErrorInAnswer(data, event.http_status));
    }
    if (Status read = event.stray ? OnStray(event, out) : OnEvent(data, out); !read) return read;
    if (state_ == State::kEnded) return {};
  }
  return {};
}

// A stray line that is no whole JSON is skipped, as the standard skips it.
Status ChatStream::OnStray(const SseEvent& event, std::string* out) {
  const std::string_view data = Stripped(event.data);
  if (BeginsPage(data)) {
    return Fail(
        MakeError(kBadUpstreamResponse, "the provider's stream turned into a page of HTML or XML"));
  }
  if (IsDone(data)) return OnEvent(data, out);
  if (!IsProvidersJson(data)) return {};
  if (data[0] == '{') return OnEvent(data, out);
  std::optional<Error> error = FindErrorInAnswer(data);
  return error ? Fail(*std::move(error)) : Status();
}

Status ChatStream::FeedWhole(std::string_view chunk, std::string* out) {
  is_all_ = true;
  Status read = OnEvent(chunk, out);
  if (read.ok()) state_ = State::kEnded;
  return read;
}

// The text of a chunk that fails is sent to nobody, and does not count.
Status ChatStream::OnEvent(std::string_view raw, std::string* out) {
  const TokenEstimator counted = content_;
  Status read = ReadEvent(Stripped(raw), out);
  if (!read) content_ = counted;
  return read;
}

Status ChatStream::ReadEvent(std::string_view data, std::string* out) {
  if (IsPing(data)) return {};
  if (IsDone(data)) {
    if (!any_chunk_) {
      return Fail(MakeError(kBadUpstreamResponse, "the provider's stream ended without an answer"));
    }
    state_ = State::kEnded;
    return {};
  }
  const TokenEstimator counted = content_;
  Result<ChatObject> chat = ReadChatObject(data, ChatShape::kDelta, &content_);
  std::optional<std::string> mended;
  if (!chat) mended = WithoutNonFinite(data);
  if (mended) {
    data = *mended;
    content_ = counted;
    chat = ReadChatObject(data, ChatShape::kDelta, &content_);
  }
  if (!chat) {
    if (std::optional<Error> error = FindErrorInAnswer(data)) return Fail(*std::move(error));
    return Fail(chat.error());
  }
  if (std::optional<Error> error = ErrorIn(data, *chat)) return Fail(*std::move(error));
  if (chat->choice_count == 0) {
    if (std::optional<Error> error = FindErrorInAnswer(data)) return Fail(*std::move(error));
  }
  if (!chat->lacks_member && !calls_.Contradict(chat->calls)) return OnChunk(data, *chat, out);
  const ShapedChunk shaped = ShapeChunk(data, &sent_, calls_, in_pieces_);
  content_ = counted;
  chat = ReadChatObject(shaped.text, ChatShape::kDelta, &content_);
  if (!chat) return Fail(chat.error());
  in_pieces_ |= shaped.pieces & chat->with_content;
  for (const ShapedChunk::Moved& call : shaped.moved) {
    calls_.Move(call.choice, call.own, call.index);
  }
  return OnChunk(shaped.text, *chat, out);
}

Status ChatStream::OnChunk(std::string_view data, const ChatObject& chat, std::string* out) {
  usage_.MergeMax(chat.usage);
  if (!chat.service_tier.empty()) service_tier_ = chat.service_tier;
  const bool has_usage = !chat.usage.IsEmpty() || chat.usage.odd;
  const bool has_output = chat.usage.Counts().completion.value_or(0) > 0;
  if (!chat.has_choices && !has_usage) return {};  // a ping in JSON, or nothing we know
  any_chunk_ = true;
  if (chat.choice_count == 0 && has_usage) {
    extra_.Take(data);
    final_usage_ = any_content_ && has_output;
    return {};
  }

  if (chat.created && created_ == options_.names.created) {
    created_ = ReadInteger(chat.created->value.In(data)).value_or(created_);
  }
  seen_ |= chat.seen;
  finished_ = (finished_ & ~chat.with_content) | chat.finished;
  if (chat.has_content) {
    any_content_ = true;
    final_usage_ = finish_usage_ = false;
  }
  if (has_output && finished_ != 0) finish_usage_ = true;
  for (const SentPart& part : chat.parts) sent_.Add(part);
  for (const SentItem& item : chat.items) sent_.AddItem(item);
  for (const SentCall& call : chat.calls) sent_.AddCall(call, calls_.Number(call, true));
  if (chat.has_content || chat.has_logprobs) ++pieces_;
  media_.Add(chat.media);
  if (finish_reason_.empty()) finish_reason_ = chat.finish_reason;

  std::string chunk = Rewrite(data, chat);
  if (!chat.has_content && chat.finished == 0) {
    const bool at_once = options_.wants_progress && chat.has_progress;
    if (state_ == State::kWaiting && !at_once) {
      Defer(std::move(chunk), out);
      return {};
    }
    if (state_ == State::kWaiting) {
      Release(out);
      state_ = State::kProgress;
    }
  } else {
    Release(out);
    state_ = State::kContent;
    has_content_ = true;
  }
  // More may follow a finish reason: that of another choice, or what a content filter found.
  if (!last_.empty()) AppendEvent(std::exchange(last_, {}), out);
  // Content waits for nothing: the provider may keep the connection open for minutes.
  const bool waits = finished_ != 0 && (!chat.has_content || is_all_);
  if (waits) {
    last_ = std::move(chunk);
  } else {
    AppendEvent(chunk, out);
  }
  return {};
}

void ChatStream::Release(std::string* out) {
  for (const std::string& chunk : pending_) AppendEvent(chunk, out);
  pending_ = {};
}

void ChatStream::Defer(std::string chunk, std::string* out) {
  // Models that think in silence send the same empty chunk again and again.
  if (!pending_.empty() && pending_.back() == chunk) return;
  pending_bytes_ += chunk.size();
  pending_.push_back(std::move(chunk));
  const auto is_too_much = [this] {
    return pending_.size() > kMaxPending || pending_bytes_ > kMaxPendingBytes;
  };
  if (!is_too_much()) return;
  if (!options_.may_fall_back) {
    Release(out);
    state_ = State::kProgress;
    return;
  }
  // The first has the role. Of progress the newest is of use.
  while (is_too_much() && pending_.size() > 1) {
    pending_bytes_ -= pending_[1].size();
    pending_.erase(pending_.begin() + 1);
  }
}

std::string ChatStream::Rewrite(std::string_view data, const ChatObject& chat) const {
  Splice splice(data);
  std::string added;  // behind the opening brace; `choices` follows somewhere
  const auto add = [&added](std::string_view key, std::string_view value) {
    added += '"';
    added += key;
    added += "\":";
    added += value;
    added += ',';
  };
  if (chat.id) {
    splice.Replace(chat.id->value, id_);
  } else {
    add("id", id_);
  }
  const std::string created = std::to_string(created_);
  if (!chat.object) {
    add("object", kQuotedObject);
  } else if (chat.object->value.In(data) != kQuotedObject) {
    splice.Replace(chat.object->value, kQuotedObject);  // OpenAI's SDK refuses another one
  }
  if (!chat.created) add("created", created);
  if (chat.created_null) splice.Replace(chat.created->value, created);
  if (chat.empty_error) splice.Replace(chat.empty_error->value, "null");
  if (chat.model) {
    splice.Replace(chat.model->value, model_);
  } else {
    add("model", model_);
  }
  std::vector<JsonMember> cut = chat.usages;
  cut.insert(cut.end(), chat.repeated.begin(), chat.repeated.end());
  std::sort(cut.begin(), cut.end(),
            [](const JsonMember& a, const JsonMember& b) { return a.whole.begin < b.whole.begin; });
  for (const ByteRange& member : RangesToRemove(data, cut)) splice.Replace(member, {});
  std::deque<std::string> reasoning;
  if (options_.names.repeats_reasoning) {
    ShowReasoning(data, chat.hidden_reasoning, &reasoning, &splice);
  }
  const size_t inside = data.find('{') + 1;
  splice.Replace({inside, inside}, added);

  std::string chunk;
  chunk.reserve(data.size() + added.size() + id_.size() + model_.size());
  splice.AppendTo(&chunk);
  // A provider may format its JSON over several lines; an event's data is one line here, and either
  // of the two characters ends it. They stand outside strings: there they are escaped.
  std::replace(chunk.begin(), chunk.end(), '\n', ' ');
  std::replace(chunk.begin(), chunk.end(), '\r', ' ');
  return chunk;
}

bool ChatStream::IsWhole() const {
  if (state_ == State::kEnded) return true;
  if (state_ == State::kFailed) return false;
  const bool finished = seen_ != 0 && finished_ == seen_ && CountOf(finished_) >= options_.choices;
  return finished || final_usage_;
}

Status ChatStream::EndOfInput(std::string* out) {
  if (state_ == State::kFailed) return BreakOff();
  if (state_ != State::kEnded) {
    events_.clear();
    const Status parsed = parser_.EndOfInput(&events_);
    if (!parsed) return Fail(parsed.error());
    // It may have ended in the middle of an event.
    std::erase_if(events_, [](const SseEvent& event) { return !TellsAtTheEnd(event); });
    if (Status read = OnEvents(out); !read) return read;
  }
  return BreakOff();
}

Status ChatStream::BreakOff() {
  if (IsWhole()) {
    state_ = State::kEnded;
    return {};
  }
  return Fail(MakeError(kUpstreamTruncated, "the provider's stream ended before the answer did"));
}

void ChatStream::Finish(const UsageReport& report, std::string* out) {
  std::string members;
  JsonWriter json = JsonWriter::Members(&members);
  WriteUsageMembers(report, &json);
  Release(out);
  AnswerNames names = options_.names;
  names.created = created_;
  const bool apart = options_.include_usage;
  if (apart && !last_.empty()) AppendEvent(std::exchange(last_, {}), out);
  if (last_.empty()) {
    JsonWriter chunk(&last_);
    chunk.Object();
    WriteChatHead(names, kChunkObject, &chunk);
    chunk.Key("choices").Array();
    if (!apart) {
      chunk.Object().Key("index").Integer(0);
      chunk.Key("delta").Object().End().Key("finish_reason").Null().End();
    }
    chunk.End().End();
  }
  // The usage of the provider was taken out, so there is room for this one at the end.
  last_.insert(last_.rfind('}'), ',' + members);
  extra_.AppendTo(&last_);
  AppendEvent(last_, out);
  last_.clear();
  *out += kDoneEvent;
}

Status ChatStream::Fail(Error error) {
  state_ = State::kFailed;
  pending_ = {};
  last_ = {};
  return error;
}

}  // namespace seekroute
