#include "transport/curl/trust.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "testing/tls_server.h"

namespace seekroute {
namespace {

class TrustTest : public testing::Test {
 protected:
  TrustTest() { EXPECT_NE(mkdtemp(folder_.data()), nullptr); }
  ~TrustTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }

  std::string folder_ = "/tmp/seekroute_trust_XXXXXX";
};

TEST_F(TrustTest, OnlyAFileWithACertificateIsTrustedIn) {
  const std::string pem = TlsServer().certificate_pem();
  const std::string other = TlsServer().certificate_pem();
  struct Case {
    const char* name;
    std::string text;
    bool usable;
  };
  for (const Case& each :
       {Case{"one", pem, true}, Case{"two", pem + other, true},
        Case{"with_words", "a comment\n" + pem + "and more\n", true}, Case{"empty", "", false},
        Case{"blank", "\n\n", false}, Case{"words", "no certificate is in here\n", false},
        Case{"cut", pem.substr(0, pem.size() / 2), false},
        Case{"not_base64", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", false},
        Case{"nothing_in_it", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", false},
        Case{"binary", std::string("\x30\x82\x01\x00\xff", 5), false}}) {
    const std::string problem = TrustProblem(Write(each.name, each.text));
    EXPECT_EQ(problem.empty(), each.usable) << each.name << ": " << problem;
    if (!each.usable) {
      EXPECT_EQ(problem, "the file holds no certificate") << each.name;
    }
  }
}

TEST_F(TrustTest, AFileThatCannotBeReadSaysWhy) {
  EXPECT_EQ(TrustProblem(folder_ + "/absent"),
            "the file cannot be read: No such file or directory");
  EXPECT_EQ(TrustProblem(folder_), "the file cannot be read: Is a directory");
  const std::string hidden = Write("hidden", "x");
  chmod(hidden.c_str(), 0);
  if (geteuid() != 0) {
    EXPECT_EQ(TrustProblem(hidden), "the file cannot be read: Permission denied");
  }
}

TEST_F(TrustTest, ADirectoryOfCertificatesHasNamesThatOpenSslLooksFor) {
  EXPECT_FALSE(HoldCertificates(folder_ + "/absent"));
  EXPECT_FALSE(HoldCertificates(folder_));
  for (const char* name : {"ca.pem", "0123abcd.r0", "0123abcg.0", "0123abcd", "0123abcd.", "x.0"}) {
    Write(name, "");
    EXPECT_FALSE(HoldCertificates(folder_)) << name;
  }
  Write("0123abcd.0", "");
  EXPECT_TRUE(HoldCertificates(folder_));
  EXPECT_TRUE(HoldCertificates("/nonexistent:" + folder_));
  EXPECT_FALSE(HoldCertificates("/nonexistent:"));
  EXPECT_FALSE(HoldCertificates(""));
}

TEST_F(TrustTest, TheBundleOfADistributionIsFoundWhereItKeepsIt) {
  EXPECT_EQ(KnownBundle(folder_), "");
  for (const char* place :
       {"/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/certs/ca-certificates.crt"}) {
    const std::string file = folder_ + place;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::filesystem::create_directory(file);
    EXPECT_NE(KnownBundle(folder_), file) << "a folder";
    std::filesystem::remove(file);
    std::ofstream(file) << TlsServer().certificate_pem();
    EXPECT_EQ(KnownBundle(folder_), file);
  }
}

}  // namespace
}  // namespace seekroute
