#include <ktrdr/runtime/worker_pool.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/base/caught.hpp>

namespace ktrdr {
namespace {

thread_local const WorkerPool* current_pool = nullptr;

}  // namespace

WorkerPool::WorkerPool(std::string name, std::size_t limit) : name_(std::move(name)), limit_(limit) {}

WorkerPool::~WorkerPool() {
    stop(SteadyTime::max());
}

void WorkerPool::post(Function function) {
    const std::scoped_lock lock(mutex_);
    if (stopping_) {
        return;
    }
    queue_.push_back(std::move(function));
    if (queue_.size() > idle_ && threads_.size() < limit_ && !grow()) {
        queue_.pop_back();
        throw ErrorException(fail(Errc::out_of_resources,
                                  fmt::format("no thread can be started for {}: close other programs, or raise the "
                                              "limits on threads and memory (`ulimit -u`, `ulimit -v`)",
                                              name_)));
    }
    ready_.notify_one();
}

bool WorkerPool::grow() {
    try {
        threads_.push_back(
            std::make_unique<NativeThread>(fmt::format("{}-{}", name_, threads_.size()), [this] { work(); }));
    } catch (...) {
        log_caught("runtime", fmt::format("starting a thread for {}", name_));
        // Those that are there do all the work, only later.
        return !threads_.empty();
    }
    return true;
}

bool WorkerPool::runs_here() const {
    return current_pool == this;
}

void WorkerPool::work() {
    current_pool = this;
    for (std::unique_lock lock(mutex_);; lock.lock()) {
        ++idle_;
        ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (queue_.empty()) {
            return;
        }
        {
            // Destroyed before the lock is taken again: what a function holds may post from its destructor.
            const Function function = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            survive("runtime", name_, function);
        }
        run_thread_check();
    }
}

bool WorkerPool::stop(SteadyTime deadline) {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    ready_.notify_all();
    const auto ended = [deadline](const auto& thread) { return thread->join_until(deadline); };
    return std::count_if(threads_.begin(), threads_.end(), ended) == std::ssize(threads_);
}

}  // namespace ktrdr
