#include <ktrdr/operations/store.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace ktrdr {
namespace {

constexpr std::size_t most_records = 1000;
constexpr std::size_t most_events = 10'000;
constexpr std::size_t most_offset = 10'000;

Result<void> check_limit(std::size_t limit, std::size_t most) {
    if (limit >= 1 && limit <= most) {
        return {};
    }
    return fail(Errc::invalid_argument, fmt::format("limit must be between 1 and {}, not {}", most, limit),
                {{"field", "limit"}});
}

}  // namespace

std::string to_string(const OperationCursor& cursor) {
    return fmt::format("{}.{}", cursor.created.time_since_epoch().count(), cursor.id);
}

Result<OperationCursor> cursor_from(std::string_view text) {
    const std::size_t dot = text.find('.');
    const std::string_view number = text.substr(0, dot);
    std::int64_t nanos = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), nanos);
    if (dot == std::string_view::npos || error != std::errc{} || end != number.data() + number.size()) {
        constexpr std::size_t shown = 100;
        return fail(
            Errc::invalid_argument,
            fmt::format("cursor {:?} is not one that a list has answered: leave it out to begin with the newest",
                        text.substr(0, shown)),
            {{"field", "cursor"}});
    }
    return OperationCursor{UtcTime{std::chrono::nanoseconds{nanos}}, std::string(text.substr(dot + 1))};
}

Result<void> check(const OperationQuery& query) {
    if (query.offset > most_offset) {
        return fail(Errc::invalid_argument,
                    fmt::format("offset must be at most {}, not {}: go on with the cursor that each page answers",
                                most_offset, query.offset),
                    {{"field", "offset"}});
    }
    return check_limit(query.limit, most_records);
}

Result<void> check(const EventQuery& query) {
    return check_limit(query.limit, most_events);
}

Result<void> check(const Retention& retention) {
    constexpr std::size_t least_bytes = std::size_t{1} << 20;
    if (retention.max_bytes < least_bytes) {
        return fail(Errc::invalid_argument,
                    fmt::format("a retention keeps at least {} bytes, not {}", least_bytes, retention.max_bytes),
                    {{"field", "max_bytes"}});
    }
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

bool listed_before(const OperationCursor& a, const OperationCursor& b) noexcept {
    return a.created != b.created ? a.created > b.created : a.id > b.id;
}

OperationCursor place_of(const OperationRecord& record) {
    return {record.created, record.id};
}

void cut_page(const OperationQuery& query, OperationPage& page) {
    auto& records = page.records;
    if (query.cursor) {
        std::erase_if(records, [&query](const OperationRecord& record) {
            return !listed_before(*query.cursor, place_of(record));
        });
    }
    std::sort(records.begin(), records.end(), [](const OperationRecord& a, const OperationRecord& b) {
        return a.created != b.created ? a.created > b.created : a.id > b.id;
    });
    records.erase(records.begin(),
                  records.begin() + static_cast<std::ptrdiff_t>(std::min(query.offset, records.size())));
    page.next.reset();
    if (records.size() > query.limit) {
        records.resize(query.limit);
        page.next = place_of(records.back());
    }
}

}  // namespace ktrdr
