#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/http/retry.hpp>
#include <ktrdr/http/upload.hpp>

namespace ktrdr {

/// Header fields in the order given; names compare without case.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// The value of the first field of this name, however it is written; null where there is none.
[[nodiscard]] KTRDR_EXPORT const std::string* find_header(const Headers& headers, std::string_view name) noexcept;
[[nodiscard]] KTRDR_EXPORT bool has_header(const Headers& headers, std::string_view name) noexcept;

constexpr std::size_t most_redirects = 5;

struct Request {
    std::string method{"GET"};
    /// `http://host[:port]/path?query`, or a path (with a query) below the client's base URL, beginning with '/'.
    /// Blanks and other characters that a URL cannot hold must be encoded already.
    std::string url{"/"};
    /// Refuse a URL that names a host: what is meant for the base URL, secrets in headers too, goes nowhere else.
    bool below_base{false};
    Headers headers{};
    /// Sent where `headers` have no field of that name: what is put in for the caller, whose own fields win.
    Headers defaults{};
    std::string body{};
    /// In place of `body`: what is read while it is sent, from its beginning each time. May be null.
    std::shared_ptr<const Upload> upload{};
    /// May be sent again after a failure that leaves it open whether it was carried out. So may one whose method says
    /// so (GET, HEAD, PUT, DELETE, OPTIONS, TRACE) and one with an `idempotency_key`.
    bool idempotent{false};
    /// Say that gzip and deflate are welcome (unless `headers` have an `Accept-Encoding`), and unpack such an answer.
    bool decode{true};
    /// Follow so many redirects, from 0 to `most_redirects`: to another origin without headers that may be secrets,
    /// never from https to http. Any other 3xx is an answer like another.
    std::size_t max_redirects{0};
    /// Sent as `Idempotency-Key`, the same with every attempt: a service that knows it carries the request out once.
    /// Empty for none.
    std::string idempotency_key{};
    /// Send the time that is left, as `X-Deadline-Ms`.
    bool announce_deadline{false};
    /// Hears of attempts that failed; may be null.
    std::shared_ptr<RequestObserver> observer{};
    /// Goes before others that wait for a connection, over a socket kept for this: for calls that stop work.
    bool urgent{false};
    /// A limit for this call alone; zero for the client's `total`, which is never passed.
    std::chrono::milliseconds timeout{0};
    /// When the call must be over, if earlier; one that is past fails it before anything is sent.
    SteadyTime deadline{SteadyTime::max()};
};

struct Response {
    int status{0};
    Headers headers{};
    /// Unpacked where the request asked for that; the headers are as they came.
    std::string body{};
    /// Attempts before the one that brought this, and this one where its status asked for another that did not come.
    std::vector<Attempt> attempts{};
    /// From the start of the call, all attempts together; of redirects the last.
    std::chrono::nanoseconds elapsed{};
    /// The addresses that led to another, in their order, and the one that brought this; empty where none did.
    std::vector<std::string> redirects{};
    std::string url{};
};

/// How long from `now` the answer asks to wait, by its first `Retry-After`; nothing where it does not say.
[[nodiscard]] KTRDR_EXPORT std::optional<std::chrono::milliseconds> retry_after(const Response& response, UtcTime now);

}  // namespace ktrdr
