#include <ktrdr/base/clock.hpp>

namespace ktrdr {
namespace {

class SystemClock final : public Clock {
public:
    [[nodiscard]] SteadyTime now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] UtcTime utc_now() const override {
        return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
    }
};

}  // namespace

const Clock& system_clock() {
    // Never destroyed: a worker may ask for the time while the process ends.
    static const Clock* const clock = new SystemClock;
    return *clock;
}

}  // namespace ktrdr
