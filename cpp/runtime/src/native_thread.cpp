#include <ktrdr/runtime/native_thread.hpp>

#include <pthread.h>

#include <atomic>
#include <csignal>

namespace ktrdr {
namespace {

std::atomic<ThreadCheck> thread_check{nullptr};

/// A new thread inherits the mask of the one that makes it, so no signal can reach it even at its very start.
class SignalsBlocked {
public:
    SignalsBlocked() noexcept {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

}  // namespace

NativeThread::NativeThread(std::string name, std::function<void()> body) {
    const SignalsBlocked blocked;
    thread_ = std::thread([this, name = std::move(name), body = std::move(body)] {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        body();
        ended_.set_value_at_thread_exit();
    });
}

NativeThread::~NativeThread() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

bool NativeThread::join_until(SteadyTime deadline) {
    if (!thread_.joinable()) {
        return true;
    }
    if (ended_.get_future().wait_until(deadline) != std::future_status::ready) {
        thread_.detach();
        return false;
    }
    thread_.join();
    return true;
}

void set_thread_check(ThreadCheck check) noexcept {
    thread_check.store(check, std::memory_order_release);
}

bool has_thread_check() noexcept {
    return thread_check.load(std::memory_order_acquire) != nullptr;
}

void run_thread_check() noexcept {
    if (const ThreadCheck check = thread_check.load(std::memory_order_acquire); check != nullptr) {
        check();
    }
}

}  // namespace ktrdr
