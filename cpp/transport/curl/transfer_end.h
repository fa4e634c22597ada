// What a failed connection or a lost transfer means to the gateway. The only reading of CURLcode.
#pragma once

#include <curl/curl.h>

#include "transport/curl/response_reader.h"
#include "transport/transport.h"

namespace seekroute {

// What is known of a connection attempt beside its CURLcode.
struct ConnectFacts {
  bool address_refused = false;  // a special address was met and not allowed
  bool no_descriptor = false;    // there was none left for a socket
};

// The messages hold no URL, host, address or key.

// For every code but CURLE_OK.
Error ConnectErrorOf(CURLcode code, const ConnectFacts& facts);

// The connection ended before the answer did.
Error LostErrorOf(bool dispatched, bool head_done);

// For ResponseReader's kTooLarge and kInvalid.
Error AnswerErrorOf(ResponseReader::Step step);

Error ConnectTimeoutError();

// `untrusted`: the peer's certificate was the reason.
Error TlsError(bool untrusted);

Error UnreadableCaFileError();

}  // namespace seekroute
