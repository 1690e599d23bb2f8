#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace ktrdr {

/// FNV-1a, 64 bits, eight bytes at a step: tells contents apart that nobody has made alike on purpose.
class Checksum final {
public:
    template <class Number>
    void add(std::span<const Number> numbers) {
        add_bytes({reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()});
    }
    void add_number(std::int64_t number) { mix(static_cast<std::uint64_t>(number)); }
    /// With their length, so that parts do not run into each other.
    void add_bytes(std::string_view bytes) {
        mix(bytes.size());
        for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t))) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes.data(), sizeof word);
            mix(word);
        }
        for (const char one : bytes) {
            mix(static_cast<unsigned char>(one));
        }
    }
    /// 16 hexadecimal digits.
    [[nodiscard]] std::string text() const { return fmt::format("{:016x}", sum_); }

private:
    void mix(std::uint64_t word) {
        sum_ = (sum_ ^ word) * 1099511628211U;
        // A product carries upwards only.
        sum_ ^= sum_ >> 32;
    }
    std::uint64_t sum_{14695981039346656037U};
};

}  // namespace ktrdr
