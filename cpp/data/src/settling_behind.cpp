#include <ktrdr/data/settling_behind.hpp>

#include <utility>

#include <ktrdr/base/caught.hpp>

namespace ktrdr {

void SettlingBehind::settle(Executor& executor, const std::shared_ptr<BarStore>& store) {
    // Queued it keeps no file open.
    run(executor, [store = std::weak_ptr(store)] {
        if (const auto there = store.lock()) {
            (void)there->settle();
        }
    });
}

void SettlingBehind::run(Executor& executor, std::function<void()> work) {
    survive("data", "putting stored bars into the file", [&] {
        executor.post([self = shared_from_this(), work = std::move(work)] {
            if (self->begin()) {
                survive("data", "putting stored bars into the file", [&work] { work(); });
                self->end();
            }
        });
    });
}

void SettlingBehind::close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    ended_.wait(lock, [this] { return running_ == 0; });
}

bool SettlingBehind::begin() {
    const std::scoped_lock lock(mutex_);
    running_ += closed_ ? 0 : 1;
    return !closed_;
}

void SettlingBehind::end() {
    const std::scoped_lock lock(mutex_);
    --running_;
    ended_.notify_all();
}

}  // namespace ktrdr
