#include <ktrdr/operations/store.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace ktrdr {
namespace {

constexpr std::size_t most_records = 1000;
constexpr std::size_t most_events = 10'000;

Result<void> check_limit(std::size_t limit, std::size_t most) {
    if (limit >= 1 && limit <= most) {
        return {};
    }
    return fail(Errc::invalid_argument, fmt::format("limit must be between 1 and {}, not {}", most, limit),
                {{"field", "limit"}});
}

}  // namespace

Result<void> check(const OperationQuery& query) {
    return check_limit(query.limit, most_records);
}

Result<void> check(const EventQuery& query) {
    return check_limit(query.limit, most_events);
}

Result<void> check(const Retention& retention) {
    if (retention.max_count >= 1 && retention.max_age.count() > 0) {
        return {};
    }
    return fail(Errc::invalid_argument,
                fmt::format("a retention keeps at least 1 operation for at least 1 hour, not {} for {} hours",
                            retention.max_count, retention.max_age.count()),
                {{"field", retention.max_count < 1 ? "max_count" : "max_age"}});
}

bool matches(const OperationQuery& query, const OperationRecord& record) {
    return (query.statuses.empty() || std::ranges::find(query.statuses, record.status) != query.statuses.end()) &&
           (query.type.empty() || query.type == record.type) &&
           (query.parent_id.empty() || query.parent_id == record.parent_id) &&
           (!query.active_only || is_active(record.status));
}

}  // namespace ktrdr
