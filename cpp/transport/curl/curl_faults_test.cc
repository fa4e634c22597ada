// How the libcurl transport names what goes wrong, and that it never sends a request twice.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "testing/curl_fixture.h"
#include "testing/raw_server.h"
#include "transport/transport.h"

namespace seekroute {
namespace {

using Then = RawServer::Then;
using Reply = RawServer::Reply;
using Request = RawServer::Request;

// --- what the upstream answers -------------------------------------------------------------------

struct FaultCase {
  const char* name;
  std::string bytes;  // the answer to every request
  Then then;
  ErrorCode code;
};

class FaultyAnswerTest : public CurlTransportTest, public testing::WithParamInterface<FaultCase> {};

TEST_P(FaultyAnswerTest, IsNamed) {
  const FaultCase& fault = GetParam();
  RawServer server([&](const Request&) { return Reply{fault.bytes, fault.then}; });
  const UpstreamSpec spec = SpecOf(server.url());
  const auto heard = Run(spec);
  EXPECT_FALSE(heard->end->complete);
  EXPECT_EQ(heard->end->error.name(), TraitsOf(fault.code).name) << heard->end->error.message;
  EXPECT_TRUE(heard->end->dispatched);
  ExpectDiscreet(heard->end->error.message, server.port());
  EXPECT_EQ(server.requests_begun(), 1);
}

constexpr auto kTruncated = ErrorCode::kUpstreamTruncated;
constexpr auto kBad = ErrorCode::kBadUpstreamResponse;
const char kChunkedHead[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Answers, FaultyAnswerTest,
    testing::Values(
        FaultCase{"NothingFin", "", Then::kFin, kTruncated},
        FaultCase{"NothingReset", "", Then::kReset, kTruncated},
        FaultCase{"HalfAStatusLine", "HTTP/1.1 20", Then::kFin, kTruncated},
        FaultCase{"HalfAHead", "HTTP/1.1 200 OK\r\nContent-Type: te", Then::kFin, kTruncated},
        FaultCase{"HeadWithoutItsEnd", "HTTP/1.1 200 OK\r\nA: b\r\n", Then::kFin, kTruncated},
        FaultCase{"OnlyAnInterimHead", "HTTP/1.1 100 Continue\r\n\r\n", Then::kFin, kTruncated},
        FaultCase{"ShortBody", "HTTP/1.1 200 OK\r\nContent-Length: 264\r\n\r\n{\"id\"", Then::kFin,
                  kTruncated},
        FaultCase{"ShortBodyReset", "HTTP/1.1 200 OK\r\nContent-Length: 264\r\n\r\n{\"id\"",
                  Then::kReset, kTruncated},
        FaultCase{"ChunkedWithoutItsEnd", std::string(kChunkedHead) + "5\r\nhello\r\n", Then::kFin,
                  kTruncated},
        FaultCase{"ChunkCutShort", std::string(kChunkedHead) + "5\r\nhe", Then::kFin, kTruncated},
        FaultCase{"ChunkedReset", std::string(kChunkedHead) + "5\r\nhello\r\n", Then::kReset,
                  kTruncated},
        FaultCase{"BrokenChunkSize", std::string(kChunkedHead) + "ZZ\r\n", Then::kFin, kBad},
        FaultCase{"BrokenChunkEnd", std::string(kChunkedHead) + "2\r\nhello", Then::kFin, kBad},
        FaultCase{"NotHttp", "SSH-2.0-OpenSSH_9\r\n", Then::kFin, kBad},
        FaultCase{"NotHttpKept", "SSH-2.0-OpenSSH_9\r\n", Then::kKeep, kBad},
        FaultCase{"Http2InDisguise", "HTTP/2 200\r\n\r\n", Then::kKeep, kBad},
        FaultCase{"NoStatus", "HTTP/1.1 abc\r\n\r\n", Then::kKeep, kBad},
        FaultCase{"StatusOutOfRange", "HTTP/1.1 700 Odd\r\n\r\n", Then::kKeep, kBad},
        FaultCase{"UnaskedUpgrade", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", Then::kKeep,
                  kBad},
        FaultCase{"LargeHead",
                  "HTTP/1.1 200 OK\r\n" +
                      [] {
                        std::string lines;
                        while (lines.size() < (65 << 10)) lines += "X-Filler: filler\r\n";
                        return lines;
                      }() +
                      "\r\n",
                  Then::kKeep, kBad},
        FaultCase{"LargeHeaderLine",
                  "HTTP/1.1 200 OK\r\nX-Filler: " + std::string(200 << 10, 'x') + "\r\n\r\n",
                  Then::kKeep, kBad},
        FaultCase{"EndlessInterimHeads",
                  [] {
                    std::string heads;
                    while (heads.size() < (65 << 10)) heads += "HTTP/1.1 103 Early Hints\r\n\r\n";
                    return heads;
                  }(),
                  Then::kKeep, kBad}),
    [](const auto& one) { return one.param.name; });

TEST_F(CurlTransportTest, WhatCameBeforeTheLossIsHandedOn) {
  RawServer server([](const Request&) {
    return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", Then::kFin};
  });
  const UpstreamSpec spec = SpecOf(server.url());
  const auto heard = Run(spec);
  EXPECT_EQ(heard->head->status, 200);
  EXPECT_EQ(heard->body, "hello");
  EXPECT_FALSE(heard->end->complete);
}

TEST_F(CurlTransportTest, AnswersThatEndWithTheConnectionAreComplete) {
  RawServer server([](const Request&) {
    return Reply{"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nConnection: close\r\n\r\nlater",
                 Then::kFin};
  });
  const UpstreamSpec spec = SpecOf(server.url());
  const auto heard = Run(spec);
  EXPECT_TRUE(heard->end->complete);
  EXPECT_EQ(heard->head->status, 429);
  EXPECT_EQ(heard->head->retry_after_ms, 7000);
  EXPECT_EQ(heard->body, "later");
}

TEST_F(CurlTransportTest, InterimHeadsAreSkipped) {
  RawServer server([](const Request&) {
    return Reply{"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n" + RawServer::Ok("{}")};
  });
  const UpstreamSpec spec = SpecOf(server.url());
  const auto heard = Run(spec);
  EXPECT_TRUE(heard->end->complete);
  EXPECT_EQ(heard->head->status, 200);
  EXPECT_EQ(heard->head->retry_after_ms, -1);
}

TEST_F(CurlTransportTest, RedirectsAreAnswersAndNotFollowed) {
  RawServer other(Echo);
  RawServer server([&](const Request&) {
    return Reply{"HTTP/1.1 307 Elsewhere\r\nLocation: " + other.url() +
                 "/\r\nContent-Length: 0\r\n\r\n"};
  });
  const UpstreamSpec spec = SpecOf(server.url());
  EXPECT_EQ(Run(spec)->head->status, 307);
  EXPECT_EQ(other.accepted(), 0);
}

TEST_F(CurlTransportTest, EncodedBodiesAreNotDecoded) {
  RawServer server([](const Request&) {
    return Reply{"HTTP/1.1 200 OK\r\nContent-Encoding: GZip\r\nContent-Length: 4\r\n\r\nabcd"};
  });
  const UpstreamSpec spec = SpecOf(server.url());
  const auto heard = Run(spec);
  EXPECT_EQ(heard->head->content_encoding, "gzip");
  EXPECT_EQ(heard->body, "abcd");
}

TEST_F(CurlTransportTest, CookiesAreNotKept) {
  std::string head;
  RawServer server([&](const Request& request) {
    head = request.head;
    return Reply{"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"};
  });
  const UpstreamSpec spec = SpecOf(server.url());
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_EQ(head.find("Cookie"), std::string::npos) << head;
}

// --- what never leaves the house -----------------------------------------------------------------

class RefusalTest : public CurlTransportTest {
 protected:
  void ExpectRefused(const UpstreamSpec& spec, ErrorCode code, const std::string& hint) {
    const auto heard = Run(spec);
    EXPECT_FALSE(heard->end->complete);
    EXPECT_FALSE(heard->end->dispatched);
    EXPECT_EQ(heard->end->error.name(), TraitsOf(code).name);
    EXPECT_NE(heard->end->error.message.find(hint), std::string::npos) << heard->end->error.message;
    ExpectDiscreet(heard->end->error.message, server_.port());
    EXPECT_FALSE(heard->head.has_value());
    EXPECT_EQ(server_.accepted(), 0);
  }

  RawServer server_{Echo};
};

TEST_F(RefusalTest, RefusesSpecialAddresses) {
  UpstreamSpec spec = SpecOf(server_.url());
  spec.allow_private = false;
  ExpectRefused(spec, ErrorCode::kUpstreamError, "allow_private");
}

TEST_F(RefusalTest, RefusesSpecialAddressesBehindNames) {
  UpstreamSpec spec = SpecOf("http://localhost:" + std::to_string(server_.port()));
  spec.allow_private = false;
  ExpectRefused(spec, ErrorCode::kUpstreamError, "allow_private");
}

TEST_F(RefusalTest, RefusesPlainHttp) {
  UpstreamSpec spec = SpecOf(server_.url());
  spec.allow_http = false;
  ExpectRefused(spec, ErrorCode::kUpstreamError, "allow_http");
}

TEST_F(RefusalTest, RefusesOtherSchemes) {
  ExpectRefused(SpecOf("file:///etc"), ErrorCode::kUpstreamError, "base_url");
  ExpectRefused(SpecOf("ftp://127.0.0.1"), ErrorCode::kUpstreamError, "base_url");
  ExpectRefused(SpecOf(""), ErrorCode::kUpstreamError, "base_url");
}

TEST_F(RefusalTest, RefusesUrlsThatAreNone) {
  ExpectRefused(SpecOf("http://"), ErrorCode::kUpstreamError, "base_url");
  ExpectRefused(SpecOf("http://127.0.0.1:99999999"), ErrorCode::kUpstreamError, "base_url");
  ExpectRefused(SpecOf("http://user:pass@127.0.0.1:" + std::to_string(server_.port())),
                ErrorCode::kUpstreamError, "base_url");
}

TEST_F(RefusalTest, RefusesLineBreaksInHeadersAndPath) {
  const UpstreamSpec spec = SpecOf(server_.url());
  for (const bool in_path : {false, true}) {
    TransportRequest request = RequestTo(spec);
    if (in_path) {
      request.path = "/x HTTP/1.1\r\nInjected: yes";
    } else {
      request.headers = {"X-A: b\r\nInjected: yes"};
    }
    Recorder heard;
    transport_.Start(std::move(request), &heard);
    EXPECT_FALSE(heard.ended());
    ASSERT_TRUE(RunUntil([&] { return heard.ended(); }));
    EXPECT_EQ(heard.end->error.code, ErrorCode::kInternal);
    EXPECT_FALSE(heard.end->dispatched);
  }
  EXPECT_EQ(server_.accepted(), 0);
}

TEST_F(RefusalTest, ARefusedTransferCanBeCancelled) {
  UpstreamSpec spec = SpecOf(server_.url());
  spec.allow_http = false;
  Recorder heard;
  transport_.Cancel(transport_.Start(RequestTo(spec), &heard));
  transport_.Poll(Duration::Milliseconds(0));
  EXPECT_FALSE(heard.ended());
}

// A provider that may not be private must not borrow the connection of one that may.
TEST_F(CurlTransportTest, RefusesAPooledConnectionToASpecialAddress) {
  RawServer server(Echo);
  const UpstreamSpec open = SpecOf(server.url());
  UpstreamSpec strict = open;
  strict.allow_private = false;
  EXPECT_TRUE(Run(open)->end->complete);
  const auto heard = Run(strict);
  EXPECT_FALSE(heard->end->complete);
  EXPECT_FALSE(heard->end->dispatched);
  EXPECT_NE(heard->end->error.message.find("allow_private"), std::string::npos);
  EXPECT_EQ(server.requests_begun(), 1);
}

TEST_F(CurlTransportTest, ARefusedConnectionIsNotDispatched) {
  int port = 0;
  {
    const RawServer gone(Echo);
    port = gone.port();
  }
  const UpstreamSpec spec = SpecOf("http://127.0.0.1:" + std::to_string(port));
  const auto heard = Run(spec);
  EXPECT_EQ(heard->end->error.code, ErrorCode::kUpstreamError);
  EXPECT_FALSE(heard->end->dispatched);
  ExpectDiscreet(heard->end->error.message, port);
}

// More than are connected at once: those in line take the place of those who gave up.
TEST_F(CurlTransportTest, ABurstSurvivesTheCancellingOfItsFirst) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  for (const bool polled : {false, true}) {
    std::vector<Recorder> heard(300);
    std::vector<TransferId> ids;
    for (Recorder& one : heard) ids.push_back(transport_.Start(RequestTo(spec), &one));
    if (polled) transport_.Poll(Duration{});
    for (size_t i = 0; i < 200; ++i) {
      if (!heard[i].ended()) transport_.Cancel(ids[i]);
    }
    ASSERT_TRUE(RunUntil([&] {
      return std::all_of(heard.begin() + 200, heard.end(),
                         [](const Recorder& one) { return one.ended(); });
    }));
    for (size_t i = 200; i < heard.size(); ++i) EXPECT_TRUE(heard[i].end->complete);
  }
}

// A listener whose backlog is full drops the handshake: connecting takes for ever.
TEST_F(CurlTransportTest, AConnectTimeoutIsNotDispatched) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(fd, 0), 0);
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  int fillers[3];
  for (int& filler : fillers) {
    filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)connect(filler, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  const UpstreamSpec spec = SpecOf("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  TransportRequest request = RequestTo(spec);
  request.connect_timeout = Duration::Milliseconds(100);
  Recorder heard;
  transport_.Start(std::move(request), &heard);
  ASSERT_TRUE(RunUntil([&] { return heard.ended(); }));
  EXPECT_EQ(heard.end->error.code, ErrorCode::kUpstreamTimeout);
  EXPECT_FALSE(heard.end->dispatched);
  for (const int filler : fillers) close(filler);
  close(fd);
}

TEST_F(CurlTransportTest, AConnectionClosedOnAcceptIsTruncated) {
  for (const Then how : {Then::kFin, Then::kReset}) {
    RawServer server(Echo);
    server.GreetWith({"", how});
    const UpstreamSpec spec = SpecOf(server.url());
    const auto heard = Run(spec);
    EXPECT_FALSE(heard->end->complete);
    EXPECT_FALSE(heard->head.has_value());
    // The close races with our sending: either way it is said truthfully.
    EXPECT_EQ(heard->end->error.name(),
              heard->end->dispatched ? "upstream_truncated" : "upstream_error");
  }
}

// --- never twice ---------------------------------------------------------------------------------

class ReuseTest : public CurlTransportTest, public testing::WithParamInterface<Then> {};

TEST_P(ReuseTest, LosingAReusedConnectionAfterTheRequestSendsItOnce) {
  for (const size_t size : {size_t{2}, size_t{300} << 10}) {
    RawServer server([](const Request& request) {
      if (request.number == 0) return Echo(request);
      return Reply{"", GetParam()};
    });
    const UpstreamSpec spec = SpecOf(server.url());
    EXPECT_TRUE(Run(spec)->end->complete);
    const auto heard = Run(spec, Noise(size));
    EXPECT_FALSE(heard->end->complete);
    EXPECT_TRUE(heard->end->dispatched);
    EXPECT_EQ(heard->end->error.name(), "upstream_truncated");
    EXPECT_EQ(server.requests_begun(), 2);
    // The pool has recovered.
    EXPECT_TRUE(Run(spec)->end->complete);
  }
}

TEST_P(ReuseTest, AConnectionClosedWhileIdleIsReplaced) {
  for (const bool noticed : {false, true}) {
    RawServer server(Echo);
    const UpstreamSpec spec = SpecOf(server.url());
    EXPECT_TRUE(Run(spec)->end->complete);
    server.Interrupt({"", GetParam()});
    if (noticed) transport_.Poll(Duration::Milliseconds(0));
    EXPECT_TRUE(Run(spec, "again")->end->complete);
    EXPECT_EQ(server.accepted(), 2);
    EXPECT_EQ(server.requests_begun(), 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, ReuseTest, testing::Values(Then::kFin, Then::kReset),
                         [](const auto& one) { return one.param == Then::kFin ? "Fin" : "Reset"; });

// The idle connection dies between our last look at the sockets and its use: `second` is begun in
// the same Poll() that hears the head of `first`.
TEST_P(ReuseTest, AConnectionClosedAtTheLastMomentIsNotDispatched) {
  RawServer server(Echo);
  RawServer other(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  const UpstreamSpec other_spec = SpecOf(other.url());
  EXPECT_TRUE(Run(spec)->end->complete);
  Recorder first;
  Recorder second;
  first.on_head = [&] {
    server.Interrupt({"", GetParam()});
    transport_.Start(RequestTo(spec), &second);
  };
  transport_.Start(RequestTo(other_spec), &first);
  ASSERT_TRUE(RunUntil([&] { return first.ended() && second.ended(); }));
  if (second.end->complete) {  // libcurl looked at the connection after its death
    EXPECT_EQ(server.requests_begun(), 2);
  } else {
    EXPECT_FALSE(second.end->dispatched);
    EXPECT_EQ(second.end->error.name(), "upstream_error");
    EXPECT_EQ(server.requests_begun(), 1);
  }
}

// An answer nobody asked for must not become the answer to the next request.
TEST_F(CurlTransportTest, BytesOnAnIdleConnectionReachNoOne) {
  RawServer server(Echo);
  const UpstreamSpec spec = SpecOf(server.url());
  EXPECT_TRUE(Run(spec)->end->complete);
  server.Interrupt({RawServer::Ok("someone else's answer")});
  transport_.Poll(kStep);
  const auto heard = Run(spec, "mine");
  EXPECT_TRUE(heard->end->complete);
  EXPECT_EQ(heard->body, "mine");
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(CurlTransportTest, BytesAfterAnAnswerEndItsConnection) {
  RawServer server([](const Request& request) {
    return Reply{RawServer::Ok(request.body) + RawServer::Ok("someone else's answer")};
  });
  const UpstreamSpec spec = SpecOf(server.url());
  EXPECT_EQ(Run(spec, "one")->body, "one");
  EXPECT_EQ(Run(spec, "two")->body, "two");
  EXPECT_EQ(server.accepted(), 2);
}

}  // namespace
}  // namespace seekroute
