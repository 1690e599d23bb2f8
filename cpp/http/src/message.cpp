#include <ktrdr/http/message.hpp>

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace ktrdr {

bool has_header(const Headers& headers, std::string_view name) noexcept {
    return std::any_of(headers.begin(), headers.end(),
                       [name](const auto& field) { return boost::beast::iequals(field.first, name); });
}

}  // namespace ktrdr
