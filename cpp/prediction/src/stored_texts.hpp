#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ktrdr {

/// A list of texts in a model's file; empty for anything else.
[[nodiscard]] std::vector<std::string> texts_of(const boost::json::object& object, std::string_view key);

}  // namespace ktrdr
