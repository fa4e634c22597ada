// Which connections are kept for the next request, and for how long.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "testing/curl_fixture.h"
#include "testing/raw_server.h"
#include "transport/curl/curl_transport.h"
#include "transport/transport.h"

namespace seekroute {
namespace {

using Then = RawServer::Then;
using Reply = RawServer::Reply;
using Request = RawServer::Request;

using CurlConnectionsTest = CurlTransportTest;

TEST_F(CurlConnectionsTest, ReusesTheConnection) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Run(spec, std::to_string(i))->body, std::to_string(i));
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_EQ(server.requests_begun(), 5);
}

TEST_F(CurlConnectionsTest, CarriesManyTransfersAtOnce) {
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

// How many connections three requests take that run at once, and three more after them.
int ConnectionsOfTwoRounds(const CurlTransport::Options& options, const std::string& header = "",
                           Duration keep_alive = Duration::Seconds(60)) {
  RawServer server([&header](const Request& request) {
    return Reply{"HTTP/1.1 200 OK\r\n" + header + "Content-Length: " +
                 std::to_string(request.body.size()) + "\r\n\r\n" + request.body};
  });
  UpstreamSpec spec = SpecOf(server.url());
  spec.keep_alive = keep_alive;
  CurlTransport transport(options);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (int round = 0; round < 2; ++round) {
    std::vector<Recorder> heard(3);
    for (Recorder& one : heard) transport.Start(RequestTo(spec), &one);
    const auto running = [&] {
      return !heard[0].ended() || !heard[1].ended() || !heard[2].ended();
    };
    while (running() && std::chrono::steady_clock::now() < deadline) transport.Poll(kStep);
    for (const Recorder& one : heard) EXPECT_TRUE(one.ended() && one.end->complete);
  }
  return server.accepted();
}

TEST_F(CurlConnectionsTest, TheIdleConnectionsAreBounded) {
  CurlTransport::Options options;
  EXPECT_EQ(ConnectionsOfTwoRounds(options), 3);
  options.max_idle_connections = 1;
  EXPECT_EQ(ConnectionsOfTwoRounds(options), 5);
  options.max_idle_connections = 0;
  EXPECT_EQ(ConnectionsOfTwoRounds(options), 6);
}

TEST_F(CurlConnectionsTest, OldConnectionsAreNotReused) {
  CurlTransport::Options options;
  EXPECT_EQ(ConnectionsOfTwoRounds(options, "", Duration{}), 6);
  // What the answer says counts where it is less, a second of it left to the way.
  EXPECT_EQ(ConnectionsOfTwoRounds(options, "Keep-Alive: timeout=1\r\n"), 6);
  EXPECT_EQ(ConnectionsOfTwoRounds(options, "Keep-Alive: timeout=0, max=5\r\n"), 6);
  EXPECT_EQ(ConnectionsOfTwoRounds(options, "Keep-Alive: timeout=600\r\n"), 3);
  EXPECT_EQ(ConnectionsOfTwoRounds(options, "Keep-Alive: timeout=600\r\n", Duration{}), 6);
  // uvicorn and Node close after five seconds, and not all of them say so.
  EXPECT_LT(UpstreamSpec().keep_alive, Duration::Seconds(5));
  options.max_connection_life = Duration{};
  EXPECT_EQ(ConnectionsOfTwoRounds(options), 6);
}

// A POST that meets its connection's close on the way is lost: it was written, and is not repeated.
TEST_F(CurlConnectionsTest, AnUpstreamThatClosesAtItsIdleLimitLosesNoRequest) {
  RawServer server([](const Request& request) {
    if (request.number > 0) return Reply{"", Then::kFin};
    return Reply{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\n{}"};
  });
  const UpstreamSpec spec = SpecOf(server.url());
  for (int i = 0; i < 3; ++i) {
    const auto heard = Run(spec);
    EXPECT_TRUE(heard->end->complete) << heard->end->error.message;
  }
  EXPECT_EQ(server.accepted(), 3);
}

TEST_F(CurlConnectionsTest, AnswersThatSayCloseEndTheirConnection) {
  RawServer server([](const Request&) {
    return Reply{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"};
  });
  const UpstreamSpec spec = SpecOf(server.url());
  EXPECT_EQ(Run(spec)->body, "{}");
  EXPECT_EQ(Run(spec)->body, "{}");
  EXPECT_EQ(server.accepted(), 2);
}

}  // namespace
}  // namespace seekroute
