#include "testing/random_request.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace seekroute::testing {
namespace {

constexpr int64_t kMedia = int64_t{1} << 20;  // tokens of what cannot be sized
constexpr int64_t kPicture = 65'536;
constexpr int64_t kClientTool = 700;  // as its provider describes it

// A WAV file, in base64, of a sample of silence for each byte that follows.
constexpr std::string_view kSilence =
    "UklGRiUAAABXQVZFZm10IBAAAAABAAEAoA8AAKAPAAABAAgAZGF0Yf////8A";

// As a template may write it: each member and element on a line, two spaces a level.
std::string Indented(std::string_view json) {
  std::string out;
  size_t level = 0;
  bool quoted = false;
  const auto line = [&out, &level] { out += "\n" + std::string(2 * level, ' '); };
  for (const char c : json) {
    if (c == '"') quoted = !quoted;  // no text of these has one inside
    if (!quoted && (c == '}' || c == ']')) {
      --level;
      line();
    }
    if (quoted || c != ' ') out += c;
    if (!quoted && (c == '{' || c == '[')) ++level;
    if (!quoted && (c == '{' || c == '[' || c == ',')) line();
    if (!quoted && c == ':') out += ' ';
  }
  return out;
}

}  // namespace

RandomRequest::RandomRequest(Rng* rng) : rng_(rng) {
  fields_.push_back(R"("model": "m")");
  std::string messages;
  for (uint64_t i = 0, n = 1 + Below(3); i < n; ++i) messages += (i > 0 ? ", " : "") + Message();
  fields_.push_back("\"messages\": [" + messages + "]");
  for (uint64_t i = 0, n = Below(6); i < n; ++i) AddField();
  for (size_t i = fields_.size(); i > 1; --i) std::swap(fields_[i - 1], fields_[Below(i)]);
  for (const std::string& field : fields_) body_ += (body_.empty() ? "{" : ", ") + field;
  body_ += "}";
}

std::string RandomRequest::Noise() {
  constexpr std::string_view kLetters = "etaoin shrdlu 0123 .,;()[]{} ABC\xc3\xa9";
  std::string text;
  for (uint64_t i = Below(OneIn(8) ? 3000 : 60); i > 0; --i) {
    const uint64_t at = Below(kLetters.size() - 1);
    text += at + 2 == kLetters.size() ? "\xc3\xa9" : std::string(1, kLetters[at]);
  }
  return text;
}

std::string RandomRequest::Plain(std::string text) {
  text_.EndText();
  text_.Add(text);
  bytes_ += static_cast<int64_t>(text.size());
  return text;
}

std::string RandomRequest::Read(std::string json) {
  bytes_ += static_cast<int64_t>(json.size());
  other_bytes_ += static_cast<int64_t>(json.size());
  return json;
}

std::string RandomRequest::Defined(std::string json) {
  const auto bytes = static_cast<int64_t>(json.size());
  bytes_ += bytes;
  definitions_ +=
      std::min(bytes, std::max(EstimateTokens(json).tokens, EstimateTokens(Indented(json)).tokens));
  return json;
}

std::string RandomRequest::Value(int depth) {
  switch (Below(depth > 3 ? 3 : 6)) {
    case 0:
      return std::to_string(Below(1'000'000));
    case 1:
      return "1.5e3";
    case 2:
      return "\"" + Noise() + "\"";
    case 3:
      return "{\"k" + Noise() + "\": " + Value(depth + 1) + ", \"l\": " + Value(depth + 1) + "}";
    case 4:
      return "[" + Value(depth + 1) + ", " + Value(depth + 1) + "]";
    default:
      return OneIn(2) ? "[]" : "{}";
  }
}

std::string RandomRequest::Media(bool heard, std::string json) {
  media_ += kMedia;
  unsized_ = true;
  if (heard) heard_ += kMedia;
  return json;
}

std::string RandomRequest::Picture(std::string json) {
  media_ += kPicture;
  return json;
}

std::string RandomRequest::Unknown(std::string_view name) {
  const std::string member = ", \"" + std::string(name) + "\": ";
  switch (Below(7)) {
    case 0:
      return member + Read(std::to_string(Below(1000)));
    case 1:  // of a list each element
      media_ += kMedia;
      heard_ += kMedia;
      return member + Media(true, "[\"" + Read("https://x/" + Noise()) + R"(", {"u": "data:,)" +
                                      Read(Noise()) + "\"}]");
    case 2:
      return member + Media(true, R"({"k": {"file": "a)" + Read(Noise()) + "\"}}");
    case 3:
      return member + Media(true, R"([{"type": "image", "n": ")" + Read(Noise()) + "\"}]");
    case 4:
      return ", \"my_" + std::string(name) + R"(_videos": )" +
             Media(true, "[\"" + Read(Noise()) + "\"]");
    case 5:  // nothing in it can be a reference
      return member + Read("{\"k\": " + Value(1) + ", \"l\": true}");
    default:
      return member + Read("\"" + Noise() + "\"");
  }
}

std::string RandomRequest::Citations() {
  const bool typed_last = OneIn(2);
  const std::string url = R"("url": ")" + Read("https://x/" + Noise()) + "\"";
  const std::string type = R"("type": "url_citation")";
  std::string list = "{" + (typed_last ? url + ", " + type : type + ", " + url) + "}";
  // What is no citation counts beside them.
  if (OneIn(4)) list += Media(true, R"(, {"type": "file", "file": {"id": "a"}})");
  return "\"annotations\": [" + list + "]";
}

std::string RandomRequest::Part() {
  const std::string id = "\"id-" + std::to_string(Below(1000)) + "\"";
  switch (Below(23)) {
    case 18:  // nobody fetches what is cited
      return R"({"type": "output_text", "text": )" + Text() + ", " + Citations() + "}";
    case 19: {  // labelled, which makes it no more pictures
      constexpr std::string_view kLabels[] = {"format", "media_type", "mimeType"};
      return Picture(R"({"type": "image_url", "image_url": {"url": "https://x/y", ")" +
                     std::string(kLabels[Below(3)]) + R"(": "image/png"}})");
    }
    case 20: {  // a file that claims to be a picture, or is named as none
      constexpr std::string_view kFiles[] = {"data:image/png;base64,JVBERi",
                                             "data:image/png;base64,AAAAIGZ0eXBpc29t",
                                             "https://youtu.be/", "https://x/y.mp4?", "file-"};
      return Media(true, R"({"type": "image_url", "image_url": {"url": ")" +
                             Read(std::string(kFiles[Below(5)]) + std::string(Below(200), 'A')) +
                             "\"}}");
    }
    case 21:
      return Picture(R"({"type": "image", "image": "data:image/png;base64,iVBORw0KGgo=", )"
                     R"("mediaType": "image/png"})");
    case 11: {  // no picture, whatever it says
      const std::string sound = "data:audio/mp3;base64," + std::string(Below(4000), 'A');
      return Media(true, R"({"type": "image_url", "image_url": {"url": ")" + Read(sound) + "\"}}");
    }
    case 13:  // of any length, whatever its address has
      return Media(true, R"({"type": "input_audio", "input_audio": {"data": "https://x/)" +
                             Read(Noise()) + "\"}}");
    case 14:
      return Media(true, R"({"type": "input_audio", "input_audio": {"data": "AAAA", "url": ")" +
                             Read("u" + Noise()) + "\"}}");
    case 12:
      return R"({"type": "thinking", "thinking": ")" + Read(Noise()) + "\"}";
    case 9:  // two in one
      media_ += kMedia;
      return Media(true, R"({"type": "image_url", "image_url": {"url": "u"}, "video_url": "v"})");
    case 10:
      return Media(true, R"({"type": "text", "text": )" + Text() + R"(, "source": {"url": "u"}})");
    case 0:
      return Picture(R"({"image_url": {"url": "data:image/png;base64,)" +
                     std::string(Below(4000), 'A') +
                     R"(", "detail": "low"}, "type": "image_url"})");
    case 1: {
      // 32 tokens a second of 8 kbit.
      const std::string sound(kSilence.size() + Below(OneIn(4) ? 4'000'000 : 4000), 'A');
      media_ += static_cast<int64_t>(sound.size() / 42);
      heard_ += static_cast<int64_t>(sound.size() / 42);
      return R"({"type": "input_audio", "input_audio": {"data": ")" + std::string(kSilence) +
             sound.substr(kSilence.size()) + R"(", "format": "wav"}})";
    }
    case 15: {  // hours of it, or nobody knows how much
      constexpr std::string_view kHeads[] = {"ZkxhQwAAACIQABAA", "T2dnUwACAAAA", "",
                                             "SUQzBAAAAAAA"};
      return Media(true, R"({"type": "input_audio", "input_audio": {"data": ")" +
                             Read(std::string(kHeads[Below(4)]) + std::string(Below(400), 'A')) +
                             R"(A", "format": "wav"}})");
    }
    case 2:
      return Media(true, R"({"type": "video_url", "video_url": {"url": "https://x/v"}})");
    case 3:
      return Media(true, R"({"type": "input_video", "input_video": )" + id + "}");
    case 4:
      return Media(true, R"({"type": "audio_url", "audio_url": {"url": "https://x/a"}})");
    case 5:
      return Media(true, R"({"type": "file", "file": {"file_id": )" + id + "}}");
    case 6:
      return Media(true, R"({"type": "file", "file": {"file_data": ")" + Read(Noise()) + "\"}}");
    case 7:
      return Media(true, R"({"type": "document", "document": {"data": )" + Text() + "}}");
    case 8:
      return Media(true, R"({"type": "new_kind", "x": )" + Read(Value(0)) + "}");
    default:
      return R"({"type": "text", "text": )" + Text() + (OneIn(4) ? Unknown("y") : std::string()) +
             "}";
  }
}

std::string RandomRequest::Message() {
  ++messages_;
  if (OneIn(4)) {
    std::string message = R"({"role": "assistant", "content": )" + (OneIn(2) ? "null" : Text());
    if (OneIn(3)) message += Media(true, R"(, "audio": {"id": "a"})");
    if (OneIn(3)) message += Picture(R"(, "images": ["aGk="])");
    if (OneIn(4)) message += ", " + Citations();
    if (OneIn(2)) {
      message += R"(, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", )"
                 R"("arguments": )" +
                 (OneIn(2) ? Text() : Read("{\"k\": " + Value(1) + "}")) + "}}";
      ++calls_;
      // However little is in one.
      for (uint64_t i = Below(OneIn(8) ? 100 : 3); i > 0; --i, ++calls_) message += ", {}";
      message += "]";
    }
    return message + (OneIn(4) ? Unknown("z") : std::string()) + "}";
  }
  if (OneIn(2)) return R"({"role": "user", "content": )" + Text() + "}";
  std::string parts;
  for (uint64_t i = 0, n = 1 + Below(3); i < n; ++i, ++parts_) {
    parts += (i > 0 ? ", " : "") + Part();
  }
  return R"({"role": "user", "content": [)" + parts + "]}";
}

void RandomRequest::AddField() {
  // Each at most once: a name of its own for each kind.
  const uint64_t kind = Below(15);
  if ((used_ >> kind & 1) != 0) return;
  used_ |= uint64_t{1} << kind;
  switch (kind) {
    case 0:  // nobody's business but the gateway's and the provider's
      return fields_.push_back(R"("metadata": {"k": ")" + Noise() + R"("}, "user": "u")");
    case 1:
      return fields_.push_back(R"("models": ["m"], "plugins": [{"id": ")" + Noise() + R"("}])");
    case 2:
      choices_ = 1 + static_cast<int64_t>(Below(8));
      return fields_.push_back("\"n\": " + std::to_string(choices_));
    case 3:
      return fields_.push_back("\"response_format\": " + Defined("{\"schema\": " + Value(1) + "}"));
    case 4: {
      std::string tools = R"({"type": "function", "eager": true, "function": )" + Value(1) + "}";
      if (OneIn(3)) {  // which the client runs
        tools += R"(, {"type": "bash_20250124", "name": "bash"})";
        media_ += kClientTool;
      }
      return fields_.push_back("\"tools\": " + Defined("[" + tools + "]"));
    }
    case 5:
      return fields_.push_back("\"functions\": [" +
                               Media(false, OneIn(2) ? R"({"type": "web_search_preview"}])"
                                                     : R"({"name": "f", "google_search": {}}])"));
    case 6: {
      const bool media = OneIn(2);
      const std::string value = media ? R"({"u": ["https://)" + Noise() + "\"]}" : Value(0);
      const bool number = value[0] >= '0' && value[0] <= '9';
      asks_unknown_ = !number;
      const std::string field = Read("\"unknown" + std::to_string(Below(9)) + "\": " + value);
      return fields_.push_back(media ? Media(true, field) : field);
    }
    case 7:
      return fields_.push_back(Read("\"chat_template_kwargs\": {\"a\": " + Value(1) + "}"));
    case 8:
      return fields_.push_back("\"documents\": " + Read("[" + Value(1) + "]"));
    case 9: {
      const std::string content = "\"" + Noise() + "\"";
      predicted_ = static_cast<int64_t>(content.size());
      return fields_.push_back(R"("prediction": {"type": "content", "content": )" + Read(content) +
                               "}");
    }
    case 10:
      return fields_.push_back("\"web_search_options\": " + Media(false, "{}"));
    case 11:
      asks_text_ = true;
      return fields_.push_back(R"("modalities": ["text"])");
    case 12:
      if (OneIn(4)) return fields_.push_back(R"("thinking_budget": -1)");
      thinking_ = 1 + static_cast<int64_t>(Below(3000));
      return fields_.push_back("\"thinking_budget\": " + std::to_string(*thinking_));
    case 13:
      asks_others_ = true;
      return fields_.push_back(R"("audio": {"voice": "v"})");
    default:
      return fields_.push_back(R"("seed": 1, "temperature": 0.5, "stop": ["x"])");
  }
}

}  // namespace seekroute::testing
