#pragma once

#include <boost/json/object.hpp>
#include <boost/json/parse_options.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <string_view>

namespace ktrdr {

/// How many levels a value from outside may have.
inline constexpr std::size_t deepest_json = 100;

/// For `boost::json::parse`, which writes any depth but reads 32 levels unless told: those, and what is put around
/// them.
[[nodiscard]] inline boost::json::parse_options deep_json() {
    boost::json::parse_options options;
    options.max_depth = deepest_json + 10;
    return options;
}

/// The text of a member, as long as `object` keeps it; empty where there is no such member or it is no text.
[[nodiscard]] inline std::string_view text_or_empty(const boost::json::object& object, std::string_view key) {
    const boost::json::value* const found = object.if_contains(key);
    return found != nullptr && found->is_string() ? std::string_view(found->get_string()) : std::string_view();
}

}  // namespace ktrdr
