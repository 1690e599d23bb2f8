#include <ktrdr/operations/record.hpp>

#include <ktrdr/base/json.hpp>

namespace ktrdr {
namespace {

double number(const boost::json::object& object, std::string_view key, double otherwise = 0) {
    const auto* const value = object.if_contains(key);
    return value != nullptr && value->is_number() ? value->to_number<double>() : otherwise;
}

/// 0 for what no such number holds.
std::int64_t integer(const boost::json::object& object, std::string_view key) {
    const auto* const value = object.if_contains(key);
    boost::system::error_code error;
    const auto found = value != nullptr && value->is_number() ? value->to_number<std::int64_t>(error) : 0;
    return error ? 0 : found;
}

/// Longer ones are not told: no calendar has them.
constexpr std::int64_t longest_remaining_ms = std::int64_t{1000} * 3600 * 24 * 365 * 1000;

}  // namespace

boost::json::object to_json(const ProgressState& state) {
    boost::json::object object{
        {"operation_id", state.operation_id},
        {"sequence", state.sequence},
        {"percentage", state.percentage},
        {"message", state.message},
        {"detail", state.detail},
        {"current_step", state.current_step},
        {"total_steps", state.total_steps},
        {"step_name", state.step_name},
        {"step_start_percentage", state.step_start_percentage},
        {"step_end_percentage", state.step_end_percentage},
        {"step_current", state.step_current},
        {"step_total", state.step_total},
        {"items_processed", state.items_processed},
        {"total_items", state.total_items},
        {"rate", state.rate},
        {"epoch", state.epoch},
        {"total_epochs", state.total_epochs},
        {"batch", state.batch},
        {"total_batches", state.total_batches},
        {"start_time_ns", state.start_time.time_since_epoch().count()},
        {"estimated_remaining_ms", nullptr},
        {"context", state.context},
    };
    if (state.estimated_remaining) {
        object["estimated_remaining_ms"] = state.estimated_remaining->count();
    }
    return object;
}

ProgressState progress_from_json(const boost::json::object& object) {
    ProgressState state;
    state.operation_id = text_or_empty(object, "operation_id");
    state.sequence = static_cast<std::uint64_t>(integer(object, "sequence"));
    state.percentage = number(object, "percentage");
    state.message = text_or_empty(object, "message");
    state.detail = text_or_empty(object, "detail");
    state.current_step = integer(object, "current_step");
    state.total_steps = integer(object, "total_steps");
    state.step_name = text_or_empty(object, "step_name");
    state.step_start_percentage = number(object, "step_start_percentage");
    state.step_end_percentage = number(object, "step_end_percentage", 100);
    state.step_current = integer(object, "step_current");
    state.step_total = integer(object, "step_total");
    state.items_processed = integer(object, "items_processed");
    state.total_items = integer(object, "total_items");
    state.rate = number(object, "rate");
    state.epoch = integer(object, "epoch");
    state.total_epochs = integer(object, "total_epochs");
    state.batch = integer(object, "batch");
    state.total_batches = integer(object, "total_batches");
    state.start_time = UtcTime{std::chrono::nanoseconds{integer(object, "start_time_ns")}};
    const auto* const left = object.if_contains("estimated_remaining_ms");
    const std::int64_t left_ms = integer(object, "estimated_remaining_ms");
    if (left != nullptr && left->is_number() && left_ms >= 0 && left_ms <= longest_remaining_ms) {
        state.estimated_remaining = std::chrono::milliseconds{left_ms};
    }
    if (const auto* const context = object.if_contains("context"); context != nullptr && context->is_object()) {
        state.context = context->get_object();
    }
    return state;
}

}  // namespace ktrdr
