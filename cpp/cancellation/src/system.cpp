#include <ktrdr/cancellation/system.hpp>

#include <algorithm>

namespace ktrdr {

void CancellationSystem::add(const std::string& id, CancellationToken token) {
    const std::scoped_lock lock(mutex_);
    tokens_.insert_or_assign(id, std::move(token));
}

void CancellationSystem::remove(const std::string& id) {
    // Destroyed after the lock is given back: a token's end may run code of others.
    std::map<std::string, CancellationToken>::node_type removed;
    const std::scoped_lock lock(mutex_);
    removed = tokens_.extract(id);
}

std::optional<CancellationToken> CancellationSystem::find(const std::string& id) const {
    const std::scoped_lock lock(mutex_);
    const auto found = tokens_.find(id);
    return found == tokens_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> CancellationSystem::active() const {
    std::vector<std::string> ids;
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, token] : tokens_) {
        if (!token.is_cancelled()) {
            ids.push_back(id);
        }
    }
    return ids;
}

bool CancellationSystem::cancel(const std::string& id, const CancelReason& reason) const {
    const auto token = find(id);
    return token && token->cancel(reason);
}

std::size_t CancellationSystem::cancel_all(const CancelReason& reason) const {
    std::vector<CancellationToken> tokens;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& [id, token] : tokens_) {
            tokens.push_back(token);
        }
    }
    return static_cast<std::size_t>(
        std::count_if(tokens.begin(), tokens.end(), [&reason](const auto& token) { return token.cancel(reason); }));
}

}  // namespace ktrdr
