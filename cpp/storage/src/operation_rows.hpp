#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include <ktrdr/operations/store.hpp>

namespace ktrdr {

/// The columns that `read_record` reads, in its order.
inline constexpr const char* record_columns =
    "id, type, name, parent_id, parameters, status, attempt, resumable, durable, owner, created, started, "
    "cancel_requested, cancel_observed, stopped, reason, progress, result, error, warnings, last_seq";

/// The row as far as it can be read; what cannot is in `damage`, and told by a warning. Without a status, result or
/// error that can be read it has failed with `storage`, naming the row and `file`.
[[nodiscard]] OperationRecord read_record(SQLite::Statement& row, const std::filesystem::path& file);
/// Bind the record's columns to the parameters 1 to 21, in the order above.
void bind_record(SQLite::Statement& row, const OperationRecord& record);

/// operation, seq, time, kind, data.
void bind_event(SQLite::Statement& row, const std::string& id, const OperationEvent& event);
/// seq, time, kind, data. What cannot be read is a warning whose data has `damaged: true` and a message that names it.
[[nodiscard]] OperationEvent read_event(SQLite::Statement& row, const std::string& id,
                                        const std::filesystem::path& file);
[[nodiscard]] bool is_damaged(const OperationEvent& event);

/// SQLite's numbers have a sign; what is larger is the largest.
[[nodiscard]] std::int64_t as_number(std::size_t value) noexcept;

[[nodiscard]] std::string reason_text(const CancelReason& reason);
/// `storage` for what is no reason.
[[nodiscard]] Result<CancelReason> reason_from(const std::string& text);

/// An id as it may be shown: one that no operation of ours can have is written with its odd characters escaped.
[[nodiscard]] std::string shown_id(const std::string& id);

}  // namespace ktrdr
