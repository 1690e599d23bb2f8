#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/runtime/native_thread.hpp>

namespace ktrdr {

/// A fixed number of threads over one queue; threads start when there is work for them.
/// What is posted beyond `limit` waits its turn in order.
class KTRDR_EXPORT WorkerPool final : public Executor {
public:
    WorkerPool(std::string name, std::size_t limit);
    ~WorkerPool() override;

    void post(Function function) override;
    [[nodiscard]] bool runs_here() const override;
    /// Run what is queued, then end; false when a thread was still busy at the deadline.
    bool stop(SteadyTime deadline);

private:
    void work();
    /// Start one more thread; false when none can be started and there is none.
    bool grow();

    const std::string name_;
    const std::size_t limit_;
    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<Function> queue_{};
    std::vector<std::unique_ptr<NativeThread>> threads_{};
    std::size_t idle_{0};
    bool stopping_{false};
};

}  // namespace ktrdr
