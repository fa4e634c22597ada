#include "transport/curl/curl_transport.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "testing/curl_fixture.h"
#include "testing/raw_server.h"
#include "transport/transport.h"

namespace seekroute {
namespace {

using Then = RawServer::Then;
using Reply = RawServer::Reply;
using Request = RawServer::Request;

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

TEST_F(CurlTransportTest, SaysOnceThatTheRequestIsWritten) {
  for (const size_t size : {size_t{2}, size_t{4} << 20}) {
    std::atomic<bool> answers = false;
    RawServer server([&](const Request& request) {
      while (!answers) std::this_thread::yield();
      return Echo(request);
    });
    const UpstreamSpec spec = SpecOf(server.url());
    Recorder heard;
    transport_.Start(RequestTo(spec, std::string(size, ' ')), &heard);
    EXPECT_EQ(heard.sent_calls, 0);
    EXPECT_TRUE(RunUntil([&] { return heard.sent_calls > 0; })) << size;
    EXPECT_FALSE(heard.head.has_value());
    answers = true;
    ASSERT_TRUE(RunUntil([&] { return heard.ended(); }));
    EXPECT_EQ(heard.sent_calls, 1);
    EXPECT_EQ(heard.body.size(), size);
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

// The answer counts, and what was not sent of the request stays unsent.
TEST_F(CurlTransportTest, AnAnswerMayComeBeforeTheRequestIsOut) {
  const std::string refusal = "HTTP/1.1 413 Too large\r\nContent-Length: 5\r\n\r\nlarge";
  for (const Then then : {Then::kKeep, Then::kFin}) {
    RawServer server([](const Request&) { return Reply{}; });
    server.GreetWith({refusal, then});
    const UpstreamSpec spec = SpecOf(server.url());
    const auto heard = Run(spec, Noise(20 << 20));
    EXPECT_TRUE(heard->end->complete) << heard->end->error.message;
    ASSERT_TRUE(heard->head.has_value());
    EXPECT_EQ(heard->head->status, 413);
    EXPECT_EQ(heard->body, "large");
  }
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

// 20 MB in chunks, so that libcurl's own buffering of a paused transfer is met too.
std::string Chunked(const std::string& body) {
  std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  constexpr size_t kChunk = 3000;
  for (size_t at = 0; at < body.size(); at += kChunk) {
    const std::string chunk = body.substr(at, kChunk);
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    answer += size + chunk + "\r\n";
  }
  return answer + "0\r\n\r\n";
}

class PauseTest : public CurlTransportTest, public testing::WithParamInterface<bool> {
 protected:
  const std::string body_ = Noise(20 << 20);
  const std::string answer_ = GetParam() ? Chunked(body_) : RawServer::Ok(body_);
  RawServer server_{[this](const Request&) { return Reply{answer_}; }};
  const UpstreamSpec spec_ = SpecOf(server_.url());
};

TEST_P(PauseTest, APausedTransferStopsTheServerAndLosesNothing) {
  Recorder heard;
  heard.on_body = [] { return Flow::kPause; };
  const TransferId id = transport_.Start(RequestTo(spec_), &heard);
  ASSERT_TRUE(RunUntil([&] { return heard.body_calls == 1; }));
  // The server sends on until the kernel's buffers are full: then what it sent stands still.
  size_t sent = 0;
  int still = 0;
  ASSERT_TRUE(RunUntil([&] {
    still = server_.bytes_sent() == sent ? still + 1 : 0;
    sent = server_.bytes_sent();
    return still == 10;
  }));
  EXPECT_LT(sent, size_t{12} << 20);
  EXPECT_EQ(heard.body_calls, 1);

  heard.on_body = nullptr;
  transport_.Resume(id);
  ASSERT_TRUE(RunUntil([&] { return heard.ended(); }));
  EXPECT_TRUE(heard.end->complete);
  EXPECT_TRUE(heard.body == body_);
}

TEST_P(PauseTest, PausingAtEveryCallDeliversEverythingInOrder) {
  Recorder heard;
  bool paused = false;
  heard.on_body = [&] {
    EXPECT_FALSE(paused) << "called while paused";
    paused = true;
    return Flow::kPause;
  };
  const TransferId id = transport_.Start(RequestTo(spec_), &heard);
  ASSERT_TRUE(RunUntil([&] {
    if (std::exchange(paused, false)) transport_.Resume(id);
    return heard.ended();
  }));
  EXPECT_TRUE(heard.end->complete);
  EXPECT_TRUE(heard.body == body_);
}

TEST_P(PauseTest, ResumingInsideTheCallbackThatPausesGoesOn) {
  Recorder heard;
  TransferId id = 0;
  heard.on_body = [&] {
    transport_.Resume(id);
    return Flow::kPause;
  };
  id = transport_.Start(RequestTo(spec_), &heard);
  ASSERT_TRUE(RunUntil([&] { return heard.ended(); }));
  EXPECT_TRUE(heard.body == body_);
}

TEST_P(PauseTest, APausedTransferCanBeCancelled) {
  Recorder heard;
  heard.on_body = [] { return Flow::kPause; };
  const TransferId id = transport_.Start(RequestTo(spec_), &heard);
  ASSERT_TRUE(RunUntil([&] { return heard.body_calls == 1; }));
  transport_.Resume(id);
  transport_.Cancel(id);
  transport_.Resume(id);
  // The next request gets a connection of its own, and none of the bytes left over.
  Recorder next;
  transport_.Start(RequestTo(spec_), &next);
  ASSERT_TRUE(RunUntil([&] { return next.ended(); }));
  EXPECT_TRUE(next.body == body_);
  EXPECT_EQ(heard.body_calls, 1);
  EXPECT_FALSE(heard.ended());
  EXPECT_EQ(server_.accepted(), 2);
}

INSTANTIATE_TEST_SUITE_P(Framing, PauseTest, testing::Bool(),
                         [](const auto& one) { return one.param ? "Chunked" : "ContentLength"; });

// A paused or idle socket that is readable all the time must not make Poll() spin.
TEST_F(CurlTransportTest, PollWaitsWhileOnlyAPausedTransferIsReadable) {
  RawServer server([](const Request&) { return Reply{RawServer::Ok(Noise(1 << 20))}; });
  const UpstreamSpec spec = SpecOf(server.url());
  Recorder heard;
  heard.on_body = [] { return Flow::kPause; };
  transport_.Start(RequestTo(spec), &heard);
  ASSERT_TRUE(RunUntil([&] { return heard.body_calls == 1; }));
  transport_.Poll(Duration::Milliseconds(0));
  transport_.Poll(Duration::Milliseconds(0));
  const auto before = std::chrono::steady_clock::now();
  transport_.Poll(Duration::Milliseconds(50));
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(45));
}

TEST_F(CurlTransportTest, CancelsBeforeAnythingHappened) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  Recorder cancelled;
  transport_.Cancel(transport_.Start(RequestTo(spec), &cancelled));
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_FALSE(cancelled.ended());
  EXPECT_EQ(server.requests_begun(), 1);
}

TEST_F(CurlTransportTest, CancelsItselfInsideOnHead) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  auto heard = std::make_unique<Recorder>();
  bool gone = false;
  TransferId id = 0;
  heard->on_head = [&] {
    transport_.Cancel(id);
    gone = true;
  };
  id = transport_.Start(RequestTo(spec, "body"), heard.get());
  ASSERT_TRUE(RunUntil([&] { return gone; }));
  EXPECT_EQ(heard->body_calls, 0);
  EXPECT_FALSE(heard->ended());
  heard.reset();
  EXPECT_TRUE(Run(spec)->end->complete);
}

TEST_F(CurlTransportTest, CancelsItselfInsideOnBody) {
  RawServer server([](const Request&) { return Reply{RawServer::Ok(Noise(1 << 20))}; });
  const UpstreamSpec spec = SpecOf(server.url());
  Recorder heard;
  TransferId id = 0;
  heard.on_body = [&] {
    transport_.Cancel(id);
    return Flow::kPause;
  };
  id = transport_.Start(RequestTo(spec), &heard);
  ASSERT_TRUE(RunUntil([&] { return heard.body_calls > 0; }));
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_EQ(heard.body_calls, 1);
  EXPECT_FALSE(heard.ended());
}

TEST_F(CurlTransportTest, CancelsAnotherInsideACallback) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  std::vector<Recorder> heard(2);
  std::vector<TransferId> ids(2);
  for (size_t i = 0; i < 2; ++i) {
    heard[i].on_head = [&, i] { transport_.Cancel(ids[1 - i]); };
    ids[i] = transport_.Start(RequestTo(spec), &heard[i]);
  }
  ASSERT_TRUE(RunUntil([&] { return heard[0].ended() || heard[1].ended(); }));
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_NE(heard[0].ended(), heard[1].ended());
}

TEST_F(CurlTransportTest, CancelsAnotherInsideOnEnd) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  std::vector<Recorder> heard(8);
  std::vector<TransferId> ids(8);
  int ended = 0;
  for (size_t i = 0; i < heard.size(); ++i) {
    heard[i].on_end = [&] {
      ++ended;
      for (const TransferId id : ids) transport_.Cancel(id);
    };
    ids[i] = transport_.Start(RequestTo(spec), &heard[i]);
  }
  ASSERT_TRUE(RunUntil([&] { return ended > 0; }));
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_EQ(ended, 1);
}

TEST_F(CurlTransportTest, StartsAnotherInsideEachCallback) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  std::vector<Recorder> next(3);
  Recorder heard;
  heard.on_head = [&] { transport_.Start(RequestTo(spec, "a"), &next[0]); };
  heard.on_body = [&] {
    transport_.Start(RequestTo(spec, "b"), &next[1]);
    return Flow::kContinue;
  };
  heard.on_end = [&] { transport_.Start(RequestTo(spec, "c"), &next[2]); };
  transport_.Start(RequestTo(spec), &heard);
  ASSERT_TRUE(RunUntil([&] { return next[0].ended() && next[1].ended() && next[2].ended(); }));
  EXPECT_EQ(next[0].body + next[1].body + next[2].body, "abc");
}

TEST_F(CurlTransportTest, StartsAndCancelsInsideACallback) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  Recorder never;
  Recorder heard;
  heard.on_head = [&] { transport_.Cancel(transport_.Start(RequestTo(spec), &never)); };
  transport_.Start(RequestTo(spec), &heard);
  ASSERT_TRUE(RunUntil([&] { return heard.ended(); }));
  EXPECT_TRUE(heard.end->complete);
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_FALSE(never.ended());
  EXPECT_EQ(server.requests_begun(), 2);
}

TEST_F(CurlTransportTest, UnknownIdsAreIgnored) {
  transport_.Cancel(12345);
  transport_.Resume(12345);
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  Recorder heard;
  const TransferId id = transport_.Start(RequestTo(spec), &heard);
  ASSERT_TRUE(RunUntil([&] { return heard.ended(); }));
  transport_.Cancel(id);
  transport_.Resume(id);
  EXPECT_TRUE(Run(spec)->end->complete);
}

TEST_F(CurlTransportTest, IsDestroyedWithTransfersInFlight) {
  RawServer server([](const Request&) { return Reply{}; });  // never answers
  const UpstreamSpec spec = SpecOf(server.url());
  std::vector<Recorder> heard(3);
  {
    CurlTransport transport;
    for (Recorder& one : heard) transport.Start(RequestTo(spec), &one);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (server.requests_begun() < 3 && std::chrono::steady_clock::now() < deadline) {
      transport.Poll(kStep);
    }
  }
  EXPECT_EQ(server.requests_begun(), 3);
  for (const Recorder& one : heard) EXPECT_FALSE(one.ended());
}

TEST_F(CurlTransportTest, WakeEndsARunningPoll) {
  std::atomic<bool> woken = false;
  std::thread waker([&] {
    woken = true;
    transport_.Wake();
  });
  const auto before = std::chrono::steady_clock::now();
  transport_.Poll(Duration::Seconds(20));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(15));
  EXPECT_TRUE(woken);
  waker.join();
}

TEST_F(CurlTransportTest, PollGivesUpAfterItsTimeout) {
  const auto before = std::chrono::steady_clock::now();
  transport_.Poll(Duration::Milliseconds(30));
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(29));
}

TEST_F(CurlTransportTest, ResolvesNames) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf("http://localhost:" + std::to_string(server.port()));
  // Twice with a new transport: the resolver's own sockets come and go with reused numbers.
  for (int i = 0; i < 2; ++i) {
    CurlTransport transport;
    for (int j = 0; j < 3; ++j) {
      Recorder heard;
      transport.Start(RequestTo(spec, "x"), &heard);
      const auto deadline = std::chrono::steady_clock::now() + kPatience;
      while (!heard.ended() && std::chrono::steady_clock::now() < deadline) transport.Poll(kStep);
      ASSERT_TRUE(heard.ended());
      EXPECT_EQ(heard.body, "x");
    }
  }
}

TEST_F(CurlTransportTest, IgnoresTheProxyOfTheEnvironment) {
  RawServer proxy(Echo);
  RawServer server(Echo);
  for (const char* name : {"http_proxy", "all_proxy", "HTTPS_PROXY"}) {
    setenv(name, proxy.url().c_str(), 1);
  }
  const UpstreamSpec spec = SpecOf(server.url());
  EXPECT_TRUE(Run(spec)->end->complete);
  for (const char* name : {"http_proxy", "all_proxy", "HTTPS_PROXY"}) unsetenv(name);
  EXPECT_EQ(proxy.accepted(), 0);
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(CurlTransportTest, TunnelsThroughAConfiguredProxyWithoutShowingItTheKey) {
  std::vector<std::string> heads;
  RawServer proxy([&](const Request& request) {
    heads.push_back(request.head);
    // Answers the CONNECT, and then plays the upstream itself.
    if (request.number == 0) return Reply{"HTTP/1.1 200 Connected\r\n\r\n"};
    return Echo(request);
  });
  UpstreamSpec spec = SpecOf("http://upstream.example");
  spec.allow_private = false;
  spec.proxy = proxy.url();
  const auto heard = Run(spec, "through");
  EXPECT_TRUE(heard->end->complete);
  EXPECT_EQ(heard->body, "through");
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_TRUE(heads[0].starts_with("CONNECT upstream.example:80 HTTP/1.1\r\n")) << heads[0];
  EXPECT_EQ(heads[0].find("sk-upstream"), std::string::npos) << heads[0];
  EXPECT_TRUE(heads[1].starts_with("POST /chat/completions HTTP/1.1\r\n")) << heads[1];
}

}  // namespace
}  // namespace seekroute
