#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <string_view>
#include <utility>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/orchestrator/operation_work.hpp>

namespace ktrdr {

/// What escaped from a coroutine. `doing` begins the message.
inline Error escaped(const std::exception_ptr& thrown, std::string_view doing) {
    try {
        std::rethrow_exception(thrown);
    } catch (...) {
        return caught(doing);
    }
}

/// Run an operation's work on the io thread; what it comes to, or throws, ends the operation. `doing` must be a
/// literal.
template <class Value>
void spawn_work(boost::asio::io_context& io, boost::asio::awaitable<Result<Value>> work, OperationDone done,
                std::string_view doing) {
    boost::asio::co_spawn(
        io, std::move(work), [done = std::move(done), doing](const std::exception_ptr& thrown, Result<Value> value) {
            if (thrown) {
                done(failed(escaped(thrown, doing)));
                return;
            }
            done(value ? Result<std::any>(boost::system::in_place_value, std::move(*value)) : failed(value.error()));
        });
}

}  // namespace ktrdr
