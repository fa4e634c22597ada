#include "transport/curl/transfer_end.h"

#include <gtest/gtest.h>

#include <string>

namespace seekroute {
namespace {

constexpr TransferFacts kUnsent = {};
constexpr TransferFacts kAsked = {.dispatched = true};
constexpr TransferFacts kAnswering = {.dispatched = true, .head_done = true};

struct Case {
  CURLcode code;
  TransferFacts facts;
  ErrorCode expected;
};

TEST(TransferEndTest, EveryFailureHasItsName) {
  TransferFacts refused = kUnsent;
  refused.address_refused = true;
  TransferFacts out_of_descriptors = kUnsent;
  out_of_descriptors.no_descriptor = true;
  TransferFacts chunks = kAnswering;
  chunks.curl_text = "Illegal or missing hexadecimal sequence in chunked-encoding";
  TransferFacts large_trailers = kAnswering;
  large_trailers.head_too_large = true;
  const Case cases[] = {
      {CURLE_COULDNT_RESOLVE_HOST, kUnsent, ErrorCode::kUpstreamError},
      {CURLE_COULDNT_RESOLVE_PROXY, kUnsent, ErrorCode::kUpstreamError},
      {CURLE_COULDNT_CONNECT, kUnsent, ErrorCode::kUpstreamError},
      {CURLE_COULDNT_CONNECT, refused, ErrorCode::kUpstreamError},
      {CURLE_ABORTED_BY_CALLBACK, refused, ErrorCode::kUpstreamError},
      {CURLE_COULDNT_CONNECT, out_of_descriptors, ErrorCode::kOverloaded},
      {CURLE_RECV_ERROR, kUnsent, ErrorCode::kUpstreamError},  // a proxy that says no
      {CURLE_OPERATION_TIMEDOUT, kUnsent, ErrorCode::kUpstreamTimeout},
      {CURLE_PEER_FAILED_VERIFICATION, kUnsent, ErrorCode::kUpstreamTls},
      {CURLE_SSL_CONNECT_ERROR, kUnsent, ErrorCode::kUpstreamTls},
      {CURLE_SSL_CACERT_BADFILE, kUnsent, ErrorCode::kUpstreamTls},
      {CURLE_SEND_FAIL_REWIND, kAsked, ErrorCode::kUpstreamTruncated},
      {CURLE_ABORTED_BY_CALLBACK, kAsked, ErrorCode::kUpstreamTruncated},
      {CURLE_GOT_NOTHING, kAsked, ErrorCode::kUpstreamTruncated},
      {CURLE_SEND_ERROR, kAsked, ErrorCode::kUpstreamTruncated},
      {CURLE_RECV_ERROR, kAsked, ErrorCode::kUpstreamTruncated},
      {CURLE_RECV_ERROR, kAnswering, ErrorCode::kUpstreamTruncated},
      {CURLE_PARTIAL_FILE, kAnswering, ErrorCode::kUpstreamTruncated},
      {CURLE_OK, kAsked, ErrorCode::kUpstreamTruncated},
      {CURLE_RECV_ERROR, chunks, ErrorCode::kBadUpstreamResponse},
      {CURLE_UNSUPPORTED_PROTOCOL, kAsked, ErrorCode::kBadUpstreamResponse},
      {CURLE_UNSUPPORTED_PROTOCOL, kUnsent, ErrorCode::kUpstreamError},
      {CURLE_WEIRD_SERVER_REPLY, kAsked, ErrorCode::kBadUpstreamResponse},
      {CURLE_OUT_OF_MEMORY, kAsked, ErrorCode::kBadUpstreamResponse},
      {CURLE_OUT_OF_MEMORY, kUnsent, ErrorCode::kInternal},
      {CURLE_WRITE_ERROR, large_trailers, ErrorCode::kBadUpstreamResponse},
  };
  for (const Case& one : cases) {
    const TransportEnd end = EndOf(one.code, one.facts);
    EXPECT_FALSE(end.complete) << one.code;
    EXPECT_EQ(end.dispatched, one.facts.dispatched) << one.code;
    EXPECT_EQ(end.error.name(), TraitsOf(one.expected).name) << one.code;
    EXPECT_FALSE(end.error.message.empty()) << one.code;
  }
}

TEST(TransferEndTest, AWholeAnswerIsNoFailure) {
  const TransportEnd end = EndOf(CURLE_OK, kAnswering);
  EXPECT_TRUE(end.complete);
  EXPECT_TRUE(end.dispatched);
  EXPECT_TRUE(end.error.message.empty());
}

}  // namespace
}  // namespace seekroute
