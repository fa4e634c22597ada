#include "transport/curl/send_once.h"

#include <algorithm>
#include <cstring>

namespace seekroute {

size_t SendOnce::Read(char* buffer, size_t size, size_t count, void* self) {
  std::string_view& rest = static_cast<SendOnce*>(self)->body_;
  const size_t taken = std::min(rest.size(), size * count);
  std::memcpy(buffer, rest.data(), taken);
  rest.remove_prefix(taken);
  return taken;
}

int SendOnce::RefuseSeek(void* /*self*/, curl_off_t /*offset*/, int /*origin*/) {
  return CURL_SEEKFUNC_FAIL;
}

int SendOnce::AdmitFirst(void* self, char* /*primary_ip*/, char* /*local_ip*/, int /*primary_port*/,
                         int /*local_port*/) {
  return static_cast<SendOnce*>(self)->Begin() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

}  // namespace seekroute
