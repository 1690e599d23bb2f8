#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

/// Writes down what it hears; any thread.
class Recorder final : public OperationListener {
public:
    explicit Recorder(bool wants = true) : wants_(wants) {}

    void on_progress(const ProgressState& state) override {
        const std::scoped_lock lock(mutex_);
        late_ = late_ || ends_ > 0;
        states_.push_back(state);
    }
    [[nodiscard]] bool wants_progress() const override { return wants_; }
    void on_finished() override {
        const std::scoped_lock lock(mutex_);
        ++ends_;
        ended_.notify_all();
    }

    void wait_for_end() {
        std::unique_lock lock(mutex_);
        ended_.wait(lock, [this] { return ends_ > 0; });
    }
    [[nodiscard]] std::vector<ProgressState> states() const {
        const std::scoped_lock lock(mutex_);
        return states_;
    }
    [[nodiscard]] int ends() const {
        const std::scoped_lock lock(mutex_);
        return ends_;
    }
    /// True when progress came after the end.
    [[nodiscard]] bool late() const {
        const std::scoped_lock lock(mutex_);
        return late_;
    }
    [[nodiscard]] std::vector<std::string> messages() const {
        std::vector<std::string> all;
        for (const auto& state : states()) {
            all.push_back(state.message);
        }
        return all;
    }

private:
    const bool wants_;
    mutable std::mutex mutex_;
    std::condition_variable ended_;
    std::vector<ProgressState> states_;
    int ends_{0};
    bool late_{false};
};

/// A world of its own for a test of operations.
struct OperationWorld {
    ManualClock clock{};
    ManualExecutor io{};
    ManualTimerQueue timers{clock};
    CancellationToken root = CancellationToken::create(io, timers, clock);

    [[nodiscard]] std::shared_ptr<Operation> make(CancellationToken token) {
        return Operation::make(OperationSpec{"data_load", "op_1", "", {{"symbol", "AAPL"}}}, std::move(token), clock);
    }
    [[nodiscard]] std::shared_ptr<Operation> make() { return make(root.child()); }
};

}  // namespace ktrdr
