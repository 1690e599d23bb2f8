#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {
namespace detail {

/// What travels to the other thread and back. Only one thread at a time touches its members.
template <class Value, class Handler>
struct Hop {
    std::function<Result<Value>()> work;
    std::shared_ptr<std::optional<Result<Value>>> result;
    std::optional<Handler> handler;
    std::optional<boost::asio::executor_work_guard<boost::asio::any_io_executor>> io;

    void run() {
        try {
            result->emplace(work());
        } catch (...) {
            result->emplace(caught("work on another thread"));
        }
        work = nullptr;
    }

    void resume() {
        Handler resumed = std::move(*handler);
        handler.reset();
        io.reset();
        std::move(resumed)();
    }
};

}  // namespace detail

/// Run `work` on `executor`, then go on where the coroutine was.
///
/// Cancellation: none; `work` polls its own token.
template <class Value>
boost::asio::awaitable<Result<Value>> run_on(Executor& executor, std::function<Result<Value>()> work) {
    const auto result = std::make_shared<std::optional<Result<Value>>>();
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
        [&executor, &work, &result](auto handler) {
            using Handler = decltype(handler);
            const boost::asio::any_io_executor io = boost::asio::get_associated_executor(handler);
            auto hop = std::make_shared<detail::Hop<Value, Handler>>();
            hop->work = std::move(work);
            hop->result = result;
            hop->handler.emplace(std::move(handler));
            hop->io.emplace(io);
            try {
                executor.post([hop, io] {
                    hop->run();
                    boost::asio::post(io, [hop] { hop->resume(); });
                });
            } catch (...) {
                hop->result->emplace(caught("handing work to another thread"));
                boost::asio::post(io, [hop] { hop->resume(); });
            }
        },
        boost::asio::use_awaitable);
    co_return std::move(**result);
}

}  // namespace ktrdr
