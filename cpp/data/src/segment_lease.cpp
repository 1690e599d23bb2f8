#include "segment_lease.hpp"

#include <fmt/format.h>

#include <ktrdr/coroutines/pause.hpp>

namespace ktrdr {
namespace asio = boost::asio;

namespace {

/// Tells of a wait as long as it lives.
class Waiting final {
public:
    explicit Waiting(const std::function<void(bool)>& told) : told_(told) { tell(true); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { tell(false); }

private:
    void tell(bool waits) const {
        if (told_) {
            told_(waits);
        }
    }

    const std::function<void(bool)>& told_;
};

}  // namespace

asio::awaitable<Result<SegmentLease>> lease_segment(std::shared_ptr<BarStore> store, SeriesKey key, TimeRange range,
                                                    CancellationToken token, LeasePatience patience) {
    const auto give_up = std::chrono::steady_clock::now() + patience.longest;
    SegmentLease leased;
    for (;;) {
        if (const auto alive =
                token.check(fmt::format("waiting for another load of {} {}", key.symbol, key.timeframe.name()));
            !alive) {
            co_return alive.error();
        }
        auto lease = store->lease(key, range);
        if (!lease) {
            co_return lease.error();
        }
        leased.lease = std::move(*lease);
        if (leased.lease || std::chrono::steady_clock::now() >= give_up) {
            co_return std::move(leased);
        }
        leased.waited = true;
        const Waiting waiting(patience.on_wait);
        co_await pause_for(patience.pause, token);
    }
}

}  // namespace ktrdr
