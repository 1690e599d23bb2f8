#include <ktrdr/base/file_names.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace ktrdr {
namespace {

bool is_plain_in_names(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._=^").find(c) != std::string_view::npos;
}

bool is_hexadecimal(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

std::string percent_encoded(std::string_view text) {
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        const bool hides = c == '.' && encoded.empty();
        if (is_plain_in_names(c) && !hides) {
            encoded.push_back(c);
        } else {
            fmt::format_to(std::back_inserter(encoded), "%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return encoded;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded.push_back(text[i]);
            continue;
        }
        const std::string_view digits = text.substr(i + 1, 2);
        if (digits.size() < 2 || !std::ranges::all_of(digits, is_hexadecimal)) {
            return std::nullopt;
        }
        unsigned byte = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
        decoded.push_back(static_cast<char>(byte));
        i += digits.size();
    }
    return decoded;
}

}  // namespace ktrdr
