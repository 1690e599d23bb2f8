#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/coroutines/gate.hpp>
#include <ktrdr/data/bar_source.hpp>

namespace ktrdr {

/// A source that has the bars it was given: for demonstrations, and tests of what loads, without a service.
///
/// Errors: `symbol_unknown` for a symbol without bars; what `fail_with` said.
/// Cancellation: a fetch that is held ends with `cancelled` (or `timed_out`).
/// Thread safety: every member from any thread.
/// Lifetime: `io` and the clock must outlive it.
class KTRDR_EXPORT ScriptedSource final : public BarSource {
public:
    /// `provider`: under which its bars are stored. With a clock it gives only bars that are closed by then.
    ScriptedSource(Executor& io, std::string provider, const Clock* clock = nullptr)
        : io_(io), provider_(std::move(provider)), clock_(clock) {}

    /// What it has of a series from now on, in place of what it had. `invalid_argument` for bars that cannot be (see
    /// `Bars::check`) and a symbol that nobody could ask for.
    [[nodiscard]] Result<void> set_bars(const std::string& symbol, const Timeframe& timeframe, Bars bars);
    /// Every fetch ends so from now on; unset: with its bars again.
    void fail_with(std::optional<Error> error);
    /// Keep every fetch that comes from now on, until `release`.
    void hold();
    void release();
    /// Wait until a fetch is held; false when none was within `limit`.
    [[nodiscard]] bool wait_until_held(std::chrono::nanoseconds limit);
    /// How many fetches it was asked for, those that failed or are held among them.
    [[nodiscard]] std::size_t fetches() const;

    [[nodiscard]] std::string provider() const override { return provider_; }
    [[nodiscard]] SourceLimits describe(const Timeframe&) const override { return {}; }
    [[nodiscard]] boost::asio::awaitable<Result<Contract>> validate_symbol(std::string symbol, Timeframe timeframe,
                                                                           SourceCall call) override;
    [[nodiscard]] boost::asio::awaitable<Result<std::optional<UtcTime>>> first_timestamp(std::string symbol,
                                                                                         Timeframe timeframe,
                                                                                         SourceCall call) override;
    [[nodiscard]] boost::asio::awaitable<Result<SourceAnswer>> fetch(std::string symbol, Timeframe timeframe,
                                                                     TimeRange segment, SourceCall call) override;

private:
    using Series = std::pair<std::string, std::string>;
    /// Counts a fetch; the gate it has to wait at, null for none.
    [[nodiscard]] std::shared_ptr<Gate> enter();
    void leave(const std::shared_ptr<Gate>& gate);
    /// What the series has inside `segment`.
    [[nodiscard]] Result<SourceAnswer> answer(const Series& series, const BarGrid& grid, TimeRange segment) const;
    /// Its series, for an error.
    [[nodiscard]] std::string contents() const;

    Executor& io_;
    const std::string provider_;
    const Clock* const clock_;
    mutable std::mutex mutex_;
    std::condition_variable held_one_;
    std::map<Series, Bars> bars_{};
    std::optional<Error> error_{};
    std::size_t fetches_{0};
    bool holding_{false};
    /// Opened on the io thread only.
    std::vector<std::shared_ptr<Gate>> held_{};
};

}  // namespace ktrdr
