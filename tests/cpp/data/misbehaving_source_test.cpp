// Loads from a provider that misbehaves in every way that data.md names, alone and in any mix, judged against what it
// has.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <random>
#include <set>

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

/// What a provider may do wrong.
enum class Misdeed {
    lag,
    cap,
    cap_oldest,
    round_down,
    round_up,
    other_range,
    repeat,
    shuffle,
    revise,
    rebase,
    stamp_by_end,
    local_midnight,
    null_rows,
    half,
    error_text,
    silence,
    wrong_clock,
};

const std::array<Misdeed, 17> misdeeds{Misdeed::lag,        Misdeed::cap,          Misdeed::cap_oldest,
                                       Misdeed::round_down, Misdeed::round_up,     Misdeed::other_range,
                                       Misdeed::repeat,     Misdeed::shuffle,      Misdeed::revise,
                                       Misdeed::rebase,     Misdeed::stamp_by_end, Misdeed::local_midnight,
                                       Misdeed::null_rows,  Misdeed::half,         Misdeed::error_text,
                                       Misdeed::silence,    Misdeed::wrong_clock};

/// One of these is in a warning or an error of the load to which it was done.
const std::map<Misdeed, std::vector<std::string_view>> words_of{
    {Misdeed::lag, {"did not come", "came short"}},
    {Misdeed::cap, {"did not come", "came short"}},
    {Misdeed::cap_oldest, {"did not come", "came short"}},
    {Misdeed::round_down, {"did not come", "came short"}},
    {Misdeed::round_up, {}},
    {Misdeed::other_range, {"when it was asked for"}},
    {Misdeed::repeat, {"bars that cannot be"}},
    {Misdeed::shuffle, {"bars that cannot be"}},
    {Misdeed::revise, {"have other numbers at the provider"}},
    {Misdeed::rebase, {"has re-based its history"}},
    {Misdeed::stamp_by_end, {"stamped by their end", "stamped inside of their periods"}},
    {Misdeed::local_midnight, {"stamped inside of their periods"}},
    {Misdeed::null_rows, {"left out"}},
    {Misdeed::half, {"did not come", "came short"}},
    {Misdeed::error_text, {"may lack bars"}},
    {Misdeed::silence, {"did not come"}},
    {Misdeed::wrong_clock, {"the clock of IB is"}},
};

/// Without a calendar nobody can tell that these bars are those of other stamps, and bars that no refresh names stay.
bool changes_stamps(Misdeed misdeed) {
    return misdeed == Misdeed::stamp_by_end || misdeed == Misdeed::local_midnight;
}

/// What only bars beside what is stored can show, and only a refresh mends.
bool changes_bars(Misdeed misdeed) {
    return changes_stamps(misdeed) || misdeed == Misdeed::revise || misdeed == Misdeed::rebase;
}

void scale(Bars& bars, std::size_t row, double by) {
    for (auto* column : {&bars.open, &bars.high, &bars.low, &bars.close}) {
        (*column)[row] *= by;
    }
}

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
    Bars kept_back(Bars bars) {
        const std::size_t count = bars.size();
        switch (upto(known_ ? 3 : 2)) {
            case 0: return {};
            case 1: return bars.rows(count / 2, count);
            case 2: return bars.rows(0, count / 2);
            default: break;
        }
        if (count <= 2) {
            return bars;
        }
        const auto first = static_cast<std::size_t>(upto(static_cast<int>(count) - 2));
        return without(bars, first, std::min(count, first + 1 + count / 4));
    }

    Bars of_another_range(TimeRange segment) const {
        // Earlier where there is nothing later.
        Bars later = closed().slice({segment.end + days{1}, segment.end + days{30}});
        return later.empty() ? closed().slice({segment.start - days{30}, segment.start - days{1}}) : later;
    }

    /// As a vendor stamps who stamps a day's bar by the end of it, or of its session.
    [[nodiscard]] Bars stamped_by_end(Bars bars) const {
        for (std::int64_t& stamp : bars.time) {
            const UtcTime start{std::chrono::nanoseconds{stamp}};
            const UtcTime end = by_the_close_ || key_.timeframe.is_intraday() ? grid_.end_of(start) : start + days{1};
            stamp = end.time_since_epoch().count();
        }
        return bars;
    }

    [[nodiscard]] Bars by_local_midnights(Bars bars) const {
        for (std::int64_t& stamp : bars.time) {
            stamp -= std::chrono::nanoseconds{east_}.count();
        }
        return bars;
    }

    /// Whether anything came of it.
    bool done(Misdeed misdeed, TimeRange segment, SourceAnswer& answer) {
        Bars& bars = answer.bars;
        const Bars before = bars;
        const std::size_t count = bars.size();
        const auto most = static_cast<std::size_t>(20 + upto(100));
        switch (misdeed) {
            case Misdeed::lag: bars = bars.slice({UtcTime::min(), clock_.utc_now() - minutes{upto(24 * 60)}}); break;
            case Misdeed::cap: bars = bars.rows(count - std::min(count, most), count); break;
            case Misdeed::cap_oldest: bars = bars.rows(0, std::min(count, most)); break;
            case Misdeed::round_down:
                if (const auto weeks = (segment.end - segment.start) / days{7}; weeks > 0) {
                    bars = bars.slice({segment.end - weeks * days{7}, segment.end});
                }
                break;
            case Misdeed::round_up: bars = closed().slice({segment.start - days{9}, segment.end + days{3}}); break;
            case Misdeed::other_range: bars = of_another_range(segment); break;
            case Misdeed::repeat:
                if (count > 0) {
                    const auto row = static_cast<std::size_t>(upto(static_cast<int>(count) - 1));
                    Bars twice = bars.rows(0, row + 1);
                    for (std::size_t i = row; i < count; ++i) {
                        twice.push_back(bars.time[i], bars.open[i], bars.high[i], bars.low[i], bars.close[i],
                                        bars.volume[i]);
                    }
                    bars = std::move(twice);
                }
                break;
            case Misdeed::shuffle:
                if (count > 3) {
                    std::swap(bars.time[1], bars.time[2]);
                    for (auto* column : {&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume}) {
                        std::swap((*column)[1], (*column)[2]);
                    }
                }
                break;
            case Misdeed::revise:
                for (std::size_t row = 0; row < count; row += 2) {
                    bars.close[row] = bars.low[row];
                }
                break;
            case Misdeed::rebase:
                for (std::size_t row = 0; row < count; ++row) {
                    scale(bars, row, ratio_);
                }
                break;
            case Misdeed::stamp_by_end: bars = stamped_by_end(bars); break;
            case Misdeed::local_midnight: bars = key_.timeframe.is_intraday() ? bars : by_local_midnights(bars); break;
            case Misdeed::null_rows:
                for (int i = upto(30); i > 0 && bars.size() > 1; --i) {
                    const auto row = static_cast<std::size_t>(upto(static_cast<int>(bars.size()) - 1));
                    answer.dropped.push_back({bars.start_of(row), "has no number `open`"});
                    bars = without(bars, row, row + 1);
                }
                break;
            case Misdeed::half: bars = bars.rows(0, count / 2); break;
            case Misdeed::error_text:
                bars = bars.rows(0, count / 2);
                answer.partial = "the service says: partial";
                break;
            case Misdeed::silence: bars = kept_back(bars); break;
            case Misdeed::wrong_clock:
                answer.provider_now = clock_.utc_now() + minutes{once_in(2) ? 30 : -30};
                return true;
        }
        return bars != before || !answer.partial.empty();
    }

    /// Whether an answer lacks a bar that is not stored, where it is bars that it holds back.
    [[nodiscard]] bool is_felt(Misdeed misdeed, TimeRange segment, const SourceAnswer& answer) const {
        if (words_of.at(misdeed) != words_of.at(Misdeed::lag) && misdeed != Misdeed::silence) {
            return true;
        }
        const Bars all = closed().slice(segment);
        const Bars have = stored();
        return std::any_of(all.time.begin(), all.time.end(), [&](std::int64_t stamp) {
            return !std::binary_search(have.time.begin(), have.time.end(), stamp) &&
                   !std::binary_search(answer.bars.time.begin(), answer.bars.time.end(), stamp);
        });
    }

    /// Any mix, of what may be done now.
    SourceAnswer bad(TimeRange segment, bool may_be_silent) {
        SourceAnswer answer = good(segment);
        std::set<Misdeed> mix;
        for (int i = upto(3); i > 0; --i) {
            const Misdeed one = misdeeds.at(static_cast<std::size_t>(upto(static_cast<int>(misdeeds.size()) - 1)));
            const bool other_stamps = changes_stamps(one) && (!known_ || stamps_changed(mix));
            if (!other_stamps && (one != Misdeed::silence || may_be_silent)) {
                mix.insert(one);
            }
        }
        // Rows that are no bars are among those that come, and one bar alone may be an auction's, whenever it is.
        for (const int turn : {0, 1, 2}) {
            for (const Misdeed one : mix) {
                const int own = changes_stamps(one) ? 2 : (one == Misdeed::null_rows ? 1 : 0);
                if (own == turn && (turn < 2 || answer.bars.size() > 1) && done(one, segment, answer)) {
                    did_.insert(one);
                }
            }
        }
        return answer;
    }

    static bool stamps_changed(const std::set<Misdeed>& mix) {
        return std::any_of(mix.begin(), mix.end(), changes_stamps);
    }

    [[nodiscard]] bool bars_changed() const { return std::any_of(did_.begin(), did_.end(), changes_bars); }

    /// Whether a stored bar is not what the provider has for its stamp.
    [[nodiscard]] bool has_other_numbers() const {
        const Bars have = stored();
        const Bars all = closed();
        for (std::size_t i = 0; i < have.size(); ++i) {
            const std::size_t row = all.row_from(have.start_of(i));
            if (row < all.size() && all.time[row] == have.time[i] && all.rows(row, row + 1) != have.rows(i, i + 1)) {
                return true;
            }
        }
        return false;
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

    /// What a load has said.
    std::vector<std::string> said(const Result<BarsPtr>& loaded) const {
        std::vector<std::string> texts;
        for (const auto& warning : operation_->record().warnings) {
            texts.emplace_back(warning);
        }
        if (!loaded) {
            texts.push_back(loaded.error().message);
        }
        return texts;
    }

    void begin_case(const Market& market) {
        known_ = market.contract.asset_class == "crypto" || market.contract.currency == "USD";
        key_ = {.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse(market.timeframe).value()};
        grid_ = BarGrid::make(key_.timeframe, SessionCalendar::shipped(market.calendar).value(), {.provider = "IB"})
                    .value();
        store_ = BarStore::open(folder_.path() / fmt::format("{}.db", files_++)).value();
        // Each seed is a case of its own, whatever ran before it.
        clock_.advance(at("2024-06-03T15:30") + hours{upto(20'000)} - clock_.utc_now());
        start_ = clock_.utc_now() - market.length - minutes{upto(5000)};
        truth_ = bars_at(grid_.expected({start_ - days{60}, clock_.utc_now() + days{60}}).value(), random_);
        source_ = std::make_shared<FakeSource>();
        source_->contract = market.contract;
        did_.clear();
        constexpr std::array<double, 5> ratios{0.25, 0.5, 0.9, 2, 10};
        ratio_ = ratios.at(static_cast<std::size_t>(upto(4)));
        by_the_close_ = once_in(2);
        // New York, London in summer, Berlin, Moscow, Calcutta.
        constexpr std::array<int, 5> zones{-4 * 60, 60, 120, 180, 330};
        east_ = minutes{zones.at(static_cast<std::size_t>(upto(4)))};
    }

    void run(unsigned seed) {
        random_.seed(seed);
        const Market& market = markets.at(static_cast<std::size_t>(upto(static_cast<int>(markets.size()) - 1)));
        begin_case(market);
        // One at a time the same seed is the same case; several meet each other in an order of their own.
        const auto lanes = static_cast<std::size_t>(soak_count(1, 1 + upto(2)));
        source_->limits = {.max_span = market.span, .max_in_flight = lanes};

        const int bad_loads = 1 + upto(2);
        const int silent_load = upto(bad_loads);
        bool told = false;
        for (int i = 0; i < bad_loads; ++i) {
            source_->bars = [&, i](TimeRange segment) { return bad(segment, i == silent_load); };
            source_->on_fetch = [&](TimeRange) -> Result<void> {
                return once_in(10) ? Result<void>(fail(Errc::host_service, "pacing")) : Result<void>{};
            };
            const auto loaded = load(asked());
            told = told || !said(loaded).empty();
            expect_nothing_lost(fmt::format("seed {}, bad load {}", seed, i));
            if (known_ && stored().slice(asked()).time != closed().time) {
                EXPECT_FALSE(said(loaded).empty()) << "seed " << seed << ": nobody was told";
            }
            clock_.advance(hours{1 + upto(40)});
        }
        source_->bars = [this](TimeRange segment) { return good(segment); };
        source_->on_fetch = nullptr;
        for (int i = 0; i < 2; ++i) {
            clock_.advance(minutes{upto(30)});
            const bool other_numbers = i == 1 && has_other_numbers();
            ASSERT_TRUE(load(asked(), LoadMode::full, "AAPL", bars_changed() && i == 1)) << seed;
            told = told || !operation_->record().warnings.empty();
            if (other_numbers) {
                EXPECT_TRUE(told || !store_->revisions(key_, stored())->empty()) << "seed " << seed;
            }
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

    /// One misdeed alone, to a load that goes on from what is stored: its words are in what the load says.
    void tell_of(Misdeed misdeed, unsigned seed) {
        random_.seed(seed);
        // Around the clock one bar's end is the next one's start.
        const Market& market = markets.at(static_cast<std::size_t>(upto(changes_stamps(misdeed) ? 1 : 2)));
        begin_case(market);
        source_->limits = {.max_span = market.span, .max_in_flight = 1};
        source_->bars = [this](TimeRange segment) { return good(segment); };
        const TimeRange first{start_, start_ + market.length / 3};
        ASSERT_TRUE(load(first));
        source_->bars = [&](TimeRange segment) {
            SourceAnswer answer = good(segment);
            if (done(misdeed, segment, answer) && is_felt(misdeed, segment, answer)) {
                did_.insert(misdeed);
            }
            return answer;
        };
        const auto loaded = load(asked());
        const auto texts = said(loaded);
        if (did_.empty()) {
            return;
        }
        ++done_;
        const auto& words = words_of.at(misdeed);
        if (words.empty()) {
            EXPECT_TRUE(loaded && stored().slice(asked()) == closed()) << "seed " << seed;
            return;
        }
        const auto has_words = [&words](const std::string& text) {
            return std::any_of(words.begin(), words.end(),
                               [&text](std::string_view one) { return text.find(one) != std::string::npos; });
        };
        EXPECT_TRUE(std::any_of(texts.begin(), texts.end(), has_words))
            << "seed " << seed << " " << market.timeframe << " " << market.contract.asset_class << ": misdeed "
            << static_cast<int>(misdeed) << " was told as " << testing::PrintToString(texts);
        // What is stored under a stamp is what the provider has for it.
        if (misdeed != Misdeed::revise && misdeed != Misdeed::rebase) {
            const Bars have = stored();
            const Bars all = closed();
            for (std::size_t i = 0; i < have.size(); ++i) {
                const std::size_t row = all.row_from(have.start_of(i));
                ASSERT_TRUE(row < all.size() && all.time[row] == have.time[i] && all.open[row] == have.open[i])
                    << "seed " << seed << ": misdeed " << static_cast<int>(misdeed) << " stored another bar under "
                    << format_time(have.start_of(i));
            }
        }
    }

    std::mt19937 random_{};
    BarGrid grid_{Timeframe::parse("1d").value()};
    Bars truth_{};
    UtcTime start_{};
    bool known_{false};
    int files_{0};
    /// Misdeeds that made an answer another one.
    std::set<Misdeed> did_{};
    /// Cases in which one was done.
    int done_{0};
    double ratio_{1};
    bool by_the_close_{false};
    /// Of Greenwich is the vendor whose midnights are stamped.
    minutes east_{0};
};

TEST_P(MisbehavingSource, LosesNoBarOnceItBehavesAgain) {
    const int each = soak_count(1, 250);
    for (int i = 0; i < each && !HasFailure(); ++i) {
        run(static_cast<unsigned>(GetParam() * 1000 + i));
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MisbehavingSource, testing::Range(0, 40));

class EachMisdeed : public MisbehavingSource {};

TEST_P(EachMisdeed, IsToldByItsName) {
    const Misdeed misdeed = misdeeds.at(static_cast<std::size_t>(GetParam()));
    const int each = soak_count(12, 200);
    for (int i = 0; i < each && !HasFailure(); ++i) {
        tell_of(misdeed, static_cast<unsigned>(GetParam() * 1000 + i));
    }
    EXPECT_GE(done_, each / 8) << "the case was hardly made";
}

INSTANTIATE_TEST_SUITE_P(Misdeeds, EachMisdeed, testing::Range(0, static_cast<int>(misdeeds.size())));

}  // namespace
}  // namespace ktrdr
