#include <ktrdr/runtime/native_thread.hpp>

#include <cxxabi.h>
#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <memory>
#include <new>

namespace ktrdr {
namespace {

std::atomic<ThreadCheck> thread_check{nullptr};

// What a library that was loaded later keeps for each thread is made by the loader when a thread first asks for it;
// where no memory is left then, the loader ends the process. So a thread asks for it first of all, out of memory that
// whoever made the thread has laid by: for what is declared here, which comes in one piece with the rest of this
// library's, and for what the standard library's first `throw` needs.
constexpr std::size_t laid_by = std::size_t{2} << 20U;
thread_local void* volatile asked_for = nullptr;

struct Unmapped {
    void operator()(void* memory) const noexcept { munmap(memory, laid_by); }
};
/// Mapped, for what malloc takes back serves only who shares its arena.
using LaidBy = std::unique_ptr<void, Unmapped>;

LaidBy lay_by() {
    void* const memory = mmap(nullptr, laid_by, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::bad_alloc();
    }
    return LaidBy(memory);
}

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
    thread_ = std::thread([this, memory = lay_by(), name = std::move(name), body = std::move(body)]() mutable {
        memory.reset();
        // Kept, for a call whose value is dropped a compiler leaves out.
        asked_for = abi::__cxa_get_globals();
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
