#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <utility>

namespace ktrdr {

/// One coroutine waits until the gate opens.
///
/// Thread safety: none; the io thread only.
class Gate final {
public:
    boost::asio::awaitable<void> wait() {
        if (open_) {
            co_return;
        }
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
            [this](auto handler) {
                auto kept = std::make_shared<decltype(handler)>(std::move(handler));
                resume_ = [kept] { boost::asio::post(std::move(*kept)); };
            },
            boost::asio::use_awaitable);
    }

    void open() {
        open_ = true;
        if (const auto resume = std::exchange(resume_, nullptr)) {
            resume();
        }
    }

private:
    bool open_{false};
    std::function<void()> resume_{};
};

}  // namespace ktrdr
