#pragma once

#include <cstddef>
#include <cstdint>

namespace ktrdr {

/// CRC-32 of the bytes so far, `sum` (0 in the beginning), with further ones: zlib's `crc32_z`, and ten times as fast
/// where the processor can multiply without carries.
[[nodiscard]] std::uint32_t crc32_of(std::uint32_t sum, const unsigned char* bytes, std::size_t size);

}  // namespace ktrdr
