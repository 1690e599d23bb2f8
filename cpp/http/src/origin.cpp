#include "origin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace ktrdr {
namespace {

constexpr std::string_view scheme = "http://";

Error bad_url(const std::string& url, std::string_view why) {
    const bool secret = url.find('@') != std::string::npos;
    const std::string shown = secret ? "http://…@…" : url;
    return fail(Errc::configuration,
                fmt::format("'{}' is not a service's base URL: {}; write http://host[:port][/prefix]", shown, why),
                {{"url", shown}});
}

bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

bool is_port(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && value >= 1 && value <= 65535;
}

bool starts_with_scheme(std::string_view url) {
    return url.size() > scheme.size() && std::equal(scheme.begin(), scheme.end(), url.begin(), [](char a, char b) {
               return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b);
           });
}

}  // namespace

Result<Origin> parse_origin(const std::string& url) {
    if (!starts_with_scheme(url)) {
        return bad_url(url, "it does not begin with http://");
    }
    if (!is_plain(url)) {
        return bad_url(url, "it holds a blank or a character outside ASCII");
    }
    std::string_view rest = std::string_view(url).substr(scheme.size());
    std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    rest.remove_prefix(authority.size());
    if (rest.find_first_of("?#") != std::string_view::npos) {
        return bad_url(url, "it has a query or a fragment");
    }
    if (authority.find('@') != std::string_view::npos) {
        return bad_url(url, "it carries a user name");
    }
    Origin origin;
    const bool bracket = authority.starts_with('[');
    const std::size_t host_end = bracket ? authority.find(']') : authority.find(':');
    if (bracket && host_end == std::string_view::npos) {
        return bad_url(url, "the bracket is not closed");
    }
    origin.host = authority.substr(bracket ? 1 : 0, bracket ? host_end - 1 : host_end);
    std::string_view port;
    if (host_end != std::string_view::npos) {
        port = authority.substr(host_end + (bracket ? 1 : 0));
    }
    if (origin.host.empty()) {
        return bad_url(url, "it names no host");
    }
    if (!port.empty() && (port.front() != ':' || !is_port(port.substr(1)))) {
        return bad_url(url, "the port is not a number from 1 to 65535");
    }
    if (!port.empty()) {
        origin.port = port.substr(1);
    }
    while (rest.ends_with('/')) {
        rest.remove_suffix(1);
    }
    const std::string shown_host = bracket ? fmt::format("[{}]", origin.host) : origin.host;
    origin.host_header = origin.port == "80" ? shown_host : fmt::format("{}:{}", shown_host, origin.port);
    origin.prefix = rest;
    origin.url = fmt::format("http://{}:{}{}", shown_host, origin.port, origin.prefix);
    return origin;
}

}  // namespace ktrdr
