#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/operations/status.hpp>
#include <ktrdr/progress/state.hpp>

namespace ktrdr {

/// What is known of an operation, as plain values. Times UTC.
struct OperationRecord {
    std::string id{};
    /// data_load, training, …
    std::string type{};
    std::string parent_id{};
    boost::json::object parameters{};
    OperationStatus status{OperationStatus::pending};
    UtcTime created{};
    std::optional<UtcTime> started{};
    std::optional<UtcTime> cancel_requested{};
    std::optional<UtcTime> cancel_observed{};
    std::optional<UtcTime> stopped{};
    std::optional<CancelReason> reason{};
    ProgressState progress{};
    std::optional<Error> error{};
    std::vector<std::string> warnings{};
};

}  // namespace ktrdr
