#include <ktrdr/storage/storage.hpp>

#include <map>
#include <mutex>

namespace ktrdr {
namespace {

struct OpenFiles {
    std::mutex mutex{};
    std::map<std::filesystem::path, std::weak_ptr<Storage>> by_path{};
};

OpenFiles& open_files() {
    static auto* const files = new OpenFiles;  // A worker may outlive static destruction.
    return *files;
}

}  // namespace

Result<std::shared_ptr<Storage>> Storage::open(const std::filesystem::path& file, std::vector<Schema> schemas,
                                               Executor& store_executor, const Clock& clock, DatabaseOptions options) {
    std::error_code ignored;
    const auto path = std::filesystem::weakly_canonical(file, ignored);
    const std::scoped_lock lock(open_files().mutex);
    std::weak_ptr<Storage>& known = open_files().by_path[path];
    // A file that was removed meanwhile is made anew: what is open has no name any more.
    if (auto storage = known.lock(); storage && std::filesystem::exists(path, ignored)) {
        return storage;
    }
    schemas.push_back(SqliteStore::schema());
    auto database = Database::open(file, schemas, options);
    if (!database) {
        return database.error();
    }
    auto operations = SqliteStore::create(*database, store_executor, clock);
    std::shared_ptr<Storage> storage(new Storage(std::move(*database), std::move(operations)));
    known = storage;
    return storage;
}

}  // namespace ktrdr
