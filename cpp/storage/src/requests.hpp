#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include <ktrdr/storage/sqlite_store.hpp>

namespace ktrdr {

/// A try while the file is known to be locked does not hold anybody up.
inline constexpr std::chrono::milliseconds kept_wait{20};

/// What was asked of the file, and is not in it yet.
///
/// Thread safety: none; the store's lock guards it.
struct SqliteStore::Requests {
    static constexpr std::size_t most_cancels = 10'000;

    /// By operation.
    std::map<std::string, CancelReason> cancels{};
    std::shared_ptr<const Retention> retention{};

    [[nodiscard]] std::size_t size() const noexcept { return cancels.size() + (retention ? 1 : 0); }
};

}  // namespace ktrdr
