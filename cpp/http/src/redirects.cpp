#include "redirects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <string>
#include <utility>

#include "location.hpp"
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

void drop(Request& request, auto which) {
    std::erase_if(request.headers, which);
    std::erase_if(request.defaults, which);
}

bool is_redirect(int status) {
    constexpr std::array redirects{301, 302, 303, 307, 308};
    return std::find(redirects.begin(), redirects.end(), status) != redirects.end();
}

/// In words that follow "answered 302, …".
Error astray(std::string_view why, std::string_view location) {
    return fail(Errc::protocol, fmt::format("{}", why), {{"location", url_in_error(location)}});
}

/// The one place that the answer names.
Result<std::string> location_of(const Response& answer) {
    std::optional<std::string> found;
    for (const auto& [name, value] : answer.headers) {
        if (iequals(name, "Location")) {
            if (found && *found != value) {
                return astray("but names two places to go to", value);
            }
            found = value;
        }
    }
    if (!found) {
        return astray("but no Location to go to", "");
    }
    return *found;
}

/// Where it leads, as a whole URL that may be asked for.
Result<std::string> destination(std::string_view url, const Response& answer) {
    const auto location = location_of(answer);
    if (!location) {
        return location;
    }
    std::string whole = resolve_location(url, *location);
    const auto from = parse_url(url);
    const auto to = read_url(whole);
    if (!to) {
        return astray(
            fmt::format("but its Location '{}' cannot be asked for: {}", url_in_error(*location), to.error().message),
            *location);
    }
    if (from && from->origin.tls && !to->origin.tls) {
        return astray(fmt::format("but its Location '{}' leads from https to http, where everybody can read along",
                                  url_in_error(*location)),
                      *location);
    }
    return whole;
}

}  // namespace

Result<std::optional<Request>> redirected(const Request& asked, std::string_view url, const Response& answer) {
    if (!is_redirect(answer.status)) {
        return std::optional<Request>{};
    }
    auto whole = destination(url, answer);
    if (!whole) {
        return std::move(whole).error();
    }
    const auto from = parse_url(url);
    const auto to = parse_url(*whole);
    Request next = asked;
    next.url = std::move(*whole);
    const bool becomes_get =
        answer.status == 303 ? asked.method != "HEAD" : answer.status <= 302 && asked.method == "POST";
    if (becomes_get) {
        next.method = "GET";
        next.body.clear();
        next.upload.reset();
        drop(next, [](const auto& field) { return is_of_body(field.first); });
    }
    if (!from || !to || from->origin.url != to->origin.url) {
        next.idempotency_key.clear();
        drop(next, [](const auto& field) { return !is_harmless(field.first); });
    }
    return std::optional<Request>(std::move(next));
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
        return with_facts(fmt::format("answered {}, {}", answer.status, further.error().message), asked, answer,
                          std::move(further.error().context));
    }
    if (!*further) {
        return further;
    }
    passed_.push_back(std::exchange(url_, (*further)->url));
    if (passed_.size() <= most_) {
        return further;
    }
    url_ = passed_.back();
    return with_facts(fmt::format("was redirected more than {} times", most_), asked, answer, {});
}

Error Redirects::with_facts(std::string_view what, const Request& asked, const Response& answer,
                            boost::json::object facts) const {
    const std::string last = url_.substr(0, url_.find('?'));
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - started_;
    facts["method"] = asked.method;
    facts["url"] = last;
    facts["status"] = answer.status;
    facts["phase"] = "answer";
    facts["elapsed_ms"] = elapsed.count();
    facts["request_sent"] = "whole";
    facts["retryable"] = false;
    facts["attempts"] = to_json(answer.attempts);
    return fail(Errc::protocol, fmt::format("{} {} {}", asked.method, last, what), std::move(facts));
}

void Redirects::tell(Response& answer) {
    if (!passed_.empty()) {
        answer.redirects = std::move(passed_);
        answer.url = std::move(url_);
    }
}

}  // namespace ktrdr
