#pragma once

#include <fmt/format.h>

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include <ktrdr/base/text.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

/// What a source tells while it works, as warnings of the load: each text once, however many requests meet it.
///
/// Thread safety: from any thread. Lifetime: it keeps no operation alive.
class SourceWarnings final {
public:
    SourceWarnings(std::weak_ptr<Operation> operation, std::string subject)
        : operation_(std::move(operation)), subject_(std::move(subject)) {}

    void add(const std::string& text) {
        const auto operation = operation_.lock();
        if (!operation) {
            return;
        }
        {
            const std::scoped_lock lock(mutex_);
            if (told_.size() >= most || !told_.insert(text).second) {
                return;
            }
        }
        operation->add_warning(kept_text(fmt::format("{}: {}", subject_, text)));
    }

private:
    static constexpr std::size_t most = 100;
    const std::weak_ptr<Operation> operation_;
    const std::string subject_;
    std::mutex mutex_{};
    std::set<std::string> told_{};
};

}  // namespace ktrdr
