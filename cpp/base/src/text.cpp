#include <ktrdr/base/text.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ktrdr {
namespace {

namespace json = boost::json;

unsigned char byte_at(std::string_view text, std::size_t place) {
    return static_cast<unsigned char>(text[place]);
}

/// How many bytes the character at the beginning has; 0 where there is none (Unicode 15, table 3-7).
std::size_t character_size(std::string_view text) {
    const unsigned char lead = byte_at(text, 0);
    if (lead < 0x80) {
        return 1;
    }
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) {
        return 0;
    }
    // Neither longer than need be, nor half of a surrogate pair, nor beyond the last character.
    const unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte_at(text, 1) < least || byte_at(text, 1) > most) {
        return 0;
    }
    const auto follows = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
    return std::ranges::all_of(text.substr(2, size - 2), follows) ? size : 0;
}

/// How many bytes at the beginning are whole characters.
std::size_t whole_size(std::string_view text) {
    std::size_t size = 0;
    while (size < text.size()) {
        const std::size_t next = character_size(text.substr(size));
        if (next == 0) {
            break;
        }
        size += next;
    }
    return size;
}

/// Room for what is said at the end of a text that was cut.
constexpr std::size_t note_room = 48;
/// What a number, a bracket or a comma is taken to need.
constexpr std::size_t small = 8;

/// True where nothing has to be changed; `room` is what is left afterwards.
bool is_in_order(std::string_view text, std::size_t limit, std::size_t& room) {
    if (text.size() + small > room || text.size() > limit || !is_utf8(text)) {
        return false;
    }
    room -= text.size() + small;
    return true;
}

bool is_in_order(const json::value& value, std::size_t& room);

bool is_in_order(const json::object& object, std::size_t& room) {
    return std::ranges::all_of(object, [&room](const auto& member) {
        return is_in_order(member.key(), longest_name, room) && is_in_order(member.value(), room);
    });
}

bool is_in_order(const json::value& value, std::size_t& room) {
    if (value.is_string()) {
        return is_in_order(value.get_string(), longest_text, room);
    }
    if (value.is_array()) {
        return std::ranges::all_of(value.get_array(),
                                   [&room](const json::value& element) { return is_in_order(element, room); });
    }
    if (value.is_object()) {
        return is_in_order(value.get_object(), room);
    }
    return is_in_order({}, 0, room);
}

/// Takes over value after value while there is room.
class Keeper {
public:
    explicit Keeper(std::size_t room) : room_(room) {}

    json::value keep(json::value value) {
        if (value.is_string()) {
            return json::string(keep_text(std::string(value.get_string()), longest_text));
        }
        if (value.is_array()) {
            return keep(std::move(value.get_array()));
        }
        if (value.is_object()) {
            return keep(std::move(value.get_object()));
        }
        spend(small);
        return value;
    }
    json::object keep(json::object object) {
        json::object kept;
        for (auto& [key, value] : object) {
            if (room_ == 0) {
                kept["…"] = fmt::format("({} more)", object.size() - kept.size());
                break;
            }
            std::string name = keep_text(std::string(key), longest_name);
            kept.insert_or_assign(std::move(name), keep(std::move(value)));
        }
        return kept;
    }

private:
    json::array keep(json::array array) {
        json::array kept;
        for (auto& element : array) {
            if (room_ == 0) {
                kept.emplace_back(fmt::format("… ({} more)", array.size() - kept.size()));
                break;
            }
            kept.push_back(keep(std::move(element)));
        }
        return kept;
    }
    std::string keep_text(std::string text, std::size_t limit) {
        text = kept_text(std::move(text), std::clamp(room_, 2 * note_room, limit));
        spend(text.size() + small);
        return text;
    }
    void spend(std::size_t size) { room_ -= std::min(room_, size); }

    std::size_t room_;
};

}  // namespace

std::string lower_ascii(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return lower;
}

bool is_utf8(std::string_view text) noexcept {
    return whole_size(text) == text.size();
}

std::string shown_utf8(std::string_view text) {
    return kept_text(std::string(text), std::string::npos);
}

std::string kept_text(std::string text, std::size_t limit) {
    if (text.size() <= limit && is_utf8(text)) {
        return text;
    }
    const std::size_t most = text.size() <= limit ? limit : limit - std::min(limit, note_room);
    std::string kept;
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t size = character_size(rest);
        const std::string next =
            size > 0 ? std::string(rest.substr(0, size)) : fmt::format("\\x{:02x}", byte_at(rest, 0));
        if (kept.size() + next.size() > most) {
            break;
        }
        kept += next;
        rest.remove_prefix(std::max<std::size_t>(size, 1));
    }
    if (!rest.empty()) {
        while (kept.size() + note_room > limit && !kept.empty()) {
            kept.pop_back();
        }
        kept.resize(whole_size(kept));
        kept += fmt::format("… (cut, {} bytes in all)", text.size());
    }
    return kept;
}

json::value kept_json(json::value value, std::size_t limit) {
    std::size_t room = limit;
    return is_in_order(value, room) ? std::move(value) : Keeper(limit).keep(std::move(value));
}

json::object kept_json(json::object object, std::size_t limit) {
    std::size_t room = limit;
    return is_in_order(object, room) ? std::move(object) : Keeper(limit).keep(std::move(object));
}

}  // namespace ktrdr
