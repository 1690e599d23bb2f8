#pragma once

#include <memory>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/http/client.hpp>
#include <ktrdr/runtime/mailbox.hpp>
#include <ktrdr/runtime/runtime.hpp>

namespace ktrdr {

template <class Source, class Value>
class Reading;

/// A `ResponseStream` for readers that are not on the io thread.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT HttpStream final : private Counted<HttpStream> {
public:
    HttpStream(Runtime& runtime, std::shared_ptr<ResponseStream> stream);
    HttpStream(const HttpStream&) = delete;
    HttpStream& operator=(const HttpStream&) = delete;
    ~HttpStream();

    [[nodiscard]] const Response& head() const noexcept { return stream_->head(); }
    /// The reply is what has come of the body since, empty at the end. `heard`: how many replies have arrived so far;
    /// one that did not is given again, so that nothing is lost with a wait that was given up.
    void next(std::uint64_t heard, std::shared_ptr<Mailbox> mailbox, std::uint64_t key);
    void close();

private:
    Runtime& runtime_;
    std::shared_ptr<ResponseStream> stream_;
    std::shared_ptr<Reading<ResponseStream, std::shared_ptr<BodyPieces>>> reading_;
};

/// An `EventStream` for readers that are not on the io thread.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT HttpEvents final : private Counted<HttpEvents> {
public:
    HttpEvents(Runtime& runtime, std::shared_ptr<EventStream> events, CancellationToken token);
    HttpEvents(const HttpEvents&) = delete;
    HttpEvents& operator=(const HttpEvents&) = delete;
    ~HttpEvents();

    /// The reply is the next events, none at the end; `heard` as in `HttpStream::next`.
    void next(std::uint64_t heard, std::shared_ptr<Mailbox> mailbox, std::uint64_t key);
    void close();

private:
    Runtime& runtime_;
    std::shared_ptr<EventStream> events_;
    std::shared_ptr<Reading<EventStream, std::vector<ServerEvent>>> reading_;
    /// Ends a connection that is being made.
    CancellationToken token_;
};

/// An `HttpClient` for callers that are not on the io thread: answers come as mail.
///
/// Thread safety: every member from any thread. Lifetime: what it began goes on without it, until `close`.
class KTRDR_EXPORT HttpCalls final : private Counted<HttpCalls> {
public:
    /// `headers` are sent with every request that has none of the same name.
    [[nodiscard]] static Result<std::shared_ptr<HttpCalls>> create(Runtime& runtime, const ClientOptions& options,
                                                                   Headers headers);
    HttpCalls(Runtime& runtime, std::shared_ptr<HttpClient> client, Headers headers);
    HttpCalls(const HttpCalls&) = delete;
    HttpCalls& operator=(const HttpCalls&) = delete;
    ~HttpCalls();

    /// Send a request; its answer is posted to `mailbox` under `key`. The token it answers, a child of `parent`, stops
    /// it.
    CancellationToken send(Request request, const CancellationToken& parent, std::shared_ptr<Mailbox> mailbox,
                           std::uint64_t key);
    /// The same; the reply is an `HttpStream`.
    CancellationToken stream(Request request, const CancellationToken& parent, std::shared_ptr<Mailbox> mailbox,
                             std::uint64_t key);
    /// Server-sent events; nothing is sent before the first `next`. `patience` is that of `EventStream`.
    [[nodiscard]] std::shared_ptr<HttpEvents> events(Request request, const CancellationToken& parent,
                                                     std::optional<std::chrono::milliseconds> patience);
    /// The reply is null once the connections are open.
    void warm_up(std::size_t connections, std::shared_ptr<Mailbox> mailbox, std::uint64_t key);
    void close();
    /// The reply is null once everything is closed.
    void close(std::chrono::milliseconds drain, std::shared_ptr<Mailbox> mailbox, std::uint64_t key);
    [[nodiscard]] PoolStats stats() const { return client_->stats(); }
    [[nodiscard]] ClientMetrics metrics() const { return client_->metrics(); }
    [[nodiscard]] const std::string& url() const noexcept { return client_->url(); }

private:
    [[nodiscard]] Request with_headers(Request request) const;

    Runtime& runtime_;
    std::shared_ptr<HttpClient> client_;
    const Headers headers_;
};

}  // namespace ktrdr
