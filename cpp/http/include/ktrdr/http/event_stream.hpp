#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/http/message.hpp>

namespace ktrdr {

class HttpClient;

/// One server-sent event.
struct ServerEvent {
    /// Its type; "message" where the service names none.
    std::string event{"message"};
    std::string data{};
    /// The newest id so far; empty where the service gives none.
    std::string id{};

    friend bool operator==(const ServerEvent&, const ServerEvent&) = default;
};

/// Server-sent events of a service, for as long as it sends them: a connection that breaks, ends or is silent for
/// `Timeouts::between_bytes` is made anew, with `Last-Event-ID`, after the time that the service asked for (`retry:`,
/// else a second), 100 ms at least; longer and longer, up to 10 s, where connections bring no event. Comments are
/// heartbeats. An event has 1 MiB at most, in one line or in many.
///
/// The end: an answer 204. An error: any other status that is not 200, an answer of another type, a connection that
/// cannot be made anew (tried again as `RetryPolicy` says), a cancel. Once events have begun the service may stay away
/// for a while (`patience`): connections that are refused or break, and statuses that say "not now" (see
/// `is_passing`), are no errors until then.
///
/// Thread safety: the io thread only.
class KTRDR_EXPORT EventStream final : public std::enable_shared_from_this<EventStream>, private Counted<EventStream> {
public:
    /// `request.headers` may hold a `Last-Event-ID` to begin with. Without `patience` it is as long as the token has
    /// time, for one with a deadline, and else zero.
    EventStream(std::shared_ptr<HttpClient> client, Request request, CancellationToken token,
                std::optional<std::chrono::milliseconds> patience = std::nullopt);
    EventStream(const EventStream&) = delete;
    EventStream& operator=(const EventStream&) = delete;
    ~EventStream();

    /// The next events, at least one; none at the end. One call at a time.
    [[nodiscard]] boost::asio::awaitable<Result<std::vector<ServerEvent>>> next();
    /// A `next` under way ends with `client_closed`.
    void close();

private:
    struct Impl;
    /// False when the service has no more events.
    [[nodiscard]] boost::asio::awaitable<Result<bool>> connect();
    std::unique_ptr<Impl> impl_;
};

}  // namespace ktrdr
