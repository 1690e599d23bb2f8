#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>

#include <ktrdr/cancellation/token.hpp>

namespace ktrdr {

/// Wait until `pause` is over, or the token is cancelled.
inline boost::asio::awaitable<void> pause_for(std::chrono::milliseconds pause, CancellationToken token) {
    const auto io = co_await boost::asio::this_coro::executor;
    const auto timer = std::make_shared<boost::asio::steady_timer>(io, pause);
    const CancelRegistration registration =
        token.on_cancel([timer, io](const CancelReason&) { boost::asio::post(io, [timer] { timer->cancel(); }); });
    if (!token.is_cancelled()) {
        co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
}

}  // namespace ktrdr
