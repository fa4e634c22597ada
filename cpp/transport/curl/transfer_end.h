// What libcurl's result of a transfer means to the gateway. The only reading of CURLcode.
#pragma once

#include <string_view>

#include <curl/curl.h>

#include "transport/transport.h"

namespace seekroute {

// What is known of a transfer beside its CURLcode.
struct TransferFacts {
  bool dispatched = false;          // false: it is certain that no byte of the request was sent
  bool head_done = false;           // the final head was handed on
  bool head_too_large = false;      // our header limit ended it
  bool head_invalid = false;        // our reading of the status line ended it
  bool address_refused = false;     // a special address was met and not allowed
  bool no_descriptor = false;       // socket() failed for want of file descriptors
  std::string_view curl_text = {};  // libcurl's own sentence; only looked at, never shown
};

// Never fails. The messages hold no URL, host, address or key.
TransportEnd EndOf(CURLcode code, const TransferFacts& facts);

}  // namespace seekroute
