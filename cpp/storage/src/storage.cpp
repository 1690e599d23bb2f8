#include <ktrdr/storage/storage.hpp>

#include <fmt/format.h>

#include <map>
#include <mutex>

#include <ktrdr/base/log.hpp>

namespace ktrdr {
namespace {

struct OpenFile {
    std::weak_ptr<Storage> storage{};
    /// May outlive it: a registry keeps its default store.
    std::weak_ptr<SqliteStore> operations{};
};

struct OpenFiles {
    std::mutex mutex{};
    std::map<FileId, OpenFile> by_id{};
};

OpenFiles& open_files() {
    static auto* const files = new OpenFiles;  // A worker may outlive static destruction.
    return *files;
}

}  // namespace

Result<std::shared_ptr<Storage>> Storage::open(const std::filesystem::path& file, std::vector<Schema> schemas,
                                               Executor& store_executor, const Clock& clock, DatabaseOptions options) {
    const auto settled = settled_path("the database", file);
    if (!settled) {
        return settled.error();
    }
    std::unique_lock lock(open_files().mutex);
    auto& by_id = open_files().by_id;
    std::erase_if(by_id, [](const auto& entry) { return entry.second.operations.expired(); });
    if (const auto known = by_id.find(file_id(*settled)); known != by_id.end()) {
        if (auto storage = known->second.storage.lock()) {
            return storage;
        }
        if (auto operations = known->second.operations.lock()) {
            std::shared_ptr<Storage> storage(new Storage(operations->database(), operations));
            known->second.storage = storage;
            return storage;
        }
    }
    schemas.push_back(SqliteStore::schema());
    auto database = Database::open(*settled, std::move(schemas), options);
    if (!database) {
        return database.error();
    }
    const FileId id = (*database)->id();
    auto operations = SqliteStore::create(*database, store_executor, clock);
    std::shared_ptr<Storage> storage(new Storage(std::move(*database), std::move(operations)));
    by_id.insert_or_assign(id, OpenFile{storage, storage->operations()});
    lock.unlock();
    if (const auto recovered = storage->operations()->recover(); !recovered) {
        log(LogLevel::warning, "storage",
            fmt::format("what dead processes were running is not marked yet: {}", recovered.error().message));
    }
    return storage;
}

}  // namespace ktrdr
