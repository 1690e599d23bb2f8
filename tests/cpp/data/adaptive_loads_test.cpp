// How loads get on with providers that refuse, cap, round, stamp otherwise, or whose clock is another.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <data/loading_fixture.hpp>
#include <ktrdr/calendar/session_calendar.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class AdaptiveLoads : public LoadingTest {
protected:
    void in_new_york(std::string_view timeframe) {
        key_.timeframe = Timeframe::parse(timeframe).value();
        source_->contract = {"stock", "NASDAQ", "USD"};
        grid_ = BarGrid::make(key_.timeframe, SessionCalendar::shipped("XNYS").value(), {.provider = "IB"}).value();
        source_->bars = [this](TimeRange segment) { return truth(segment); };
    }

    [[nodiscard]] Bars truth(TimeRange within) const {
        Bars bars;
        const std::vector<UtcTime> stamps = grid_.expected(within).value();
        for (const UtcTime stamp : stamps) {
            const auto price = static_cast<double>(100 + (stamp.time_since_epoch() / hours{1}) % 50);
            bars.push_back(stamp.time_since_epoch().count(), price, price + 1, price - 1, price, 1000);
        }
        return bars;
    }

    [[nodiscard]] std::vector<std::string> warnings() const { return operation_->record().warnings; }

    BarGrid grid_{Timeframe::parse("1d").value()};
    const TimeRange year_ = range("2023-01-01", "2024-01-01");
};

TEST_F(AdaptiveLoads, FillHundredsOfHolesByAFewRequestsAndChangeNoBarBetweenThem) {
    in_new_york("1h");
    source_->limits.max_span = days{180};
    // One's own bars, with every fifth missing and with other prices than the provider's.
    const Bars all = truth(year_);
    Bars own;
    std::vector<TimeRange> covered;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i % 5 != 2) {
            own.push_back(all.time[i], all.open[i] + 7, all.high[i] + 7, all.low[i] + 7, all.close[i] + 7, 5);
            covered.push_back({all.start_of(i), grid_.end_of(all.start_of(i))});
        }
    }
    ASSERT_TRUE(store_->store_own(key_, own, covered, clock_.utc_now()));
    ASSERT_TRUE(load(year_));
    EXPECT_LE(source_->fetched.size(), 4U);
    const Bars now = stored();
    EXPECT_EQ(now.time, all.time);
    for (std::size_t i = 0; i < all.size(); ++i) {
        ASSERT_EQ(now.open[i], i % 5 == 2 ? all.open[i] : all.open[i] + 7) << i;
    }
    source_->fetched.clear();
    ASSERT_TRUE(load(year_));
    EXPECT_THAT(source_->fetched, IsEmpty());
}

TEST_F(AdaptiveLoads, AskForLessWhereARequestIsRefusedForItsSize) {
    for (const Error& refusal :
         {fail(Errc::host_service, "Time length exceed max."), fail(Errc::status, "too long", {{"status", 422}}),
          fail(Errc::response_too_large, "more than 16 MiB")}) {
        key_.symbol = std::string("AAPL") + std::to_string(static_cast<int>(refusal.code));
        source_->symbols.insert(key_.symbol);
        source_->fetched.clear();
        source_->on_fetch = [&refusal](TimeRange segment) -> Result<void> {
            return segment.end - segment.start > days{190} ? Result<void>(refusal) : Result<void>{};
        };
        const auto bars = load(decade_, LoadMode::full, key_.symbol);
        ASSERT_TRUE(bars) << bars.error().message;
        EXPECT_EQ(**bars, daily_bars(decade_));
        EXPECT_LE(source_->fetched.size(), 30U);
        EXPECT_THAT(warnings(), ElementsAre(HasSubstr("refused")));
    }
}

TEST_F(AdaptiveLoads, AskForLessWhereARequestIsNotAnsweredInTime) {
    for (const days answered : {days{700}, days{190}, days{60}}) {
        key_.symbol = "LATE" + std::to_string(answered.count());
        source_->symbols.insert(key_.symbol);
        source_->fetched.clear();
        source_->on_fetch = [answered](TimeRange segment) -> Result<void> {
            const bool late = segment.end - segment.start > answered;
            return late ? Result<void>(fail(Errc::service_timeout, "nothing within 18 s")) : Result<void>{};
        };
        const auto bars = load(decade_, LoadMode::full, key_.symbol);
        ASSERT_TRUE(bars) << bars.error().message;
        EXPECT_EQ(**bars, daily_bars(decade_));
        EXPECT_THAT(warnings(), testing::Contains(HasSubstr("was not answered in time: it is asked for in parts of")));
        // Each that is too much costs all the time that an answer may take: those on their way, and two tries.
        const auto late = std::ranges::count_if(
            source_->fetched, [answered](TimeRange each) { return each.end - each.start > answered; });
        EXPECT_LE(late, 5);
    }
}

TEST_F(AdaptiveLoads, EndWithOneErrorWhereNotEvenASmallRequestIsAnswered) {
    source_->limits.max_in_flight = 1;
    source_->on_fetch = [](TimeRange) -> Result<void> { return fail(Errc::service_timeout, "nothing within 18 s"); };
    const auto bars = load(decade_);
    ASSERT_FALSE(bars);
    EXPECT_EQ(bars.error().code, Errc::service_timeout);
    ASSERT_THAT(source_->fetched, testing::SizeIs(3));
    EXPECT_LE(source_->fetched.back().end - source_->fetched.back().start, days{46});
    EXPECT_TRUE(ledger().empty());
    source_->on_fetch = nullptr;
    ASSERT_TRUE(load(decade_));
    EXPECT_EQ(stored(), daily_bars(decade_));
}

TEST_F(AdaptiveLoads, AskAProviderThatIsNotThereOnce) {
    source_->limits.max_in_flight = 1;
    for (const Errc code : {Errc::service_connection, Errc::pool_timeout}) {
        source_->fetched.clear();
        source_->on_fetch = [code](TimeRange) -> Result<void> { return fail(code, "not there"); };
        EXPECT_FALSE(load(decade_));
        EXPECT_THAT(source_->fetched, testing::SizeIs(1));
    }
}

TEST_F(AdaptiveLoads, SendNothingThatWaitedForItsTurnWhereOthersShowedThatItIsNoUse) {
    source_->limits.max_in_flight = 8;
    source_->limits.max_span = days{60};
    for (const Errc code : {Errc::service_connection, Errc::pool_timeout, Errc::service_timeout}) {
        source_->fetched.clear();
        source_->on_fetch = [code](TimeRange) -> Result<void> { return fail(code, "not there"); };
        const auto bars = load(decade_);
        ASSERT_FALSE(bars);
        EXPECT_EQ(bars.error().code, code);
        // Those that had a turn at once, and, of what is not answered in time, two smaller ones.
        EXPECT_LE(source_->fetched.size(), code == Errc::service_timeout ? 5U : 3U);
        EXPECT_TRUE(ledger().empty());
    }
    source_->on_fetch = nullptr;
    ASSERT_TRUE(load(decade_));
    EXPECT_EQ(stored(), daily_bars(decade_));
}

TEST_F(AdaptiveLoads, GiveUpSoonWhereEverythingIsRefused) {
    source_->on_fetch = [](TimeRange) -> Result<void> { return fail(Errc::host_service, "not connected"); };
    const auto bars = load(decade_);
    ASSERT_FALSE(bars);
    EXPECT_EQ(bars.error().code, Errc::host_service);
    EXPECT_LE(source_->fetched.size(), 10U);
}

TEST_F(AdaptiveLoads, AskForAsMuchAsAnAnswerHoldsWhereItIsCapped) {
    source_->limits.max_in_flight = 1;
    source_->bars = [](TimeRange segment) {
        const Bars all = daily_bars(segment);
        return SourceAnswer(all.rows(all.size() - std::min<std::size_t>(all.size(), 100), all.size()));
    };
    const auto bars = load(decade_);
    ASSERT_TRUE(bars) << bars.error().message;
    EXPECT_EQ(**bars, daily_bars(decade_));
    // 3,287 days; had each been for what is left, every other answer would have been thrown away.
    EXPECT_LE(source_->fetched.size(), 60U);
}

TEST_F(AdaptiveLoads, LoseNothingToAProviderThatAlwaysRoundsToWholeWeeks) {
    in_new_york("1d");
    for (const bool keeps_end : {true, false}) {
        for (const days span : {days{300}, days{45}, days{10}}) {
            key_.symbol = std::string(keeps_end ? "END" : "START") + std::to_string(span.count());
            source_->symbols.insert(key_.symbol);
            source_->limits.max_span = span;
            source_->bars = [&](TimeRange segment) {
                const auto weeks = (segment.end - segment.start) / days{7};
                if (weeks > 0 && keeps_end) {
                    segment.start = segment.end - weeks * days{7};
                } else if (weeks > 0) {
                    segment.end = segment.start + weeks * days{7};
                }
                return truth(segment);
            };
            for (int i = 0; i < 3; ++i) {
                ASSERT_TRUE(load(year_, LoadMode::full, key_.symbol));
                clock_.advance(hours{2});
            }
            const Bars all = truth(year_);
            const Bars have = store_->read(key_, always).value().slice(year_);
            EXPECT_TRUE(have == all) << key_.symbol << ": " << have.size() << " of " << all.size();
            for (std::size_t row = 0; row < all.size(); ++row) {
                const bool there = std::binary_search(have.time.begin(), have.time.end(), all.time[row]);
                EXPECT_TRUE(there) << format_time(all.start_of(row));
            }
        }
    }
}

TEST_F(AdaptiveLoads, AskAgainSlowerWhereTheProviderIsAskedTooOften) {
    int refused = 0;
    source_->on_fetch = [&refused](TimeRange segment) -> Result<void> {
        const bool too_often = segment.contains(at("2009-06-01")) && ++refused == 1;
        return too_often ? Result<void>(fail(Errc::status, "slow down", {{"status", 429}})) : Result<void>{};
    };
    const auto bars = load(decade_);
    ASSERT_TRUE(bars);
    EXPECT_EQ(**bars, daily_bars(decade_));
}

TEST_F(AdaptiveLoads, BeginATailAtTheNewestEnd) {
    source_->limits = {.max_span = days{7}, .max_in_flight = 1};
    ASSERT_TRUE(load({at("2024-05-01"), at("2024-06-02")}, LoadMode::tail));
    ASSERT_THAT(source_->fetched, testing::SizeIs(5));
    EXPECT_TRUE(std::is_sorted(source_->fetched.rbegin(), source_->fetched.rend()));
    EXPECT_EQ(source_->fetched.front().end, at("2024-06-02"));
    EXPECT_EQ(stored(), daily_bars(range("2024-05-01", "2024-06-02")));
}

TEST_F(AdaptiveLoads, GoOnWithATailThatWasStopped) {
    source_->limits = {.max_span = days{7}, .max_in_flight = 1};
    ASSERT_TRUE(load(range("2024-01-01", "2024-02-01")));
    const TimeRange open{UtcTime::min(), at("2024-06-02")};
    for (const std::size_t stop : {2U, 5U, 9U}) {
        source_->fetched.clear();
        source_->on_fetch = [&](TimeRange) -> Result<void> {
            if (source_->fetched.size() == stop) {
                (void)operation_->request_cancel({.text = "enough"});
            }
            return {};
        };
        EXPECT_EQ(load(open, LoadMode::tail).error().code, Errc::cancelled);
    }
    source_->on_fetch = nullptr;
    ASSERT_TRUE(load(open, LoadMode::tail));
    EXPECT_EQ(stored(), daily_bars(range("2024-01-01", "2024-06-02")));
    source_->fetched.clear();
    ASSERT_TRUE(load(open, LoadMode::tail));
    EXPECT_THAT(source_->fetched, IsEmpty());
}

TEST_F(AdaptiveLoads, TellHowFarTheProvidersClockIsApartAndWhichWay) {
    for (const auto& [apart, words] : std::vector<std::pair<seconds, std::string>>{{seconds{600}, "600 s ahead of"},
                                                                                   {seconds{-300}, "299 s behind"},
                                                                                   {seconds{80}, ""},
                                                                                   {seconds{-80}, ""}}) {
        const TimeRange month{at("2020-01-01") + days{40 * loads_}, at("2020-01-01") + days{40 * loads_ + 30}};
        source_->bars = [&, apart = apart](TimeRange segment) {
            SourceAnswer answer(daily_bars(segment));
            answer.provider_now = std::chrono::floor<seconds>(clock_.utc_now() + apart);
            return answer;
        };
        ASSERT_TRUE(load(month));
        if (words.empty()) {
            EXPECT_THAT(warnings(), Not(testing::Contains(HasSubstr("clock"))));
        } else {
            EXPECT_THAT(warnings(), testing::Contains(AllOf(HasSubstr("clock of IB"), HasSubstr(words.substr(3)))));
        }
    }
}

TEST_F(AdaptiveLoads, StoreNothingThatIsStampedByItsEnd) {
    for (const char* const timeframe : {"1h", "30m", "5m"}) {
        in_new_york(timeframe);
        source_->limits.max_span = days{30};
        source_->bars = [this](TimeRange segment) {
            Bars bars;
            const Bars all = truth({segment.start - days{5}, segment.end});
            for (std::size_t i = 0; i < all.size(); ++i) {
                bars.push_back(grid_.end_of(all.start_of(i)).time_since_epoch().count(), all.open[i], all.high[i],
                               all.low[i], all.close[i], all.volume[i]);
            }
            return SourceAnswer(bars.slice(segment));
        };
        const auto bars = load(range("2023-03-06", "2023-05-06"));
        ASSERT_FALSE(bars);
        EXPECT_EQ(bars.error().code, Errc::protocol);
        EXPECT_THAT(bars.error().message, AllOf(HasSubstr("stamped by their end"), HasSubstr("convert")));
        EXPECT_TRUE(stored().empty()) << timeframe;
    }
    // Days by the midnight after them, as Saturdays tell.
    in_new_york("1d");
    source_->bars = [this](TimeRange segment) {
        Bars bars = truth({segment.start - days{1}, segment.end});
        for (std::int64_t& stamp : bars.time) {
            stamp += std::chrono::nanoseconds{days{1}}.count();
        }
        return SourceAnswer(bars.slice(segment));
    };
    const auto late = load(year_);
    ASSERT_FALSE(late);
    EXPECT_THAT(late.error().message, HasSubstr("stamped by their end"));
    EXPECT_TRUE(stored().empty());
}

TEST_F(AdaptiveLoads, StoreDaysThatAreStampedByALocalMidnightUnderTheirDate) {
    in_new_york("1d");
    const auto stamped = [this](TimeRange segment, std::chrono::nanoseconds later) {
        Bars bars = truth({segment.start - days{2}, segment.end + days{2}});
        for (std::int64_t& stamp : bars.time) {
            stamp += later.count();
        }
        return SourceAnswer(bars.slice(segment));
    };
    for (const std::chrono::nanoseconds later : {hours{4}, hours{5}, hours{14}}) {
        key_.symbol = "S" + std::to_string(later.count());
        source_->symbols.insert(key_.symbol);
        source_->bars = [&](TimeRange segment) { return stamped(segment, later); };
        ASSERT_TRUE(load(year_, LoadMode::full, key_.symbol));
        EXPECT_EQ(store_->read(key_, always).value().slice(year_), truth(year_));
        EXPECT_THAT(warnings(), testing::Contains(AllOf(HasSubstr("stamped inside"), HasSubstr("convert"))));
    }
}

TEST_F(AdaptiveLoads, StoreDaysWeeksAndMonthsUnderTheirPeriodHoweverTheyAreStamped) {
    using std::chrono::minutes;
    using Stamp = std::function<UtcTime(const Period&)>;
    const std::vector<std::pair<const char*, Stamp>> stamps{
        {"the open", [](const Period& period) { return period.start; }},
        {"the close", [](const Period& period) { return period.end; }},
        {"the last day",
         [](const Period& period) { return UtcTime{std::chrono::floor<days>(period.end)} + std::chrono::seconds{1}; }},
        {"23:59:59",
         [](const Period& period) {
             return UtcTime{std::chrono::floor<days>(period.end) + days{1}} - std::chrono::seconds{1};
         }},
        {"midnight in Berlin", [](const Period& period) { return period.stamp - minutes{60}; }},
        {"midnight in Calcutta", [](const Period& period) { return period.stamp - minutes{330}; }},
        {"midnight in Hong Kong", [](const Period& period) { return period.stamp - minutes{480}; }}};
    int series = 0;
    for (const char* const timeframe : {"1d", "1w", "1M"}) {
        in_new_york(timeframe);
        source_->limits.max_span = days{4000};
        for (const auto& [words, stamp] : stamps) {
            key_.symbol = "P" + std::to_string(++series);
            source_->symbols.insert(key_.symbol);
            source_->bars = [&, &stamp = stamp](TimeRange segment) {
                Bars bars = truth({segment.start, segment.end});
                for (std::int64_t& time : bars.time) {
                    time = stamp(grid_.period_of(UtcTime{std::chrono::nanoseconds{time}})).time_since_epoch().count();
                }
                return SourceAnswer(bars);
            };
            ASSERT_TRUE(load(year_, LoadMode::full, key_.symbol)) << timeframe << " by " << words;
            EXPECT_EQ(store_->read(key_, always).value(), truth(year_)) << timeframe << " by " << words;
            EXPECT_THAT(warnings(), testing::Contains(HasSubstr("stamped inside"))) << timeframe << " by " << words;
        }
    }
}

TEST_F(AdaptiveLoads, TakeAnAuctionAtTheCloseForWhatItIs) {
    in_new_york("1h");
    source_->bars = [this](TimeRange segment) {
        Bars bars = truth(segment);
        if (segment.contains(at("2023-03-06T21:00"))) {
            Bars close;
            close.push_back(at("2023-03-06T21:00").time_since_epoch().count(), 10, 10, 10, 10, 5);
            bars = merge(bars, close);
        }
        return SourceAnswer(bars);
    };
    ASSERT_TRUE(load(range("2023-03-06", "2023-03-10")));
    EXPECT_EQ(stored().size(), truth(range("2023-03-06", "2023-03-10")).size() + 1);
    EXPECT_THAT(warnings(), ElementsAre(HasSubstr("calendar")));
}

}  // namespace
}  // namespace ktrdr
