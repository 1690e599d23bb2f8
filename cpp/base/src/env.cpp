#include <ktrdr/base/env.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

Error unreadable(const std::string& name, const std::string& value, std::string_view allowed) {
    return fail(Errc::configuration, fmt::format("{}={:?} cannot be read: use {}", name, value, allowed),
                {{"variable", name}, {"value", value}});
}

template <class Number>
std::optional<Number> parse(const std::string& text) {
    Number number{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc{} && stop == end ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<std::string> Env::get(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() || found->second.empty() ? std::nullopt : std::optional(found->second);
}

Result<std::optional<bool>> Env::get_bool(const std::string& name) const {
    const auto value = get(name);
    if (!value) {
        return std::optional<bool>{};
    }
    const std::string lower = lower_ascii(*value);
    constexpr std::array<std::string_view, 4> yes{"true", "1", "yes", "on"};
    constexpr std::array<std::string_view, 4> no{"false", "0", "no", "off"};
    if (std::find(yes.begin(), yes.end(), lower) != yes.end()) {
        return std::optional(true);
    }
    if (std::find(no.begin(), no.end(), lower) != no.end()) {
        return std::optional(false);
    }
    return unreadable(name, *value, "true, false, 1, 0, yes, no, on or off");
}

Result<std::optional<long>> Env::get_int(const std::string& name, long min, long max) const {
    const auto value = get(name);
    if (!value) {
        return std::optional<long>{};
    }
    const auto number = parse<long>(*value);
    if (!number || *number < min || *number > max) {
        return unreadable(name, *value, fmt::format("a whole number from {} to {}", min, max));
    }
    return number;
}

Result<std::optional<std::chrono::milliseconds>> Env::get_seconds(const std::string& name) const {
    const auto value = get(name);
    if (!value) {
        return std::optional<std::chrono::milliseconds>{};
    }
    const auto seconds = parse<double>(*value);
    if (!seconds || !std::isfinite(*seconds) || *seconds <= 0 || *seconds > 1e9) {
        return unreadable(name, *value, "a positive number of seconds");
    }
    return std::optional(std::chrono::milliseconds(static_cast<long>(std::ceil(*seconds * 1000))));
}

}  // namespace ktrdr
