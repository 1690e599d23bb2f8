#include "polled.hpp"

#include <sqlite3.h>

#include <optional>

namespace ktrdr {
namespace {

/// Of SQLite's machine: a row of bars takes about ten, of 48 KB each; copying a file takes four a row, and its check
/// counts one for eight rows. On a busy machine these few megabytes take what somebody waits for who cancels.
constexpr int steps_between = 20;

struct Asked {
    const Database::Poll& poll;
    std::optional<Error> stopped{};
};

int is_over(void* asked_by) {
    auto& asked = *static_cast<Asked*>(asked_by);
    if (!asked.stopped) {
        if (const auto wanted = asked.poll(); !wanted) {
            asked.stopped = wanted.error();
        }
    }
    return asked.stopped ? 1 : 0;
}

}  // namespace

Result<void> polled(SQLite::Database& connection, const Database::Poll& poll,
                    const std::function<Result<void>()>& work) {
    if (!poll) {
        return work();
    }
    if (const auto wanted = poll(); !wanted) {
        return wanted;
    }
    struct Watched {
        Watched(sqlite3* handle, Asked& asked) : of(handle) {
            sqlite3_progress_handler(handle, steps_between, &is_over, &asked);
        }
        Watched(const Watched&) = delete;
        Watched& operator=(const Watched&) = delete;
        ~Watched() { sqlite3_progress_handler(of, 0, nullptr, nullptr); }
        sqlite3* of;
    };
    Asked asked{poll};
    Result<void> done;
    {
        const Watched watched(connection.getHandle(), asked);
        done = work();
    }
    if (!done && !asked.stopped) {
        // It may have been interrupted from elsewhere, for the same reason.
        if (const auto wanted = poll(); !wanted) {
            return wanted;
        }
    }
    return !done && asked.stopped ? Result<void>(*asked.stopped) : done;
}

}  // namespace ktrdr
