#include <ktrdr/market/symbol.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

#include <ktrdr/base/file_names.hpp>
#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

struct CharacterRange {
    std::uint32_t first;
    std::uint32_t last;
};

/// What nobody could see in a symbol, or would take for something else; rising.
constexpr std::array unprintable{
    CharacterRange{0x0000, 0x001f},   CharacterRange{0x007f, 0x00a0},   CharacterRange{0x00ad, 0x00ad},
    CharacterRange{0x0600, 0x0605},   CharacterRange{0x061c, 0x061c},   CharacterRange{0x06dd, 0x06dd},
    CharacterRange{0x070f, 0x070f},   CharacterRange{0x0890, 0x0891},   CharacterRange{0x08e2, 0x08e2},
    CharacterRange{0x1680, 0x1680},   CharacterRange{0x180e, 0x180e},   CharacterRange{0x2000, 0x200f},
    CharacterRange{0x2028, 0x202f},   CharacterRange{0x205f, 0x2064},   CharacterRange{0x2066, 0x206f},
    CharacterRange{0x3000, 0x3000},   CharacterRange{0xd800, 0xf8ff},   CharacterRange{0xfdd0, 0xfdef},
    CharacterRange{0xfeff, 0xfeff},   CharacterRange{0xfff9, 0xfffb},   CharacterRange{0x110bd, 0x110bd},
    CharacterRange{0x110cd, 0x110cd}, CharacterRange{0x13430, 0x1343f}, CharacterRange{0x1bca0, 0x1bca3},
    CharacterRange{0x1d173, 0x1d17a}, CharacterRange{0xe0001, 0xe0001}, CharacterRange{0xe0020, 0xe007f},
    CharacterRange{0xf0000, 0x10ffff}};

bool is_printable(std::uint32_t character) {
    const auto* const found =
        std::ranges::upper_bound(unprintable, character, {}, [](const CharacterRange& range) { return range.first; });
    const bool listed = found != unprintable.begin() && character <= std::prev(found)->last;
    const bool no_character = (character & 0xfffeU) == 0xfffeU;
    return !listed && !no_character;
}

/// The character that the text, which is UTF-8, begins with; it is taken away.
std::uint32_t take_character(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t character = size == 1 ? lead : lead & (0xffU >> (size + 1));
    for (const char c : text.substr(1, size - 1)) {
        character = (character << 6U) | (static_cast<unsigned char>(c) & 0x3fU);
    }
    text.remove_prefix(size);
    return character;
}

std::string_view without_blanks(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const std::size_t first = std::min(text.find_first_not_of(blanks), text.size());
    const std::size_t last = text.find_last_not_of(blanks);
    return text.substr(first, last == std::string_view::npos ? 0 : last - first + 1);
}

Error no_symbol(std::string_view field, std::string_view text, const std::string& why) {
    constexpr std::size_t most_shown = 64;
    const std::string shown = shown_utf8(text.substr(0, most_shown));
    return fail(Errc::invalid_argument,
                fmt::format("{} {:?}{} is not one: {}; a symbol is 1 to {} bytes of printable text", field, shown,
                            text.size() > most_shown ? "…" : "", why, longest_symbol),
                {{"field", field}, {"value", shown}});
}

}  // namespace

Result<std::string> parse_symbol(std::string_view text, std::string_view field) {
    const std::string_view symbol = without_blanks(text);
    if (symbol.empty()) {
        return no_symbol(field, text, text.empty() ? "it is empty" : "it has nothing but blanks");
    }
    if (symbol.size() > longest_symbol) {
        return no_symbol(field, symbol, fmt::format("it has {} bytes", symbol.size()));
    }
    if (!is_utf8(symbol)) {
        return no_symbol(field, symbol, "it is not UTF-8");
    }
    for (std::string_view rest = symbol; !rest.empty();) {
        const std::size_t place = symbol.size() - rest.size();
        if (const std::uint32_t character = take_character(rest); !is_printable(character)) {
            return no_symbol(field, symbol, fmt::format("U+{:04X} at byte {} cannot be printed", character, place));
        }
    }
    return std::string(symbol);
}

Result<std::string> series_file_name(std::string_view symbol, std::string_view timeframe, std::string_view extension) {
    std::string name = fmt::format("{}_{}{}", percent_encoded(symbol), timeframe, extension);
    if (name.size() > longest_file_name) {
        return fail(Errc::invalid_argument,
                    fmt::format("a file named for the symbol {:?} would have a name of {} bytes, and {} are the most: "
                                "name the file yourself",
                                symbol, name.size(), longest_file_name),
                    {{"field", "path"}, {"symbol", symbol}});
    }
    return name;
}

}  // namespace ktrdr
