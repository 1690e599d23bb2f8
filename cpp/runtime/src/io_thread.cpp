#include <ktrdr/runtime/io_thread.hpp>

#include <boost/asio/post.hpp>

#include <ktrdr/base/caught.hpp>

namespace ktrdr {

IoThread::IoThread() : thread_("ktrdr-io", [this] { run(); }) {}

IoThread::~IoThread() {
    stop(SteadyTime::max());
}

void IoThread::post(Function function) {
    bool first = false;
    {
        const std::scoped_lock lock(inbox_mutex_);
        inbox_.push_back(std::move(function));
        first = !std::exchange(woken_, true);
    }
    if (first) {
        try {
            boost::asio::post(context_.get_executor(), [this] { work_off(); });
        } catch (...) {
            log_caught("runtime", "waking the io thread");
            // It stays in the inbox; whoever posts next tries again.
            const std::scoped_lock lock(inbox_mutex_);
            woken_ = false;
        }
    }
}

void IoThread::post_last(Function function) {
    boost::asio::post(context_.get_executor(), std::move(function));
}

void IoThread::work_off() {
    {
        const std::scoped_lock lock(inbox_mutex_);
        round_.swap(inbox_);
        woken_ = false;
    }
    for (Function& function : round_) {
        survive("runtime", "a function on the io thread", std::exchange(function, nullptr));
    }
    round_.clear();
}

void IoThread::run() {
    // What a handler lets escape comes out of the loop, which can be entered again.
    for (bool more = true; more;) {
        survive("runtime", "a handler on the io thread", [&] {
            if (!has_thread_check()) {
                context_.run();
            }
            while (context_.run_one() > 0) {
                run_thread_check();
            }
            more = false;
        });
    }
}

bool IoThread::runs_here() const {
    return std::this_thread::get_id() == thread_.id();
}

TimerQueue::Id IoThread::schedule_at(SteadyTime when, Executor::Function function) {
    const std::scoped_lock lock(mutex_);
    const Id id = next_++;
    const auto timer = timers_.emplace(when, std::pair(id, std::move(function)));
    by_id_.emplace(id, timer);
    if (timer == timers_.begin()) {
        boost::asio::post(context_.get_executor(), [this] { arm(); });
    }
    return id;
}

bool IoThread::cancel(Id id) {
    const std::scoped_lock lock(mutex_);
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) {
        return false;
    }
    timers_.erase(found->second);
    by_id_.erase(found);
    return true;
}

void IoThread::arm() {
    const std::scoped_lock lock(mutex_);
    if (timers_.empty()) {
        return;
    }
    timer_.expires_at(timers_.begin()->first);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            fire();
        }
    });
}

void IoThread::fire() {
    for (std::unique_lock lock(mutex_); !timers_.empty() && timers_.begin()->first <= std::chrono::steady_clock::now();
         lock.lock()) {
        const auto function = std::move(timers_.begin()->second.second);
        by_id_.erase(timers_.begin()->second.first);
        timers_.erase(timers_.begin());
        lock.unlock();
        survive("runtime", "a timer", function);
    }
    arm();
}

bool IoThread::stop(SteadyTime deadline) {
    work_.reset();
    context_.stop();
    return thread_.join_until(deadline);
}

}  // namespace ktrdr
