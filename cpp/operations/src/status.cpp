#include <ktrdr/operations/status.hpp>

#include <algorithm>
#include <initializer_list>

namespace ktrdr {
namespace {

bool among(OperationStatus status, std::initializer_list<OperationStatus> allowed) noexcept {
    return std::find(allowed.begin(), allowed.end(), status) != allowed.end();
}

}  // namespace

std::string_view to_string(OperationStatus status) noexcept {
    using enum OperationStatus;
    switch (status) {
        case pending: return "pending";
        case running: return "running";
        case cancelling: return "cancelling";
        case completed: return "completed";
        case failed: return "failed";
        case cancelled: return "cancelled";
        case timed_out: return "timed_out";
        case interrupted: return "interrupted";
        case resuming: return "resuming";
    }
    return "failed";
}

bool is_terminal(OperationStatus status) noexcept {
    using enum OperationStatus;
    return among(status, {completed, failed, cancelled, timed_out});
}

bool is_active(OperationStatus status) noexcept {
    return !is_terminal(status) && status != OperationStatus::interrupted;
}

std::optional<OperationStatus> status_from(std::string_view text) noexcept {
    using enum OperationStatus;
    for (const OperationStatus status :
         {pending, running, cancelling, completed, failed, cancelled, timed_out, interrupted, resuming}) {
        if (to_string(status) == text) {
            return status;
        }
    }
    return std::nullopt;
}

bool may_follow(OperationStatus from, OperationStatus to) noexcept {
    using enum OperationStatus;
    switch (from) {
        case pending: return among(to, {running, cancelling, failed, cancelled, timed_out, interrupted});
        case running: return among(to, {cancelling, completed, failed, cancelled, timed_out, interrupted});
        // A cancel that was asked for is never turned into a success or a failure.
        case cancelling: return among(to, {cancelled, timed_out, interrupted});
        case interrupted: return among(to, {resuming});
        case resuming: return among(to, {running, cancelling, failed, cancelled, timed_out, interrupted});
        case completed:
        case failed:
        case cancelled:
        case timed_out: return false;
    }
    return false;
}

}  // namespace ktrdr
