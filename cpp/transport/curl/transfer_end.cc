#include "transport/curl/transfer_end.h"

namespace seekroute {

Error ConnectErrorOf(CURLcode code, const ConnectFacts& facts) {
  if (facts.address_refused) {
    return MakeError(ErrorCode::kUpstreamError,
                     "the provider has a private or special address; if that is meant, mark the "
                     "provider `allow_private`");
  }
  if (facts.no_descriptor) {
    return MakeError(ErrorCode::kOverloaded,
                     "the gateway is out of file descriptors: its operator must raise the limit of "
                     "open files");
  }
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return ConnectTimeoutError();
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return MakeError(ErrorCode::kUpstreamError, "the provider's base_url is not a usable URL");
    case CURLE_OUT_OF_MEMORY:
      return MakeError(ErrorCode::kInternal, "the gateway is out of memory");
    default:
      // Names, TCP, a proxy that says no.
      return MakeError(ErrorCode::kUpstreamError, "could not connect to the provider");
  }
}

Error LostErrorOf(bool dispatched, bool head_done) {
  if (!dispatched) {
    return MakeError(ErrorCode::kUpstreamError, "could not connect to the provider");
  }
  return MakeError(ErrorCode::kUpstreamTruncated,
                   head_done ? "the provider closed the connection before its answer ended"
                             : "the provider closed the connection without an answer");
}

Error AnswerErrorOf(ResponseReader::Step step) {
  return MakeError(ErrorCode::kBadUpstreamResponse,
                   step == ResponseReader::Step::kTooLarge
                       ? "the provider's response head is too large"
                       : "the provider's answer is not valid HTTP");
}

Error ConnectTimeoutError() {
  return MakeError(ErrorCode::kUpstreamTimeout,
                   "connecting to the provider took longer than the connect timeout");
}

Error TlsError(bool untrusted) {
  return MakeError(ErrorCode::kUpstreamTls, untrusted
                                                ? "the provider's TLS certificate is not trusted"
                                                : "TLS with the provider failed");
}

Error UnreadableCaFileError() {
  return MakeError(
      ErrorCode::kUpstreamTls,
      "the provider's CA file, or the system's, cannot be read or holds no certificate");
}

}  // namespace seekroute
