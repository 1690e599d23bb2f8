#include <ktrdr/base/live.hpp>

#include <boost/core/demangle.hpp>
#include <condition_variable>
#include <mutex>

namespace ktrdr {
namespace {

/// Never destroyed: objects may outlive the end of `main`.
struct Counts {
    std::mutex mutex{};
    std::condition_variable fell{};
    /// A node never moves.
    std::map<std::string, LiveCount> by_class{};
};

Counts& counts() {
    static Counts& made = *new Counts;
    return made;
}

std::string class_name(const std::type_info& type) {
    std::string name = boost::core::demangle(type.name());
    const std::string house = "ktrdr::";
    return name.starts_with(house) ? name.substr(house.size()) : name;
}

}  // namespace

std::atomic<int> LiveCount::waiters_{0};

LiveCount& LiveCount::of(const std::type_info& type) noexcept {
    const std::scoped_lock lock(counts().mutex);
    return counts().by_class[class_name(type)];
}

void LiveCount::tell_waiters() noexcept {
    {
        const std::scoped_lock lock(counts().mutex);
    }
    counts().fell.notify_all();
}

LiveObjects live_objects() {
    LiveObjects found;
    const std::scoped_lock lock(counts().mutex);
    for (const auto& [name, count] : counts().by_class) {
        found.emplace(name, count.get());
    }
    return found;
}

LiveObjects wait_for_live(const LiveObjects& limits, std::chrono::nanoseconds timeout) {
    LiveObjects excess;
    const auto none = [&] {
        excess.clear();
        for (const auto& [name, count] : counts().by_class) {
            const auto limit = limits.find(name);
            const std::int64_t over = count.get() - (limit == limits.end() ? 0 : limit->second);
            if (over > 0) {
                excess.emplace(name, over);
            }
        }
        return excess.empty();
    };
    std::unique_lock lock(counts().mutex);
    ++LiveCount::waiters_;
    counts().fell.wait_for(lock, timeout, none);
    --LiveCount::waiters_;
    return excess;
}

}  // namespace ktrdr
