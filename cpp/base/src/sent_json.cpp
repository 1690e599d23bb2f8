#include <ktrdr/base/json.hpp>
#include <ktrdr/base/sent_json.hpp>

#include <boost/json/error.hpp>
#include <boost/locale/encoding_utf.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace ktrdr {

namespace json = boost::json;
using boost::system::error_code;

namespace {

using std::literals::operator""sv;

/// Nothing for bytes that are no whole text of such units.
template <class Unit>
std::optional<std::string> to_utf8(std::string_view bytes, bool big_endian) {
    constexpr std::size_t width = sizeof(Unit);
    if (bytes.size() % width != 0) {
        return std::nullopt;
    }
    std::basic_string<Unit> units(bytes.size() / width, Unit{});
    for (std::size_t place = 0; place < bytes.size(); ++place) {
        const std::size_t lower = big_endian ? width - 1 - place % width : place % width;
        const auto byte = static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[place]));
        units[place / width] = static_cast<Unit>(units[place / width] | static_cast<Unit>(byte << (8 * lower)));
    }
    try {
        return boost::locale::conv::utf_to_utf<char>(units, boost::locale::conv::stop);
    } catch (const boost::locale::conv::conversion_error&) {
        return std::nullopt;
    }
}

json::value parse_wide(std::optional<std::string> text, error_code& error, json::storage_ptr memory) {
    if (!text) {
        error = json::error::syntax;
        return {};
    }
    return parse_json(*text, error, std::move(memory));
}

}  // namespace

json::value parse_sent_json(std::string_view text, error_code& error, json::storage_ptr memory) {
    // Those of UTF-32 first: one of them begins as one of UTF-16 does.
    for (const auto& [mark, big_endian] : {std::pair("\xFF\xFE\0\0"sv, false), std::pair("\0\0\xFE\xFF"sv, true)}) {
        if (text.starts_with(mark)) {
            return parse_wide(to_utf8<char32_t>(text.substr(mark.size()), big_endian), error, std::move(memory));
        }
    }
    for (const auto& [mark, big_endian] : {std::pair("\xFF\xFE"sv, false), std::pair("\xFE\xFF"sv, true)}) {
        if (text.starts_with(mark)) {
            return parse_wide(to_utf8<char16_t>(text.substr(mark.size()), big_endian), error, std::move(memory));
        }
    }
    return parse_json(without_mark(text), error, std::move(memory));
}

}  // namespace ktrdr
