#pragma once

#include <filesystem>
#include <future>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/operations/operation.hpp>
#include <ktrdr/operations/registry.hpp>
#include <ktrdr/storage/storage.hpp>

namespace ktrdr {

/// Runs what is posted at once, on the thread that posts.
class InlineExecutor final : public Executor {
public:
    void post(Function function) override { function(); }
    [[nodiscard]] bool runs_here() const override { return true; }
};

/// A process as far as a store sees one: a database and a store of its own over the file.
struct StoreWorld {
    explicit StoreWorld(const std::filesystem::path& file, DatabaseOptions options = {})
        : database(Database::open(file, {SqliteStore::schema()}, options).value()),
          store(SqliteStore::create(database, inline_executor, clock)) {}

    Result<void> write(OperationRecord record, std::vector<OperationEvent> events = {}, bool first = false) {
        record.owner = record.owner.empty() ? store->owner() : record.owner;
        std::promise<Result<void>> answer;
        store->write({std::move(record), std::move(events), first},
                     [&answer](const Result<void>& result) { answer.set_value(result); });
        return answer.get_future().get();
    }

    [[nodiscard]] OperationRecord record(std::string id, OperationStatus status = OperationStatus::running) const {
        OperationRecord made;
        made.id = std::move(id);
        made.type = "data_load";
        made.parameters = {{"symbol", "AAPL"}};
        made.status = status;
        made.created = clock.utc_now();
        made.last_seq = 1;
        return made;
    }

    ManualClock clock{};
    InlineExecutor inline_executor{};
    std::shared_ptr<Database> database;
    std::shared_ptr<SqliteStore> store;
};

}  // namespace ktrdr
