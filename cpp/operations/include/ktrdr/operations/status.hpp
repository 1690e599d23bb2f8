#pragma once

#include <optional>
#include <string_view>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

enum class OperationStatus {
    pending,
    running,
    /// A cancel was asked for; the work has not stopped yet.
    cancelling,
    completed,
    failed,
    cancelled,
    timed_out,
    /// The process that ran it died.
    interrupted,
    resuming,
};

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(OperationStatus status) noexcept;
/// completed, failed, cancelled and timed_out: they never change.
[[nodiscard]] KTRDR_EXPORT bool is_terminal(OperationStatus status) noexcept;
/// Not terminal and not interrupted: it runs, or is about to.
[[nodiscard]] KTRDR_EXPORT bool is_active(OperationStatus status) noexcept;
/// The value of that spelling, or nothing.
[[nodiscard]] KTRDR_EXPORT std::optional<OperationStatus> status_from(std::string_view text) noexcept;
/// The one table of edges.
[[nodiscard]] KTRDR_EXPORT bool may_follow(OperationStatus from, OperationStatus to) noexcept;

}  // namespace ktrdr
