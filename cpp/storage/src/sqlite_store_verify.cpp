// Reading all of a file to see what of it is damaged.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <functional>

#include <ktrdr/storage/sqlite_store.hpp>

#include "operation_rows.hpp"

namespace ktrdr {
namespace {

constexpr std::size_t most_damage = 1000;

class Verifier final {
public:
    Verifier(SQLite::Database& connection, const std::filesystem::path& file) : connection_(connection), file_(file) {}

    StoreCheck all() {
        step("the file", [this] { check_file(); });
        step("the operations", [this] { check_records(); });
        step("the events", [this] { check_events(); });
        return std::move(check_);
    }

private:
    void add(std::string id, std::uint64_t seq, std::string what) {
        if (check_.damage.size() < most_damage) {
            check_.damage.push_back({std::move(id), seq, std::move(what)});
        }
    }

    /// A page that cannot be read ends one step, and leaves the others their chance.
    void step(std::string_view what, const std::function<void()>& check) {
        try {
            check();
        } catch (const SQLite::Exception& error) {
            add({}, 0, fmt::format("{} cannot be read further: {}", what, error.what()));
        }
    }

    void check_file() {
        SQLite::Statement rows(connection_, "PRAGMA integrity_check");
        while (rows.executeStep()) {
            if (const std::string said = rows.getColumn(0).getString(); said != "ok") {
                add({}, 0, said);
            }
        }
    }

    void check_records() {
        SQLite::Statement rows(connection_, fmt::format("SELECT {}, asked FROM operation", record_columns));
        while (rows.executeStep()) {
            ++check_.operations;
            const OperationRecord record = read_record(rows, file_);
            for (const std::string& what : record.damage) {
                add(record.id, 0, what);
            }
            const SQLite::Column asked = rows.getColumn(rows.getColumnCount() - 1);
            if (const auto reason = reason_from(asked.getString()); !asked.isNull() && !reason) {
                add(record.id, 0, fmt::format("asked: {}", reason.error().message));
            }
        }
    }

    void check_events() {
        SQLite::Statement rows(connection_,
                               "SELECT seq, time, kind, data, operation, EXISTS(SELECT 1 FROM operation WHERE "
                               "id = event.operation) FROM event");
        while (rows.executeStep()) {
            ++check_.events;
            const std::string id = rows.getColumn(4).getString();
            const OperationEvent event = read_event(rows, id, file_);
            if (is_damaged(event)) {
                add(shown_id(id), event.seq, std::string(event.data.at("message").as_string()));
            }
            if (rows.getColumn(5).getInt() == 0) {
                add(shown_id(id), event.seq, "it belongs to no operation");
            }
        }
    }

    SQLite::Database& connection_;
    const std::filesystem::path& file_;
    StoreCheck check_{};
};

}  // namespace

Result<StoreCheck> SqliteStore::verify() {
    StoreCheck check;
    const auto done = database_->read("verify the operations", [&](SQLite::Database& connection) -> Result<void> {
        check = Verifier(connection, database_->file()).all();
        return {};
    });
    return done ? Result<StoreCheck>(std::move(check)) : Result<StoreCheck>(done.error());
}

}  // namespace ktrdr
