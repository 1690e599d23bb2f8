#include "redirects.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <string>

#include "url.hpp"

namespace ktrdr {
namespace {

using boost::beast::iequals;

bool is_one_of(std::string_view name, const auto& names) {
    return std::any_of(names.begin(), names.end(), [name](std::string_view one) { return iequals(name, one); });
}

/// Everything else may be a secret.
bool is_harmless(std::string_view name) {
    constexpr std::array<std::string_view, 4> harmless{"Accept", "Accept-Language", "Content-Type", "User-Agent"};
    return is_one_of(name, harmless);
}

bool is_of_body(std::string_view name) {
    constexpr std::array<std::string_view, 4> of_body{"Content-Type", "Content-Encoding", "Content-Language",
                                                      "Content-Location"};
    return is_one_of(name, of_body);
}

/// Where it leads, as a whole URL.
std::optional<std::string> resolve(std::string_view url, std::string_view location) {
    const auto base = boost::urls::parse_uri(url);
    const auto reference = boost::urls::parse_uri_reference(location);
    boost::urls::url whole;
    if (!base || !reference || !boost::urls::resolve(*base, *reference, whole)) {
        return std::nullopt;
    }
    return std::string(whole.buffer());
}

std::optional<std::string> location_of(const Response& answer) {
    constexpr std::array redirects{301, 302, 303, 307, 308};
    if (std::find(redirects.begin(), redirects.end(), answer.status) == redirects.end()) {
        return std::nullopt;
    }
    std::optional<std::string> found;
    for (const auto& [name, value] : answer.headers) {
        if (iequals(name, "Location")) {
            if (found) {
                return std::nullopt;
            }
            found = value;
        }
    }
    return found;
}

}  // namespace

std::optional<Request> redirected(const Request& asked, std::string_view url, const Response& answer) {
    const auto location = location_of(answer);
    const auto whole = location ? resolve(url, *location) : std::nullopt;
    const auto from = parse_url(url);
    const auto to = whole ? parse_url(*whole) : from;
    if (!whole || !from || !to || (from->origin.tls && !to->origin.tls)) {
        return std::nullopt;
    }
    Request next = asked;
    next.url = *whole;
    const bool becomes_get =
        answer.status == 303 ? asked.method != "HEAD" : answer.status <= 302 && asked.method == "POST";
    if (becomes_get) {
        next.method = "GET";
        next.body.clear();
        std::erase_if(next.headers, [](const auto& field) { return is_of_body(field.first); });
    }
    if (from->origin.url != to->origin.url) {
        next.idempotency_key.clear();
        std::erase_if(next.headers, [](const auto& field) { return !is_harmless(field.first); });
    }
    return next;
}

}  // namespace ktrdr
