#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/storage/sqlite_store.hpp>

namespace ktrdr {

/// The project's one SQLite file, open once in a process however often it is asked for: two writers of one process
/// would only wait for each other.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT Storage final : private Counted<Storage> {
public:
    /// `schemas`: the tables of other rooms in the file. Options count for the first who opens it.
    [[nodiscard]] static Result<std::shared_ptr<Storage>> open(const std::filesystem::path& file,
                                                               std::vector<Schema> schemas, Executor& store_executor,
                                                               const Clock& clock, DatabaseOptions options = {});

    [[nodiscard]] const std::shared_ptr<Database>& database() const noexcept { return database_; }
    [[nodiscard]] const std::shared_ptr<SqliteStore>& operations() const noexcept { return operations_; }

private:
    Storage(std::shared_ptr<Database> database, std::shared_ptr<SqliteStore> operations)
        : database_(std::move(database)), operations_(std::move(operations)) {}

    const std::shared_ptr<Database> database_;
    const std::shared_ptr<SqliteStore> operations_;
};

}  // namespace ktrdr
