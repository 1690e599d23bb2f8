#pragma once

#include <deque>
#include <map>
#include <mutex>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// A clock that moves only when told. For tests of ours and of our users.
class KTRDR_EXPORT ManualClock final : public Clock {
public:
    explicit ManualClock(UtcTime utc = UtcTime{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}}) : utc_(utc) {}
    [[nodiscard]] SteadyTime now() const override;
    [[nodiscard]] UtcTime utc_now() const override;
    void advance(std::chrono::nanoseconds by);

private:
    mutable std::mutex mutex_;
    SteadyTime steady_{};
    UtcTime utc_;
};

/// Runs what was posted when `run()` is called, on the calling thread.
class KTRDR_EXPORT ManualExecutor final : public Executor {
public:
    void post(Function function) override;
    [[nodiscard]] bool runs_here() const override;
    /// Run until nothing is queued; the number of functions run.
    std::size_t run();

private:
    std::mutex mutex_;
    std::deque<Function> queue_;
};

/// A timer heap over a `ManualClock`; `fire()` runs what is due.
class KTRDR_EXPORT ManualTimerQueue final : public TimerQueue {
public:
    explicit ManualTimerQueue(const Clock& clock) : clock_(clock) {}
    Id schedule_at(SteadyTime when, Executor::Function function) override;
    bool cancel(Id id) override;
    /// Run every timer that is due now; the number run.
    std::size_t fire();
    [[nodiscard]] std::size_t size() const;

private:
    struct Entry {
        Id id;
        Executor::Function function;
    };
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::multimap<SteadyTime, Entry> timers_;
    Id next_{1};
};

}  // namespace ktrdr
