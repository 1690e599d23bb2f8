#include <ktrdr/runtime/io_thread.hpp>

#include <boost/asio/post.hpp>

namespace ktrdr {

IoThread::IoThread() : thread_("ktrdr-io", [this] { run(); }) {}

IoThread::~IoThread() {
    stop(SteadyTime::max());
}

void IoThread::post(Function function) {
    bool first = false;
    {
        const std::scoped_lock lock(inbox_mutex_);
        first = inbox_.empty();
        inbox_.push_back(std::move(function));
    }
    if (first) {
        boost::asio::post(context_.get_executor(), [this] { work_off(); });
    }
}

void IoThread::post_last(Function function) {
    boost::asio::post(context_.get_executor(), std::move(function));
}

void IoThread::work_off() {
    {
        const std::scoped_lock lock(inbox_mutex_);
        round_.swap(inbox_);
    }
    for (Function& function : round_) {
        std::exchange(function, nullptr)();
    }
    round_.clear();
}

void IoThread::run() {
    if (!has_thread_check()) {
        context_.run();
        return;
    }
    while (context_.run_one() > 0) {
        run_thread_check();
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
        function();
    }
    arm();
}

bool IoThread::stop(SteadyTime deadline) {
    work_.reset();
    context_.stop();
    return thread_.join_until(deadline);
}

}  // namespace ktrdr
