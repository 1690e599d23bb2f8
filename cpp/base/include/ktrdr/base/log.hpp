#pragma once

#include <string>
#include <string_view>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Python's own numbers, so that a record needs no translation.
enum class LogLevel { debug = 10, info = 20, warning = 30, error = 40 };

/// One line of log, as data. The Python side hands it to `logging.getLogger("ktrdr_core.<room>")`.
struct LogRecord {
    LogLevel level{LogLevel::info};
    std::string room{};
    std::string message{};
    /// The operation this was done for, or empty.
    std::string operation_id{};
    UtcTime time{};
};

/// Takes log records from any thread. Must outlive every thread that logs (the runtime is never destroyed).
class KTRDR_EXPORT LogSink {
public:
    virtual ~LogSink() = default;
    virtual void write(LogRecord record) = 0;
};

/// Install the sink, or none; returns the one before. Without a sink records are dropped.
KTRDR_EXPORT LogSink* set_log_sink(LogSink* sink, LogLevel least = LogLevel::debug) noexcept;

/// True when a record of this level would be written.
[[nodiscard]] KTRDR_EXPORT bool log_enabled(LogLevel level) noexcept;

/// Log lines read `room: what happened: values`; `room` is a parameter, the rest is `message`.
KTRDR_EXPORT void log(LogLevel level, std::string_view room, std::string message, std::string operation_id = {});

}  // namespace ktrdr
