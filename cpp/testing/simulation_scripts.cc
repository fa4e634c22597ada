// What the upstreams of a simulated run send.
#include <algorithm>
#include <array>
#include <string>

#include "testing/simulation.h"

namespace seekroute::testing {
namespace {

// An error in a stream, however it is told.
constexpr auto kErrorEvents = std::to_array<std::string_view>({
    "data: {\"error\":{\"message\":\"boom\"}}\n\n",
    "{\"error\":{\"message\":\"boom\"}}\n",
    "data: {\"message\":\"boom\"}\n\n",
    "data: {\"success\":false,\"message\":\"boom\"}\n\n",
    "<!DOCTYPE html>\n<html>\n",
    "data: {\"error\":{\"message\":\"boom\",\"code\":429}}\n\n",
    "data: {\"error\":{\"message\":\"boom\",\"code\":\"context_length_exceeded\"}}\n\n",
    "event: error\ndata: {\"code\":500,\"message\":\"boom\"}\n\n",
    "event: error\ndata: boom\n\n",
    "error: {\"code\":500,\"message\":\"boom\"}\n\n",
    "data: {\"code\":\"boom\",\"message\":\"boom\"}\n\n",
});

// The delta with a piece of a tool call's arguments.
std::string CallDelta(const std::string& arguments, bool first, bool numbered) {
  std::string call = "{\"tool_calls\":[{";
  if (numbered) call += "\"index\":0,";
  if (first) call += R"("id":"c","type":"function",)";
  call += first ? R"("function":{"name":"f","arguments":")" : R"("function":{"arguments":")";
  return call + arguments + "\"}}]}";
}

std::string Chunk(const std::string& delta, const std::string& finish, const std::string& usage) {
  std::string chunk =
      R"(data: {"id":"up","object":"chat.completion.chunk","created":1,"model":"m",)"
      R"("choices":[{"index":0,"delta":)" +
      delta + R"(,"finish_reason":)" + finish + "}]";
  if (!usage.empty()) chunk += R"(,"usage":)" + usage;
  return chunk + "}\n\n";
}

}  // namespace

void Simulation::Cut(const std::string& bytes, UpstreamScript* script) {
  script->prompt = !rng_.OneIn(10);
  const Duration longest = script->prompt ? Duration::Seconds(2) : Duration::Seconds(40);
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = 1 + rng_.Below(kLargestPiece);
    script->pieces.push_back({rng_.UpTo(longest), bytes.substr(at, size)});
    at += size;
  }
}

// Nothing but comments for a while: silence that is not.
void Simulation::Think(UpstreamScript* script) {
  Duration left = rng_.UpTo(kLongestThought);
  while (left > Duration{}) {
    const Duration pause = std::min(left, Duration::Seconds(1) + rng_.UpTo(Duration::Seconds(8)));
    script->pieces.push_back({pause, ": thinking\n\n"});
    left = left - pause;
  }
}

UpstreamScript Simulation::StreamScript(const std::string& tag, bool with_calls) {
  UpstreamScript script;
  script.head.content_type = "text/event-stream";
  const uint64_t words = 1 + rng_.Below(30);
  const std::string usage =
      R"({"prompt_tokens":10,"completion_tokens":)" + std::to_string(words) + "}";
  std::string bytes = Chunk(R"({"role":"assistant","content":""})", "null", "");
  const uint64_t fault = rng_.Below(12);
  const uint64_t fault_at = rng_.Below(words);
  std::string text, arguments;  // so far
  for (uint64_t i = 0; i < words; ++i) {
    if (rng_.OneIn(5)) bytes += ": ping\n\n";
    if (i == fault_at && fault < 3) {
      script.well_formed = false;
      if (fault == 0) bytes += kErrorEvents[rng_.Below(kErrorEvents.size())];
      if (fault == 1) bytes += "data: not json\n\n";
      if (fault == 2) bytes += "data: " + std::string(5000, 'y') + "\n\n";
    }
    const std::string word = tag + "." + std::to_string(i) + " ";
    if (script.well_formed) script.content += word;
    const bool calls = with_calls && rng_.OneIn(2);
    const std::string delta = calls ? CallDelta(word, arguments.empty(), rng_.OneIn(2))
                                    : R"({"content":")" + word + R"("})";
    (calls ? arguments : text) += word;
    bytes += Chunk(delta, "null", rng_.OneIn(9) ? usage : "");
  }
  if (with_calls && rng_.OneIn(3)) {  // the message once more, whole, and longer
    if (script.well_formed) script.content += "end";
    bytes += R"(data: {"id":"up","choices":[{"index":0,"message":{"role":"assistant","content":")" +
             text + R"(","tool_calls":[{"id":"c","type":"function","function":{"name":"f",)" +
             R"("arguments":")" + arguments + R"(end"}}]},"finish_reason":"stop"}]})" + "\n\n";
  } else {
    bytes += Chunk("{}", "\"stop\"", rng_.OneIn(3) ? usage : "");
  }
  const size_t whole = bytes.size();  // what follows is not missed
  if (!rng_.OneIn(4)) {
    bytes += R"(data: {"id":"up","choices":[],"usage":)" + usage + "}\n\n";
  }
  if (!rng_.OneIn(6)) bytes += "data: [DONE]\n\n";
  if (fault == 3) {
    bytes.resize(rng_.Below(bytes.size()));
    if (bytes.size() < whole) {
      script.well_formed = false;
      script.content.clear();  // unknown: only the prefix rule is checked
    }
  }
  if (fault == 4 || fault == 3) {
    script.ending = rng_.OneIn(2) ? UpstreamScript::Ending::kBroken : UpstreamScript::Ending::kHang;
  }
  if (rng_.OneIn(2)) Think(&script);
  // Between two events, once: before the last of the content or after it.
  const size_t between = bytes.find("\n\n", rng_.Below(bytes.size() + 1));
  if (between != std::string::npos && rng_.OneIn(2)) {
    Cut(bytes.substr(0, between + 2), &script);
    const bool prompt = script.prompt;
    Think(&script);
    Cut(bytes.substr(between + 2), &script);
    script.prompt = script.prompt && prompt;
  } else {
    Cut(bytes, &script);
  }
  return script;
}

UpstreamScript Simulation::JsonScript(const std::string& tag) {
  UpstreamScript script;
  script.content = tag + " answer";
  std::string bytes = R"({"id":"up","object":"chat.completion","created":1,"model":"m","choices":[)"
                      R"({"index":0,"message":{"role":"assistant","content":")" +
                      script.content + R"("},"finish_reason":"stop"}])";
  if (!rng_.OneIn(4)) bytes += R"(,"usage":{"prompt_tokens":10,"completion_tokens":2})";
  bytes += "}";
  BreakJson(std::move(bytes), &script);
  return script;
}

UpstreamScript Simulation::EmbeddingsScript(size_t inputs) {
  UpstreamScript script;
  const bool missing = rng_.OneIn(12);
  for (size_t i = missing ? 1 : 0; i < inputs; ++i) {
    script.content += script.content.empty() ? "[" : ",";
    const std::string number = std::to_string(rng_.Below(1000));
    script.content += R"({"object":"embedding","embedding":)";
    script.content += rng_.OneIn(2) ? "[0." + number + ",-1]" : "\"AA" + number + "\"";
    script.content += R"(,"index":)" + std::to_string(i) + "}";
  }
  script.content += script.content.empty() ? "[]" : "]";
  std::string bytes = R"({"object":"list","model":"m","data":)" + script.content;
  if (!rng_.OneIn(4)) bytes += R"(,"usage":{"prompt_tokens":10,"total_tokens":10})";
  BreakJson(bytes + "}", &script);
  script.well_formed = script.well_formed && !missing;
  return script;
}

// An answer that comes whole, and that something may be wrong with.
void Simulation::BreakJson(std::string bytes, UpstreamScript* script) {
  const uint64_t fault = rng_.Below(12);
  script->well_formed = fault > 4;
  if (fault == 0) bytes = R"({"error":{"message":"quota"}})";
  if (fault == 1) bytes = "<html>";
  if (fault == 2) bytes = std::string(5000, '[');
  if (fault == 3) bytes.resize(rng_.Below(bytes.size()));
  if (fault == 4) script->ending = UpstreamScript::Ending::kHang;
  if (fault == 3) script->ending = UpstreamScript::Ending::kBroken;
  Cut(bytes, script);
}

}  // namespace seekroute::testing
