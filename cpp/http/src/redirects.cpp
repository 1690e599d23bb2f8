#include "redirects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <string>
#include <utility>

#include "request_writer.hpp"
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

Redirects::Redirects(Request& request, const std::string& base_url, const Timeouts& limits)
    : most_(request.max_redirects),
      started_(std::chrono::steady_clock::now()),
      url_(request.url.starts_with('/') ? base_url + request.url : request.url) {
    request.deadline = deadline_of(request, limits, started_);
    request.max_redirects = 0;
}

Result<std::optional<Request>> Redirects::next(const Request& asked, const Response& answer) {
    auto further = redirected(asked, url_, answer);
    if (!further) {
        return std::optional<Request>{};
    }
    passed_.push_back(std::exchange(url_, further->url));
    if (passed_.size() <= most_) {
        return further;
    }
    const std::string last = passed_.back().substr(0, passed_.back().find('?'));
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - started_;
    return fail(Errc::protocol, fmt::format("{} {} was redirected more than {} times", asked.method, last, most_),
                {{"method", asked.method},
                 {"url", last},
                 {"phase", "answer"},
                 {"elapsed_ms", elapsed.count()},
                 {"request_sent", "whole"},
                 {"retryable", false},
                 {"attempts", to_json(answer.attempts)}});
}

void Redirects::tell(Response& answer) {
    if (!passed_.empty()) {
        answer.redirects = std::move(passed_);
        answer.url = std::move(url_);
    }
}

}  // namespace ktrdr
