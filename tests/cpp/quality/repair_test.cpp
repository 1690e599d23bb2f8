#include <ktrdr/quality/repair.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>

#include <ktrdr/quality/check_quality.hpp>

#include "soak.hpp"
#include "synthetic.hpp"

namespace ktrdr {
namespace {

using test::complete;
using test::grid;
using test::shipped;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr double no_number = std::numeric_limits<double>::quiet_NaN();

Bars hundred_days() {
    return complete(grid("1d", shipped("CRYPTO")), range("2024-01-01", "2024-04-10"));
}

Repair mended(const Bars& bars) {
    return repair(bars, check_quality(bars, grid("1d", shipped("CRYPTO"))).value()).value();
}

bool same_bytes(const Bars& one, const Bars& other) {
    const auto same = [](const auto& a, const auto& b) {
        return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0);
    };
    return same(one.time, other.time) && same(one.open, other.open) && same(one.high, other.high) &&
           same(one.low, other.low) && same(one.close, other.close) && same(one.volume, other.volume);
}

/// `value high 3: 1 -> 2`
std::vector<std::string> lines_of(const Repair& done) {
    std::vector<std::string> lines;
    for (const RepairChange& change : done.changes) {
        lines.push_back(std::string(to_string(change.kind)) + " " + std::string(to_string(change.column)) + " " +
                        std::to_string(change.index));
    }
    return lines;
}

TEST(Repair, LeavesSoundBarsAlone) {
    const Bars bars = hundred_days();
    const Repair done = mended(bars);
    EXPECT_TRUE(same_bytes(done.bars, bars));
    EXPECT_THAT(done.changes, IsEmpty());
    EXPECT_TRUE(same_bytes(done.undone(), bars));
}

TEST(Repair, ExchangesHighAndLowThatStandInEachOthersPlace) {
    Bars bars = hundred_days();
    const Bars right = bars;
    std::swap(bars.high[7], bars.low[7]);
    const Repair done = mended(bars);
    EXPECT_THAT(lines_of(done), ElementsAre("value high 7", "value low 7"));
    EXPECT_TRUE(same_bytes(done.bars, right));
    EXPECT_TRUE(same_bytes(done.undone(), bars));
    EXPECT_THAT(done.changes[0].why, HasSubstr("in each other's place"));
    EXPECT_EQ(done.changes[0].before, bars.high[7]);
    EXPECT_EQ(done.changes[0].after, right.high[7]);
}

TEST(Repair, ClosesWhatRoundingLeftOpen) {
    Bars bars = hundred_days();
    bars.high[7] = std::max(bars.open[7], bars.close[7]) * (1 - 1e-7);
    bars.low[9] = std::min(bars.open[9], bars.close[9]) * (1 + 1e-7);
    const Repair done = mended(bars);
    EXPECT_THAT(lines_of(done), ElementsAre("value high 7", "value low 9"));
    EXPECT_EQ(done.bars.high[7], std::max(bars.open[7], bars.close[7]));
    EXPECT_EQ(done.bars.low[9], std::min(bars.open[9], bars.close[9]));
}

TEST(Repair, WritesAVolumeThatIsNoNumberAsNotGiven) {
    Bars bars = hundred_days();
    bars.volume[3] = no_number;
    bars.volume[5] = std::numeric_limits<double>::infinity();
    const Repair done = mended(bars);
    EXPECT_THAT(lines_of(done), ElementsAre("value volume 3"));
    EXPECT_EQ(done.bars.volume[3], -1);
    EXPECT_TRUE(same_bytes(done.undone(), bars));
}

TEST(Repair, DropsARowThatIsThereTwiceButNotOneThatDiffers) {
    const Bars days = hundred_days();
    Bars bars = days;
    const auto again = [&bars, &days](std::size_t row, double more) {
        bars.push_back(days.time[row], days.open[row], days.high[row], days.low[row], days.close[row],
                       days.volume[row] + more);
    };
    again(99, 0);
    again(99, 1);
    const Repair done = mended(bars);
    EXPECT_THAT(lines_of(done), ElementsAre("row timestamp 100"));
    EXPECT_EQ(done.bars.size(), 101U);
    EXPECT_TRUE(same_bytes(done.undone(), bars));
}

TEST(Repair, PutsRowsWhereTheirStampsBelong) {
    const Bars right = hundred_days();
    Bars bars = right.rows(0, 50);
    const Bars late = right.rows(50, 53);
    bars = merge(bars, right.rows(53, 100));
    for (std::size_t row = 0; row < 3; ++row) {
        bars.push_back(late.time[row], late.open[row], late.high[row], late.low[row], late.close[row],
                       late.volume[row]);
    }
    const Repair done = mended(bars);
    EXPECT_THAT(lines_of(done), ElementsAre("place timestamp 97", "place timestamp 98", "place timestamp 99"));
    EXPECT_TRUE(same_bytes(done.bars, right));
    EXPECT_TRUE(same_bytes(done.undone(), bars));
    EXPECT_EQ(done.changes[0].after, 50);
}

TEST(Repair, MakesUpNoPrice) {
    Bars bars = hundred_days();
    bars.open[3] = no_number;
    bars.low[5] = 0;
    bars.low[6] = -1;
    bars.high[7] = bars.low[7] - 1;
    bars.close[8] = bars.high[8] + 5;
    bars.volume[9] = -7;
    bars.close[20] *= 4;
    const Repair done = mended(bars);
    EXPECT_THAT(done.changes, IsEmpty());
    EXPECT_TRUE(same_bytes(done.bars, bars));
}

TEST(Repair, MakesNoPriceInfiniteThatIsNamedBesideOneThatIs) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    Bars bars = hundred_days();
    // Of each of these rows a finding names the high, or the low, for what it misses of a price that is a number.
    for (const std::size_t row : {std::size_t{3}, std::size_t{5}}) {
        bars.high[row] = bars.open[row] - 0.5;
    }
    bars.close[3] = infinity;
    bars.low[5] = infinity;
    for (const std::size_t row : {std::size_t{7}, std::size_t{9}}) {
        bars.low[row] = bars.open[row] + 0.5;
    }
    bars.close[7] = -infinity;
    bars.high[9] = -infinity;
    const QualityReport report = check_quality(bars, grid("1d", shipped("CRYPTO"))).value();
    EXPECT_GE(report.count(QualityRule::ohlc), 4U);
    const Repair done = repair(bars, report).value();
    EXPECT_THAT(lines_of(done), IsEmpty());
    EXPECT_TRUE(same_bytes(done.bars, bars));
}

TEST(Repair, DoesNotActOnTheReportOfOtherBars) {
    Bars bars = hundred_days();
    std::swap(bars.high[7], bars.low[7]);
    bars.volume[3] = no_number;
    const QualityReport report = check_quality(bars, grid("1d")).value();
    EXPECT_THAT(repair(hundred_days(), report).value().changes, IsEmpty());
    const auto fewer = repair(hundred_days().rows(0, 50), report);
    ASSERT_FALSE(fewer);
    EXPECT_THAT(fewer.error().message, HasSubstr("the report is about 100 bars, these are 50"));
}

/// A report of a hundred bars that names these.
QualityReport naming(std::vector<Finding> findings) {
    return {.bars = 100, .findings = std::move(findings)};
}

Finding odd(std::size_t row, BarColumn column) {
    return {.rule = QualityRule::ohlc, .index = row, .rows = 1, .column = column};
}

TEST(Repair, DropsARowThatIsThereTwiceRatherThanMendIt) {
    const Bars days = hundred_days();
    Bars bars = days.rows(0, 98);
    std::swap(bars.high[7], bars.low[7]);
    bars.volume[7] = no_number;
    bars.low[9] = std::min(bars.open[9], bars.close[9]) * (1 + 1e-7);
    for (const std::size_t row : {std::size_t{7}, std::size_t{9}}) {
        bars.push_back(bars.time[row], bars.open[row], bars.high[row], bars.low[row], bars.close[row],
                       bars.volume[row]);
    }
    const Repair done = mended(bars);
    EXPECT_THAT(lines_of(done), ElementsAre("value high 7", "value low 7", "value volume 7", "value low 9",
                                            "row timestamp 98", "row timestamp 99"));
    EXPECT_TRUE(same_bytes(done.undone(), bars));
}

TEST(Repair, ExchangesHighAndLowOnlyWhereBothAreNamedAndFinite) {
    const Bars days = hundred_days();
    const auto changes = [&days](double high, double low, std::vector<Finding> findings) {
        Bars bars = days;
        bars.high[7] = high;
        bars.low[7] = low;
        return lines_of(repair(bars, naming(std::move(findings))).value());
    };
    const double high = days.low[7];
    const double low = days.high[7];
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const std::vector<Finding> both{odd(7, BarColumn::high), odd(7, BarColumn::low)};
    EXPECT_THAT(changes(high, low, both), ElementsAre("value high 7", "value low 7"));
    EXPECT_THAT(changes(high, low, {odd(7, BarColumn::high)}), IsEmpty());
    EXPECT_THAT(changes(high, low, {odd(7, BarColumn::low)}), IsEmpty());
    EXPECT_THAT(changes(high, infinity, both), IsEmpty());
    EXPECT_THAT(changes(-infinity, low, both), IsEmpty());
    const double inside = (days.open[7] + days.close[7]) / 2;
    EXPECT_THAT(changes(inside - 1e-3, low, both), IsEmpty()) << "the close, or the open, would be below the low";
}

TEST(Repair, LeavesBarsWhereTheyAreUnlessEachThatIsLateIsNamed) {
    const Bars right = hundred_days();
    Bars bars = right;
    std::swap(bars.time[10], bars.time[11]);
    std::swap(bars.time[20], bars.time[21]);
    const auto late = [](std::size_t row) { return Finding{.rule = QualityRule::order, .index = row, .rows = 1}; };
    EXPECT_THAT(repair(bars, naming({late(11)}))->changes, IsEmpty());
    EXPECT_THAT(lines_of(repair(bars, naming({late(11), late(21)})).value()),
                ElementsAre("place timestamp 11", "place timestamp 21"));
}

TEST(Repair, DropsOnlyRowsThatAreNamed) {
    Bars bars = hundred_days().rows(0, 98);
    for (const std::size_t row : {std::size_t{7}, std::size_t{9}}) {
        bars.push_back(bars.time[row], bars.open[row], bars.high[row], bars.low[row], bars.close[row],
                       bars.volume[row]);
    }
    const Finding twice{.rule = QualityRule::duplicate, .index = 98, .rows = 1};
    const Repair done = repair(bars, naming({twice})).value();
    EXPECT_THAT(lines_of(done), ElementsAre("row timestamp 98"));
    EXPECT_EQ(done.bars.size(), 99U);
}

TEST(Repair, OfNoBarsIsNoneAndOfUnevenColumnsIsRefused) {
    EXPECT_THAT(repair({}, {})->changes, IsEmpty());
    Bars uneven = hundred_days();
    uneven.low.pop_back();
    const auto refused = repair(uneven, naming({}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
}

TEST(Repair, HasEqualChangesWhereAllTheirFactsAre) {
    const RepairChange one{RepairChange::Kind::value, 3, BarColumn::volume, no_number, -1, 0, "why"};
    EXPECT_EQ(one, one) << "what is no number is like itself";
    RepairChange other = one;
    other.before = 5;
    EXPECT_FALSE(one == other);
    EXPECT_FALSE(other == one);
    EXPECT_EQ(other, other);
    other = one;
    other.index = 4;
    EXPECT_FALSE(one == other);
}

void damage(Bars& bars, std::mt19937& random) {
    const auto row = [&] { return random() % bars.size(); };
    const double odd[] = {0, -1, -5, no_number, std::numeric_limits<double>::infinity(), 1e-8, 1e300};
    for (auto count = random() % 12; count > 0; --count) {
        const std::size_t at = row();
        std::vector<double>* const columns[] = {&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume};
        std::vector<double>& column = *columns[random() % 5];
        switch (random() % 7) {
            case 0: column[at] = odd[random() % std::size(odd)]; break;
            case 1: std::swap(bars.high[at], bars.low[at]); break;
            case 2: column[at] *= 1 + (static_cast<double>(random() % 2001) - 1000) * 1e-9; break;
            case 3: std::swap(bars.time[at], bars.time[row()]); break;
            case 4: bars.high[at] = std::max(bars.open[at], bars.close[at]) * (1 - 1e-7); break;
            case 5: bars.volume[at] = no_number; break;
            default: {
                const std::size_t other = row();
                bars.push_back(bars.time[other], bars.open[other], bars.high[other], bars.low[other], bars.close[other],
                               bars.volume[other]);
            }
        }
    }
}

bool is_named(const Finding& finding, const RepairChange& change) {
    const bool holds = finding.index <= change.index && change.index < finding.index + finding.rows;
    switch (change.kind) {
        case RepairChange::Kind::row: return holds && finding.rule == QualityRule::duplicate;
        case RepairChange::Kind::place: return holds && finding.rule == QualityRule::order;
        case RepairChange::Kind::value: break;
    }
    return holds && finding.column == change.column;
}

/// What is not told in the changes is as it was.
void expect_told(const Bars& bars, const Repair& done, const QualityReport& report) {
    std::map<std::pair<std::size_t, BarColumn>, double> values;
    std::vector<bool> dropped(bars.size(), false);
    for (const RepairChange& change : done.changes) {
        ASSERT_LT(change.finding, report.findings.size());
        EXPECT_TRUE(is_named(report.findings[change.finding], change)) << change.why;
        if (change.kind == RepairChange::Kind::value) {
            values[{change.index, change.column}] = change.after;
        }
        dropped[change.index] = dropped[change.index] || change.kind == RepairChange::Kind::row;
    }
    const auto kept = static_cast<std::size_t>(std::count(dropped.begin(), dropped.end(), false));
    ASSERT_EQ(done.bars.size(), kept);
    for (std::size_t place = 0; place < done.bars.size(); ++place) {
        const std::size_t row = done.origin.empty() ? place : done.origin[place];
        EXPECT_FALSE(dropped[row]);
        EXPECT_EQ(done.bars.time[place], bars.time[row]);
        const auto expect = [&](BarColumn column, double was, double now) {
            const auto told = values.find({row, column});
            const double wanted = told == values.end() ? was : told->second;
            EXPECT_EQ(std::memcmp(&wanted, &now, sizeof now), 0) << row << " " << to_string(column);
        };
        expect(BarColumn::open, bars.open[row], done.bars.open[place]);
        expect(BarColumn::high, bars.high[row], done.bars.high[place]);
        expect(BarColumn::low, bars.low[row], done.bars.low[place]);
        expect(BarColumn::close, bars.close[row], done.bars.close[place]);
        expect(BarColumn::volume, bars.volume[row], done.bars.volume[place]);
    }
}

TEST(RepairAtRandom, TellsEachChangeWithTheFindingThatNamesItAndIsUndoneToTheByte) {
    const int count = soak_count(400, 10000);
    std::size_t changes = 0;
    for (int number = 0; number < count; ++number) {
        std::mt19937 random(static_cast<unsigned>(number));
        Bars bars = hundred_days();
        damage(bars, random);
        QualityOptions options;
        options.most_of_a_rule = random() % 4 == 0 ? 2 : 10000;
        const QualityReport report = check_quality(bars, grid("1d", shipped("CRYPTO")), options).value();
        const Repair done = repair(bars, report).value();
        expect_told(bars, done, report);
        EXPECT_TRUE(same_bytes(done.undone(), bars)) << "not undone";
        changes += done.changes.size();
        ASSERT_FALSE(testing::Test::HasFailure()) << "case " << number;
    }
    EXPECT_GT(changes, static_cast<std::size_t>(count));
}

}  // namespace
}  // namespace ktrdr
