#include "location.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <iterator>
#include <vector>

namespace ktrdr {
namespace {

using boost::beast::iequals;

bool is_control_or_blank(char c) {
    return static_cast<unsigned char>(c) <= 0x20;
}

/// Without what is around it, and without tabs.
std::string cleaned(std::string_view text) {
    const auto begin = std::find_if_not(text.begin(), text.end(), is_control_or_blank);
    std::string out(begin, text.end());
    while (!out.empty() && is_control_or_blank(out.back())) {
        out.pop_back();
    }
    std::erase(out, '\t');
    return out;
}

bool is_slash(char c) {
    return c == '/' || c == '\\';
}

std::size_t leading_slashes(std::string_view text) {
    return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_slash) - text.begin());
}

/// Its length without the colon; 0 where there is none.
std::size_t scheme_length(std::string_view text) {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const auto end = std::find_if_not(text.begin(), text.end(), [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    });
    const bool is_scheme = end != text.end() && *end == ':' && is_letter(text.front());
    return is_scheme ? static_cast<std::size_t>(end - text.begin()) : 0;
}

/// `also`: what is encoded beside controls, blanks and everything beyond ASCII.
std::string encoded(std::string_view text, std::string_view also) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte >= 0x7f || also.find(c) != std::string_view::npos) {
            fmt::format_to(std::back_inserter(out), "%{:02X}", byte);
        } else {
            out.push_back(c);
        }
    }
    return out;
}

bool is_dot(std::string_view segment) {
    return segment == "." || iequals(segment, "%2e");
}

bool is_double_dot(std::string_view segment) {
    return segment == ".." || iequals(segment, ".%2e") || iequals(segment, "%2e.") || iequals(segment, "%2e%2e");
}

/// `path` begins with '/'.
std::string without_dots(std::string_view path) {
    std::vector<std::string_view> kept;
    bool ends_with_slash = false;
    for (path.remove_prefix(1);;) {
        const std::size_t end = std::min(path.find('/'), path.size());
        const std::string_view segment = path.substr(0, end);
        ends_with_slash = is_dot(segment) || is_double_dot(segment);
        if (is_double_dot(segment) && !kept.empty()) {
            kept.pop_back();
        } else if (!ends_with_slash) {
            kept.push_back(segment);
        }
        if (end == path.size()) {
            break;
        }
        path.remove_prefix(end + 1);
    }
    std::string out;
    for (const std::string_view segment : kept) {
        out.append("/").append(segment);
    }
    return ends_with_slash || out.empty() ? out + "/" : out;
}

struct Split {
    std::string_view path;
    /// With its question mark, where there is one.
    std::string_view query;
};

Split split(std::string_view text) {
    const std::size_t at = std::min(text.find('?'), text.size());
    return {text.substr(0, at), text.substr(at)};
}

}  // namespace

std::string resolve_location(std::string_view base, std::string_view written) {
    constexpr std::string_view not_in_path = "\"<>^`{}";
    constexpr std::string_view not_in_query = "\"'<>";
    base = base.substr(0, base.find('#'));
    const std::string clean = cleaned(written.substr(0, written.find('#')));
    std::string_view location = clean;
    const std::size_t base_scheme = scheme_length(base);
    const std::size_t base_path = std::min(base.find_first_of("/?", base_scheme + 3), base.size());
    std::string_view scheme = base.substr(0, base_scheme);
    if (const std::size_t own = scheme_length(location); own > 0) {
        const bool http = iequals(location.substr(0, own), "http") || iequals(location.substr(0, own), "https");
        if (!http) {
            return std::string(location);
        }
        const bool same = iequals(location.substr(0, own), scheme);
        scheme = location.substr(0, own);
        location.remove_prefix(own + 1);
        if (!same && leading_slashes(location) < 2) {
            // Another scheme begins anew, however few slashes are there.
            return resolve_location(base, fmt::format("{}://{}", scheme, location.substr(leading_slashes(location))));
        }
    }
    std::string_view authority = base.substr(base_scheme + 3, base_path - base_scheme - 3);
    bool of_base = true;
    if (leading_slashes(location) >= 2) {
        location.remove_prefix(leading_slashes(location));
        const std::size_t end = std::min(location.find_first_of("/\\?"), location.size());
        authority = location.substr(0, end);
        location.remove_prefix(end);
        of_base = false;
    }
    const Split before = split(base.substr(base_path));
    const Split given = split(location);
    std::string path(given.path);
    std::ranges::replace(path, '\\', '/');
    std::string_view query = given.query;
    if (of_base && path.empty()) {
        path = before.path;
        query = given.query.empty() ? before.query : given.query;
    } else if (!path.starts_with('/')) {
        path.insert(0, of_base ? before.path.substr(0, before.path.rfind('/') + 1) : "/");
    }
    if (!path.starts_with('/')) {
        path.insert(0, "/");
    }
    return fmt::format("{}://{}{}{}", scheme, authority, encoded(without_dots(path), not_in_path),
                       encoded(query, not_in_query));
}

}  // namespace ktrdr
