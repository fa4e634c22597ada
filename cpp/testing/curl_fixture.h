// What the tests of the libcurl transport share: an observer that remembers, and a loop with a
// bound.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "testing/raw_server.h"
#include "transport/curl/curl_transport.h"
#include "transport/transport.h"

namespace seekroute {

inline constexpr Duration kStep = Duration::Milliseconds(20);
inline constexpr auto kPatience = std::chrono::seconds(20);

// Remembers what it hears; the hooks act from inside the callbacks.
struct Recorder : TransportObserver {
  void OnSent() override {
    EXPECT_FALSE(end.has_value());
    ++sent_calls;
  }
  void OnHead(const TransportHead& heard) override {
    EXPECT_FALSE(end.has_value());
    EXPECT_FALSE(head.has_value());
    head = heard;
    if (on_head) on_head();
  }
  Flow OnBody(std::string_view bytes) override {
    EXPECT_TRUE(head.has_value());
    EXPECT_FALSE(end.has_value());
    body += bytes;
    ++body_calls;
    return on_body ? on_body() : Flow::kContinue;
  }
  void OnEnd(const TransportEnd& heard) override {
    EXPECT_FALSE(end.has_value());
    end = heard;
    if (on_end) on_end();
  }
  bool ended() const { return end.has_value(); }

  std::optional<TransportHead> head;
  std::string body;
  int body_calls = 0;
  int sent_calls = 0;
  std::optional<TransportEnd> end;
  std::function<void()> on_head;
  std::function<Flow()> on_body;
  std::function<void()> on_end;
};

// Bytes without a pattern, always the same.
inline std::string Noise(size_t size) {
  std::string bytes(size, '\0');
  uint32_t state = 12345;
  for (char& c : bytes) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

// A provider as the tests need it: plain http on loopback.
inline UpstreamSpec SpecOf(const std::string& base_url) {
  UpstreamSpec spec;
  spec.base_url = base_url;
  spec.authorization = Secret("Bearer sk-upstream");
  spec.allow_http = true;
  spec.allow_private = true;
  spec.keep_alive = Duration::Seconds(60);  // a slow machine's pause ends no connection
  return spec;
}

inline TransportRequest RequestTo(const UpstreamSpec& spec, std::string body = "{}") {
  TransportRequest request;
  request.upstream = &spec;
  request.path = "/chat/completions";
  request.body = std::move(body);
  return request;
}

class CurlTransportTest : public testing::Test {
 protected:
  bool RunUntil(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    RawServer::Meet();
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      transport_.Poll(kStep);
    }
    RawServer::Meet();
    return true;
  }

  // One request from its start to its end.
  std::unique_ptr<Recorder> Run(const UpstreamSpec& spec, std::string body = "{}") {
    auto recorder = std::make_unique<Recorder>();
    transport_.Start(RequestTo(spec, std::move(body)), recorder.get());
    EXPECT_TRUE(RunUntil([&] { return recorder->ended(); }));
    if (!recorder->ended()) recorder->end.emplace();
    return recorder;
  }

  // Messages reach the caller: no address, no key.
  static void ExpectDiscreet(const std::string& message, int port) {
    EXPECT_FALSE(message.empty());
    EXPECT_EQ(message.find("127.0.0.1"), std::string::npos) << message;
    EXPECT_EQ(message.find(std::to_string(port)), std::string::npos) << message;
    EXPECT_EQ(message.find("sk-upstream"), std::string::npos) << message;
  }

  CurlTransport transport_;
};

inline RawServer::Reply Echo(const RawServer::Request& request) {
  return {RawServer::Ok(request.body)};
}

}  // namespace seekroute
