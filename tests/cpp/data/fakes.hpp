#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <set>

#include <ktrdr/data/bar_source.hpp>

#include "executors.hpp"
#include "held_calendars.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {

/// A bar for every day of `within`, its price the day's number since 1970.
inline Bars daily_bars(TimeRange within) {
    Bars bars;
    for (auto day = std::chrono::ceil<std::chrono::days>(within.start); day < within.end; day += std::chrono::days{1}) {
        const auto price = static_cast<double>(day.time_since_epoch().count());
        bars.push_back(UtcTime{day}.time_since_epoch().count(), price, price + 1, price - 1, price + 0.5, 1000);
    }
    return bars;
}

/// A provider with a bar for every day, and whatever a test wants to go wrong.
class FakeSource final : public BarSource {
public:
    std::set<std::string> symbols{"AAPL", "MSFT"};
    Contract contract{};
    std::optional<UtcTime> first{};
    SourceLimits limits{.max_span = std::chrono::days{730}, .max_in_flight = 3};
    /// A fetch ends once so many have been under way together, if that comes about.
    std::size_t gather{0};
    /// How long an answer takes.
    std::chrono::milliseconds takes{0};
    /// Called on the io thread when a fetch has come in; an error it answers is the fetch's.
    std::function<Result<void>(TimeRange)> on_fetch{};
    std::function<SourceAnswer(TimeRange)> bars{daily_bars};
    std::optional<Error> first_timestamp_error{};

    int validations{0};
    int first_timestamps{0};
    std::vector<TimeRange> fetched{};
    /// The symbol of each.
    std::vector<std::string> asked_for{};
    std::size_t in_flight{0};
    std::size_t most_in_flight{0};

    [[nodiscard]] int calls() const { return validations + first_timestamps + static_cast<int>(fetched.size()); }

    [[nodiscard]] std::string provider() const override { return "IB"; }
    [[nodiscard]] SourceLimits describe(const Timeframe&) const override { return limits; }

    [[nodiscard]] boost::asio::awaitable<Result<Contract>> validate_symbol(std::string symbol, Timeframe,
                                                                           SourceCall) override {
        ++validations;
        co_await give_way();
        if (!symbols.contains(symbol)) {
            co_return fail(Errc::symbol_unknown, "the provider does not know the symbol " + symbol);
        }
        co_return contract;
    }

    [[nodiscard]] boost::asio::awaitable<Result<std::optional<UtcTime>>> first_timestamp(std::string, Timeframe,
                                                                                         SourceCall) override {
        ++first_timestamps;
        co_await give_way();
        if (first_timestamp_error) {
            co_return *first_timestamp_error;
        }
        co_return first;
    }

    [[nodiscard]] boost::asio::awaitable<Result<SourceAnswer>> fetch(std::string symbol, Timeframe, TimeRange segment,
                                                                     SourceCall call) override {
        fetched.push_back(segment);
        asked_for.push_back(std::move(symbol));
        most_in_flight = std::max(most_in_flight, ++in_flight);
        co_await give_way();
        for (int turns = 0; most_in_flight < gather && turns < 1'000'000; ++turns) {
            co_await give_way();
        }
        if (takes.count() > 0) {
            boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, takes);
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
        Result<void> allowed = on_fetch ? on_fetch(segment) : Result<void>{};
        --in_flight;
        if (allowed) {
            allowed = call.token.check("a fetch");
        }
        if (!allowed) {
            co_return allowed.error();
        }
        co_return bars(segment);
    }

private:
    static boost::asio::awaitable<void> give_way() {
        co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
    }
};

}  // namespace ktrdr
