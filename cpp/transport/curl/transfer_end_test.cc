#include "transport/curl/transfer_end.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

TEST(TransferEndTest, EveryFailureToConnectHasItsName) {
  constexpr ConnectFacts kPlain = {};
  constexpr ConnectFacts kRefused = {.address_refused = true};
  constexpr ConnectFacts kOutOfDescriptors = {.no_descriptor = true};
  struct {
    CURLcode code;
    ConnectFacts facts;
    ErrorCode expected;
  } const cases[] = {
      {CURLE_COULDNT_RESOLVE_HOST, kPlain, ErrorCode::kUpstreamError},
      {CURLE_COULDNT_RESOLVE_PROXY, kPlain, ErrorCode::kUpstreamError},
      {CURLE_COULDNT_CONNECT, kPlain, ErrorCode::kUpstreamError},
      {CURLE_COULDNT_CONNECT, kRefused, ErrorCode::kUpstreamError},
      {CURLE_COULDNT_CONNECT, kOutOfDescriptors, ErrorCode::kOverloaded},
      {CURLE_RECV_ERROR, kPlain, ErrorCode::kUpstreamError},  // a proxy that says no
      {CURLE_OPERATION_TIMEDOUT, kPlain, ErrorCode::kUpstreamTimeout},
      {CURLE_URL_MALFORMAT, kPlain, ErrorCode::kUpstreamError},
      {CURLE_OUT_OF_MEMORY, kPlain, ErrorCode::kInternal},
  };
  for (const auto& one : cases) {
    const Error error = ConnectErrorOf(one.code, one.facts);
    EXPECT_EQ(error.name(), TraitsOf(one.expected).name) << one.code;
    EXPECT_FALSE(error.message.empty()) << one.code;
  }
  EXPECT_NE(ConnectErrorOf(CURLE_COULDNT_CONNECT, kRefused).message.find("allow_private"),
            std::string::npos);
}

TEST(TransferEndTest, EveryLossHasItsName) {
  EXPECT_EQ(LostErrorOf(false, false).code, ErrorCode::kUpstreamError);
  EXPECT_EQ(LostErrorOf(true, false).code, ErrorCode::kUpstreamTruncated);
  EXPECT_EQ(LostErrorOf(true, true).code, ErrorCode::kUpstreamTruncated);
  EXPECT_NE(LostErrorOf(true, true).message, LostErrorOf(true, false).message);
  EXPECT_EQ(AnswerErrorOf(ResponseReader::Step::kInvalid).code, ErrorCode::kBadUpstreamResponse);
  EXPECT_EQ(AnswerErrorOf(ResponseReader::Step::kTooLarge).code, ErrorCode::kBadUpstreamResponse);
  EXPECT_EQ(TlsError(true).code, ErrorCode::kUpstreamTls);
  EXPECT_NE(TlsError(true).message, TlsError(false).message);
}

}  // namespace
}  // namespace seekroute
