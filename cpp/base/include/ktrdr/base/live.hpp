#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <typeinfo>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Numbers of live objects by the name of their class, without `ktrdr::`.
using LiveObjects = std::map<std::string, std::int64_t>;

/// How many objects of one class are alive.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT LiveCount final {
public:
    /// The process's count of that class; made when it is first asked for, never destroyed.
    [[nodiscard]] static LiveCount& of(const std::type_info& type) noexcept;

    void add() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
    void remove() noexcept {
        // In one order with what a waiter does, so that one of the two sees the other.
        count_.fetch_sub(1);
        if (waiters_.load() != 0) {
            tell_waiters();
        }
    }
    [[nodiscard]] std::int64_t get() const noexcept { return count_.load(); }

private:
    friend KTRDR_EXPORT LiveObjects wait_for_live(const LiveObjects&, std::chrono::nanoseconds);
    static void tell_waiters() noexcept;

    static std::atomic<int> waiters_;
    std::atomic<std::int64_t> count_{0};
};

/// A base, last in the list, whose objects count as live ones of `T`: the class itself, or the one whose state it is.
///
/// Cost: an atomic addition, and at the end another one; no memory.
template <class T>
class KTRDR_EXPORT Counted {
public:
    Counted() noexcept { live_count().add(); }
    Counted(const Counted&) noexcept : Counted() {}
    Counted& operator=(const Counted&) noexcept = default;
    ~Counted() { live_count().remove(); }

    friend bool operator==(const Counted&, const Counted&) noexcept { return true; }

private:
    static LiveCount& live_count() noexcept {
        static LiveCount& found = LiveCount::of(typeid(T));
        return found;
    }
};

/// Every class of which an object was made, with how many are alive now.
[[nodiscard]] KTRDR_EXPORT LiveObjects live_objects();

/// Block until no class has more live objects than `limits` says, where it says nothing none, at most `timeout`. What
/// there is too much of then, empty when nothing is.
[[nodiscard]] KTRDR_EXPORT LiveObjects wait_for_live(const LiveObjects& limits, std::chrono::nanoseconds timeout);

}  // namespace ktrdr
