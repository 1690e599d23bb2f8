#include <ktrdr/http/client.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "call.hpp"
#include "connection_pool.hpp"
#include "request_writer.hpp"

namespace ktrdr {
namespace asio = boost::asio;

struct HttpClient::Impl {
    ConnectionPool pool;
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpClient::~HttpClient() = default;

Result<std::shared_ptr<HttpClient>> HttpClient::create(asio::io_context& io, const std::string& url,
                                                       ClientOptions options) {
    auto origin = parse_origin(url);
    if (!origin) {
        return origin.error();
    }
    if (const auto valid = check(options); !valid) {
        return valid.error();
    }
    std::unique_ptr<Impl> impl(new Impl{{io, std::move(*origin), options}});
    return std::shared_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

asio::awaitable<Result<Response>> HttpClient::send(Request request, CancellationToken token) {
    const auto self = shared_from_this();
    if (const auto valid = ktrdr::check(request); !valid) {
        co_return valid.error();
    }
    // On the heap: a frame beyond 1 KB is none that Asio keeps for the next coroutine.
    const auto call = std::make_unique<Call>(impl_->pool, std::move(request));
    // Both run on this thread, and the registration goes before the call does.
    if (token.is_cancelled()) {
        call->cancel(token.reason().value_or(CancelReason{}));
        co_return call->take();
    }
    const auto registration = token.on_cancel([&call = *call](const CancelReason& reason) { call.cancel(reason); });
    call->begin();
    while (!call->ended()) {
        call->arm();
        boost::system::error_code woken;
        co_await call->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        call->check_time();
    }
    co_return call->take();
}

PoolStats HttpClient::stats() const {
    return impl_->pool.stats();
}

void HttpClient::close() {
    impl_->pool.close();
}

asio::awaitable<Result<void>> HttpClient::warm_up(std::size_t connections) {
    const auto self = shared_from_this();
    ConnectionPool& pool = impl_->pool;
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
    while (impl_->pool.stats().open > 0 && std::chrono::steady_clock::now() < until) {
        co_await impl_->pool.changed(until);
    }
    impl_->pool.cut();
}

const std::string& HttpClient::url() const noexcept {
    return impl_->pool.origin().url;
}

}  // namespace ktrdr
