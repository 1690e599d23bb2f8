#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>

namespace ktrdr {

/// Bound to the loop itself: `any_io_executor` costs a part of a microsecond per wait.
using IoExecutor = boost::asio::io_context::executor_type;
using IoTimer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                  boost::asio::wait_traits<std::chrono::steady_clock>, IoExecutor>;

}  // namespace ktrdr
