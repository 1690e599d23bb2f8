#include <pthread.h>

#include <atomic>

#include <ktrdr/base/fork.hpp>

namespace ktrdr {
namespace {

std::atomic<unsigned> forks{0};

}  // namespace

unsigned forks_so_far() noexcept {
    // Fails only for lack of memory; a fork is then not seen, as where nobody asks.
    static const int watched =
        ::pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
    (void)watched;
    return forks.load(std::memory_order_relaxed);
}

}  // namespace ktrdr
