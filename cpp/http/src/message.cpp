#include <ktrdr/http/message.hpp>

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace ktrdr {

const std::string* find_header(const Headers& headers, std::string_view name) noexcept {
    const auto found =
        std::ranges::find_if(headers, [name](const auto& field) { return boost::beast::iequals(field.first, name); });
    return found == headers.end() ? nullptr : &found->second;
}

bool has_header(const Headers& headers, std::string_view name) noexcept {
    return find_header(headers, name) != nullptr;
}

}  // namespace ktrdr
