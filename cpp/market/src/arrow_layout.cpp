#include "arrow_layout.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

namespace ktrdr {
namespace {

std::optional<ArrowLayout> number_layout(std::string_view format) {
    using Type = GivenValues::Type;
    struct Known {
        char format;
        Type type;
        std::ptrdiff_t width;
    };
    static constexpr std::array known{Known{'c', Type::int8, 1},    Known{'C', Type::uint8, 1},
                                      Known{'s', Type::int16, 2},   Known{'S', Type::uint16, 2},
                                      Known{'i', Type::int32, 4},   Known{'I', Type::uint32, 4},
                                      Known{'l', Type::int64, 8},   Known{'L', Type::uint64, 8},
                                      Known{'f', Type::float32, 4}, Known{'g', Type::float64, 8}};
    for (const Known& one : known) {
        if (format.size() == 1 && format.front() == one.format) {
            return ArrowLayout{.kind = ArrowLayout::Kind::numbers, .type = one.type, .width = one.width};
        }
    }
    return std::nullopt;
}

std::optional<ArrowLayout> stamp_layout(std::string_view format) {
    using Type = GivenValues::Type;
    const auto of = [](StampUnit unit, Type type = Type::int64, std::ptrdiff_t width = 8) {
        return ArrowLayout{.kind = ArrowLayout::Kind::stamps, .type = type, .width = width, .unit = unit};
    };
    if (format == "tdD") {
        return of(StampUnit::day, Type::int32, 4);
    }
    if (format == "tdm" || format.starts_with("tsm:")) {
        return of(StampUnit::milli);
    }
    if (format.starts_with("tss:")) {
        return of(StampUnit::second);
    }
    if (format.starts_with("tsu:")) {
        return of(StampUnit::micro);
    }
    if (format.starts_with("tsn:")) {
        return of(StampUnit::nano);
    }
    for (const auto& [text, bits] : {std::pair{"u", 32}, std::pair{"U", 64}, std::pair{"vu", 0}}) {
        if (format == text) {
            return ArrowLayout{.kind = ArrowLayout::Kind::text, .offset_bits = bits};
        }
    }
    return std::nullopt;
}

}  // namespace

Result<ArrowLayout> arrow_layout(std::string_view format, bool in_dictionary, BarColumn column) {
    const bool stamps = column == BarColumn::time;
    const auto layout = in_dictionary ? std::nullopt : stamps ? stamp_layout(format) : number_layout(format);
    if (!layout) {
        return fail(
            Errc::invalid_argument,
            fmt::format("column {} is of the Arrow type {:?}{}: cast it to {}", to_string(column), format.substr(0, 32),
                        in_dictionary ? " in a dictionary" : "", stamps ? "a timestamp" : "float64"),
            {{"column", to_string(column)}});
    }
    return *layout;
}

}  // namespace ktrdr
