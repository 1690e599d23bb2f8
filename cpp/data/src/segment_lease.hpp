#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/cancellation/token.hpp>

namespace ktrdr {

/// How a load waits for another that asks for the same bars.
struct LeasePatience {
    /// Between two looks, which cost a system call each. Others of this process and of other ones alike are seen by
    /// them.
    std::chrono::milliseconds pause{50};
    /// One that holds a lease for longer hangs, and is not waited for any more.
    std::chrono::nanoseconds longest{std::chrono::minutes{10}};
    /// Told when it begins to wait, and when that is over. May be empty.
    std::function<void(bool waits)> on_wait{};
};

/// What came of waiting for a lease.
struct SegmentLease {
    /// Null where another held it for longer than anybody waits.
    std::unique_ptr<FileLease> lease{};
    /// Another had it meanwhile, and may have stored what was to be asked for: the ledger is to be read again.
    bool waited{false};
};

/// Wait until nobody else, in this process or in another, asks for bars of `range`, and keep others from doing so while
/// the lease lives. Who holds one must not wait for another.
///
/// Errors: those of `BarStore::lease`. Cancellation: at once, as `cancelled`.
KTRDR_EXPORT boost::asio::awaitable<Result<SegmentLease>> lease_segment(std::shared_ptr<BarStore> store, SeriesKey key,
                                                                        TimeRange range, CancellationToken token,
                                                                        LeasePatience patience = {});

}  // namespace ktrdr
