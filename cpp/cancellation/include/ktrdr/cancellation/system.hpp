#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/cancellation/token.hpp>

namespace ktrdr {

/// The tokens that are alive, by the id of what they stop.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT CancellationSystem final {
public:
    /// Know a token until `remove`. A token of the same id takes the place of the one before.
    void add(const std::string& id, CancellationToken token);
    void remove(const std::string& id);
    [[nodiscard]] std::optional<CancellationToken> find(const std::string& id) const;
    /// Ids of tokens that are not cancelled.
    [[nodiscard]] std::vector<std::string> active() const;
    /// True for the call that cancelled it; false for an unknown id too.
    bool cancel(const std::string& id, const CancelReason& reason) const;
    /// Cancel those that are known now; how many this call cancelled. Later ones are not affected.
    std::size_t cancel_all(const CancelReason& reason) const;

private:
    mutable std::mutex mutex_;
    std::map<std::string, CancellationToken> tokens_{};
};

}  // namespace ktrdr
