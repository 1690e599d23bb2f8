#include <ktrdr/base/ids.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>

#include <ktrdr/base/fork.hpp>

namespace ktrdr {
namespace {

/// Milliseconds and a 12-bit counter, so that ids of one millisecond stay in order (RFC 9562, section 6.2).
struct Sequence {
    std::mutex mutex;
    std::uint64_t last{0};
    std::mt19937_64 random{};
    /// The forks there had been when `random` was seeded: a fork would make its parent's ids again.
    std::optional<unsigned> seeded{};
};

Sequence& sequence() {
    static auto* const instance = new Sequence;  // Never destroyed: workers make ids until the very end.
    return *instance;
}

}  // namespace

std::string make_uuid7(const Clock& clock) {
    const auto since = clock.utc_now().time_since_epoch();
    // A machine whose clock was never set may stand before 1970.
    const auto millis = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(since).count()));
    Sequence& state = sequence();
    const std::scoped_lock lock(state.mutex);
    if (const unsigned forks = forks_so_far(); state.seeded != forks) {
        state.seeded = forks;
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device()};
        state.random.seed(seed);
    }
    state.last = std::max(state.last + 1, millis << 12U);
    const std::uint64_t stamp = state.last >> 12U;
    const std::uint64_t random = (state.random() & 0x3fff'ffff'ffff'ffffULL) | 0x8000'0000'0000'0000ULL;
    return fmt::format("{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}", stamp >> 16U, stamp & 0xffffU, state.last & 0xfffU,
                       random >> 48U, random & 0xffff'ffff'ffffULL);
}

std::string make_operation_id(std::string_view type, const Clock& clock) {
    return fmt::format("op_{}_{}", type, make_uuid7(clock));
}

Result<void> check_id(std::string_view field, std::string_view id) {
    const auto allowed = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               std::string_view("._:-").find(c) != std::string_view::npos;
    };
    if (!id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), allowed)) {
        return {};
    }
    return fail(Errc::invalid_argument,
                fmt::format("{} must be 1 to 128 letters, digits or ._:- (it has {} characters)", field, id.size()),
                {{"field", field}});
}

}  // namespace ktrdr
