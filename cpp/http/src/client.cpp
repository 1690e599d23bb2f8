#include <ktrdr/http/client.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <map>
#include <mutex>

#include <ktrdr/coroutines/awaited.hpp>

#include "connection_pool.hpp"
#include "redirects.hpp"
#include "request_log.hpp"
#include "request_writer.hpp"
#include "sending.hpp"
#include "tls.hpp"
#include "url.hpp"

namespace ktrdr {
namespace asio = boost::asio;

PoolStats& PoolStats::operator+=(const PoolStats& other) noexcept {
    open += other.open;
    idle += other.idle;
    active += other.active;
    connecting += other.connecting;
    waiting += other.waiting;
    dials_failed += other.dials_failed;
    connections_created += other.connections_created;
    requests += other.requests;
    return *this;
}

struct HttpClient::Impl {
    Impl(asio::io_context& context, const ClientOptions& chosen, Executor* reading)
        : io(context),
          options(chosen),
          reads(reading),
          deadlines(context),
          in_flight(asio::use_service<CallsInFlight>(static_cast<asio::execution_context&>(context))) {}

    /// Which pool a request goes to, and what it asks for there.
    struct Route {
        ConnectionPool* pool;
        std::string target;
    };

    /// The pool of this origin, made where there is none.
    [[nodiscard]] Result<ConnectionPool*> pool_of(const Origin& origin, bool streams);
    [[nodiscard]] Result<Route> find_route(Request& request, bool streamed);
    /// The same for a request that can be sent.
    [[nodiscard]] Result<Route> route(Request& request, bool streamed);
    [[nodiscard]] Result<std::shared_ptr<TlsContext>> tls_context();
    template <class Do>
    void for_each_pool(Do what) const;

    asio::io_context& io;
    ClientOptions options;
    Executor* reads;
    MetricsRecorder metrics{};
    Deadlines deadlines;
    CallsInFlight& in_flight;
    /// Of the base URL, if there is one.
    std::optional<Origin> base{};
    ConnectionPool* base_pool{nullptr};
    std::string prefix{};
    std::string base_url{};
    bool closed{false};
    /// Made for the first `https://`, for it takes a while.
    std::shared_ptr<TlsContext> tls{};
    /// Guards the map, not what is in it: pools are added on the io thread and looked at from any.
    mutable std::mutex mutex{};
    /// By origin, and whether it is for streams.
    std::map<std::pair<std::string, bool>, std::unique_ptr<ConnectionPool>> pools{};
};

Result<std::shared_ptr<TlsContext>> HttpClient::Impl::tls_context() {
    if (!tls) {
        auto made = TlsContext::create(options.tls);
        if (!made) {
            return made.error();
        }
        tls = std::move(*made);
    }
    return tls;
}

Result<ConnectionPool*> HttpClient::Impl::pool_of(const Origin& origin, bool streams) {
    const std::pair key(origin.url, streams);
    if (const auto found = pools.find(key); found != pools.end()) {
        return found->second.get();
    }
    auto context = origin.tls ? tls_context() : Result<std::shared_ptr<TlsContext>>(nullptr);
    if (!context) {
        return context.error();
    }
    ClientOptions own = options;
    if (streams) {
        own.pool.max_connections = options.pool.max_streams;
        own.pool.min_idle = 0;
    }
    auto pool = std::make_unique<ConnectionPool>(io, origin, own, std::move(*context), metrics, reads);
    if (closed) {
        pool->close();
    }
    const std::scoped_lock lock(mutex);
    return pools.emplace(key, std::move(pool)).first->second.get();
}

Result<HttpClient::Impl::Route> HttpClient::Impl::find_route(Request& request, bool streamed) {
    std::string& url = request.url;
    if (!url.starts_with('/')) {
        if (request.below_base) {
            return fail(Errc::invalid_argument,
                        fmt::format("'{}' must be a path that begins with '/'", url_in_error(url)), {{"field", "url"}});
        }
        auto parsed = parse_url(url);
        if (!parsed) {
            return parsed.error();
        }
        const auto pool = pool_of(parsed->origin, streamed);
        if (!pool) {
            return pool.error();
        }
        return Route{*pool, std::move(parsed->target)};
    }
    if (!base) {
        return fail(
            Errc::invalid_argument,
            fmt::format("'{}' names no host, and the client has no base URL to put before it", url_in_error(url)),
            {{"field", "url"}});
    }
    // A fragment is the caller's own affair.
    url.erase(std::min(url.find('#'), url.size()));
    if (!prefix.empty()) {
        url.insert(0, prefix);
    }
    if (!streamed) {
        return Route{base_pool, std::move(url)};
    }
    const auto pool = pool_of(*base, true);
    if (!pool) {
        return pool.error();
    }
    return Route{*pool, std::move(url)};
}

Result<HttpClient::Impl::Route> HttpClient::Impl::route(Request& request, bool streamed) {
    if (request.upload && reads == nullptr) {
        return fail(Errc::not_available, "this client was made without a thread that reads files");
    }
    auto found = find_route(request, streamed);
    if (const auto valid = found ? ktrdr::check(request, found->target) : Result<void>{}; !valid) {
        return valid.error();
    }
    return found;
}

template <class Do>
void HttpClient::Impl::for_each_pool(Do what) const {
    const std::scoped_lock lock(mutex);
    for (const auto& [origin, pool] : pools) {
        what(*pool);
    }
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpClient::~HttpClient() = default;

Result<std::shared_ptr<HttpClient>> HttpClient::create(asio::io_context& io, const ClientOptions& options,
                                                       Executor* reads) {
    if (const auto valid = check(options); !valid) {
        return valid.error();
    }
    std::unique_ptr<Impl> impl(new Impl(io, options, reads));
    if (!options.base_url.empty()) {
        auto base = parse_base_url(options.base_url);
        if (!base) {
            return base.error();
        }
        impl->prefix = std::move(base->target);
        impl->base_url = base->origin.url + impl->prefix;
        const auto pool = impl->pool_of(base->origin, false);
        if (!pool) {
            return pool.error();
        }
        impl->base_pool = *pool;
        impl->base = std::move(base->origin);
    }
    // What names files is read now, so that a wrong one is found here.
    const bool named =
        !options.tls.ca_file.empty() || !options.tls.certificate_file.empty() || !options.tls.key_file.empty();
    if (const auto context = named ? impl->tls_context() : Result<std::shared_ptr<TlsContext>>(nullptr); !context) {
        return context.error();
    }
    return std::shared_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

void HttpClient::follow(const std::shared_ptr<Redirects>& redirects, Request request, const CancellationToken& token,
                        ResponseHandler done) {
    Request copy = request;
    send(std::move(copy), token,
         [this, self = shared_from_this(), redirects, request = std::move(request), token,
          done = std::move(done)](Result<Response> answer) mutable {
             if (answer) {
                 auto next = redirects->next(request, *answer);
                 if (!next) {
                     done(std::move(next).error());
                     return;
                 }
                 if (*next) {
                     follow(redirects, std::move(**next), token, std::move(done));
                     return;
                 }
                 redirects->tell(*answer);
             }
             done(std::move(answer));
         });
}

void HttpClient::send(Request request, const CancellationToken& token, ResponseHandler done) {
    if (request.max_redirects > 0 && request.max_redirects <= most_redirects) {
        const auto redirects = std::make_shared<Redirects>(request, url(), options().timeouts);
        follow(redirects, std::move(request), token, std::move(done));
        return;
    }
    auto route = impl_->route(request, false);
    if (!route) {
        asio::post(impl_->io.get_executor(),
                   [done = std::move(done), error = std::move(route).error()]() mutable { done(std::move(error)); });
        return;
    }
    if (RequestLog line(request, route->pool->origin().url, route->target); line.is_on()) {
        done = [line = std::move(line), done = std::move(done)](Result<Response> answer) {
            line.tell(answer);
            done(std::move(answer));
        };
    }
    const auto sending = std::make_shared<Sending>(shared_from_this(), impl_->deadlines, *route->pool,
                                                   std::move(request), std::move(route->target), std::move(done));
    impl_->in_flight.add(*sending);
    sending->start(token);
}

asio::awaitable<Result<Response>> HttpClient::send(Request request, CancellationToken token) {
    return awaited<Result<Response>>([client = shared_from_this(), request = std::move(request),
                                      token = std::move(token)](ResponseHandler done) mutable {
        client->send(std::move(request), token, std::move(done));
    });
}

asio::awaitable<Result<std::shared_ptr<ResponseStream>>> HttpClient::stream(Request request, CancellationToken token) {
    if (request.max_redirects == 0 || request.max_redirects > most_redirects) {
        co_return co_await open(std::move(request), std::move(token));
    }
    Redirects redirects(request, url(), options().timeouts);
    for (;;) {
        auto stream = co_await open(request, token);
        if (!stream) {
            co_return std::move(stream).error();
        }
        auto next = redirects.next(request, (*stream)->head());
        if (!next) {
            co_return std::move(next).error();
        }
        if (!*next) {
            redirects.tell((*stream)->head_);
            co_return std::move(*stream);
        }
        (*stream)->close();
        request = std::move(**next);
    }
}

asio::awaitable<Result<std::shared_ptr<ResponseStream>>> HttpClient::open(Request request, CancellationToken token) {
    const auto self = shared_from_this();
    auto route = impl_->route(request, true);
    if (!route) {
        co_return route.error();
    }
    const RequestLog line(request, route->pool->origin().url, route->target);
    auto stream = std::make_unique<StreamCall>(*route->pool, std::move(request), std::move(route->target));
    Call& call = stream->call;
    if (token.is_cancelled()) {
        call.cancel(token.reason().value_or(CancelReason{}));
        co_return call.take().error();
    }
    auto registration = token.on_cancel([&call](const CancelReason& reason) { call.cancel(reason); });
    call.begin();
    while (call.head() == nullptr && !call.ended()) {
        co_await stream->changed();
        call.check_time();
    }
    if (call.head() == nullptr) {
        const auto failure = call.take();
        line.tell(failure);
        co_return failure.error();
    }
    line.tell_status(call.head()->status);
    co_return std::make_shared<ResponseStream>(self, std::move(stream), std::move(registration));
}

ResponseStream::ResponseStream(std::shared_ptr<HttpClient> client, std::unique_ptr<StreamCall> stream,
                               CancelRegistration registration)
    : client_(std::move(client)),
      stream_(std::move(stream)),
      head_(*stream_->call.head()),
      registration_(std::move(registration)) {}

ResponseStream::~ResponseStream() = default;

asio::awaitable<Result<BodyPieces>> ResponseStream::next() {
    const auto self = shared_from_this();
    Call& call = stream_->call;
    for (;;) {
        // What came before a failure is read first.
        if (auto pieces = call.take_pieces(); !pieces.empty()) {
            co_return std::move(pieces);
        }
        if (call.ended()) {
            break;
        }
        co_await stream_->changed();
    }
    if (const auto& failure = call.failure(); failure) {
        co_return *failure;
    }
    co_return BodyPieces{};
}

void ResponseStream::close() {
    if (!stream_->call.ended()) {
        stream_->call.abandon();
    }
}

PoolStats HttpClient::stats() const {
    PoolStats sum;
    impl_->for_each_pool([&sum](const ConnectionPool& pool) { sum += pool.stats(); });
    return sum;
}

ClientMetrics HttpClient::metrics() const {
    ClientMetrics metrics = impl_->metrics.snapshot();
    metrics.pool = stats();
    return metrics;
}

void HttpClient::close() {
    impl_->closed = true;
    for (const auto& [origin, pool] : impl_->pools) {
        pool->close();
    }
}

asio::awaitable<Result<void>> HttpClient::warm_up(std::size_t connections) {
    const auto self = shared_from_this();
    if (!impl_->base) {
        co_return fail(Errc::invalid_argument, "a client without a base URL has nothing to warm up; give it base_url");
    }
    ConnectionPool& pool = *impl_->base_pool;
    const std::size_t wanted = std::min(connections, pool.options().max_connections);
    const auto give_up = std::chrono::steady_clock::now() + pool.timeouts().resolve + pool.timeouts().connect;
    const std::size_t failed_before = pool.stats().dials_failed;
    pool.warm_up(wanted);
    for (PoolStats now = pool.stats(); now.open < wanted || now.connecting > 0; now = pool.stats()) {
        const bool failed = now.dials_failed > failed_before;
        if (failed || std::chrono::steady_clock::now() >= give_up) {
            co_return fail(Errc::service_connection,
                           fmt::format("{} of {} connections to {} are open: {}", now.open - now.connecting, wanted,
                                       url(), failed ? pool.last_dial_error() : "there was no time for more"),
                           {{"url", url()}, {"phase", "connect"}, {"request_sent", "no"}});
        }
        co_await pool.changed(give_up);
    }
    co_return Result<void>{};
}

asio::awaitable<void> HttpClient::close(std::chrono::milliseconds drain) {
    const auto self = shared_from_this();
    const auto until = std::chrono::steady_clock::now() + drain;
    close();
    // Pools that are added meanwhile are closed already.
    for (const auto& [origin, pool] : impl_->pools) {
        while (pool->stats().open > 0 && std::chrono::steady_clock::now() < until) {
            co_await pool->changed(until);
        }
        pool->cut();
    }
}

const std::string& HttpClient::url() const noexcept {
    return impl_->base_url;
}

const ClientOptions& HttpClient::options() const noexcept {
    return impl_->options;
}

}  // namespace ktrdr
