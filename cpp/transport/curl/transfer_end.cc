#include "transport/curl/transfer_end.h"

namespace seekroute {
namespace {

Error Lost(const TransferFacts& facts) {
  if (!facts.dispatched) {
    return MakeError(ErrorCode::kUpstreamError, "could not connect to the provider");
  }
  return MakeError(ErrorCode::kUpstreamTruncated,
                   facts.head_done ? "the provider closed the connection before its answer ended"
                                   : "the provider closed the connection without an answer");
}

Error ErrorOf(CURLcode code, const TransferFacts& facts) {
  if (facts.address_refused && !facts.dispatched) {
    return MakeError(ErrorCode::kUpstreamError,
                     "the provider has a private or special address; if that is meant, mark the "
                     "provider `allow_private`");
  }
  if (facts.no_descriptor && !facts.dispatched) {
    return MakeError(ErrorCode::kOverloaded, "the gateway is out of file descriptors");
  }
  if (facts.head_too_large) {
    return MakeError(ErrorCode::kBadUpstreamResponse, "the provider's response head is too large");
  }
  if (facts.head_invalid) {
    return MakeError(ErrorCode::kBadUpstreamResponse, "the provider's answer is not valid HTTP");
  }
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_PROXY:
      return MakeError(ErrorCode::kUpstreamError, "could not connect to the provider");
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED:  // a user in the URL
      return MakeError(ErrorCode::kUpstreamError, "the provider's base_url is not a usable URL");
    case CURLE_OPERATION_TIMEDOUT:
      return MakeError(ErrorCode::kUpstreamTimeout,
                       "connecting to the provider took longer than the connect timeout");
    case CURLE_PEER_FAILED_VERIFICATION:
      return MakeError(ErrorCode::kUpstreamTls, "the provider's TLS certificate is not trusted");
    case CURLE_SSL_CACERT_BADFILE:
      return MakeError(ErrorCode::kUpstreamTls, "the CA file of the provider cannot be read");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_USE_SSL_FAILED:
      return MakeError(ErrorCode::kUpstreamTls, "TLS with the provider failed");
    case CURLE_UNSUPPORTED_PROTOCOL:
      if (!facts.dispatched) {
        return MakeError(ErrorCode::kUpstreamError, "the provider's base_url is not a usable URL");
      }
      [[fallthrough]];
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      return MakeError(ErrorCode::kBadUpstreamResponse, "the provider's answer is not valid HTTP");
    case CURLE_OUT_OF_MEMORY:
      // libcurl's name for a header line beyond its own 100 kB.
      if (facts.dispatched && !facts.head_done) {
        return MakeError(ErrorCode::kBadUpstreamResponse,
                         "the provider's response head is too large");
      }
      return MakeError(ErrorCode::kInternal, "the gateway is out of memory");
    case CURLE_RECV_ERROR:
      // One code for a lost connection and for framing that makes no sense.
      if (facts.curl_text.find("chunked-encoding") != std::string_view::npos) {
        return MakeError(ErrorCode::kBadUpstreamResponse,
                         "the provider's answer is not valid HTTP");
      }
      return Lost(facts);
    case CURLE_OK:
      if (facts.dispatched && !facts.head_done) return Lost(facts);
      return {};
    default:
      return Lost(facts);
  }
}

}  // namespace

TransportEnd EndOf(CURLcode code, const TransferFacts& facts) {
  TransportEnd end;
  end.dispatched = facts.dispatched;
  end.complete = code == CURLE_OK && facts.head_done;
  if (!end.complete) end.error = ErrorOf(code, facts);
  return end;
}

}  // namespace seekroute
