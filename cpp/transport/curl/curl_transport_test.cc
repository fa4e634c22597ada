#include "transport/curl/curl_transport.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "testing/raw_server.h"
#include "transport/transport.h"

namespace seekroute {
namespace {

using Then = RawServer::Then;
using Reply = RawServer::Reply;
using Request = RawServer::Request;

constexpr Duration kStep = Duration::Milliseconds(20);
constexpr auto kPatience = std::chrono::seconds(20);

// Remembers what it hears; the hooks act from inside the callbacks.
struct Recorder : TransportObserver {
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
  std::optional<TransportEnd> end;
  std::function<void()> on_head;
  std::function<Flow()> on_body;
  std::function<void()> on_end;
};

std::string Noise(size_t size) {
  std::string bytes(size, '\0');
  uint32_t state = 12345;
  for (char& c : bytes) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

UpstreamSpec SpecOf(const std::string& base_url) {
  UpstreamSpec spec;
  spec.base_url = base_url;
  spec.authorization = Secret("Bearer sk-upstream");
  spec.allow_http = true;
  spec.allow_private = true;
  return spec;
}

TransportRequest RequestTo(const UpstreamSpec& spec, std::string body = "{}") {
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
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      transport_.Poll(kStep);
    }
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

  // Expects that a server that always answers with `reply` is understood as this failure.
  void ExpectFailure(const Reply& reply, ErrorCode code) {
    RawServer server([&](const Request&) { return reply; });
    const UpstreamSpec spec = SpecOf(server.url());
    const auto heard = Run(spec);
    EXPECT_FALSE(heard->end->complete);
    EXPECT_EQ(heard->end->error.name(), TraitsOf(code).name);
    EXPECT_TRUE(heard->end->dispatched);
    ExpectDiscreet(heard->end->error.message, server);
  }

  static void ExpectDiscreet(const std::string& message, const RawServer& server) {
    EXPECT_FALSE(message.empty());
    EXPECT_EQ(message.find("127.0.0.1"), std::string::npos) << message;
    EXPECT_EQ(message.find(std::to_string(server.port())), std::string::npos) << message;
    EXPECT_EQ(message.find("sk-upstream"), std::string::npos) << message;
  }

  CurlTransport transport_;
};

Reply Echo(const Request& request) { return {RawServer::Ok(request.body)}; }

TEST_F(CurlTransportTest, PostsTheBodyAndHandsOnTheAnswer) {
  Request seen;
  RawServer server([&](const Request& request) {
    seen = request;
    return Echo(request);
  });
  const UpstreamSpec spec = SpecOf(server.url() + "/v1");
  TransportRequest request = RequestTo(spec, R"({"model":"m"})");
  request.headers = {"OpenAI-Beta: x", "X-Other: y"};
  Recorder heard;
  transport_.Start(std::move(request), &heard);
  EXPECT_FALSE(heard.ended());
  ASSERT_TRUE(RunUntil([&] { return heard.ended(); }));
  EXPECT_TRUE(heard.end->complete);
  EXPECT_TRUE(heard.end->dispatched);
  EXPECT_EQ(heard.head->status, 200);
  EXPECT_EQ(heard.head->content_type, "application/json");
  EXPECT_EQ(heard.body, R"({"model":"m"})");

  EXPECT_TRUE(seen.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n")) << seen.head;
  for (const char* line :
       {"\r\nAuthorization: Bearer sk-upstream\r\n", "\r\nContent-Type: application/json\r\n",
        "\r\nContent-Length: 13\r\n", "\r\nAccept-Encoding: identity\r\n", "\r\nOpenAI-Beta: x\r\n",
        "\r\nX-Other: y\r\n", "\r\nUser-Agent: seekroute\r\n"}) {
    EXPECT_NE(seen.head.find(line), std::string::npos) << line << " in " << seen.head;
  }
  for (const char* name : {"Expect", "Transfer-Encoding", "Cookie", "Connection", "Upgrade"}) {
    EXPECT_EQ(seen.head.find(std::string("\r\n") + name), std::string::npos) << seen.head;
  }
}

TEST_F(CurlTransportTest, SendsNoAuthorizationWhenThereIsNone) {
  std::string head;
  RawServer server([&](const Request& request) {
    head = request.head;
    return Echo(request);
  });
  UpstreamSpec with_key = SpecOf(server.url());
  UpstreamSpec without_key = SpecOf(server.url());
  without_key.authorization = Secret();
  EXPECT_TRUE(Run(with_key)->end->complete);
  EXPECT_NE(head.find("Authorization"), std::string::npos);
  EXPECT_TRUE(Run(without_key)->end->complete);
  EXPECT_EQ(head.find("Authorization"), std::string::npos);
}

TEST_F(CurlTransportTest, ReusesTheConnection) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Run(spec, std::to_string(i))->body, std::to_string(i));
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_EQ(server.requests_begun(), 5);
}

TEST_F(CurlTransportTest, CarriesManyTransfersAtOnce) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  std::vector<Recorder> heard(200);
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < heard.size(); ++i) {
      heard[i] = Recorder();
      transport_.Start(RequestTo(spec, std::to_string(i)), &heard[i]);
    }
    ASSERT_TRUE(RunUntil([&] {
      for (const Recorder& one : heard) {
        if (!one.ended()) return false;
      }
      return true;
    }));
    for (size_t i = 0; i < heard.size(); ++i) {
      EXPECT_TRUE(heard[i].end->complete);
      EXPECT_EQ(heard[i].body, std::to_string(i));
    }
  }
  EXPECT_EQ(server.requests_begun(), 400);
  EXPECT_LE(server.accepted(), 200);
}

TEST_F(CurlTransportTest, UploadsALargeBodyExactly) {
  std::string seen;
  RawServer server([&](const Request& request) {
    seen = request.body;
    return Reply{RawServer::Ok("{}")};
  });
  const UpstreamSpec spec = SpecOf(server.url());
  const std::string body = Noise(5 << 20);
  EXPECT_TRUE(Run(spec, body)->end->complete);
  EXPECT_TRUE(seen == body);
}

}  // namespace
}  // namespace seekroute
