#include "operation_keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <map>

namespace ktrdr {
namespace {

/// The operations of one type in one state: one stretch of the index `operation_by_kind`.
struct Kind {
    std::string type{};
    std::string status{};
    std::size_t number{};
};

template <class Wanted>
std::vector<Kind> kinds(SQLite::Database& connection, const std::string& type, const Wanted& wanted) {
    SQLite::Statement row(connection, "SELECT type, status, number FROM operation_count WHERE ?1 = '' OR type = ?1");
    row.bind(1, type);
    std::vector<Kind> found;
    while (row.executeStep()) {
        Kind kind{row.getColumn(0).getString(), row.getColumn(1).getString(),
                  static_cast<std::size_t>(std::max<std::int64_t>(0, row.getColumn(2).getInt64()))};
        if (wanted(status_from(kind.status))) {
            found.push_back(std::move(kind));
        }
    }
    return found;
}

using Status = std::optional<OperationStatus>;

bool ended(const Status& status) {
    return !status || !is_active(*status);
}

bool matches_status(const OperationQuery& query, const Status& status) {
    const bool listed =
        query.statuses.empty() || (status && std::ranges::find(query.statuses, *status) != query.statuses.end());
    return listed && (!query.active_only || !ended(status));
}

std::vector<Kind> kinds_of(SQLite::Database& connection, const OperationQuery& query) {
    return kinds(connection, query.type, [&query](const Status& status) { return matches_status(query, status); });
}

bool has_conditions(const OperationQuery& query) {
    return !query.type.empty() || !query.statuses.empty() || query.active_only;
}

/// The states that match, as SQL. Only names of ours are in it.
std::string status_condition(const OperationQuery& query) {
    if (query.statuses.empty() && !query.active_only) {
        return "";
    }
    std::vector<std::string> names;
    using enum OperationStatus;
    for (const auto status :
         {pending, running, cancelling, completed, failed, cancelled, timed_out, interrupted, resuming}) {
        if (matches_status(query, status)) {
            names.push_back(fmt::format("'{}'", to_string(status)));
        }
    }
    return fmt::format(" AND status IN ({})", fmt::join(names, ", "));
}

/// The children of one, from the index `operation_by_parent`, which a query must be seen to fit.
std::string children(const OperationQuery& query) {
    return fmt::format("parent_id = ?1 AND parent_id <> '' AND (?2 = '' OR type = ?2){}", status_condition(query));
}

class KeyReader final {
public:
    KeyReader(SQLite::Database& connection, const std::string& condition, const std::string& bound, bool newest_first)
        : rows_(connection, fmt::format("SELECT rowid, created, id FROM operation WHERE {} AND {} ORDER BY created "
                                        "{order}, id {order} LIMIT ?5",
                                        condition, bound, fmt::arg("order", newest_first ? "DESC" : "ASC"))) {}

    void read(const std::string& first, const std::string& second, const OperationCursor& bound, std::size_t most,
              std::vector<OperationKey>& keys) {
        rows_.reset();
        rows_.clearBindings();
        rows_.bind(1, first);
        rows_.bind(2, second);
        rows_.bind(3, bound.created.time_since_epoch().count());
        rows_.bind(4, bound.id);
        rows_.bind(5, static_cast<std::int64_t>(most));
        while (rows_.executeStep()) {
            keys.push_back(
                {rows_.getColumn(0).getInt64(), rows_.getColumn(1).getInt64(), rows_.getColumn(2).getString()});
        }
    }

private:
    SQLite::Statement rows_;
};

constexpr const char* of_kind = "type = ?1 AND status = ?2";

/// The oldest of all kinds before a moment.
std::vector<OperationKey> oldest(SQLite::Database& connection, const std::vector<Kind>& all, UtcTime before,
                                 std::size_t most) {
    KeyReader reader(connection, of_kind, "created < ?3", false);
    std::vector<OperationKey> keys;
    for (const Kind& kind : all) {
        reader.read(kind.type, kind.status, {before, ""}, most, keys);
    }
    std::ranges::sort(keys, [](const OperationKey& a, const OperationKey& b) {
        return std::tie(a.created, a.id) < std::tie(b.created, b.id);
    });
    keys.resize(std::min(keys.size(), most));
    return keys;
}

}  // namespace

std::vector<OperationKey> newest(SQLite::Database& connection, const OperationQuery& query) {
    const std::string bound = query.cursor ? "(created, id) < (?3, ?4)" : "1";
    const OperationCursor cursor = query.cursor.value_or(OperationCursor{});
    const std::size_t most = query.offset + query.limit + 1;
    std::vector<OperationKey> keys;
    if (!query.parent_id.empty()) {
        KeyReader(connection, children(query), bound, true).read(query.parent_id, query.type, cursor, most, keys);
    } else if (!has_conditions(query)) {
        KeyReader(connection, "1", bound, true).read("", "", cursor, most, keys);
    } else {
        KeyReader reader(connection, of_kind, bound, true);
        for (const Kind& kind : kinds_of(connection, query)) {
            reader.read(kind.type, kind.status, cursor, most, keys);
        }
        std::ranges::sort(keys, [](const OperationKey& a, const OperationKey& b) {
            return std::tie(a.created, a.id) > std::tie(b.created, b.id);
        });
        keys.resize(std::min(keys.size(), most));
    }
    return keys;
}

std::size_t count_of(SQLite::Database& connection, const OperationQuery& query) {
    if (!query.parent_id.empty()) {
        SQLite::Statement row(connection, fmt::format("SELECT count(*) FROM operation WHERE {}", children(query)));
        row.bind(1, query.parent_id);
        row.bind(2, query.type);
        row.executeStep();
        return static_cast<std::size_t>(row.getColumn(0).getInt64());
    }
    std::size_t number = 0;
    for (const Kind& kind : kinds_of(connection, query)) {
        number += kind.number;
    }
    return number;
}

std::vector<TypeCount> ended_by_type(SQLite::Database& connection, const std::string& type) {
    std::map<std::string, std::size_t> numbers;
    for (const Kind& kind : kinds(connection, type, ended)) {
        numbers[kind.type] += kind.number;
    }
    std::vector<TypeCount> all;
    for (const auto& [name, number] : numbers) {
        all.push_back({name, number});
    }
    return all;
}

std::vector<OperationKey> oldest_ended(SQLite::Database& connection, const std::string& type, std::size_t most) {
    return oldest(connection, kinds(connection, type, ended), UtcTime::max(), most);
}

std::vector<OperationKey> older_than(SQLite::Database& connection, const std::string& type, UtcTime moment,
                                     std::size_t most) {
    return oldest(connection, kinds(connection, type, ended), moment, most);
}

}  // namespace ktrdr
