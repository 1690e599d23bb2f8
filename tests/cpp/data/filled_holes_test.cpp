// Holes of every kind in a series that was complete: a load brings back each bar as it was, and the next asks for
// nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <tuple>

#include <data/loading_fixture.hpp>
#include <ktrdr/calendar/session_calendar.hpp>
#include <ktrdr/market/csv_writer.hpp>
#include <ktrdr/market/time_text.hpp>
#include <ktrdr/market/timeframe.hpp>

#include "soak.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

struct Market {
    const char* asset_class;
    const char* exchange;
    const char* calendar;
};

constexpr std::array<Market, 3> markets{
    {{"stock", "NASDAQ", "XNYS"}, {"forex", "IDEALPRO", "FOREX"}, {"crypto", "PAXOS", "CRYPTO"}}};

/// So that a series has some 500 to 5000 bars, with a holiday, half days and a change of the clock where it can.
days length_of(const Timeframe& timeframe) {
    if (!timeframe.is_intraday()) {
        return timeframe.name() == "1d" ? days{730} : days{365 * (timeframe.name() == "1w" ? 6 : 15)};
    }
    return timeframe.shortest() <= std::chrono::minutes{3}
               ? days{6}
               : (timeframe.shortest() < std::chrono::minutes{30} ? days{30} : days{150});
}

class FilledHoles : public LoadingTest, public testing::WithParamInterface<std::tuple<std::string_view, std::size_t>> {
protected:
    void SetUp() override {
        const auto& [timeframe, market] = GetParam();
        const Market& one = markets.at(market);
        calendar_ = SessionCalendar::shipped(one.calendar).value();
        key_.timeframe = Timeframe::parse(timeframe).value();
        source_->contract = {one.asset_class, one.exchange, "USD"};
        source_->limits = {.max_span = length_of(key_.timeframe) / 5, .max_in_flight = 3};
        GridOptions options{.provider = "IB"};
        if (market > 0) {
            options.asset_class = one.asset_class;
        }
        grid_ = BarGrid::make(key_.timeframe, calendar_, options).value();
        // Up to the Monday after Thanksgiving and its half day.
        const UtcTime end = at("2023-11-27");
        all_ = {end - length_of(key_.timeframe), end};
        random_.seed(static_cast<unsigned>(market * 100 + key_.timeframe.name().size()));
        truth_ = walk(grid_.expected(all_).value());
        source_->bars = [this](TimeRange segment) { return SourceAnswer(truth_.slice(segment)); };
    }

    int upto(std::size_t limit) { return std::uniform_int_distribution(0, static_cast<int>(limit))(random_); }

    Bars walk(const std::vector<UtcTime>& stamps) {
        Bars bars;
        double price = 100;
        for (const UtcTime stamp : stamps) {
            // Numbers that no short decimal has, so that the bytes are compared.
            price *= std::uniform_real_distribution(0.98, 1.02)(random_);
            bars.push_back(stamp.time_since_epoch().count(), price, price * 1.013, price * 0.987, price * 1.005,
                           std::uniform_real_distribution(0.0, 1e6)(random_));
        }
        return bars;
    }

    /// The bars that start in it, from the first one's stamp to the last one's end.
    void take_out(TimeRange range) {
        const std::size_t first = truth_.row_from(range.start);
        const std::size_t behind = truth_.row_from(range.end);
        if (first < behind) {
            holes_.push_back({truth_.start_of(first), grid_.end_of(truth_.start_of(behind - 1))});
        }
    }

    [[nodiscard]] TimeRange date_of(const Session& session) const {
        return key_.timeframe.is_intraday() ? TimeRange{session.open(), session.close()}
                                            : TimeRange{UtcTime{session.date}, UtcTime{session.date + days{1}}};
    }

    void take_out_one() {
        const auto row = static_cast<std::size_t>(upto(truth_.size() - 1));
        const auto sessions = calendar_->sessions(std::chrono::floor<days>(all_.start),
                                                  sys_days{} + (all_.end - UtcTime{sys_days{}}) / days{1} * days{1});
        const auto session = static_cast<std::size_t>(upto(sessions.size() - 2));
        switch (upto(6)) {
            case 0: take_out({truth_.start_of(row), truth_.start_of(row) + std::chrono::nanoseconds{1}}); break;
            case 1: {
                const std::size_t last = std::min(row + static_cast<std::size_t>(upto(60)), truth_.size() - 1);
                take_out({truth_.start_of(row), truth_.start_of(last) + std::chrono::nanoseconds{1}});
                break;
            }
            case 2: take_out(date_of(sessions[session])); break;
            case 3: take_out({truth_.start_of(row), truth_.start_of(row) + std::chrono::weeks{1}}); break;
            case 4:  // A half day, where the market has any.
                for (const Session& one : sessions) {
                    if (one.close() - one.open() < sessions[session].close() - sessions[session].open() &&
                        upto(2) == 0) {
                        take_out(date_of(one));
                    }
                }
                break;
            case 5:  // What lies beside a holiday or a weekend.
                for (std::size_t i = 0; i + 1 < sessions.size(); ++i) {
                    if (sessions[i + 1].date - sessions[i].date > days{1} && upto(sessions.size() / 4) == 0) {
                        take_out(date_of(sessions[i + static_cast<std::size_t>(upto(1))]));
                    }
                }
                break;
            default: take_out({all_.start, truth_.start_of(std::min<std::size_t>(row / 8, truth_.size() - 1))}); break;
        }
    }

    static std::string csv_of(const Bars& bars) {
        std::string text;
        append_csv_header(text);
        append_csv_rows(text, bars, 0, bars.size());
        return text;
    }

    SessionCalendarPtr calendar_{};
    BarGrid grid_{Timeframe::parse("1d").value()};
    TimeRange all_{};
    Bars truth_{};
    std::vector<TimeRange> holes_{};
    std::mt19937 random_{};
};

TEST_P(FilledHoles, AreBroughtBackToTheByteAndAskedForOnce) {
    ASSERT_TRUE(load(all_));
    ASSERT_EQ(stored(), truth_);
    const std::string text = csv_of(truth_);
    for (int i = 0; i < soak_count(6, 220) && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        holes_.clear();
        for (int count = 1 + upto(4); count > 0; --count) {
            take_out_one();
        }
        std::size_t gone = 0;
        for (const TimeRange hole : holes_) {
            gone += store_->forget(key_, hole, clock_.utc_now()).value();
        }
        ASSERT_EQ(stored().size() + gone, truth_.size());
        source_->fetched.clear();
        ASSERT_TRUE(load(all_));
        EXPECT_EQ(csv_of(stored()), text);
        EXPECT_EQ(stored(), truth_);
        EXPECT_THAT(operation_->record().warnings, testing::IsEmpty());
        EXPECT_EQ(gone == 0, source_->fetched.empty());
        source_->fetched.clear();
        ASSERT_TRUE(load(all_));
        EXPECT_THAT(source_->fetched, testing::IsEmpty());
    }
    EXPECT_THAT(store_->verify()->damage, testing::IsEmpty());
}

std::vector<std::string_view> names() {
    return {Timeframe::names().begin(), Timeframe::names().end()};
}

INSTANTIATE_TEST_SUITE_P(EachTimeframeAndMarket, FilledHoles,
                         testing::Combine(testing::ValuesIn(names()), testing::Range<std::size_t>(0, markets.size())));

}  // namespace
}  // namespace ktrdr
