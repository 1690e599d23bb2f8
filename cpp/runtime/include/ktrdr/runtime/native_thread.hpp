#pragma once

#include <functional>
#include <future>
#include <thread>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// A thread of ours: signals blocked (they belong to the host program's main thread), a name, and a join with a limit.
class NativeThread final {
public:
    NativeThread(std::string name, std::function<void()> body);
    NativeThread(const NativeThread&) = delete;
    NativeThread& operator=(const NativeThread&) = delete;
    /// The thread must have been joined or given up.
    ~NativeThread();

    [[nodiscard]] std::thread::id id() const noexcept { return thread_.get_id(); }
    /// True when the thread has ended by `deadline`; else it is given up, and the process goes on without it.
    bool join_until(SteadyTime deadline);

private:
    std::promise<void> ended_;
    std::thread thread_;
};

/// Called by our threads after every function they run, or null. Set it before the first thread starts. A debug build
/// of the bindings installs one that aborts when the thread holds the interpreter's lock.
using ThreadCheck = void (*)();
KTRDR_EXPORT void set_thread_check(ThreadCheck check) noexcept;
void run_thread_check() noexcept;
[[nodiscard]] bool has_thread_check() noexcept;

}  // namespace ktrdr
