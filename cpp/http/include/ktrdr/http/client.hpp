#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/http/body_pieces.hpp>
#include <ktrdr/http/message.hpp>
#include <ktrdr/http/metrics.hpp>
#include <ktrdr/http/options.hpp>
#include <ktrdr/http/pool_stats.hpp>

namespace ktrdr {

class HttpClient;
class Redirects;
class StreamCall;

/// Where an answer goes that no coroutine waits for.
using ResponseHandler = std::function<void(Result<Response>)>;

/// An answer whose body is read as it comes. What is not read yet waits in memory up to 1 MiB (of a packed one,
/// up to what one read of 4 KiB, by TLS of 16, unpacks to) and with the service beyond that. Destroying it before its
/// end closes the connection.
///
/// Thread safety: the io thread only, but for `status`, `headers` and `attempts`.
class KTRDR_EXPORT ResponseStream final : public std::enable_shared_from_this<ResponseStream>,
                                          private Counted<ResponseStream> {
public:
    ResponseStream(std::shared_ptr<HttpClient> client, std::unique_ptr<StreamCall> stream,
                   CancelRegistration registration);
    ResponseStream(const ResponseStream&) = delete;
    ResponseStream& operator=(const ResponseStream&) = delete;
    ~ResponseStream();

    [[nodiscard]] int status() const noexcept { return head_.status; }
    [[nodiscard]] const Headers& headers() const noexcept { return head_.headers; }
    /// As it came, without body.
    [[nodiscard]] const Response& head() const noexcept { return head_; }
    /// What has come of the body since the last call, in order; waits for more where there is nothing. Empty at its
    /// end. One call at a time.
    [[nodiscard]] boost::asio::awaitable<Result<BodyPieces>> next();
    /// A `next` under way ends with `client_closed`.
    void close();

private:
    friend class HttpClient;
    std::shared_ptr<HttpClient> client_;
    std::unique_ptr<StreamCall> stream_;
    Response head_;
    CancelRegistration registration_;
};

/// Requests over pools of kept connections, one pool for each origin (`http://host:port`) that was asked for something.
///
/// Errors: every failure is a `Result` whose context carries method, url (without query and user info), phase,
/// elapsed_ms, request_sent ("no", "partly", "whole"), retryable, attempts (see `Attempt`).
/// Cancellation: the token closes the socket of a request being written or read, unlinks one that waits, ends the pause
/// before a retry; the result is `Errc::cancelled` (or `timed_out`).
/// Thread safety: the io thread only, but for `stats`, `metrics`, `url` and `options`.
/// Lifetime: keep the client alive (shared) while requests are in flight.
class KTRDR_EXPORT HttpClient final : public std::enable_shared_from_this<HttpClient>, private Counted<HttpClient> {
public:
    /// `configuration` for a base URL that is not `http://host[:port][/prefix]`, or options out of range.
    /// `reads` is where uploads are read, which may wait for a disk; without it a request that has one is refused. It
    /// must outlive the requests.
    [[nodiscard]] static Result<std::shared_ptr<HttpClient>> create(boost::asio::io_context& io,
                                                                    const ClientOptions& options = {},
                                                                    Executor* reads = nullptr);
    ~HttpClient();

    /// Send one request, again where `RetryPolicy` says so, and read the whole answer. Any status is a value here.
    [[nodiscard]] boost::asio::awaitable<Result<Response>> send(Request request, CancellationToken token);
    /// The same; `done` is called once, on the io thread, and not before this has returned.
    void send(Request request, const CancellationToken& token, ResponseHandler done);
    /// Send one request and read the head of its answer. `Timeouts::total` holds until then; after it
    /// `between_bytes`. Nothing is tried again once the head is there.
    [[nodiscard]] boost::asio::awaitable<Result<std::shared_ptr<ResponseStream>>> stream(Request request,
                                                                                         CancellationToken token);
    /// Of all pools together.
    [[nodiscard]] PoolStats stats() const;
    /// The same, with times and reasons. Takes some microseconds.
    [[nodiscard]] ClientMetrics metrics() const;
    /// Have this many connections to the base URL open (at most `max_connections`), so that the first requests need not
    /// dial. The error of a dial that failed.
    [[nodiscard]] boost::asio::awaitable<Result<void>> warm_up(std::size_t connections);
    /// Refuse new requests, fail those waiting, close idle sockets. Requests in flight end by themselves.
    void close();
    /// The same, and wait for the requests in flight; after `drain` they fail too (`client_closed`).
    [[nodiscard]] boost::asio::awaitable<void> close(std::chrono::milliseconds drain);
    /// `http://host:port/prefix` of the base URL; empty without one.
    [[nodiscard]] const std::string& url() const noexcept;
    [[nodiscard]] const ClientOptions& options() const noexcept;

private:
    struct Impl;
    void follow(const std::shared_ptr<Redirects>& redirects, Request request, const CancellationToken& token,
                ResponseHandler done);
    [[nodiscard]] boost::asio::awaitable<Result<std::shared_ptr<ResponseStream>>> open(Request request,
                                                                                       CancellationToken token);
    explicit HttpClient(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace ktrdr
