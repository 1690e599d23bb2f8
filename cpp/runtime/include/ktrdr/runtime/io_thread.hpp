#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/runtime/native_thread.hpp>

namespace ktrdr {

/// The one thread that owns every socket, timer and job coroutine.
///
/// Thread safety: `post`, `schedule_at`, `cancel` from any thread.
class IoThread final : public Executor, public TimerQueue {
public:
    IoThread();
    ~IoThread() override;

    /// Functions that are posted while the thread is busy are carried out together, in their order.
    void post(Function function) override;
    /// Behind everything that is ready now. On this thread only.
    void post_last(Function function);
    [[nodiscard]] bool runs_here() const override;
    Id schedule_at(SteadyTime when, Executor::Function function) override;
    bool cancel(Id id) override;

    [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }
    /// Stop the loop and wait for the thread; false when it was still busy at the deadline.
    bool stop(SteadyTime deadline);

private:
    using Timers = std::multimap<SteadyTime, std::pair<Id, Executor::Function>>;
    void run();
    void work_off();
    void arm();
    void fire();

    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      boost::asio::io_context::executor_type>
        timer_{context_.get_executor()};
    std::mutex inbox_mutex_;
    std::vector<Function> inbox_{};
    /// The thread was told of what is in it.
    bool woken_{false};
    /// Emptied by one round; kept for its memory.
    std::vector<Function> round_{};
    std::mutex mutex_;
    Timers timers_{};
    std::unordered_map<Id, Timers::iterator> by_id_{};
    Id next_{1};
    NativeThread thread_;
};

}  // namespace ktrdr
