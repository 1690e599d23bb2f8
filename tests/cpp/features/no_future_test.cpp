// No feature, label or join knows a bar before its period has ended.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include <fmt/format.h>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/features/feature_matrix.hpp>
#include <ktrdr/features/labels.hpp>
#include <ktrdr/features/split.hpp>

#include "series.hpp"
#include "soak.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::sys_days;

const Timeframe an_hour = Timeframe::parse("1h").value();

/// The close itself as a feature, scaled so that no two closes of a walk are told alike.
FeaturePlan the_rsi() {
    FeaturePlan plan;
    plan.sources.push_back({"rsi_2", Indicator::make("rsi", {{"period", 2}}).value(), {}});
    plan.sources[0].inputs.push_back(
        {"rsi_2", 0, {{"high", FuzzySet::make("triangular", std::vector<double>{-1, 100, 201}).value()}}});
    return plan;
}

/// When each bar of a series is known, by a rule of the test's own.
struct Series {
    BarGrid grid;
    Bars bars{};
    std::vector<UtcTime> known{};
};

Bars walk_at(const std::vector<UtcTime>& stamps, unsigned seed) {
    const std::vector<double> closes = test::walk(stamps.size(), seed);
    Bars bars;
    for (std::size_t i = 0; i < stamps.size(); ++i) {
        const double close = closes[i];
        bars.push_back(stamps[i].time_since_epoch().count(), close, close + 1, close - 1, close, 1000);
    }
    return bars;
}

std::vector<FeatureSeries> both(const Series& base, const Series& other, Bars others) {
    return {{base.grid, std::make_shared<const Bars>(base.bars)},
            {other.grid, std::make_shared<const Bars>(std::move(others))}};
}

/// The rows of base bars that are known at `now`.
std::vector<float> rows_known_at(UtcTime now, const Series& base, const FeatureMatrix& matrix) {
    std::vector<float> values;
    for (std::size_t row = 0; row < matrix.bar.size(); ++row) {
        if (base.known[matrix.bar[row]] <= now) {
            const auto first = matrix.values.begin() + static_cast<std::ptrdiff_t>(row * matrix.names.size());
            values.insert(values.end(), first, first + static_cast<std::ptrdiff_t>(matrix.names.size()));
        }
    }
    return values;
}

/// The feature of a series by itself, by bar.
std::map<std::size_t, float> alone(const BarGrid& grid, const Bars& bars) {
    const std::vector<FeatureSeries> one{{grid, std::make_shared<const Bars>(bars)}};
    const FeatureMatrix matrix = build_features(the_rsi(), one, 0).value();
    std::map<std::size_t, float> values;
    for (std::size_t row = 0; row < matrix.bar.size(); ++row) {
        values[matrix.bar[row]] = matrix.values[row];
    }
    return values;
}

/// Each row holds the base bar's own feature and that of the newest other bar that is known when the base bar is; all
/// other bars are gone through for each.
void expect_newest_known(const Series& base, const Series& other, const std::string& words) {
    const FeatureMatrix joined = build_features(the_rsi(), both(base, other, other.bars), 0).value();
    const auto own = alone(base.grid, base.bars);
    const auto others = alone(other.grid, other.bars);
    std::size_t row = 0;
    for (std::size_t bar = 0; bar < base.known.size(); ++bar) {
        std::optional<std::size_t> newest;
        for (std::size_t candidate = 0; candidate < other.known.size(); ++candidate) {
            if (other.known[candidate] <= base.known[bar]) {
                newest = candidate;
            }
        }
        if (!own.contains(bar) || !newest || !others.contains(*newest)) {
            continue;
        }
        ASSERT_LT(row, joined.bar.size()) << words;
        ASSERT_EQ(joined.bar[row], bar) << words;
        ASSERT_EQ(joined.values[2 * row], own.at(bar)) << words << ", bar " << format_time(base.bars.start_of(bar));
        ASSERT_EQ(joined.values[2 * row + 1], others.at(*newest))
            << words << ", bar " << format_time(base.bars.start_of(bar));
        ++row;
    }
    ASSERT_EQ(row, joined.bar.size()) << words;
}

std::vector<LabelRule> each_rule() {
    return {{.threshold = 0.01, .lookahead = 2},
            {.threshold = 0.01, .lookahead = 9, .source = LabelSource::zigzag, .zigzag_threshold = 0.02},
            {.threshold = 0.01, .lookahead = 7, .source = LabelSource::triple_barrier}};
}

/// A label is known no sooner than the bars are that it looks at: what others will say changes none of those that are.
void expect_labels_known_at_their_end(const Series& series, const std::string& words) {
    for (const LabelRule& rule : each_rule()) {
        const Labels labels = make_labels(series.bars, series.grid, rule).value();
        const auto source = static_cast<std::size_t>(rule.source);
        for (std::size_t row = 0; row < series.known.size(); ++row) {
            if (labels.reasons[row] == DropReason::none) {
                ASSERT_GE(labels.ends[row], series.known[labels.last[row]])
                    << words << ", " << label_source_names.at(source) << " of row " << row;
            }
        }
        std::mt19937 random(7);
        for (int i = 0; i < soak_count(3, 30); ++i) {
            const UtcTime now =
                series.known[std::uniform_int_distribution<std::size_t>(0, series.known.size() - 1)(random)];
            Bars changed = series.bars;
            for (std::size_t row = 0; row < changed.size(); ++row) {
                changed.close[row] *= series.known[row] <= now ? 1 : row % 2 == 0 ? 7 : 0.2;
            }
            const Labels then = make_labels(changed, series.grid, rule).value();
            for (std::size_t row = 0; row < series.known.size(); ++row) {
                if (labels.reasons[row] == DropReason::none && labels.ends[row] <= now) {
                    ASSERT_EQ(then.classes[row], labels.classes[row])
                        << words << ", " << label_source_names.at(source) << " of row " << row;
                }
            }
        }
    }
}

/// Whatever bars will say that are not known yet changes no row that is.
void expect_no_future(const Series& base, const Series& other, const std::string& words, bool is_exact = true) {
    if (is_exact) {
        expect_newest_known(base, other, words);
    }
    const FeatureMatrix whole = build_features(the_rsi(), both(base, other, other.bars), 0).value();
    ASSERT_FALSE(whole.bar.empty()) << words;
    std::mt19937 random(5);
    for (int i = 0; i < soak_count(6, 60); ++i) {
        const std::size_t bar = std::uniform_int_distribution<std::size_t>(0, base.known.size() - 1)(random);
        const UtcTime now = base.known[bar];
        Bars changed = other.bars;
        for (std::size_t row = 0; row < changed.size(); ++row) {
            if (other.known[row] > now) {
                changed.close[row] *= row % 2 == 0 ? 7 : 0.2;
            }
        }
        const FeatureMatrix seen = build_features(the_rsi(), both(base, other, changed), 0).value();
        ASSERT_EQ(rows_known_at(now, base, whole), rows_known_at(now, base, seen))
            << words << ", known at " << format_time(now);
    }
    for (const Series* series : {&base, &other}) {
        expect_labels_known_at_their_end(*series, words);
    }
}

std::vector<UtcTime> every(std::chrono::nanoseconds step, UtcTime first, UtcTime end) {
    std::vector<UtcTime> stamps;
    for (UtcTime stamp = first; stamp < end; stamp += step) {
        stamps.push_back(stamp);
    }
    return stamps;
}

Series hourly(UtcTime first, UtcTime end) {
    Series base{BarGrid(an_hour), walk_at(every(hours{1}, first, end), 1)};
    for (std::size_t i = 0; i < base.bars.size(); ++i) {
        base.known.push_back(base.bars.start_of(i) + hours{1});
    }
    return base;
}

class DaysThatBeginAt : public testing::TestWithParam<int> {};

TEST_P(DaysThatBeginAt, ShowNoHourWhatTheyWillCloseWith) {
    const Series base = hourly(at("2024-02-20"), at("2024-03-20"));
    Series other{BarGrid(test::day),
                 walk_at(every(days{1}, at("2024-02-20") + hours{GetParam()}, at("2024-03-20")), 2)};
    for (std::size_t i = 0; i < other.bars.size(); ++i) {
        other.known.push_back(other.bars.start_of(i) + hours{24});
    }
    expect_no_future(base, other, fmt::format("days that begin at {}", GetParam()));
}

TEST_P(DaysThatBeginAt, AreUsedByTheHourThatEndsWithThem) {
    const Series base = hourly(at("2024-02-20"), at("2024-03-20"));
    const UtcTime first = at("2024-02-20") + hours{GetParam()};
    const Bars bars = walk_at(every(days{1}, first, at("2024-03-20")), 2);
    const Series other{BarGrid(test::day), bars};
    const FeatureMatrix joined = build_features(the_rsi(), both(base, other, bars), 0).value();
    // The first value of a day needs two before it.
    const std::vector<FeatureSeries> days_alone{{other.grid, std::make_shared<const Bars>(bars)}};
    const FeatureMatrix alone = build_features(the_rsi(), days_alone, 0).value();
    for (std::size_t row = 0; row < joined.bar.size(); ++row) {
        const UtcTime now = base.known[joined.bar[row]];
        const auto newest = static_cast<std::size_t>((now - first) / hours{24}) - 1;
        ASSERT_EQ(joined.values[row * 2 + 1], alone.values[newest - alone.bar.front()]) << format_time(now);
    }
}

INSTANTIATE_TEST_SUITE_P(EachHour, DaysThatBeginAt, testing::Range(0, 24));

/// A week or month as IB stamps it: with the last day that traded. It is known when that day's session has closed.
TEST(IbSWeeksAndMonths, ShowNoHourWhatTheyWillCloseWith) {
    const auto xnys = SessionCalendar::shipped("XNYS").value();
    const Series base = hourly(at("2023-01-01"), at("2023-12-31"));
    for (const char* const name : {"1w", "1M"}) {
        const Timeframe timeframe = Timeframe::parse(name).value();
        const BarGrid keyed = BarGrid::make(timeframe, xnys, {.provider = "IB"}).value();
        Series as_stamped{BarGrid(timeframe)};
        Series as_stored{keyed};
        std::vector<UtcTime> last_days;
        std::vector<UtcTime> keys;
        const auto sessions =
            xnys->sessions(sys_days{std::chrono::year{2023} / 1 / 1}, sys_days{std::chrono::year{2023} / 12 / 31});
        for (std::size_t i = 0; i + 1 < sessions.size(); ++i) {
            const auto part = [name](sys_days date) {
                const std::chrono::year_month_day day{date};
                return std::string_view(name) == "1M" ? static_cast<long>(static_cast<unsigned>(day.month()))
                                                      : (date.time_since_epoch().count() + 3) / 7;
            };
            if (part(sessions[i].date) != part(sessions[i + 1].date)) {
                last_days.push_back(UtcTime{sessions[i].date});
                keys.push_back(keyed.stored_stamp(last_days.back()));
                as_stamped.known.push_back(sessions[i].close());
            }
        }
        as_stored.known = as_stamped.known;
        as_stamped.bars = walk_at(last_days, 3);
        as_stored.bars = walk_at(keys, 3);
        // Without the calendar such a bar is taken to last its length from its stamp on: later than it must, never
        // sooner.
        expect_no_future(base, as_stamped, std::string("stamped as IB does, ") + name, false);
        expect_no_future(base, as_stored, std::string("stored by the calendar, ") + name);
    }
}

TEST(SessionsWithHalfDays, ShowNoHourWhatTheyWillCloseWith) {
    const auto xnys = SessionCalendar::shipped("XNYS").value();
    const BarGrid hour = BarGrid::make(an_hour, xnys, {.provider = "IB"}).value();
    const TimeRange range{at("2023-11-01"), at("2024-01-10")};
    Series base{hour, walk_at(hour.expected(range).value(), 1)};
    for (std::size_t i = 0; i < base.bars.size(); ++i) {
        // 09:30 to 10:00, then whole hours; the last of a half day ends at 13:00, as its session does.
        const UtcTime stamp = base.bars.start_of(i);
        base.known.push_back(std::chrono::floor<hours>(stamp) + hours{1});
        ASSERT_LE(base.known.back(), xnys->session_at(stamp)->close());
    }
    const BarGrid day = BarGrid::make(test::day, xnys, {.provider = "IB"}).value();
    Series other{day, walk_at(day.expected(range).value(), 2)};
    for (std::size_t i = 0; i < other.bars.size(); ++i) {
        other.known.push_back(xnys->session_on(std::chrono::floor<days>(other.bars.start_of(i)))->close());
    }
    expect_no_future(base, other, "half days");
    // Of a half day, too, the hour that ends with the session knows the day.
    const FeatureMatrix joined = build_features(the_rsi(), both(base, other, other.bars), 0).value();
    Bars changed = other.bars;
    const auto half = std::find(other.known.begin(), other.known.end(), at("2023-11-24T18:00"));
    ASSERT_NE(half, other.known.end());
    const auto changed_day = static_cast<std::size_t>(half - other.known.begin());
    const double before = changed.close[changed_day - 1];
    changed.close[changed_day] = before * (changed.close[changed_day] > before ? 0.5 : 2);
    const FeatureMatrix after = build_features(the_rsi(), both(base, other, changed), 0).value();
    for (std::size_t row = 0; row < joined.bar.size(); ++row) {
        if (joined.values[row * 2 + 1] != after.values[row * 2 + 1]) {
            EXPECT_EQ(base.bars.start_of(joined.bar[row]), at("2023-11-24T17:00"));
            return;
        }
    }
    FAIL() << "the day is used nowhere";
}

TEST(ThePurge, LeavesNoRowWhoseLabelIsKnownOnlyWithTheNextPart) {
    for (int hour = 0; hour < 24; ++hour) {
        const Bars bars = walk_at(every(days{1}, at("2024-01-01") + std::chrono::hours{hour}, at("2024-06-01")), 4);
        const BarGrid grid(test::day);
        const Labels labels = make_labels(bars, grid, {0.01, 3}).value();
        std::vector<UtcTime> starts;
        for (std::size_t i = 0; i < bars.size(); ++i) {
            starts.push_back(grid.period_of(bars.start_of(i)).start);
        }
        const SplitRows parts = split_in_time({starts, labels.ends}, {});
        for (const std::size_t row : parts.train) {
            EXPECT_LE(bars.start_of(row + 3) + days{1}, starts[parts.validation.front()]) << hour;
        }
        for (const std::size_t row : parts.validation) {
            EXPECT_LE(bars.start_of(row + 3) + days{1}, starts[parts.test.front()]) << hour;
        }
        EXPECT_EQ(parts.purged, 6U) << hour;
    }
}

}  // namespace
}  // namespace ktrdr
