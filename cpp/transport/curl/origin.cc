#include "transport/curl/origin.h"

#include <curl/curl.h>
#include <strings.h>

#include <algorithm>
#include <string_view>

namespace seekroute {
namespace {

// Also false when nothing follows: libcurl would take the path for the host.
bool HasScheme(const std::string& url, std::string_view scheme) {
  return url.size() > scheme.size() && url[scheme.size()] != '/' &&
         strncasecmp(url.c_str(), scheme.data(), scheme.size()) == 0;
}

Error UnusableUrl() {
  return MakeError(ErrorCode::kUpstreamError, "the provider's base_url is not a usable URL");
}

std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

// Fills what libcurl's parser tells; false when base_url is no URL, or holds a user or a fragment.
bool TakeApart(Origin* origin, CURLU* url) {
  if (std::any_of(origin->base_url.begin(), origin->base_url.end(),
                  [](unsigned char c) { return c <= 0x20 || c == 0x7F; })) {
    return false;
  }
  if (curl_url_set(url, CURLUPART_URL, origin->base_url.c_str(), CURLU_DISALLOW_USER) !=
      CURLUE_OK) {
    return false;
  }
#ifdef CURLU_PUNYCODE
  std::string host = Part(url, CURLUPART_HOST, CURLU_PUNYCODE);
#else
  std::string host = Part(url, CURLUPART_HOST);
#endif
  const bool ascii = std::all_of(host.begin(), host.end(), [](char c) { return c > 0x20; });
  if (host.empty() || !ascii || !Part(url, CURLUPART_FRAGMENT).empty()) return false;
  const std::string explicit_port = Part(url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
  const std::string port = Part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  origin->host_line = "Host: " + host + (explicit_port.empty() ? "" : ":" + explicit_port) + "\r\n";
  origin->target = Part(url, CURLUPART_PATH);
  if (origin->target == "/") origin->target.clear();
  const std::string query = Part(url, CURLUPART_QUERY);
  if (!query.empty()) origin->target += "?" + query;

  if (curl_url_set(url, CURLUPART_SCHEME, "http", 0) != CURLUE_OK ||
      curl_url_set(url, CURLUPART_PORT, port.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url, CURLUPART_PATH, "/", 0) != CURLUE_OK ||
      curl_url_set(url, CURLUPART_QUERY, nullptr, 0) != CURLUE_OK) {
    return false;
  }
  origin->connect_url = Part(url, CURLUPART_URL);
  origin->host = host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
  if (origin->host.ends_with('.')) origin->host.pop_back();
  origin->peer = origin->connect_url + ' ' + origin->proxy;
  return !origin->connect_url.empty() && !origin->host.empty();
}

std::optional<Error> Refusal(Origin* origin) {
  origin->tls = HasScheme(origin->base_url, "https://");
  if (!origin->tls && !HasScheme(origin->base_url, "http://")) return UnusableUrl();
  if (!origin->tls && !origin->allow_http) {
    return MakeError(ErrorCode::kUpstreamError,
                     "the provider has a plain http base_url; if that is meant, mark the provider "
                     "`allow_http`");
  }
  if (HasScheme(origin->proxy, "https://")) {
    return MakeError(ErrorCode::kUpstreamError,
                     "the provider's proxy is an https one; use an http or a socks5 proxy, which "
                     "sees no more of an https provider's traffic");
  }
  CURLU* const url = curl_url();
  const bool usable = url != nullptr && TakeApart(origin, url);
  curl_url_cleanup(url);
  if (usable) return std::nullopt;
  return UnusableUrl();
}

bool Matches(const Origin& origin, const UpstreamSpec& spec) {
  return origin.base_url == spec.base_url && origin.allow_private == spec.allow_private &&
         origin.allow_http == spec.allow_http && origin.ca_file == spec.ca_file &&
         origin.proxy == spec.proxy && origin.keep_alive == spec.keep_alive;
}

}  // namespace

Origin* OriginTable::Find(const UpstreamSpec& spec) {
  if (last_ < origins_.size() && Matches(*origins_[last_], spec)) return origins_[last_].get();
  for (size_t i = 0; i < origins_.size(); ++i) {
    if (!Matches(*origins_[i], spec)) continue;
    last_ = i;
    return origins_[i].get();
  }
  const auto unused = [](const std::unique_ptr<Origin>& one) {
    return one->connections == 0 && one->transfers == 0 && !one->crowded;
  };
  if (static_cast<size_t>(std::count_if(origins_.begin(), origins_.end(), unused)) >= kMaxUnused) {
    std::erase_if(origins_, unused);
  }
  auto origin = std::make_unique<Origin>();
  origin->base_url = spec.base_url;
  origin->ca_file = spec.ca_file;
  origin->proxy = spec.proxy;
  origin->allow_http = spec.allow_http;
  origin->allow_private = spec.allow_private;
  origin->keep_alive = spec.keep_alive;
  origin->refusal = Refusal(origin.get());
  origins_.push_back(std::move(origin));
  last_ = origins_.size() - 1;
  return origins_.back().get();
}

}  // namespace seekroute
