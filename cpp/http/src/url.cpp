#include "url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace ktrdr {
namespace {

bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

bool is_port(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && value >= 1 && value <= 65535;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool starts_with(std::string_view url, std::string_view scheme) {
    return url.size() > scheme.size() &&
           std::equal(scheme.begin(), scheme.end(), url.begin(), [](char a, char b) { return a == lower(b); });
}

/// Split at the end of the authority; the target is what is left. Answers what is wrong, or nothing.
std::string_view split(std::string_view url, Url& parts) {
    constexpr std::string_view plain = "http://";
    constexpr std::string_view secure = "https://";
    Origin& origin = parts.origin;
    origin.tls = starts_with(url, secure);
    if (!origin.tls && !starts_with(url, plain)) {
        return "it does not begin with http:// or https://";
    }
    if (!is_plain(url)) {
        return "it holds a blank or a character outside ASCII";
    }
    std::string_view rest = url.substr((origin.tls ? secure : plain).size());
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    rest.remove_prefix(authority.size());
    if (authority.find('@') != std::string_view::npos) {
        return "it carries a user name";
    }
    const bool bracket = authority.starts_with('[');
    const std::size_t host_end = bracket ? authority.find(']') : authority.find(':');
    if (bracket && host_end == std::string_view::npos) {
        return "the bracket is not closed";
    }
    origin.host = authority.substr(bracket ? 1 : 0, bracket ? host_end - 1 : host_end);
    std::transform(origin.host.begin(), origin.host.end(), origin.host.begin(), lower);
    std::string_view port;
    if (host_end != std::string_view::npos) {
        port = authority.substr(host_end + (bracket ? 1 : 0));
    }
    if (origin.host.empty()) {
        return "it names no host";
    }
    if (!port.empty() && (port.front() != ':' || !is_port(port.substr(1)))) {
        return "the port is not a number from 1 to 65535";
    }
    const std::string_view usual = origin.tls ? "443" : "80";
    origin.port = port.empty() ? usual : port.substr(1);
    const std::string shown_host = bracket ? fmt::format("[{}]", origin.host) : origin.host;
    origin.host_header = origin.port == usual ? shown_host : fmt::format("{}:{}", shown_host, origin.port);
    origin.url = fmt::format("{}{}:{}", origin.tls ? secure : plain, shown_host, origin.port);
    parts.target = rest;
    return {};
}

Error bad_base_url(std::string_view url, std::string_view why) {
    const std::string text = url_in_error(url);
    return fail(Errc::configuration,
                fmt::format("'{}' is not a service's base URL: {}; write http[s]://host[:port][/prefix]", text, why),
                {{"url", text}});
}

}  // namespace

std::string url_in_error(std::string_view url) {
    constexpr std::size_t most = 200;
    if (url.find('@') != std::string_view::npos) {
        return "http[s]://…@…";
    }
    url = url.substr(0, url.find('?'));
    std::string text;
    for (const char c : url.substr(0, most)) {
        if (c >= 0x20 && c < 0x7f) {
            text += c;
        } else {
            fmt::format_to(std::back_inserter(text), "\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return url.size() > most ? text + "…" : text;
}

Result<Url> parse_base_url(std::string_view url) {
    Url parts;
    if (const auto wrong = split(url, parts); !wrong.empty()) {
        return bad_base_url(url, wrong);
    }
    if (parts.target.find_first_of("?#") != std::string::npos) {
        return bad_base_url(url, "it has a query or a fragment");
    }
    while (parts.target.ends_with('/')) {
        parts.target.pop_back();
    }
    return parts;
}

Result<Url> parse_url(std::string_view url) {
    Url parts;
    if (const auto wrong = split(url, parts); !wrong.empty()) {
        const std::string text = url_in_error(url);
        return fail(
            Errc::invalid_argument,
            fmt::format(
                "'{}' is no URL to send a request to: {}; nothing was sent, write http[s]://host[:port]/path?query",
                text, wrong),
            {{"field", "url"}, {"url", text}});
    }
    parts.target.erase(std::min(parts.target.find('#'), parts.target.size()));
    if (!parts.target.starts_with('/')) {
        parts.target.insert(0, "/");
    }
    return parts;
}

}  // namespace ktrdr
