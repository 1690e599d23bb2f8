#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>
#include <vector>

#include <ktrdr/operations/store.hpp>

namespace ktrdr {

/// Where an operation stands in the table and in the order of lists.
struct OperationKey {
    std::int64_t row{};
    std::int64_t created{};
    std::string id{};
};

struct TypeCount {
    std::string type{};
    std::size_t number{};
};

/// The first keys of a list behind its cursor, `offset + limit` and one more, each read from an index in order.
[[nodiscard]] std::vector<OperationKey> newest(SQLite::Database& connection, const OperationQuery& query);
/// How many match, read from the counts that the file keeps.
[[nodiscard]] std::size_t count_of(SQLite::Database& connection, const OperationQuery& query);

/// Those that do not run, of this type or of all: how many of each, and the oldest of them.
[[nodiscard]] std::vector<TypeCount> ended_by_type(SQLite::Database& connection, const std::string& type);
[[nodiscard]] std::vector<OperationKey> oldest_ended(SQLite::Database& connection, const std::string& type,
                                                     std::size_t most);
[[nodiscard]] std::vector<OperationKey> older_than(SQLite::Database& connection, const std::string& type,
                                                   UtcTime moment, std::size_t most);

}  // namespace ktrdr
