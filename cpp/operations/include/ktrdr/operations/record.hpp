#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/operations/status.hpp>
#include <ktrdr/progress/state.hpp>

namespace ktrdr {

/// What is known of an operation, as plain values; what most operations never have, or what copies share, is behind a
/// pointer. Times UTC.
struct OperationRecord {
    std::string id{};
    /// data_load, training, …
    std::string type{};
    /// What a person calls it; may be empty.
    std::string name{};
    std::string parent_id{};
    boost::json::object parameters{};
    OperationStatus status{OperationStatus::pending};
    /// 1, and one more for every resumption.
    std::int64_t attempt{1};
    /// A run that was interrupted can go on under the same id.
    bool resumable{false};
    /// False while something of it is not in the store, late or lost; a warning says why.
    bool durable{true};
    /// The process that runs it, by the name it has in the store; empty in a store of one process.
    std::string owner{};
    UtcTime created{};
    std::optional<UtcTime> started{};
    std::optional<UtcTime> cancel_requested{};
    std::optional<UtcTime> cancel_observed{};
    std::optional<UtcTime> stopped{};
    std::shared_ptr<const CancelReason> reason{};
    /// Null in a record that no operation has filled.
    std::shared_ptr<const ProgressState> progress{};
    /// The value, where it is plain JSON.
    std::optional<boost::json::value> result{};
    std::shared_ptr<const Error> error{};
    std::vector<std::string> warnings{};
    /// The newest event's number.
    std::uint64_t last_seq{0};
    /// What of its row in the store cannot be read, column by column; empty for a sound one.
    std::vector<std::string> damage{};
};

/// Both ways for stores and for the wire. `progress_from_json` takes what `to_json` makes.
[[nodiscard]] KTRDR_EXPORT boost::json::object to_json(const ProgressState& state);
[[nodiscard]] KTRDR_EXPORT ProgressState progress_from_json(const boost::json::object& object);

}  // namespace ktrdr
