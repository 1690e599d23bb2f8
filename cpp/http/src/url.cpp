#include "url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/url/authority_view.hpp>
#include <boost/url/grammar/ci_string.hpp>
#include <boost/url/scheme.hpp>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <iterator>

namespace ktrdr {
namespace {

bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

/// The number without zeros before it, empty where it is none from 1 to 65535: of one beyond 16 bits Boost.URL gives
/// some of the bits.
std::string port_of(std::string_view text) {
    std::uint16_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_number = error == std::errc{} && end == text.data() + text.size();
    return is_number && value != 0 ? std::to_string(value) : std::string();
}

std::string lower(std::string_view text) {
    std::string lowered(text);
    std::ranges::transform(lowered, lowered.begin(), boost::urls::grammar::to_lower);
    return lowered;
}

/// An address's zone is cut out of `authority` (`%eth0` of `[fe80::1%eth0]`): Boost.URL 1.81 knows none.
std::string without_zone(std::string_view authority, std::string& zone) {
    const std::size_t end = authority.starts_with('[') ? authority.find(']') : 0;
    const std::size_t begin = std::min(authority.find('%'), authority.size());
    if (end == std::string_view::npos || begin >= end) {
        return std::string(authority);
    }
    zone = authority.substr(begin, end - begin);
    return std::string(authority.substr(0, begin)).append(authority.substr(end));
}

/// As RFC 6874 writes one: a `%`, then letters, digits and few marks, or their codes.
bool is_zone(std::string_view text) {
    const auto fits = [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view("-._~%").find(static_cast<char>(c)) != std::string_view::npos;
    };
    return text.size() > 1 && std::all_of(text.begin(), text.end(), fits);
}

/// Split at the end of the authority; the target is what is left, as it is written, for services are asked for targets
/// that RFC 3986 would have encoded otherwise (`/a|b`, `?x=[1]`). Answers what is wrong, or nothing.
std::string_view split(std::string_view url, Url& parts) {
    constexpr std::string_view mark = "://";
    const std::size_t scheme_end = std::min(url.find(mark), url.size());
    const auto scheme = boost::urls::string_to_scheme(url.substr(0, scheme_end));
    Origin& origin = parts.origin;
    origin.tls = scheme == boost::urls::scheme::https;
    if (scheme_end == url.size() || (!origin.tls && scheme != boost::urls::scheme::http)) {
        return "it does not begin with http:// or https://";
    }
    if (!is_plain(url)) {
        return "it holds a blank or a character outside ASCII";
    }
    const std::string_view rest = url.substr(scheme_end + mark.size());
    const std::string_view written = rest.substr(0, rest.find_first_of("/?#"));
    std::string zone;
    const std::string zoneless = without_zone(written, zone);
    const auto authority = boost::urls::parse_authority(zoneless);
    if (!authority || !(zone.empty() || is_zone(zone))) {
        return "its host is neither a name nor an address such as 127.0.0.1 or [::1], or its port is not a number";
    }
    if (authority->has_userinfo()) {
        return "it carries a user name";
    }
    if (authority->encoded_host().empty()) {
        return "it names no host";
    }
    const std::string usual = std::to_string(boost::urls::default_port(scheme));
    origin.port = authority->has_port() ? port_of(authority->port()) : usual;
    if (origin.port.empty()) {
        return "the port is not a number from 1 to 65535";
    }
    origin.host = lower(authority->encoded_host_address()) + zone;
    const bool bracketed = written.starts_with('[');
    const std::string shown_host = bracketed ? fmt::format("[{}]", origin.host) : origin.host;
    origin.host_header = origin.port == usual ? shown_host : fmt::format("{}:{}", shown_host, origin.port);
    origin.url = fmt::format("{}://{}:{}", origin.tls ? "https" : "http", shown_host, origin.port);
    parts.target = rest.substr(written.size());
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

Result<Url> read_url(std::string_view url) {
    Url parts;
    if (const auto wrong = split(url, parts); !wrong.empty()) {
        return fail(Errc::invalid_argument, std::string(wrong));
    }
    parts.target.erase(std::min(parts.target.find('#'), parts.target.size()));
    if (!parts.target.starts_with('/')) {
        parts.target.insert(0, "/");
    }
    return parts;
}

Result<Url> parse_url(std::string_view url) {
    auto parts = read_url(url);
    if (!parts) {
        const std::string text = url_in_error(url);
        return fail(
            Errc::invalid_argument,
            fmt::format(
                "'{}' is no URL to send a request to: {}; nothing was sent, write http[s]://host[:port]/path?query",
                text, parts.error().message),
            {{"field", "url"}, {"url", text}});
    }
    return parts;
}

}  // namespace ktrdr
