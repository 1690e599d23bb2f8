#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// What stored bars leave to be done when nobody waits for them any more, and its end: who closes a file waits for what
/// is being done in it, and what was not begun by then is not done.
///
/// Thread safety: every member from any thread. Lifetime: shared with what was posted.
class KTRDR_EXPORT SettlingBehind final : public std::enable_shared_from_this<SettlingBehind> {
public:
    /// Have a thread of `executor` put the log of bars that were stored into their file. Errors are logged.
    void settle(Executor& executor, const std::shared_ptr<BarStore>& store);
    /// The same of any work.
    void run(Executor& executor, std::function<void()> work);
    /// Begin no more, and wait until what was begun is over. Not to be called by that.
    void close();

private:
    [[nodiscard]] bool begin();
    void end();

    std::mutex mutex_;
    std::condition_variable ended_;
    std::size_t running_{0};
    bool closed_{false};
};

}  // namespace ktrdr
