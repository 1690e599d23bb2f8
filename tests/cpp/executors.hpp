#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <ktrdr/base/manual.hpp>

namespace ktrdr {

/// The io thread of a test: whoever runs the context.
class IoExecutor final : public Executor {
public:
    explicit IoExecutor(boost::asio::io_context& io) : io_(io) {}
    void post(Function function) override { boost::asio::post(io_, std::move(function)); }
    [[nodiscard]] bool runs_here() const override { return io_.get_executor().running_in_this_thread(); }

private:
    boost::asio::io_context& io_;
};

/// One thread of its own, joined at the end.
class ThreadExecutor final : public Executor {
public:
    ~ThreadExecutor() override {
        {
            const std::scoped_lock lock(mutex_);
            ending_ = true;
        }
        ready_.notify_one();
        thread_.join();
    }
    void post(Function function) override {
        {
            const std::scoped_lock lock(mutex_);
            queue_.push_back(std::move(function));
        }
        ready_.notify_one();
    }
    [[nodiscard]] bool runs_here() const override { return std::this_thread::get_id() == thread_.get_id(); }

private:
    void work() {
        for (std::unique_lock lock(mutex_);;) {
            ready_.wait(lock, [this] { return ending_ || !queue_.empty(); });
            if (queue_.empty()) {
                return;
            }
            const Function function = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            function();
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<Function> queue_;
    bool ending_{false};
    std::thread thread_{[this] { work(); }};
};

}  // namespace ktrdr
