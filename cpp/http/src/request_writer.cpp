#include "request_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <string_view>

namespace ktrdr {
namespace {

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [marks](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               marks.find(c) != std::string_view::npos;
    });
}

bool has_line_break(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool is_target(std::string_view text) {
    return text.starts_with('/') &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f; });
}

bool is_ours(std::string_view name) {
    constexpr std::array<std::string_view, 4> ours{"Host", "Content-Length", "Transfer-Encoding", "Connection"};
    return std::any_of(ours.begin(), ours.end(),
                       [&](std::string_view own) { return boost::beast::iequals(own, name); });
}

bool always_has_length(std::string_view method) {
    return method == "POST" || method == "PUT" || method == "PATCH";
}

/// A field that is put in for the caller, who may have given it.
void append_default(std::string& out, const Request& request, std::string_view name, std::string_view value) {
    if (!has_header(request.headers, name)) {
        out.append(name).append(": ").append(value).append("\r\n");
    }
}

Error refuse(std::string_view what, std::string_view why) {
    return fail(Errc::invalid_argument, fmt::format("the request's {} {}; nothing was sent", what, why),
                {{"field", what}});
}

void append_number(std::string& out, std::string_view name, std::uint64_t value) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(name).append(": ").append(digits.data(), end).append("\r\n");
}

Result<void> check(const Headers& headers) {
    for (const auto& [name, value] : headers) {
        if (!is_token(name)) {
            return refuse("header name", "is not a token such as X-Operation-Id");
        }
        if (has_line_break(value)) {
            return refuse(fmt::format("header {}", name), "holds a line break or a NUL");
        }
        if (is_ours(name)) {
            return refuse(fmt::format("header {}", name), "is written by the client itself; leave it out");
        }
    }
    return {};
}

}  // namespace

Result<void> check(const Request& request, std::string_view target) {
    if (request.max_redirects > most_redirects) {
        return fail(Errc::invalid_argument,
                    fmt::format("max_redirects is {}, but must be at most {}; nothing was sent", request.max_redirects,
                                most_redirects),
                    {{"field", "max_redirects"}});
    }
    if (!is_token(request.method)) {
        return refuse("method", "is not a token such as GET");
    }
    if (!is_target(target)) {
        return refuse("url", "must begin with '/' and hold no blank, line break or other control character");
    }
    if (has_line_break(request.idempotency_key)) {
        return refuse("idempotency_key", "holds a line break or a NUL");
    }
    const auto valid = check(request.headers);
    return valid ? check(request.defaults) : valid;
}

void write_head(std::string& out, const Request& request, std::string_view target, const Origin& origin,
                std::chrono::milliseconds left) {
    out.clear();
    out.append(request.method).append(" ").append(target);
    out.append(" HTTP/1.1\r\nHost: ").append(origin.host_header).append("\r\n");
    for (const auto& [name, value] : request.headers) {
        out.append(name).append(": ").append(value).append("\r\n");
    }
    for (const auto& [name, value] : request.defaults) {
        append_default(out, request, name, value);
    }
    if (request.decode) {
        append_default(out, request, "Accept-Encoding", "gzip, deflate");
    }
    if (!request.idempotency_key.empty()) {
        append_default(out, request, "Idempotency-Key", request.idempotency_key);
    }
    if (request.announce_deadline && !has_header(request.headers, "X-Deadline-Ms")) {
        append_number(out, "X-Deadline-Ms", static_cast<std::uint64_t>(std::max<std::int64_t>(0, left.count())));
    }
    const std::uint64_t size = request.upload ? request.upload->size() : request.body.size();
    if (size > 0 || always_has_length(request.method)) {
        append_number(out, "Content-Length", size);
    }
    out.append("\r\n");
}

SteadyTime deadline_of(const Request& request, const Timeouts& limits, SteadyTime started) noexcept {
    const auto own = request.timeout.count() > 0 ? std::min(request.timeout, limits.total) : limits.total;
    return std::min(started + own, request.deadline);
}

bool is_idempotent(const Request& request) noexcept {
    constexpr std::array<std::string_view, 6> methods{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    return request.idempotent || !request.idempotency_key.empty() ||
           std::find(methods.begin(), methods.end(), request.method) != methods.end();
}

}  // namespace ktrdr
