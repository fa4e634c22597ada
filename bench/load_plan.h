// What the load generator is asked to do, and the request that it sends over and over.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net.h"
#include "options.h"

namespace seekroute::bench {

// A contender that fails this often is not worth the rest of the round. The default of
// --max-errors.
constexpr int64_t kMaxErrors = 1000;

enum class Mode { kClosed, kOpen, kStreams };

struct Plan {
  Mode mode = Mode::kClosed;
  std::string mode_name;
  sockaddr_in address{};
  std::string request;
  std::size_t connections = 1;
  int64_t rate = 0;
  int64_t chunks = 64;
  int64_t interval_us = 0;
  int64_t warmup_ns = 0;
  int64_t run_ns = 0;
  int64_t timeout_ns = 0;
  int64_t max_errors = 0;
  int64_t abort_percent = 0;
};

// About `bytes` bytes of prose as the inside of a JSON string, with the escapes that real prompts
// have.
inline std::string Padding(std::size_t bytes) {
  constexpr std::string_view kProse =
      "The operator of a gateway wants to know what each request costs in time and in memory "
      "before it is sent on. "
      "A plain proxy only moves the bytes; a gateway has to look at some of them.\\n"
      "Most of a long prompt is text that nobody but the model reads, with a few \\\"quoted "
      "words\\\" and a new line "
      "now and then.\\n";
  std::string text;
  while (text.size() + kProse.size() <= bytes) text += kProse;
  text.append(bytes - text.size(), 'x');
  return text;
}

inline std::string MakeRequest(Options& options, Mode mode) {
  const auto body_bytes = static_cast<std::size_t>(options.Int("body-bytes", 1024));
  const std::string model = options.Text("model", "bench-model");
  std::string head =
      "POST " + options.Text("path", "/v1/chat/completions") +
      " HTTP/1.1\r\nHost: " + options.Text("host", "127.0.0.1") + ":" + options.Text("port", "") +
      "\r\nContent-Type: application/json\r\nAccept: */*\r\nUser-Agent: seekroute-bench\r\n";
  const std::string key = options.Text("key", "bench");
  if (!key.empty()) head += "Authorization: Bearer " + key + "\r\n";
  for (const std::string& header : options.All("header")) head += header + "\r\n";
  const std::string before =
      "{\"model\":\"" + model +
      "\",\"messages\":[{\"role\":\"system\",\"content\":\"Answer in one sentence.\"},"
      "{\"role\":\"user\",\"content\":\"";
  std::string after = "\"}],\"temperature\":0.5,\"max_tokens\":256";
  after +=
      mode == Mode::kStreams ? R"(,"stream":true,"stream_options":{"include_usage":true}})" : "}";
  const std::size_t frame = before.size() + after.size();
  const std::string body = before + Padding(body_bytes > frame ? body_bytes - frame : 0) + after;
  return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Reads the options; ends the program when they make no sense.
inline Plan ReadPlan(Options& options) {
  Plan plan;
  plan.mode_name = options.Text("mode", "closed");
  if (plan.mode_name == "open") {
    plan.mode = Mode::kOpen;
  } else if (plan.mode_name == "streams") {
    plan.mode = Mode::kStreams;
  } else if (plan.mode_name != "closed") {
    Die("--mode: expected closed, open or streams, found " + plan.mode_name);
  }
  const int64_t port = options.Int("port", 0);
  if (port < 1 || port > 65535) Die("--port: expected 1 to 65535");
  plan.address = Ipv4Address(options.Text("host", "127.0.0.1"), static_cast<uint16_t>(port));
  plan.request = MakeRequest(options, plan.mode);
  plan.connections = static_cast<std::size_t>(options.Int("connections", 1));
  plan.rate = options.Int("rate", 1000);
  plan.chunks = options.Int("chunks", 64);
  plan.interval_us = options.Int("interval-us", 0);
  plan.warmup_ns = options.Int("warmup-ms", 500) * 1'000'000;
  plan.run_ns = options.Int("seconds", 3) * kNsPerSecond;
  plan.timeout_ns = options.Int("timeout-ms", 20'000) * 1'000'000;
  plan.max_errors = options.Int("max-errors", kMaxErrors);
  plan.abort_percent = options.Int("abort-percent", 0);
  options.RefuseUnknown();
  if (plan.abort_percent > 100) Die("--abort-percent: expected at most 100");
  if (plan.connections == 0 || plan.rate == 0 || plan.run_ns == 0) {
    Die("expected at least one connection, one request a second and one second");
  }
  return plan;
}

}  // namespace seekroute::bench
