#include <ktrdr/base/in_parts.hpp>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace ktrdr {
namespace {

/// What the threads share. A helper that comes late finds nothing to do, and `part` gone.
struct Shared {
    std::mutex mutex{};
    std::condition_variable changed{};
    std::size_t next{0};
    std::size_t under_way{0};
};

/// Do parts until all are begun.
void take_parts(Shared& shared, std::size_t parts, const std::function<void(std::size_t, bool)>& part, bool here) {
    std::unique_lock lock(shared.mutex);
    while (shared.next < parts) {
        const std::size_t mine = shared.next++;
        ++shared.under_way;
        lock.unlock();
        part(mine, here);
        lock.lock();
        --shared.under_way;
    }
    shared.changed.notify_all();
}

}  // namespace

void in_parts(Executor& helpers, std::size_t parts, const std::function<void(std::size_t, bool)>& part) {
    const auto shared = std::make_shared<Shared>();
    // One for each core but this one.
    const std::size_t most = std::min<std::size_t>(parts, std::thread::hardware_concurrency());
    for (std::size_t helper = 1; helper < most; ++helper) {
        try {
            helpers.post([shared, parts, &part] { take_parts(*shared, parts, part, false); });
        } catch (...) {
            // No thread or no memory for another: those that there are do it.
            break;
        }
    }
    take_parts(*shared, parts, part, true);
    std::unique_lock lock(shared->mutex);
    shared->changed.wait(lock, [&shared] { return shared->under_way == 0; });
}

}  // namespace ktrdr
