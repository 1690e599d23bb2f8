#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <latch>
#include <map>

#include <data/loading_fixture.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST_F(LoadingTest, ReadsWhatIsStoredWhileTheThreadThatCommitsIsBusy) {
    const TimeRange month = range("2020-01-01", "2020-02-01");
    ASSERT_TRUE(load(month));
    // Shared: the thread may still look at it when the test is over.
    const auto busy = std::make_shared<std::latch>(1);
    store_executor_.post([busy] { busy->wait(); });
    // Would never come back from that thread.
    EXPECT_EQ((*load(month, LoadMode::local))->size(), 31U);
    EXPECT_EQ((*load(month))->size(), 31U);
    busy->count_down();
}

TEST_F(LoadingTest, BringsEveryBarOfTheRangeOldestFirst) {
    const auto bars = load(decade_);
    ASSERT_TRUE(bars) << bars.error().message;
    EXPECT_EQ(**bars, daily_bars(decade_));
    EXPECT_EQ(stored(), daily_bars(decade_));
    EXPECT_EQ(source_->fetched, segments_);
    EXPECT_EQ(ledger().size(), segments_.size());
    EXPECT_THAT(operation_->record().warnings, IsEmpty());
}

TEST_F(LoadingTest, HasAtMostThreeSegmentsInFlight) {
    source_->gather = 3;
    ASSERT_TRUE(load(decade_));
    EXPECT_EQ(source_->most_in_flight, 3U);
}

TEST_F(LoadingTest, AsksNothingTheSecondTime) {
    ASSERT_TRUE(load(decade_));
    const int calls = source_->calls();
    clock_.advance(std::chrono::days{400});
    const auto again = load(decade_);
    ASSERT_TRUE(again);
    EXPECT_EQ(**again, daily_bars(decade_));
    EXPECT_EQ(source_->calls(), calls);
}

TEST_F(LoadingTest, AsksOnlyForWhatIsMissing) {
    ASSERT_TRUE(load(range("2006-01-01", "2007-01-01")));
    source_->fetched.clear();
    const TimeRange wider = range("2005-06-01", "2007-06-01");
    EXPECT_EQ(**load(wider), daily_bars(wider));
    // And for three bars that are stored, at each end.
    EXPECT_THAT(source_->fetched, ElementsAre(range("2005-06-01", "2006-01-04"), range("2006-12-29", "2007-06-01")));
    EXPECT_EQ(source_->validations, 1);
    EXPECT_EQ(source_->first_timestamps, 1);
}

TEST_F(LoadingTest, AsksForTheSymbolAgainAfterAMonth) {
    ASSERT_TRUE(load(range("2006-01-01", "2007-01-01")));
    clock_.advance(std::chrono::days{31});
    ASSERT_TRUE(load(range("2006-01-01", "2008-01-01")));
    EXPECT_EQ(source_->validations, 2);
    EXPECT_EQ(source_->first_timestamps, 2);
}

TEST_F(LoadingTest, StoresNothingOfAnUnknownSymbol) {
    const auto bars = load(decade_, LoadMode::full, "AAPLE");
    ASSERT_FALSE(bars);
    EXPECT_EQ(bars.error().code, Errc::symbol_unknown);
    SeriesKey key = key_;
    key.symbol = "AAPLE";
    const SeriesFacts facts = store_->facts(key).value();
    EXPECT_FALSE(facts.symbol_checked_at);
    EXPECT_THAT(facts.ledger, IsEmpty());
    EXPECT_THAT(source_->fetched, IsEmpty());
}

TEST_F(LoadingTest, AsksForNothingBeforeTheFirstBar) {
    source_->first = at("2012-05-18T14:30");
    source_->bars = [](TimeRange segment) { return daily_bars(segment).slice({at("2012-05-18"), UtcTime::max()}); };
    ASSERT_TRUE(load(decade_));
    EXPECT_EQ(stored(), daily_bars(range("2012-05-18", "2014-01-01")));
    // One request before the first bar, for the day that it lies in and in case that it is wrong; and what it left out
    // is asked for once more, in whole weeks.
    const std::vector<TimeRange> again{range("2010-05-19T14:30", "2012-05-16T14:30"),
                                       range("2012-05-16", "2012-05-21")};
    EXPECT_THAT(source_->fetched, ElementsAre(range("2010-05-19T14:30", "2012-05-18T14:30"),
                                              range("2012-05-18T14:30", "2014-01-01"), again[0], again[1]));
    source_->fetched.clear();
    clock_.advance(std::chrono::hours{1});
    ASSERT_TRUE(load(decade_));
    EXPECT_EQ(source_->fetched, again);
    const int calls = source_->calls();
    ASSERT_TRUE(load(decade_));
    const auto before = load(range("2005-01-01", "2006-01-01"));
    ASSERT_FALSE(before);
    EXPECT_EQ(before.error().code, Errc::no_data);
    EXPECT_THAT(before.error().message, HasSubstr("2012-05-18"));
    EXPECT_EQ(source_->calls(), calls);
}

TEST_F(LoadingTest, HidesNoBarBehindAFirstTimestampThatIsWrong) {
    source_->first = at("2010-01-01");
    const auto bars = load(range("2009-01-01", "2011-01-01"));
    ASSERT_TRUE(bars);
    EXPECT_EQ(**bars, daily_bars(range("2009-01-01", "2011-01-01")));
}

TEST_F(LoadingTest, HidesNoBarHoweverWrongAFirstTimestampIs) {
    const UtcTime now = clock_.utc_now();
    for (const UtcTime first : {at("2006-01-01"), at("2010-06-01T14:30"), at("2013-12-31"), now - std::chrono::days{1},
                                now, now + std::chrono::days{1}, at("2040-01-01"), at("2200-01-01")}) {
        key_.symbol = "F" + std::to_string(first.time_since_epoch().count());
        source_->symbols.insert(key_.symbol);
        source_->first = first;
        source_->bars = [](TimeRange segment) { return daily_bars(segment).slice({at("2003-05-06"), UtcTime::max()}); };
        const TimeRange all = range("2001-01-01", "2024-06-01");
        const auto bars = load(all, LoadMode::full, key_.symbol);
        ASSERT_TRUE(bars);
        EXPECT_EQ(**bars, daily_bars(range("2003-05-06", "2024-06-01"))) << format_time(first);
        EXPECT_THAT(operation_->record().warnings, testing::Contains(HasSubstr("says that its bars begin at")));
        // A month later it says so again.
        clock_.advance(std::chrono::days{31});
        const auto more = load({all.start, clock_.utc_now()}, LoadMode::full, key_.symbol);
        ASSERT_TRUE(more);
        EXPECT_EQ((*more)->start_of(0), at("2003-05-06"));
    }
}

TEST_F(LoadingTest, DoesWithoutAFirstTimestampThatNobodyCanTell) {
    int loads = 0;
    for (const Errc code : {Errc::host_service, Errc::protocol, Errc::status, Errc::response_too_large, Errc::no_data,
                            Errc::not_found, Errc::not_available, Errc::invalid_argument, Errc::service_timeout}) {
        source_->first_timestamp_error = fail(code, "cannot say");
        const UtcTime from = at("2014-01-01") + ++loads * std::chrono::days{40};
        EXPECT_TRUE(load({from, from + std::chrono::days{30}}));
        EXPECT_FALSE(store_->facts(key_)->first_timestamp);
        EXPECT_THAT(operation_->record().warnings, ElementsAre(HasSubstr("cannot say")));
    }
}

TEST_F(LoadingTest, AsksAgainForAnAnswerThatMayLackBars) {
    source_->bars = [this](TimeRange segment) {
        SourceAnswer answer(daily_bars(segment));
        if (segment == segments_[1]) {
            answer.bars = daily_bars({segment.start, segment.start + std::chrono::days{100}});
            answer.partial = "the service says: partial";
        }
        return answer;
    };
    const auto bars = load(decade_);
    ASSERT_TRUE(bars);
    EXPECT_EQ((*bars)->size(), daily_bars(decade_).size() - 630);
    EXPECT_THAT(operation_->record().warnings,
                ElementsAre(AllOf(HasSubstr("2007-01-01 to 2008-12-31"), HasSubstr("partial"), HasSubstr("again"))));

    source_->fetched.clear();
    source_->bars = daily_bars;
    EXPECT_EQ(**load(decade_), daily_bars(decade_));
    // A hundred days of it are stored.
    EXPECT_THAT(source_->fetched,
                UnorderedElementsAre(TimeRange{segments_[1].start - std::chrono::days{3}, at("2008-12-28")},
                                     range("2008-12-28", "2009-01-03")));
    EXPECT_THAT(operation_->record().warnings, IsEmpty());
}

TEST_F(LoadingTest, AsksAgainForTheRowsThatCouldNotBeUsedAndForNothingElse) {
    const std::set<UtcTime> broken{at("2005-01-01"), at("2005-03-05"), at("2005-03-06"), at("2005-12-31")};
    const TimeRange asked = range("2005-01-01", "2006-01-01");
    source_->bars = [&](TimeRange segment) {
        const Bars all = daily_bars(segment);
        SourceAnswer answer;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (broken.contains(all.start_of(i))) {
                answer.dropped.push_back({all.start_of(i), "has no number `open`"});
            } else {
                answer.bars.push_back(all.time[i], all.open[i], all.high[i], all.low[i], all.close[i], all.volume[i]);
            }
        }
        return answer;
    };
    const auto bars = load(asked);
    ASSERT_TRUE(bars);
    EXPECT_EQ((*bars)->size(), 361U);
    EXPECT_THAT(operation_->record().warnings,
                ElementsAre(AllOf(HasSubstr("4 rows"), HasSubstr("2005-03-05"), HasSubstr("`open`"))));

    source_->fetched.clear();
    source_->bars = daily_bars;
    EXPECT_EQ(**load(asked), daily_bars(asked));
    // The first ones at once: the two months between them cost less than a request.
    EXPECT_THAT(source_->fetched, ElementsAre(range("2005-01-01", "2005-03-10"), range("2005-12-28", "2006-01-01")));
}

TEST_F(LoadingTest, TakesWhatIsCutOffBehindStoredBarsForNoSilence) {
    const TimeRange year = range("2005-01-01", "2006-01-01");
    const auto give = [this, year](std::size_t rows, const std::string& partial) {
        source_->bars = [rows, partial](TimeRange segment) {
            const Bars all = daily_bars(segment);
            SourceAnswer answer(all.rows(0, std::min(rows, all.size())));
            answer.partial = partial;
            return answer;
        };
        ASSERT_TRUE(load(year));
        clock_.advance(std::chrono::hours{1});
    };
    // Silent of the rest, then half an answer, whose bars are stored; and then a cap that ends among those, twice.
    give(10, "");
    give(200, "the service says: partial");
    give(100, "");
    give(100, "");
    source_->bars = daily_bars;
    EXPECT_EQ(**load(year), daily_bars(year));
}

TEST_F(LoadingTest, KnowsThatAnotherBarMayBeginInsideOfTheFirstOfASession) {
    // As IB cuts a session: 14:30, 15:00, 16:00, …; the half hour has the timeframe of the hours.
    const std::vector<UtcTime> stamps{at("2020-01-02T14:30"), at("2020-01-02T15:00"), at("2020-01-02T16:00")};
    key_.timeframe = Timeframe::parse("1h").value();
    const auto until = [&stamps](std::size_t count) {
        Bars bars;
        for (std::size_t i = 0; i < count; ++i) {
            bars.push_back(stamps[i].time_since_epoch().count(), 10, 11, 9, 10, 100);
        }
        return bars;
    };
    const TimeRange asked = range("2020-01-02", "2020-01-02T15:20");
    source_->bars = [&](TimeRange segment) { return until(1).slice(segment); };
    ASSERT_TRUE(load(asked));
    clock_.advance(std::chrono::hours{1});
    source_->bars = [&](TimeRange segment) { return until(3).slice(segment); };
    EXPECT_EQ(**load(asked), until(2));
}

TEST_F(LoadingTest, KeepsFinishedSegmentsWhenCancelledAndAsksForTheRestNextTime) {
    source_->limits.max_in_flight = 1;
    source_->on_fetch = [this](TimeRange segment) -> Result<void> {
        if (segment == segments_[2]) {
            EXPECT_TRUE(operation_->request_cancel({.text = "enough"}));
        }
        return {};
    };
    const auto bars = load(decade_);
    ASSERT_FALSE(bars);
    EXPECT_EQ(bars.error().code, Errc::cancelled);
    EXPECT_THAT(bars.error().message, HasSubstr("enough"));
    EXPECT_EQ(stored(), daily_bars({segments_[0].start, segments_[1].end}));
    EXPECT_EQ(source_->fetched.size(), 3U);

    source_->fetched.clear();
    source_->on_fetch = nullptr;
    EXPECT_EQ(**load(decade_), daily_bars(decade_));
    // Three bars that are stored move the cuts.
    EXPECT_THAT(source_->fetched, ElementsAre(range("2008-12-28", "2010-12-28"), range("2010-12-28", "2012-12-27"),
                                              range("2012-12-27", "2014-01-01")));
}

TEST_F(LoadingTest, BeginsNothingWhenCancelledBefore) {
    const auto one = begin(decade_);
    one->operation->request_cancel({});
    finish();
    ASSERT_FALSE(*one->result);
    EXPECT_EQ(one->result->error().code, Errc::cancelled);
    EXPECT_THAT(source_->fetched, IsEmpty());
    EXPECT_TRUE(stored().empty());
}

TEST_F(LoadingTest, StoresEachSegmentBeforeItIsAnnounced) {
    source_->limits.max_in_flight = 1;
    std::vector<std::string> messages;
    std::vector<std::size_t> entries;
    source_->on_fetch = [&](TimeRange) -> Result<void> {
        messages.push_back(operation_->progress().snapshot().message);
        entries.push_back(ledger().size());
        return {};
    };
    ASSERT_TRUE(load(decade_));
    EXPECT_THAT(messages,
                ElementsAre("Loading AAPL 1d data (full mode) [0/5]", "Loading AAPL 1d data (full mode) [1/5]",
                            "Loading AAPL 1d data (full mode) [2/5]", "Loading AAPL 1d data (full mode) [3/5]",
                            "Loading AAPL 1d data (full mode) [4/5]"));
    EXPECT_THAT(entries, ElementsAre(0U, 1U, 2U, 3U, 4U));
}

TEST_F(LoadingTest, ShowsItsStepsAndTheirShareOfTheBar) {
    ASSERT_TRUE(load(decade_));
    std::vector<std::pair<std::string, int>> steps;
    for (const ProgressState& state : operation_->progress().take_edges()) {
        steps.emplace_back(state.step_name, static_cast<int>(state.step_end_percentage + 0.5));
    }
    EXPECT_THAT(
        steps, ElementsAre(std::pair("validate symbol", 2), std::pair("first timestamp", 4), std::pair("read local", 6),
                           std::pair("plan", 8), std::pair("loading segments", 94), std::pair("read bars", 100)));
    const ProgressState last = operation_->progress().snapshot();
    EXPECT_EQ(last.context.at("current_segment"), 5);
    EXPECT_EQ(last.context.at("total_segments"), 5);
    EXPECT_EQ(last.context.at("bars_processed"), last.items_processed);
    EXPECT_EQ(last.items_processed, static_cast<std::int64_t>(daily_bars(decade_).size()));
}

TEST_F(LoadingTest, WritesNothingWhenTheServiceIsDown) {
    source_->on_fetch = [](TimeRange) -> Result<void> { return fail(Errc::service_connection, "refused"); };
    const auto bars = load(decade_);
    ASSERT_FALSE(bars);
    EXPECT_EQ(bars.error(), fail(Errc::service_connection, "refused"));
    EXPECT_LE(source_->fetched.size(), 3U);
    EXPECT_THAT(ledger(), IsEmpty());
}

TEST_F(LoadingTest, AnswersWhatCameAndWarnsOfWhatDidNot) {
    source_->on_fetch = [this](TimeRange segment) -> Result<void> {
        const bool wants_it = segment.start < segments_[1].end && segments_[1].start < segment.end;
        return wants_it ? Result<void>(fail(Errc::host_service, "pacing")) : Result<void>{};
    };
    const auto bars = load(decade_);
    ASSERT_TRUE(bars);
    EXPECT_EQ((*bars)->size(), daily_bars(decade_).size() - 730);
    const auto warnings = operation_->record().warnings;
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_THAT(warnings[0], HasSubstr("2007-01-01 to 2008-12-31"));
    EXPECT_THAT(warnings[0], HasSubstr("pacing"));

    source_->fetched.clear();
    source_->on_fetch = nullptr;
    EXPECT_EQ(**load(decade_), daily_bars(decade_));
    EXPECT_THAT(source_->fetched, ElementsAre(range("2006-12-29", "2008-12-28"), range("2008-12-28", "2009-01-03")));
}

TEST_F(LoadingTest, WarnsOfSegmentsItNoLongerAskedForWhenTheServiceWentAway) {
    source_->limits.max_in_flight = 1;
    source_->on_fetch = [this](TimeRange segment) -> Result<void> {
        return segment == segments_[2] ? Result<void>(fail(Errc::service_connection, "reset")) : Result<void>{};
    };
    const auto bars = load(decade_);
    ASSERT_TRUE(bars);
    EXPECT_EQ(source_->fetched.size(), 3U);
    EXPECT_THAT(operation_->record().warnings.at(0), HasSubstr("2008-12-31 to 2014-01-01"));
}

TEST_F(LoadingTest, GivesUpAfterThreeRefusalsInARow) {
    source_->limits.max_in_flight = 1;
    source_->on_fetch = [](TimeRange) -> Result<void> { return fail(Errc::protocol, "garbage"); };
    const auto bars = load(decade_);
    ASSERT_FALSE(bars);
    EXPECT_EQ(bars.error().code, Errc::protocol);
    EXPECT_EQ(source_->fetched.size(), 3U);
    EXPECT_EQ(ledger().at(0).outcome, AskOutcome::failed);
}

TEST_F(LoadingTest, RemembersThatAccessWasDenied) {
    source_->on_fetch = [](TimeRange) -> Result<void> { return fail(Errc::status, "forbidden", {{"status", 403}}); };
    EXPECT_FALSE(load(range("2005-01-01", "2006-01-01")));
    EXPECT_EQ(ledger().at(0).outcome, AskOutcome::denied);
}

TEST_F(LoadingTest, SaysThatThereIsNoDataAndDoesNotAskAThirdTime) {
    source_->bars = [](TimeRange) { return Bars{}; };
    const TimeRange month = range("2005-01-01", "2005-02-01");
    const auto bars = load(month);
    ASSERT_FALSE(bars);
    EXPECT_EQ(bars.error().code, Errc::no_data);
    EXPECT_THAT(bars.error().message, HasSubstr("2005-01-01 to 2005-02-01"));
    EXPECT_THAT(ledger(), ElementsAre(LedgerEntry{month, AskOutcome::silent, clock_.utc_now()}));
    EXPECT_THAT(source_->fetched, ElementsAre(month));
    clock_.advance(std::chrono::hours{1});
    EXPECT_EQ(load(month).error().code, Errc::no_data);
    EXPECT_THAT(ledger(), ElementsAre(LedgerEntry{month, AskOutcome::empty, clock_.utc_now()}));
    // In whole weeks: a provider may have rounded down.
    EXPECT_THAT(source_->fetched, ElementsAre(month, range("2004-12-28", "2005-02-01")));
    const int calls = source_->calls();
    EXPECT_EQ(load(month).error().code, Errc::no_data);
    EXPECT_EQ(source_->calls(), calls);
}

TEST_F(LoadingTest, AsksForTheNewDayOnceItIsClosed) {
    const TimeRange to_last_night = range("2024-05-01", "2024-06-03");
    ASSERT_TRUE(load(to_last_night));
    clock_.advance(std::chrono::hours{9});
    source_->fetched.clear();
    ASSERT_TRUE(load(range("2024-05-01", "2024-06-04")));
    EXPECT_THAT(source_->fetched, ElementsAre(range("2024-05-31", "2024-06-04")));
}

TEST_F(LoadingTest, AsksForTheNewestDayOnceADayAtWhateverHourItIs) {
    const auto load_all = [this] {
        const LoadRequest request{
            .symbol = "AAPL", .timeframe = "1d", .start_date = "2024-05-01", .end_date = "2199-12-31", .mode = "full"};
        ASSERT_TRUE(load(check_request(request, "IB", clock_.utc_now())->range));
    };
    load_all();
    for (int day = 0; day < 3; ++day) {
        const std::size_t asked = source_->fetched.size();
        for (int hour = 0; hour < 24; ++hour) {
            clock_.advance(std::chrono::hours{1});
            load_all();
        }
        EXPECT_EQ(source_->fetched.size(), asked + 1) << day;
    }
}

TEST_F(LoadingTest, StoresNoDayBeforeItIsOverAndEachOnceItIsWhateverTheHourDaysBeginAt) {
    for (int hour = 0; hour < 24; ++hour) {
        const UtcTime first = std::chrono::ceil<std::chrono::days>(clock_.utc_now()) + std::chrono::hours{hour};
        const auto made_until = [this, first](UtcTime end) {
            Bars made;
            for (UtcTime stamp = first; stamp < end; stamp += std::chrono::hours{24}) {
                // A provider answers with the day in work, too; its close is the last price so far.
                const bool over = stamp + std::chrono::hours{24} <= clock_.utc_now();
                made.push_back(stamp.time_since_epoch().count(), 5, 9, 1, over ? 5 : 3, 1000);
            }
            return made;
        };
        source_->bars = [made_until](TimeRange segment) { return made_until(segment.end).slice(segment); };
        store_ = BarStore::open(folder_.path() / fmt::format("{}.db", hour)).value();
        clock_.advance(first + std::chrono::days{3} + std::chrono::minutes{28} - clock_.utc_now());
        for (int later = 0; later < 9; ++later) {
            const auto task = check_request({.symbol = "AAPL",
                                             .timeframe = "1d",
                                             .start_date = format_date(first),
                                             .end_date = "2199-12-31",
                                             .mode = "full"},
                                            "IB", clock_.utc_now());
            ASSERT_TRUE(task) << task.error().message;
            ASSERT_TRUE(load(task->range)) << hour;
            Bars over = made_until(clock_.utc_now());
            over = over.rows(0, over.size() - 1);
            EXPECT_EQ(stored(), over) << "days begin at " << hour << ", it is " << format_time(clock_.utc_now());
            clock_.advance(std::chrono::hours{7});
        }
    }
}

TEST_F(LoadingTest, EndsWithTheStoresErrorWhenThereIsNoRoom) {
    store_ = BarStore::open(folder_.path() / "small.db", {.max_page_count = 30}).value();
    source_->limits.max_in_flight = 1;
    const auto bars = load(decade_);
    ASSERT_FALSE(bars);
    EXPECT_EQ(bars.error().code, Errc::storage_full);
    const auto kept = stored();
    EXPECT_EQ(kept,
              daily_bars({segments_[0].start, ledger().empty() ? segments_[0].start : ledger().back().range.end}));
}

TEST_F(LoadingTest, MayRunTwiceAtTheSameTimeForOneSeries) {
    const auto one = begin(decade_);
    const auto other = begin(range("2004-01-01", "2013-06-01"));
    finish();
    ASSERT_TRUE(*one->result);
    ASSERT_TRUE(*other->result);
    EXPECT_EQ(***one->result, daily_bars(decade_));
    EXPECT_EQ(***other->result, daily_bars(range("2004-01-01", "2013-06-01")));
    EXPECT_EQ(stored(), daily_bars(range("2004-01-01", "2014-01-01")));
}

TEST_F(LoadingTest, AsksOnceForWhatSeveralLoadsWant) {
    const auto one = begin(decade_);
    const auto other = begin(decade_);
    const auto third = begin(range("2008-01-01", "2010-01-01"));
    finish();
    ASSERT_TRUE(*one->result);
    EXPECT_EQ(***one->result, daily_bars(decade_));
    EXPECT_EQ(***other->result, daily_bars(decade_));
    EXPECT_EQ(***third->result, daily_bars(range("2008-01-01", "2010-01-01")));
    std::map<UtcTime, int> asked;
    for (const TimeRange& segment : source_->fetched) {
        for (UtcTime day = segment.start; day < segment.end; day += std::chrono::days{1}) {
            ++asked[day];
        }
    }
    // But for three days at each end of what was stored.
    const auto twice = std::count_if(asked.begin(), asked.end(), [](const auto& day) { return day.second > 1; });
    EXPECT_LE(twice, static_cast<std::ptrdiff_t>(6 * source_->fetched.size()));
}

TEST_F(LoadingTest, AHolderThatIsCancelledLeavesItsSegmentToTheOther) {
    source_->limits.max_in_flight = 1;
    const auto one = begin(decade_);
    const auto other = begin(decade_);
    source_->on_fetch = [&](TimeRange segment) -> Result<void> {
        if (segment == segments_[1]) {
            one->operation->request_cancel({.text = "enough"});
        }
        return {};
    };
    finish();
    EXPECT_EQ(one->result->error().code, Errc::cancelled);
    ASSERT_TRUE(*other->result) << other->result->error().message;
    EXPECT_EQ(***other->result, daily_bars(decade_));
}

TEST_F(LoadingTest, InLocalModeAnswersWhatIsStored) {
    EXPECT_TRUE((*load(always, LoadMode::local))->empty());
    ASSERT_TRUE(load(decade_));
    const int calls = source_->calls();
    EXPECT_EQ(**load(always, LoadMode::local), daily_bars(decade_));
    const TimeRange month = range("2006-03-01", "2006-04-01");
    EXPECT_EQ(**load(month, LoadMode::local), daily_bars(month));
    EXPECT_EQ(operation_->progress().snapshot().message, "Loading AAPL 1d data (local mode): read local");
    EXPECT_EQ(source_->calls(), calls);
}

}  // namespace
}  // namespace ktrdr
