#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "testing/curl_fixture.h"
#include "testing/raw_server.h"
#include "testing/tls_server.h"

namespace seekroute {
namespace {

class CurlTlsTest : public CurlTransportTest {
 protected:
  ~CurlTlsTest() override { unlink(ca_file_); }

  static UpstreamSpec TlsSpec(int port) {
    UpstreamSpec spec = SpecOf("https://127.0.0.1:" + std::to_string(port));
    spec.allow_http = false;
    return spec;
  }

  // The file holds the certificate as long as the test runs.
  std::string Trust(const TlsServer& server) {
    const std::string pem = server.certificate_pem();
    const int fd = mkstemp(ca_file_);
    EXPECT_EQ(write(fd, pem.data(), pem.size()), static_cast<ssize_t>(pem.size()));
    close(fd);
    return ca_file_;
  }

  void ExpectTlsFailure(const UpstreamSpec& spec, int port) {
    const auto heard = Run(spec);
    EXPECT_FALSE(heard->end->complete);
    EXPECT_FALSE(heard->end->dispatched);
    EXPECT_EQ(heard->end->error.name(), "upstream_tls") << heard->end->error.message;
    ExpectDiscreet(heard->end->error.message, port);
  }

 private:
  char ca_file_[32] = "/tmp/seekroute_ca_XXXXXX";
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

}  // namespace
}  // namespace seekroute
