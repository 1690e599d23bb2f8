#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace ktrdr {

namespace decimal_detail {

/// The digits from `at` on become part of `number`, as long as it holds them; behind them.
inline const char* take_digits(const char* at, const char* end, std::uint64_t& number) {
    for (; at != end; ++at) {
        const auto digit = static_cast<unsigned>(*at - '0');
        if (digit > 9) {
            break;
        }
        number = number * 10 + digit;
    }
    return at;
}

/// Behind the exponent that begins at `at`; null where it has no digits.
inline const char* take_exponent(const char* at, const char* end) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) {
        ++at;
    }
    std::uint64_t ignored = 0;
    const char* const behind = take_digits(at, end, ignored);
    return behind == at ? nullptr : behind;
}

}  // namespace decimal_detail

/// Read the number that a text begins with, in the form that JSON allows, as the nearest double: where it ends, or null
/// where there is none, or one beyond doubles. `is_integer`: it has neither a point nor an exponent.
///
/// In a header because tables are read number by number; by parameters because that is a third of its cost.
[[nodiscard]] inline const char* read_decimal(const char* const first, const char* const end, double& value,
                                              bool& is_integer) {
    // Up to here the digits and the power of ten are doubles themselves, so that one division gives the nearest one.
    constexpr std::uint64_t most_exact = 1ULL << 53U;
    constexpr std::ptrdiff_t most_digits = 19;
    static constexpr std::array<double, most_digits + 1> powers{
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
    const bool negative = first != end && *first == '-';
    const char* const digits = first + (negative ? 1 : 0);
    std::uint64_t number = 0;
    const char* at = decimal_detail::take_digits(digits, end, number);
    const std::ptrdiff_t whole = at - digits;
    if (whole == 0 || (whole > 1 && *digits == '0')) {
        return nullptr;
    }
    std::ptrdiff_t behind_point = 0;
    const bool has_point = at != end && *at == '.';
    if (has_point) {
        const char* const fraction = at + 1;
        at = decimal_detail::take_digits(fraction, end, number);
        behind_point = at - fraction;
        if (behind_point == 0) {
            return nullptr;
        }
    }
    const bool has_exponent = at != end && (*at == 'e' || *at == 'E');
    if (has_exponent) {
        at = decimal_detail::take_exponent(at, end);
        if (at == nullptr) {
            return nullptr;
        }
    }
    is_integer = !has_point && !has_exponent;
    if (!has_exponent && whole + behind_point <= most_digits && number <= most_exact) {
        const double magnitude = static_cast<double>(number) / powers[static_cast<std::size_t>(behind_point)];
        value = negative ? -magnitude : magnitude;
        return at;
    }
    const auto [stopped, error] = std::from_chars(first, at, value);
    return error == std::errc{} && stopped == at ? at : nullptr;
}

}  // namespace ktrdr
