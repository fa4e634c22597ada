#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "testing/curl_fixture.h"
#include "testing/raw_server.h"
#include "testing/tls_server.h"

namespace seekroute {
namespace {

// The connection is not used again.
constexpr char kLastAnswer[] =
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

class CurlTlsTest : public CurlTransportTest {
 protected:
  ~CurlTlsTest() override {
    for (const std::string& file : ca_files_) unlink(file.c_str());
  }

  static UpstreamSpec TlsSpec(int port) {
    UpstreamSpec spec = SpecOf("https://127.0.0.1:" + std::to_string(port));
    spec.allow_http = false;
    return spec;
  }

  // A file with the certificate, as long as the test runs.
  std::string Trust(const TlsServer& server) {
    ca_files_.emplace_back("/tmp/seekroute_ca_XXXXXX");
    close(mkstemp(ca_files_.back().data()));
    Replace(server);
    return ca_files_.back();
  }

  // Puts another certificate into the last file.
  void Replace(const TlsServer& server) {
    const std::string pem = server.certificate_pem();
    const std::string next = ca_files_.back() + ".new";
    const int fd = open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT_EQ(write(fd, pem.data(), pem.size()), static_cast<ssize_t>(pem.size()));
    close(fd);
    EXPECT_EQ(rename(next.c_str(), ca_files_.back().c_str()), 0);
  }

  void ExpectTlsFailure(const UpstreamSpec& spec, int port) {
    const auto heard = Run(spec);
    EXPECT_FALSE(heard->end->complete);
    EXPECT_FALSE(heard->end->dispatched);
    EXPECT_EQ(heard->end->error.name(), "upstream_tls") << heard->end->error.message;
    ExpectDiscreet(heard->end->error.message, port);
  }

 private:
  std::vector<std::string> ca_files_;
};

TEST_F(CurlTlsTest, UntrustedCertificatesAreRefusedAndSeeNoKey) {
  TlsServer server;
  ExpectTlsFailure(TlsSpec(server.port()), server.port());
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_EQ(server.received(), "");
}

TEST_F(CurlTlsTest, TheProvidersCaFileIsTrustedForItAlone) {
  TlsServer server;
  UpstreamSpec spec = TlsSpec(server.port());
  spec.ca_file = Trust(server);
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_NE(server.received().find("Authorization: Bearer sk-upstream\r\n"), std::string::npos);

  // Neither the handle nor the connection carries the trust over. (The server serves one
  // connection at a time, so the pooled one is in the way until the transport is gone.)
  TlsServer other;
  ExpectTlsFailure(TlsSpec(other.port()), other.port());
  EXPECT_EQ(other.received(), "");
}

TEST_F(CurlTlsTest, CertificatesForAnotherNameAreRefused) {
  TlsServer server;
  UpstreamSpec spec = TlsSpec(server.port());
  spec.ca_file = Trust(server);
  spec.base_url = "https://localhost:" + std::to_string(server.port());
  ExpectTlsFailure(spec, server.port());
  EXPECT_EQ(server.received(), "");
}

TEST_F(CurlTlsTest, OldProtocolVersionsAreRefused) {
  TlsServer server(TLS1_1_VERSION);
  UpstreamSpec spec = TlsSpec(server.port());
  spec.ca_file = Trust(server);
  ExpectTlsFailure(spec, server.port());
}

TEST_F(CurlTlsTest, Tls12IsSpoken) {
  TlsServer server(TLS1_2_VERSION);
  UpstreamSpec spec = TlsSpec(server.port());
  spec.ca_file = Trust(server);
  EXPECT_TRUE(Run(spec)->end->complete);
}

TEST_F(CurlTlsTest, AnUnreadableCaFileIsNamed) {
  TlsServer server;
  UpstreamSpec spec = TlsSpec(server.port());
  spec.ca_file = "/nonexistent/ca.pem";
  ExpectTlsFailure(spec, server.port());
}

TEST_F(CurlTlsTest, PlainTextServersAreRefused) {
  RawServer server(Echo);
  server.GreetWith({"SSH-2.0-OpenSSH_9\r\n", RawServer::Then::kKeep});
  ExpectTlsFailure(TlsSpec(server.port()), server.port());
}

TEST_F(CurlTlsTest, ConnectionsLostInTheHandshakeAreTlsFailures) {
  RawServer server(Echo);
  server.GreetWith({"\x16\x03\x03", RawServer::Then::kFin});
  ExpectTlsFailure(TlsSpec(server.port()), server.port());
}

TEST_F(CurlTlsTest, ASilentHandshakeEndsWithTheConnectTimeout) {
  RawServer server(Echo);
  const UpstreamSpec spec = TlsSpec(server.port());
  TransportRequest request = RequestTo(spec);
  request.connect_timeout = Duration::Milliseconds(100);
  Recorder heard;
  transport_.Start(std::move(request), &heard);
  ASSERT_TRUE(RunUntil([&] { return heard.ended(); }));
  EXPECT_EQ(heard.end->error.code, ErrorCode::kUpstreamTimeout);
  EXPECT_FALSE(heard.end->dispatched);
}

TEST_F(CurlTlsTest, ACancelledHandshakeIsForgotten) {
  RawServer server(Echo);
  const UpstreamSpec spec = TlsSpec(server.port());
  TransportRequest request = RequestTo(spec);
  request.connect_timeout = Duration::Milliseconds(500);
  const auto before = std::chrono::steady_clock::now();
  Recorder heard;
  const TransferId id = transport_.Start(std::move(request), &heard);
  ASSERT_TRUE(RunUntil([&] { return server.requests_begun() == 1 || heard.ended(); }));
  const bool in_time = !heard.ended();  // the ClientHello came before the timeout
  transport_.Cancel(id);
  ASSERT_TRUE(RunUntil(
      [&] { return std::chrono::steady_clock::now() - before > std::chrono::milliseconds(550); }));
  EXPECT_NE(heard.ended(), in_time);
}

TEST_F(CurlTlsTest, SessionsAreResumed) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsServer server(version);
    server.AnswerWith(kLastAnswer);
    UpstreamSpec spec = TlsSpec(server.port());
    spec.ca_file = Trust(server);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(Run(spec)->end->complete);
    EXPECT_EQ(server.accepted(), 3);
    EXPECT_EQ(server.resumed(), 2) << version;
    // Nobody resumes what another trust store, or another name, was good for.
    UpstreamSpec other = spec;
    other.base_url = "https://localhost:" + std::to_string(server.port());
    ExpectTlsFailure(other, server.port());
    other = spec;
    other.ca_file.clear();
    ExpectTlsFailure(other, server.port());
    EXPECT_EQ(server.resumed(), 2) << version;
  }
}

TEST_F(CurlTlsTest, AReplacedCaFileIsReadAgain) {
  TlsServer server;
  server.AnswerWith(kLastAnswer);
  TlsServer other;
  other.AnswerWith(kLastAnswer);
  UpstreamSpec spec = TlsSpec(server.port());
  spec.ca_file = Trust(server);
  UpstreamSpec other_spec = TlsSpec(other.port());
  other_spec.ca_file = spec.ca_file;
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_FALSE(Run(other_spec)->end->complete);
  Replace(other);
  EXPECT_TRUE(Run(other_spec)->end->complete);
  EXPECT_FALSE(Run(spec)->end->complete);
}

TEST_F(CurlTlsTest, AnIdleConnectionThatEndedIsReplaced) {
  TlsServer server;
  UpstreamSpec spec = TlsSpec(server.port());
  spec.ca_file = Trust(server);
  EXPECT_TRUE(Run(spec)->end->complete);
  server.Interrupt();
  ASSERT_TRUE(RunUntil([&] { return Run(spec)->end->complete; }));
  EXPECT_EQ(server.accepted(), 2);
}

// Without TLS's goodbye a body that ends with its connection may have been cut by anyone.
TEST_F(CurlTlsTest, OnlyAGoodbyeEndsABodyWithoutALength) {
  for (const bool in_order : {true, false}) {
    TlsServer server;
    server.AnswerWith("HTTP/1.1 200 OK\r\n\r\nhello");
    server.EndAfterAnswer(in_order);
    UpstreamSpec spec = TlsSpec(server.port());
    spec.ca_file = Trust(server);
    const auto heard = Run(spec);
    EXPECT_EQ(heard->body, "hello");
    EXPECT_EQ(heard->end->complete, in_order);
    EXPECT_EQ(heard->end->error.message.empty(), in_order);
    EXPECT_TRUE(heard->end->dispatched);
  }
}

// TLS holds bytes of which the socket says nothing: they come without waiting for it.
TEST_F(CurlTlsTest, PausingAtEveryCallDeliversEverythingInOrder) {
  const std::string body = Noise(3 << 20);
  std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (size_t at = 0; at < body.size(); at += 1 << 10) {
    chunked += "400\r\n" + body.substr(at, 1 << 10) + "\r\n";
  }
  chunked += "0\r\n\r\n";
  for (const std::string& answer : {RawServer::Ok(body), chunked}) {
    TlsServer server;
    server.AnswerWith(answer);
    UpstreamSpec spec = TlsSpec(server.port());
    spec.ca_file = Trust(server);
    Recorder heard;
    bool paused = false;
    heard.on_body = [&] {
      EXPECT_FALSE(paused) << "called while paused";
      paused = true;
      return Flow::kPause;
    };
    const TransferId id = transport_.Start(RequestTo(spec), &heard);
    ASSERT_TRUE(RunUntil([&] {
      if (std::exchange(paused, false)) transport_.Resume(id);
      return heard.ended();
    }));
    EXPECT_TRUE(heard.end->complete);
    EXPECT_TRUE(heard.body == body);
    heard = Recorder();
    transport_.Start(RequestTo(spec), &heard);
    ASSERT_TRUE(RunUntil([&] { return heard.ended(); }));
    EXPECT_TRUE(heard.body == body);
    EXPECT_EQ(server.accepted(), 1);
  }
}

TEST_F(CurlTlsTest, LargeRequestsArriveWhole) {
  TlsServer server;
  UpstreamSpec spec = TlsSpec(server.port());
  spec.ca_file = Trust(server);
  const std::string body = Noise(700 << 10) + "\r\n\r\n{}";
  const auto heard = Run(spec, body);
  EXPECT_TRUE(heard->end->complete);
  EXPECT_TRUE(server.received().ends_with(body));
}

TEST_F(CurlTlsTest, AProxyOnlySeesTheTunnel) {
  TlsServer server;
  server.BeTunnelled();
  UpstreamSpec spec;
  spec.base_url = "https://127.0.0.1/v1";
  spec.authorization = Secret("Bearer sk-upstream");
  spec.ca_file = Trust(server);
  spec.proxy = "http://127.0.0.1:" + std::to_string(server.port());
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_TRUE(Run(spec)->end->complete);
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_TRUE(server.connects().starts_with("CONNECT 127.0.0.1:443 HTTP/1.1\r\n"))
      << server.connects();
  EXPECT_EQ(server.connects().find("sk-upstream"), std::string::npos);
  EXPECT_NE(server.received().find("Authorization: Bearer sk-upstream\r\n"), std::string::npos);
  // Another way to the same upstream is another connection: this one leads nowhere.
  spec.proxy.clear();
  spec.allow_private = false;
  EXPECT_FALSE(Run(spec)->end->complete);
}

TEST_F(CurlTlsTest, HttpsProxiesAreRefused) {
  TlsServer server;
  UpstreamSpec spec = SpecOf("https://upstream.example");
  spec.proxy = "https://127.0.0.1:" + std::to_string(server.port());
  const auto heard = Run(spec);
  EXPECT_FALSE(heard->end->complete);
  EXPECT_FALSE(heard->end->dispatched);
  EXPECT_NE(heard->end->error.message.find("proxy"), std::string::npos);
  EXPECT_EQ(server.accepted(), 0);
}

}  // namespace
}  // namespace seekroute
