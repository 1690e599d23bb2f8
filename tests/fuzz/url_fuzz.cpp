// A URL that is taken can be put into a request as it is, and reads the same again.

#include <url.hpp>

#include <algorithm>

#include "fuzz.hpp"

namespace ktrdr::fuzz {
namespace {

bool is_clean(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

void check_origin(const Origin& origin) {
    require(!origin.host.empty() && is_clean(origin.host), "a host is text");
    require(origin.host.find_first_of("@/?#") == std::string::npos, "a host is only a host");
    require(is_clean(origin.host_header), "the host header is one line");
    const unsigned long port = std::stoul(origin.port);
    require(port >= 1 && port <= 65535, "a port is a port");
    require(origin.url.starts_with(origin.tls ? "https://" : "http://"), "an origin names its scheme");
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr;
    using namespace ktrdr::fuzz;
    const std::string_view text = text_of(data, size);
    if (const auto url = parse_url(text)) {
        check_origin(url->origin);
        require(url->target.starts_with('/') && is_clean(url->target), "a target is a path on one line");
        require(url->target.find('#') == std::string::npos, "a fragment is not sent");
        const auto again = parse_url(url->origin.url + url->target);
        require(again.has_value() && again->target == url->target && again->origin.url == url->origin.url,
                "it reads the same again");
    } else {
        require(text.find('@') == std::string_view::npos || url.error().message.find('@') == std::string::npos ||
                    url.error().message.find("…@…") != std::string::npos || text.find('?') < text.find('@'),
                "user info is not repeated");
    }
    if (const auto base = parse_base_url(text)) {
        check_origin(base->origin);
        require(base->target.empty() || (base->target.starts_with('/') && !base->target.ends_with('/')),
                "a prefix begins with a slash and does not end with one");
    }
    return 0;
}
