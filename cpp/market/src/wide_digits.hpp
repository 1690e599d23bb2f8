#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace ktrdr {

/// Digits eight at a time, by the machine's own words.
///
/// The digits of a word are made a number by three products of neighbours, after Daniel Lemire, "Quickly parsing eight
/// digits" (2018); which characters are none is seen by a carry into their highest bit.
namespace wide {

inline constexpr std::uint64_t each_high_bit = 0x8080808080808080;

/// Eight characters, the first in the lowest byte.
inline std::uint64_t eight(const char* at) noexcept {
    static_assert(std::endian::native == std::endian::little, "the first character is taken for the lowest byte");
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    return word;
}

/// The high bit of each byte of `digits` (characters less '0') that is above 9.
inline std::uint64_t no_digits(std::uint64_t digits) noexcept {
    constexpr std::uint64_t carry = 0x7676767676767676;
    return (((digits & ~each_high_bit) + carry) | digits) & each_high_bit;
}

/// The number that the first `count` bytes of `digits` make, 1 to 8 of them.
inline std::uint64_t number_of(std::uint64_t digits, int count) noexcept {
    constexpr std::uint64_t pairs = 0x000000FF000000FF;
    constexpr std::uint64_t millions_and_hundreds = 0x000F424000000064;
    constexpr std::uint64_t ten_thousands_and_ones = 0x0000271000000001;
    std::uint64_t word = digits << (8 * (8 - count));
    word = word * 10 + (word >> 8);
    return ((word & pairs) * millions_and_hundreds + ((word >> 16) & pairs) * ten_thousands_and_ones) >> 32;
}

/// A number as tables mostly have them.
struct Short {
    double value{0};
    /// Its digits behind the point; 0 without one.
    int behind_point{0};
    /// All of those are zeros, or there are none.
    bool whole{true};
};

/// Read what has at most seven digits before its point and seven behind it, as `read_decimal` does: behind it, or null
/// for all others. 18 characters can be read from `at` on.
inline const char* read_short(const char* at, Short& number) noexcept {
    constexpr std::uint64_t zeros = 0x3030303030303030;
    static constexpr std::array<double, 8> powers{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
    static constexpr std::array<std::uint64_t, 8> shifts{1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000};
    const bool negative = *at == '-';
    at += negative ? 1 : 0;
    const std::uint64_t before = eight(at) ^ zeros;
    const std::uint64_t others = no_digits(before);
    const int whole = std::countr_zero(others) / 8;
    if (whole == 0 || whole == 8 || (whole > 1 && *at == '0')) {
        return nullptr;
    }
    std::uint64_t digits = number_of(before, whole);
    at += whole;
    number.behind_point = 0;
    number.whole = true;
    if (*at == '.') {
        const std::uint64_t behind = eight(++at) ^ zeros;
        const std::uint64_t rest = no_digits(behind);
        const int count = std::countr_zero(rest) / 8;
        if (count == 0 || count == 8) {
            return nullptr;
        }
        const std::uint64_t fraction = number_of(behind, count);
        digits = digits * shifts[static_cast<std::size_t>(count)] + fraction;
        number.behind_point = count;
        number.whole = fraction == 0;
        at += count;
    }
    const double magnitude = static_cast<double>(digits) / powers[static_cast<std::size_t>(number.behind_point)];
    number.value = negative ? -magnitude : magnitude;
    return at;
}

}  // namespace wide
}  // namespace ktrdr
