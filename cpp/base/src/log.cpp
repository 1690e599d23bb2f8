#include <ktrdr/base/log.hpp>

#include <atomic>
#include <utility>

#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

std::atomic<LogSink*> current_sink{nullptr};
std::atomic<int> least_level{static_cast<int>(LogLevel::debug)};

}  // namespace

LogSink* set_log_sink(LogSink* sink, LogLevel least) noexcept {
    least_level.store(static_cast<int>(least), std::memory_order_relaxed);
    return current_sink.exchange(sink, std::memory_order_acq_rel);
}

bool log_enabled(LogLevel level) noexcept {
    return current_sink.load(std::memory_order_relaxed) != nullptr &&
           static_cast<int>(level) >= least_level.load(std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view room, std::string message, std::string operation_id) {
    LogSink* const sink = current_sink.load(std::memory_order_acquire);
    if (sink == nullptr || static_cast<int>(level) < least_level.load(std::memory_order_relaxed)) {
        return;
    }
    sink->write(
        {level, std::string(room), kept_text(std::move(message)), std::move(operation_id), system_clock().utc_now()});
}

}  // namespace ktrdr
