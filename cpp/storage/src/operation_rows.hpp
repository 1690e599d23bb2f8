#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <string>

#include <ktrdr/operations/store.hpp>

namespace ktrdr {

/// The columns that `read_record` reads, in its order.
inline constexpr const char* record_columns =
    "id, type, name, parent_id, parameters, status, attempt, resumable, durable, owner, created, started, "
    "cancel_requested, cancel_observed, stopped, reason, progress, result, error, warnings, last_seq";

[[nodiscard]] OperationRecord read_record(SQLite::Statement& row);
/// Bind the record's columns to the parameters 1 to 21, in the order above.
void bind_record(SQLite::Statement& row, const OperationRecord& record);

/// operation, seq, time, kind, data.
void bind_event(SQLite::Statement& row, const std::string& id, const OperationEvent& event);
/// seq, time, kind, data. `storage` for a kind that is not known, naming the row.
[[nodiscard]] Result<OperationEvent> read_event(SQLite::Statement& row, const std::string& id,
                                                const std::filesystem::path& file);

[[nodiscard]] std::string reason_text(const CancelReason& reason);
[[nodiscard]] CancelReason reason_from(const std::string& text);

}  // namespace ktrdr
