// CRC-32C (Castagnoli), for files whose damage is to be noticed. No defence against forgery.
#pragma once

#include <cstdint>
#include <string_view>

namespace seekroute {

// Of "123456789": 0xE3069283. Thread-safe.
uint32_t Crc32c(std::string_view bytes);

}  // namespace seekroute
