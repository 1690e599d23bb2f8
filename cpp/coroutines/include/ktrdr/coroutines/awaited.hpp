#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <utility>

namespace ktrdr {

/// Await what `start(done)` hands to `done`, a function of a `Value`: once, on this thread, and not before `start` has
/// returned.
template <class Value, class Start>
boost::asio::awaitable<Value> awaited(Start start) {
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void(Value)>(
        [&start](auto handler) {
            auto kept = std::make_shared<decltype(handler)>(std::move(handler));
            start([kept](Value value) { std::move (*kept)(std::move(value)); });
        },
        boost::asio::use_awaitable);
}

}  // namespace ktrdr
