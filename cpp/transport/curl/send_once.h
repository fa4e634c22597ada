// The two guards against libcurl's silent re-send. A POST whose pooled connection dies before the
// first response byte is sent again by libcurl on a new one, and a generation is paid twice. No
// option forbids it, so each of these makes it impossible.
#pragma once

#include <cstddef>
#include <string_view>

#include <curl/curl.h>

namespace seekroute {

// The body of one request, which can be read once, and the count of requests begun. Not
// thread-safe.
class SendOnce {
 public:
  // `body` is owned by the caller and outlives the transfer.
  void Reset(std::string_view body) {
    body_ = body;
    size_ = body.size();
    begun_ = 0;
  }

  // Counts a request that libcurl is about to write; false for every one but the first.
  bool Begin() { return ++begun_ == 1; }

  // False: libcurl was never let to write.
  bool begun() const { return begun_ > 0; }
  // Whether libcurl took some of the body.
  bool read() const { return body_.size() < size_; }

  // CURLOPT_READFUNCTION and CURLOPT_SEEKFUNCTION with a SendOnce as data. The seek always fails:
  // libcurl gives up (CURLE_SEND_FAIL_REWIND) where it would begin the body anew.
  static size_t Read(char* buffer, size_t size, size_t count, void* self);
  static int RefuseSeek(void* self, curl_off_t offset, int origin);

  // CURLOPT_PREREQFUNCTION with a SendOnce as data: CURLE_ABORTED_BY_CALLBACK on the second call.
  static int AdmitFirst(void* self, char* primary_ip, char* local_ip, int primary_port,
                        int local_port);

 private:
  std::string_view body_;  // what is not yet read; owned by the transfer
  size_t size_ = 0;
  int begun_ = 0;
};

}  // namespace seekroute
