#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <string_view>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/progress/state.hpp>

namespace ktrdr {

enum class OperationEventKind { state, progress, metric, warning, log };

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(OperationEventKind kind) noexcept;

/// One line of an operation's event log.
struct OperationEvent {
    /// 1, 2, 3, … within the operation, over its attempts too. What an SSE client sends back as `Last-Event-ID`.
    std::uint64_t seq{0};
    UtcTime time{};
    OperationEventKind kind{OperationEventKind::state};
    /// state: `status` and, where there is one, `reason` or `error`; metric: its names and values; warning and log:
    /// `message`. Empty for progress.
    boost::json::object data{};
    /// Set for progress only: a picture is turned into JSON when somebody reads it.
    std::shared_ptr<const ProgressState> progress{};
};

/// The event's content as JSON, whatever its kind.
[[nodiscard]] KTRDR_EXPORT boost::json::object event_data(const OperationEvent& event);

}  // namespace ktrdr
