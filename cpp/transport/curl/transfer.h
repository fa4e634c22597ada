// One request and the libcurl easy handle that carries it.
#pragma once

#include <curl/curl.h>

#include <optional>
#include <string>
#include <vector>

#include "transport/curl/curl_transport.h"
#include "transport/curl/head_reader.h"
#include "transport/curl/send_once.h"
#include "transport/curl/socket_set.h"
#include "transport/curl/transfer_end.h"
#include "transport/transport.h"

namespace seekroute {

// Kept and used again for later requests, which saves most of the handle's configuration. Engine
// thread only.
class Transfer {
 public:
  // `sockets` is not owned and outlives every connection.
  Transfer(SocketSet* sockets, const CurlTransport::Options& options);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // The transfer of a handle libcurl names; null for handles of its own.
  static Transfer* Of(CURL* easy);

  // Says why `request` must not be sent, if so.
  static std::optional<Error> Refusal(const TransportRequest& request);

  // Takes over a request and readies the handle for it. `observer` is not owned.
  void Begin(TransferId id, TransportRequest request, TransportObserver* observer);

  // The same for a request that is refused: it only waits to be told.
  void BeginRefused(TransferId id, TransportObserver* observer);

  // Forgets the request. The handle is in no multi handle now.
  void Clear();

  // After this the observer hears nothing; libcurl's next callback fails the transfer.
  void Silence() { observer_ = nullptr; }

  // Lets a paused transfer go on. The observer may be called from here, and may silence the
  // transfer. Not CURLE_OK: the transfer failed, and libcurl says so nowhere else.
  CURLcode Resume();

  TransferFacts Facts() const;
  CURL* easy() const { return easy_; }
  TransferId id() const { return id_; }
  TransportObserver* observer() const { return observer_; }

  // Plain state of the transport, kept here to spare it a map.
  bool resuming = false;                        // waits for its Resume()
  curl_socket_t last_socket = CURL_SOCKET_BAD;  // where libcurl last had it

 private:
  void Configure();
  void LayOutHeaders();

  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int OnCloseSocket(void* sockets, curl_socket_t socket);
  static int OnRequest(void* self, char* primary_ip, char* local_ip, int primary_port,
                       int local_port);
  static size_t OnHeader(char* line, size_t size, size_t count, void* self);
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self);

  SocketSet* const sockets_;
  const CurlTransport::Options options_;
  CURL* const easy_;
  TransferId id_ = 0;
  TransportObserver* observer_ = nullptr;  // not owned; null once cancelled
  TransportRequest request_;
  SendOnce sending_;
  HeadReader head_;
  std::string authorization_;
  std::vector<curl_slist> headers_;  // points into request_ and authorization_
  std::string held_;                 // body that came while paused: one receive buffer at most
  bool paused_ = false;
  bool head_too_large_ = false;
  bool head_invalid_ = false;
  bool address_refused_ = false;
  bool no_descriptor_ = false;
  char curl_text_[CURL_ERROR_SIZE] = {};
  // What the handle was configured with: compared by value, because a spec's address is reused.
  bool configured_ = false;
  bool allow_http_ = false;
  std::string url_;
  std::string ca_file_;
  std::string proxy_;
};

}  // namespace seekroute
