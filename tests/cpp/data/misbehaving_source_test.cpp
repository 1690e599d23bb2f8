// Loads from a provider that lags, caps, rounds, shuffles, leaves out and falls silent, judged against what it has.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>

#include <data/loading_fixture.hpp>
#include <ktrdr/calendar/session_calendar.hpp>
#include <ktrdr/data/planner.hpp>
#include <ktrdr/market/time_text.hpp>

#include "soak.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

Bars bars_at(const std::vector<UtcTime>& stamps, std::mt19937& random) {
    Bars bars;
    double price = 100;
    for (const UtcTime stamp : stamps) {
        price *= 1 + std::uniform_real_distribution(-0.02, 0.02)(random);
        bars.push_back(stamp.time_since_epoch().count(), price, price * 1.01, price * 0.99, price * 1.005, 1000);
    }
    return bars;
}

Bars without(const Bars& bars, std::size_t first, std::size_t last) {
    return merge(bars.rows(0, first), bars.rows(last, bars.size()));
}

/// Whether a market is known to the load by its contract, or only to the test.
struct Market {
    const char* timeframe;
    Contract contract{};
    std::string_view calendar{};
    days length;
    days span;
};

const std::array<Market, 5> markets{{
    {"1d", {"stock", "NYSE", "USD"}, "XNYS", days{700}, days{300}},
    {"1h", {"stock", "SMART", "USD"}, "XNYS", days{60}, days{20}},
    {"30m", {"crypto", "", "USD"}, "CRYPTO", days{12}, days{5}},
    {"1d", {"stock", "TSE", "JPY"}, "XNYS", days{700}, days{300}},
    {"1h", {}, "XNYS", days{60}, days{20}},
}};

class MisbehavingSource : public LoadingTest, public testing::WithParamInterface<int> {
protected:
    int upto(int limit) { return std::uniform_int_distribution(0, limit)(random_); }
    bool once_in(int times) { return upto(times - 1) == 0; }

    [[nodiscard]] Bars closed() const {
        Bars all = truth_;
        std::size_t count = all.size();
        while (count > 0 && !grid_.is_closed(all.start_of(count - 1), clock_.utc_now())) {
            --count;
        }
        return all.rows(0, count).slice(asked());
    }

    /// The dates of each load: what a person asks for who wants everything up to now.
    [[nodiscard]] TimeRange asked() const { return {start_, BarGrid(key_.timeframe).closed_end(clock_.utc_now())}; }

    SourceAnswer good(TimeRange segment) { return closed().slice(segment); }

    /// What keeps something back in a way that two equal answers would confirm: for one load only.
    SourceAnswer silent(TimeRange segment) {
        SourceAnswer answer = good(segment);
        const std::size_t count = answer.bars.size();
        switch (upto(known_ ? 3 : 2)) {
            case 0: answer.bars = {}; break;
            case 1: answer.bars = answer.bars.rows(count / 2, count); break;
            case 2: answer.bars = answer.bars.rows(0, count / 2); break;
            default:
                if (count > 2) {
                    const auto first = static_cast<std::size_t>(upto(static_cast<int>(count) - 2));
                    answer.bars = without(answer.bars, first, std::min(count, first + 1 + count / 4));
                }
        }
        return answer;
    }

    SourceAnswer bad(TimeRange segment) {
        SourceAnswer answer = good(segment);
        Bars& bars = answer.bars;
        const auto most = static_cast<std::size_t>(20 + upto(100));
        switch (upto(9)) {
            case 0: bars = bars.slice({UtcTime::min(), clock_.utc_now() - minutes{upto(24 * 60)}}); break;
            case 1: bars = bars.rows(bars.size() - std::min(bars.size(), most), bars.size()); break;
            case 2: bars = bars.rows(0, std::min(bars.size(), most)); break;
            case 3: {  // durations in whole weeks, rounded down
                const auto weeks = (segment.end - segment.start) / days{7};
                bars = weeks > 0 ? bars.slice({segment.end - weeks * days{7}, segment.end}) : bars;
                break;
            }
            case 4: bars = closed().slice({segment.start - days{9}, segment.end + days{3}}); break;
            case 5:  // another range, earlier where there is nothing later
                bars = closed().slice({segment.end + days{1}, segment.end + days{30}});
                if (bars.empty()) {
                    bars = closed().slice({segment.start - days{30}, segment.start - days{1}});
                }
                break;
            case 6:
                if (bars.size() > 3) {
                    std::swap(bars.time[1], bars.time[2]);
                }
                break;
            case 7:
                for (int i = upto(30); i > 0 && bars.size() > 1; --i) {
                    const auto row = static_cast<std::size_t>(upto(static_cast<int>(bars.size()) - 1));
                    answer.dropped.push_back({bars.start_of(row), "has no number `open`"});
                    bars = without(bars, row, row + 1);
                }
                break;
            case 8:
                bars = bars.rows(0, bars.size() / 2);
                answer.partial = "the service says: partial";
                break;
            default: break;
        }
        return answer;
    }

    void expect_nothing_lost(std::string_view when) {
        const SeriesFacts facts = store_->facts(key_).value();
        const auto missing = missing_ranges(asked(), facts, known_ ? grid_ : BarGrid(key_.timeframe), clock_.utc_now());
        const Bars have = stored();
        const Bars all = closed();
        for (std::size_t i = 0; i < all.size(); ++i) {
            const UtcTime start = all.start_of(i);
            const bool there = std::binary_search(have.time.begin(), have.time.end(), all.time[i]);
            const bool asked_again = std::any_of(missing.begin(), missing.end(),
                                                 [start](const TimeRange& part) { return part.contains(start); });
            ASSERT_TRUE(there || asked_again) << when << ": the bar of " << format_time(start) << " is lost";
        }
    }

    void run(unsigned seed) {
        random_.seed(seed);
        const Market& market = markets.at(static_cast<std::size_t>(upto(static_cast<int>(markets.size()) - 1)));
        known_ = market.contract.asset_class == "crypto" || market.contract.currency == "USD";
        key_ = {.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse(market.timeframe).value()};
        grid_ = BarGrid::make(key_.timeframe, SessionCalendar::shipped(market.calendar).value(), {.provider = "IB"})
                    .value();
        store_ = BarStore::open(folder_.path() / fmt::format("{}.db", seed)).value();
        // Each seed is a case of its own, whatever ran before it.
        clock_.advance(at("2024-06-03T15:30") + hours{upto(20'000)} - clock_.utc_now());
        start_ = clock_.utc_now() - market.length - minutes{upto(5000)};
        truth_ = bars_at(grid_.expected({start_ - days{60}, clock_.utc_now() + days{60}}).value(), random_);
        source_ = std::make_shared<FakeSource>();
        source_->contract = market.contract;
        // One at a time the same seed is the same case; several meet each other in an order of their own.
        const auto lanes = static_cast<std::size_t>(soak_count(1, 1 + upto(2)));
        source_->limits = {.max_span = market.span, .max_in_flight = lanes};

        const int bad_loads = 1 + upto(2);
        const int silent_load = upto(bad_loads);
        for (int i = 0; i < bad_loads; ++i) {
            source_->bars = [&, i](TimeRange segment) {
                return i == silent_load && once_in(2) ? silent(segment) : bad(segment);
            };
            source_->on_fetch = [&](TimeRange) -> Result<void> {
                return once_in(10) ? Result<void>(fail(Errc::host_service, "pacing")) : Result<void>{};
            };
            const auto loaded = load(asked());
            expect_nothing_lost(fmt::format("seed {}, bad load {}", seed, i));
            if (known_ && loaded && stored().slice(asked()) != closed()) {
                EXPECT_FALSE(operation_->record().warnings.empty()) << "seed " << seed << ": nobody was told";
            }
            clock_.advance(hours{1 + upto(40)});
        }
        source_->bars = [this](TimeRange segment) { return good(segment); };
        source_->on_fetch = nullptr;
        for (int i = 0; i < 2; ++i) {
            clock_.advance(minutes{upto(30)});
            ASSERT_TRUE(load(asked())) << seed;
        }
        EXPECT_TRUE(stored().slice(asked()) == closed()) << "seed " << seed;
        expect_nothing_lost(fmt::format("seed {}, at last", seed));
        if (known_) {
            ASSERT_TRUE(load(asked()));
            source_->fetched.clear();
            ASSERT_TRUE(load(asked()));
            EXPECT_TRUE(source_->fetched.empty()) << "seed " << seed << ": a range that is whole is asked for";
        }
    }

    std::mt19937 random_{};
    BarGrid grid_{Timeframe::parse("1d").value()};
    Bars truth_{};
    UtcTime start_{};
    bool known_{false};
};

TEST_P(MisbehavingSource, LosesNoBarOnceItBehavesAgain) {
    const int each = soak_count(1, 250);
    for (int i = 0; i < each && !HasFailure(); ++i) {
        run(static_cast<unsigned>(GetParam() * 1000 + i));
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MisbehavingSource, testing::Range(0, 40));

}  // namespace
}  // namespace ktrdr
