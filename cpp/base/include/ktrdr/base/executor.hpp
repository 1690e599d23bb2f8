#pragma once

#include <cstdint>
#include <functional>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Something that runs functions later, on a thread of its own.
///
/// Thread safety: `post` and `runs_here` may be called from any thread.
/// Errors: `post` throws `ErrorException` when there is no thread or memory for the function, which is not queued then.
/// A function posted must not throw: what escapes it is logged, and whoever waits for it waits on.
class KTRDR_EXPORT Executor {
public:
    using Function = std::function<void()>;
    virtual ~Executor() = default;
    /// Queue `function`; never runs it inside this call.
    virtual void post(Function function) = 0;
    /// True on the thread that runs this executor's functions.
    [[nodiscard]] virtual bool runs_here() const = 0;
};

/// One timer heap. Functions run on the io thread.
///
/// Thread safety: may be called from any thread.
class KTRDR_EXPORT TimerQueue {
public:
    using Id = std::uint64_t;
    virtual ~TimerQueue() = default;
    /// Run `function` at `when` (at once if that has passed). Never inside this call.
    virtual Id schedule_at(SteadyTime when, Executor::Function function) = 0;
    /// Forget a timer. False when it has already been handed to its thread.
    virtual bool cancel(Id id) = 0;
};

}  // namespace ktrdr
