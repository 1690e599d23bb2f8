#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <ktrdr/base/clock.hpp>

namespace ktrdr {

/// One immutable picture of an operation's progress.
///
/// Units: percentages 0..100; `rate` items per second; times UTC.
struct ProgressState {
    std::string operation_id{};
    /// Rises with every state an operation delivers.
    std::uint64_t sequence{0};
    double percentage{0};
    /// The renderer's sentence.
    std::string message{};
    /// What the worker itself says of its step, or nothing.
    std::string detail{};
    /// The step (phase) in work, 1-based, and how many there are; 0 when unknown.
    std::int64_t current_step{0};
    std::int64_t total_steps{0};
    std::string step_name{};
    double step_start_percentage{0};
    double step_end_percentage{100};
    /// Units inside the step (segments, epochs); total 0 when unknown.
    std::int64_t step_current{0};
    std::int64_t step_total{0};
    /// Bars or samples so far; `total_items` 0 when unknown.
    std::int64_t items_processed{0};
    std::int64_t total_items{0};
    double rate{0};
    /// The epoch in work, from 1, and how many of its batches are done; 0 when unknown or where there are none.
    std::int64_t epoch{0};
    std::int64_t total_epochs{0};
    std::int64_t batch{0};
    std::int64_t total_batches{0};
    UtcTime start_time{};
    std::optional<std::chrono::milliseconds> estimated_remaining{};
    /// What the work says of itself; `metrics` holds the step's figures by name.
    boost::json::object context{};

    friend bool operator==(const ProgressState&, const ProgressState&) = default;
};

}  // namespace ktrdr
