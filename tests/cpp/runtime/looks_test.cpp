// What the runtime looks at again and again goes on after a look that failed.

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <new>

#include <ktrdr/operations/memory_store.hpp>
#include <ktrdr/runtime/runtime.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

/// A store for which there is no memory the first time that it is looked at, in each way.
class StarvedStore final : public MemoryStore {
public:
    [[nodiscard]] bool durable() const noexcept override { return true; }
    [[nodiscard]] bool write_kept(std::chrono::milliseconds) override {
        run_out_once(tended_);
        return false;
    }
    void answer_late() override { run_out_once(answered_); }
    [[nodiscard]] Result<std::size_t> recover() override {
        run_out_once(watched_);
        return std::size_t{0};
    }
    [[nodiscard]] bool was_looked_at_again() {
        std::unique_lock lock(mutex_);
        return looked_.wait_for(lock, 20s, [this] { return tended_ > 1 && answered_ > 1 && watched_ > 1; });
    }

private:
    void run_out_once(int& looks) {
        const std::scoped_lock lock(mutex_);
        looked_.notify_all();
        if (++looks == 1) {
            throw std::bad_alloc();
        }
    }

    std::mutex mutex_;
    std::condition_variable looked_;
    int tended_{0};
    int answered_{0};
    int watched_{0};
};

TEST(Looks, GoOnAfterOneForWhichMemoryRanOut) {
    Runtime& runtime = *Runtime::instance().value();
    const auto store = std::make_shared<StarvedStore>();
    runtime.registry().attach(store);
    runtime.wake_tender();
    runtime.watch_owners();
    EXPECT_TRUE(store->was_looked_at_again());
    EXPECT_TRUE(runtime.shutdown(2s));
}

}  // namespace
}  // namespace ktrdr
