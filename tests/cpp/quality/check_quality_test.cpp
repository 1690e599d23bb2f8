#include <ktrdr/quality/check_quality.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "synthetic.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using test::complete;
using test::grid;
using test::push_bar;
using test::shipped;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// `ohlc error high 3+1`: rule, severity, column, first row and how many.
std::string line_of(const Finding& finding) {
    return std::string(to_string(finding.rule)) + " " + std::string(to_string(finding.severity)) + " " +
           (finding.column ? std::string(to_string(*finding.column)) : "-") + " " + std::to_string(finding.index) +
           "+" + std::to_string(finding.rows);
}

std::vector<std::string> lines_of(const QualityReport& report) {
    std::vector<std::string> lines;
    for (const Finding& finding : report.findings) {
        lines.push_back(line_of(finding));
    }
    return lines;
}

QualityReport check(const Bars& bars, const BarGrid& of, const QualityOptions& options = {}) {
    return check_quality(bars, of, options).value();
}

const BarGrid& nyse_hours() {
    static const BarGrid made = grid("1h", shipped("XNYS"), {.provider = "IB"});
    return made;
}

Bars month() {
    return complete(nyse_hours(), range("2024-06-03", "2024-07-03"));
}

/// Sixty crypto days from the first of January 2024 on.
Bars sixty_days() {
    return complete(grid("1d", shipped("CRYPTO")), range("2024-01-01", "2024-03-01"));
}

QualityReport check_days(const Bars& bars, const QualityOptions& options = {}) {
    return check(bars, grid("1d", shipped("CRYPTO")), options);
}

void set_row(Bars& bars, std::size_t row, double open, double high, double low, double close) {
    bars.open[row] = open;
    bars.high[row] = high;
    bars.low[row] = low;
    bars.close[row] = close;
}

TEST(Quality, HasNothingToSayOfSoundBars) {
    const QualityReport report = check(month(), nyse_hours());
    EXPECT_THAT(lines_of(report), IsEmpty());
    EXPECT_EQ(report.worst(), std::nullopt);
    EXPECT_EQ(report.bars, month().size());
    EXPECT_EQ(report.range, range("2024-06-03T13:30", "2024-07-02T20:00"));
    EXPECT_EQ(report.gaps.absent(), 0U);
    EXPECT_EQ(report, check(month(), nyse_hours()));
}

TEST(Quality, HasNothingToSayOfNoBars) {
    EXPECT_THAT(lines_of(check({}, nyse_hours())), IsEmpty());
    EXPECT_THAT(lines_of(check({}, grid("1m"))), IsEmpty());
}

TEST(Quality, NeverChangesWhatItLooksAt) {
    Bars bars = sixty_days();
    bars.high[3] = 1;
    bars.time[5] = bars.time[4];
    const Bars before = bars;
    check_days(bars);
    EXPECT_EQ(bars, before);
}

TEST(QualityOfOrder, NamesRowsThatStandBehindANewerOne) {
    Bars bars = sixty_days();
    std::swap(bars.time[10], bars.time[11]);
    const QualityReport report = check_days(bars);
    EXPECT_THAT(lines_of(report), ElementsAre("order error timestamp 11+1"));
    EXPECT_THAT(report.findings[0].evidence,
                HasSubstr("2024-01-11T00:00:00.000Z stands behind 2024-01-12T00:00:00.000Z"));
}

TEST(QualityOfOrder, TellsTheSameBarTwiceFromAnotherOfItsStamp) {
    Bars bars = sixty_days().rows(0, 20);
    const Bars again = bars.rows(4, 6);
    push_bar(bars, bars.start_of(19), bars.open[19], bars.high[19], bars.low[19], bars.close[19], bars.volume[19]);
    push_bar(bars, bars.start_of(19), bars.open[19], bars.high[19], bars.low[19], bars.close[19], bars.volume[19] + 1);
    push_bar(bars, again.start_of(0), again.open[0], again.high[0], again.low[0], again.close[0], again.volume[0]);
    const QualityReport report = check_days(bars);
    EXPECT_THAT(lines_of(report), ElementsAre("order error timestamp 22+1", "duplicate warning - 20+1",
                                              "duplicate error - 21+1", "duplicate warning - 22+1"));
    EXPECT_THAT(report.findings[1].evidence, HasSubstr("the same bar as row 19"));
    EXPECT_THAT(report.findings[2].evidence, HasSubstr("but other numbers"));
    EXPECT_THAT(report.findings[3].evidence, HasSubstr("the same bar as row 4"));
}

TEST(QualityOfNumbers, NamesEachColumnThatIsNoNumber) {
    Bars bars = sixty_days();
    bars.open[3] = nan;
    bars.volume[7] = nan;
    bars.high[9] = infinity;
    bars.close[11] = -infinity;
    const QualityReport report = check_days(bars);
    EXPECT_THAT(lines_of(report), ElementsAre("not_finite error open 3+1", "not_finite error volume 7+1",
                                              "not_finite error high 9+1", "not_finite error close 11+1"));
    EXPECT_TRUE(std::isnan(report.findings[0].value));
    EXPECT_EQ(report, check_days(bars));
}

TEST(QualityOfNumbers, JoinsRowsThatFollowEachOther) {
    Bars bars = sixty_days();
    for (std::size_t row = 20; row < 30; ++row) {
        bars.volume[row] = nan;
    }
    const QualityReport report = check_days(bars);
    EXPECT_THAT(lines_of(report), ElementsAre("not_finite error volume 20+10"));
    EXPECT_THAT(report.findings[0].evidence, HasSubstr("so are 9 rows after it, to 2024-01-30T00:00"));
}

TEST(QualityOfNumbers, HoldsHighAndLowAgainstTheOthers) {
    Bars bars = sixty_days();
    set_row(bars, 5, 100, 99.5, 99, 99.4);
    set_row(bars, 6, 100, 101, 100.5, 101);
    set_row(bars, 7, 100, 99, 101, 100);
    const QualityReport report = check_days(bars);
    EXPECT_THAT(lines_of(report), ElementsAre("ohlc error high 5+1", "ohlc error low 6+2", "ohlc error high 7+1"));
    EXPECT_THAT(report.findings[0].evidence, HasSubstr("high 99.5 is below open 100"));
    EXPECT_THAT(report.findings[1].evidence, HasSubstr("low 100.5 is above open 100"));
    EXPECT_EQ(report.findings[0].value, 99.5);
}

TEST(QualityOfNumbers, CallsAMissByRoundingOne) {
    Bars bars = sixty_days();
    set_row(bars, 5, 100, 100.0, 99, std::nextafter(100.0, 101));
    set_row(bars, 8, 100, 100.0 - 5e-6, 99, 99);
    const QualityReport report = check_days(bars);
    EXPECT_THAT(lines_of(report), ElementsAre("ohlc note high 8+1"));
    EXPECT_THAT(report.findings[0].evidence, HasSubstr("by rounding"));
}

/// The May contract of crude oil on 20 April 2020.
Bars crude_oil() {
    Bars bars = sixty_days();
    for (std::size_t row = 0; row < bars.size(); ++row) {
        set_row(bars, row, 20, 20.5, 19.5, 20);
        bars.close[row] += 0.01 * static_cast<double>(row % 7);
    }
    set_row(bars, 30, 17.73, 17.85, -40.32, -37.63);
    set_row(bars, 31, -14, 13.86, -16.74, 10.01);
    return bars;
}

TEST(QualityOfPrices, LetsThemFallBelowZeroWhereTheyMay) {
    const QualityReport odd = check_days(crude_oil(), {.jump = 1e9, .least_jump = 1e9});
    EXPECT_THAT(lines_of(odd),
                ElementsAre("price warning low 30+2", "price warning close 30+1", "price warning open 31+1"));
    EXPECT_THAT(odd.findings[0].evidence, HasSubstr("as crude oil did in April 2020"));
    const QualityReport known = check_days(crude_oil(), {.negative_prices = true, .jump = 1e9, .least_jump = 1e9});
    EXPECT_THAT(lines_of(known), ElementsAre("price note low 30+2", "price note close 30+1", "price note open 31+1"));
}

TEST(QualityOfPrices, CallsZeroAndMinusOneBesidePricesPlaceholders) {
    Bars bars = sixty_days();
    bars.low[4] = 0;
    bars.low[9] = -1;
    set_row(bars, 12, 0, 0, 0, 0);
    const QualityReport report = check_days(bars, {.least_jump = 1e9});
    EXPECT_THAT(lines_of(report),
                ElementsAre("price error low 4+1", "price error low 9+1", "price error open 12+1",
                            "price error high 12+1", "price error low 12+1", "price error close 12+1"));
    EXPECT_THAT(report.findings[0].evidence, HasSubstr("a placeholder, no price"));
    EXPECT_THAT(report.findings[2].evidence, HasSubstr("open is 0, which is no price"));
}

TEST(QualityOfPrices, TakesThoseOfAHundredMillionth) {
    Bars bars = sixty_days();
    std::mt19937 random(3);
    for (std::size_t row = 0; row < bars.size(); ++row) {
        const auto step = static_cast<double>(1 + random() % 3);
        set_row(bars, row, step * 1e-8, 3e-8, 1e-8, static_cast<double>(1 + random() % 3) * 1e-8);
    }
    EXPECT_THAT(lines_of(check_days(bars)), IsEmpty());
}

TEST(QualityOfVolumes, KnowsMinusOneAsNotGivenAndNothingElseBelowZero) {
    Bars bars = sixty_days();
    bars.volume[3] = -1;
    bars.volume[5] = -5;
    bars.volume[8] = -0.5;
    bars.volume[11] = 0;
    const QualityReport report = check_days(bars);
    EXPECT_THAT(lines_of(report),
                ElementsAre("volume error volume 5+1", "volume error volume 8+1", "volume note volume 11+1"));
    EXPECT_THAT(report.findings[0].evidence, HasSubstr("-1 where nobody has given it"));
}

TEST(QualityOfVolumes, SaysOnceThatNobodyGivesThem) {
    Bars bars = sixty_days();
    bars.volume.assign(bars.size(), 0);
    const QualityReport report = check_days(bars);
    EXPECT_THAT(lines_of(report), ElementsAre("volume note volume 0+60"));
    bars.volume.assign(bars.size(), -1);
    EXPECT_THAT(lines_of(check_days(bars)), IsEmpty());
}

TEST(QualityOfVolumes, HasNothingAgainstADayWithoutTrades) {
    Bars bars = sixty_days();
    set_row(bars, 20, 100, 100, 100, 100);
    bars.volume[20] = 0;
    EXPECT_THAT(lines_of(check_days(bars)), IsEmpty());
}

TEST(QualityOfPlaces, TellsClosedHoursFromTimesAtWhichNoBarBegins) {
    Bars bars = month();
    push_bar(bars, at("2024-07-03T13:45"), 100, 101, 99, 100, 5);
    push_bar(bars, at("2024-07-03T18:00"), 100, 101, 99, 100, 6);
    push_bar(bars, at("2024-07-04T15:00"), 100, 101, 99, 100, 5);
    push_bar(bars, at("2024-07-05T13:00"), 100, 101, 99, 100, 6);
    const std::size_t first = month().size();
    const QualityReport report =
        check(bars, nyse_hours(), {.range = range("2024-06-03", "2024-07-03"), .least_jump = 1});
    EXPECT_THAT(lines_of(report), ElementsAre("out_of_session warning timestamp " + std::to_string(first + 1) + "+2",
                                              "off_grid warning timestamp " + std::to_string(first) + "+1",
                                              "off_grid warning timestamp " + std::to_string(first + 3) + "+1"));
    EXPECT_THAT(report.findings[0].evidence, HasSubstr("XNYS is closed at 2024-07-03T18:00"));
    EXPECT_THAT(report.findings[1].evidence, HasSubstr("no 1h bar begins at 2024-07-03T13:45"));
}

TEST(QualityOfPlaces, KnowsTheDatesOfDays) {
    const BarGrid day = grid("1d", shipped("XNYS"));
    Bars bars = complete(day, range("2024-06-03", "2024-07-03"));
    push_bar(bars, at("2024-07-03T04:00"), 100, 101, 99, 100, 5);
    push_bar(bars, at("2024-07-06"), 100, 101, 99, 100, 5);
    const QualityReport report = check(bars, day, {.range = range("2024-06-03", "2024-07-03"), .least_jump = 1});
    EXPECT_THAT(lines_of(report),
                ElementsAre("out_of_session warning timestamp 22+1", "off_grid warning timestamp 21+1"));
}

TEST(QualityOfPlaces, OfExtendedHoursAreWholeLengthsFromMidnight) {
    const BarGrid extended = grid("30m", shipped("XNYS"), {.session = "extended"});
    std::vector<UtcTime> stamps;
    for (UtcTime stamp = at("2024-07-05T08:00"); stamp < at("2024-07-06T00:00"); stamp += minutes{30}) {
        stamps.push_back(stamp);
    }
    EXPECT_THAT(lines_of(check(test::walk(stamps), extended)), IsEmpty());
    stamps[3] += minutes{5};
    stamps.push_back(at("2024-07-06T12:00"));
    EXPECT_THAT(lines_of(check(test::walk(stamps), extended,
                               {.range = range("2024-07-05", "2024-07-05T01:00"), .least_jump = 1})),
                ElementsAre("out_of_session warning timestamp 32+1", "off_grid warning timestamp 3+1"));
}

TEST(QualityOfPlaces, WithoutACalendarAreMinutesThatNoZoneHas) {
    const Bars bars = test::walk({at("2024-07-03T13:30"), at("2024-07-03T14:07"), at("2024-07-03T15:00")});
    EXPECT_THAT(lines_of(check(bars, grid("1h"))), ElementsAre("off_grid warning timestamp 1+1"));
}

TEST(QualityOfMissingBars, HasTheirClassAndNeedsToKnowWhenTheMarketTrades) {
    const Bars all = month();
    const Bars bars = merge(all.rows(0, 10), all.rows(14, all.size()));
    const Evidence empty{range("2024-06-01", "2024-07-01"), EvidenceKind::empty, at("2024-08-01")};
    const QualityReport report = check(bars, nyse_hours());
    EXPECT_THAT(lines_of(report), ElementsAre("missing warning - 10+4"));
    EXPECT_THAT(report.findings[0].evidence, HasSubstr("4 bars missing"));
    EXPECT_EQ(report.findings[0].time, all.start_of(10));
    EXPECT_EQ(report.gaps.absent(GapClass::unknown), 4U);
    EXPECT_THAT(lines_of(check(bars, nyse_hours(), {.evidence = {empty}})), ElementsAre("missing note - 10+4"));
    EXPECT_THAT(lines_of(check(bars, grid("1h"))), IsEmpty());
    EXPECT_THAT(lines_of(check(bars, grid("1h"), {.evidence = {{empty.range, EvidenceKind::failed, empty.asked_at}}})),
                SizeIs(testing::Ge(1U)));
}

TEST(QualityOfEqualBars, TellsCopiesFromHalts) {
    Bars bars = sixty_days();
    const auto copy = [&bars](std::size_t from, std::size_t to) {
        set_row(bars, to, bars.open[from], bars.high[from], bars.low[from], bars.close[from]);
        bars.volume[to] = bars.volume[from];
    };
    set_row(bars, 20, 100, 101, 99, 100.5);
    copy(20, 21);
    copy(20, 22);
    const QualityReport copied = check_days(bars);
    EXPECT_THAT(lines_of(copied), ElementsAre("equal_bars warning - 20+3"));
    EXPECT_THAT(copied.findings[0].evidence, HasSubstr("3 bars in a row are the same"));

    bars = sixty_days();
    for (std::size_t row = 10; row < 40; ++row) {
        set_row(bars, row, 100, 100, 100, 100);
        bars.volume[row] = 0;
    }
    const QualityReport halted = check_days(bars, {.least_jump = 1});
    EXPECT_THAT(lines_of(halted), ElementsAre("equal_bars note - 10+30"));
    EXPECT_THAT(halted.findings[0].evidence, HasSubstr("a halt, or no trades"));
}

TEST(QualityOfEqualBars, LetsTwoBarsBeTheSameAndAShortHaltBe) {
    Bars bars = sixty_days();
    set_row(bars, 20, 100, 101, 99, 100.5);
    set_row(bars, 21, 100, 101, 99, 100.5);
    bars.volume[21] = bars.volume[20];
    for (std::size_t row = 30; row < 59; ++row) {
        set_row(bars, row, 100, 100, 100, 100);
    }
    EXPECT_THAT(lines_of(check_days(bars, {.least_jump = 1})), IsEmpty());
}

Bars times(Bars bars, std::size_t from, double factor) {
    for (std::size_t row = from; row < bars.size(); ++row) {
        set_row(bars, row, bars.open[row] * factor, bars.high[row] * factor, bars.low[row] * factor,
                bars.close[row] * factor);
    }
    return bars;
}

TEST(QualityOfJumps, NamesTheRatioOfASplit) {
    for (const auto& [factor, name] : {std::pair{0.25, "as a 4:1 split"},
                                       {0.5, "as a 2:1 split"},
                                       {1 / 7.0, "as a 7:1 split"},
                                       {2 / 3.0, "as a 3:2 split"},
                                       {10.0, "as a 1:10 split"},
                                       {20.0, "as a 1:20 split"}}) {
        const QualityReport report = check_days(times(sixty_days(), 30, factor));
        EXPECT_THAT(lines_of(report), ElementsAre("jump warning close 30+1")) << name;
        EXPECT_THAT(report.findings[0].evidence, HasSubstr(name));
        EXPECT_NEAR(report.findings[0].value, factor, factor * 0.01);
    }
}

TEST(QualityOfJumps, TellsASpikeFromAFall) {
    Bars bars = sixty_days();
    set_row(bars, 30, bars.open[30], 400, bars.low[30], 399);
    const QualityReport spike = check_days(bars);
    EXPECT_THAT(lines_of(spike), ElementsAre("jump warning close 30+1"));
    EXPECT_THAT(spike.findings[0].evidence, HasSubstr("a spike"));
    const QualityReport fall = check_days(times(sixty_days(), 30, 0.83));
    EXPECT_THAT(lines_of(fall), ElementsAre("jump note close 30+1"));
    EXPECT_THAT(fall.findings[0].evidence, HasSubstr("-17.0 %"));
    EXPECT_THAT(fall.findings[0].evidence, HasSubstr("times the usual move"));
}

TEST(QualityOfJumps, SeesAHighThatStandsAlone) {
    Bars bars = sixty_days();
    bars.high[30] = 140;
    bars.low[40] = 5;
    const QualityReport report = check_days(bars);
    EXPECT_THAT(lines_of(report), ElementsAre("jump note high 30+1", "jump warning low 40+1"));
    EXPECT_THAT(report.findings[1].evidence, HasSubstr("% below"));
}

TEST(QualityOfJumps, MeasuresANightByOtherNights) {
    Bars bars = month();
    std::mt19937 random(5);
    double level = 1;
    for (std::size_t row = 1; row < bars.size(); ++row) {
        const bool night = bars.start_of(row) - bars.start_of(row - 1) > hours{2};
        level *= night ? (random() % 2 == 0 ? 1.02 : 1 / 1.02) : 1;
        set_row(bars, row, bars.open[row] * level, bars.high[row] * level, bars.low[row] * level,
                bars.close[row] * level);
    }
    EXPECT_THAT(lines_of(check(bars, nyse_hours(), {.least_jump = 0.01})), IsEmpty());
}

TEST(QualityOfJumps, IsNotDisturbedByPricesThatAreNone) {
    Bars bars = sixty_days();
    bars.close[10] = nan;
    bars.close[20] = 0;
    bars.close[30] = infinity;
    EXPECT_EQ(check_days(bars).count(QualityRule::jump), 0U);
}

TEST(QualityOfStaleBars, CountsThoseThatHaveClosedSince) {
    const auto now = [](std::string_view text) { return QualityOptions{.now = at(text)}; };
    EXPECT_THAT(lines_of(check(month(), nyse_hours(), now("2024-07-03T15:30"))), IsEmpty());
    const QualityReport report = check(month(), nyse_hours(), now("2024-07-05T13:00"));
    EXPECT_THAT(lines_of(report), ElementsAre("stale warning - " + std::to_string(month().size() - 1) + "+4"));
    EXPECT_THAT(report.findings[0].evidence, HasSubstr("4 bars have closed since"));
    EXPECT_THAT(lines_of(check(month(), nyse_hours(), now("2023-07-05T13:00"))), IsEmpty());
    const QualityReport plain = check(month(), grid("1h"), now("2024-07-05T13:00"));
    EXPECT_THAT(lines_of(plain), SizeIs(1));
    EXPECT_EQ(plain.findings[0].severity, Severity::note);
}

TEST(Quality, ListsNoMoreOfARuleThanWantedAndCountsTheRest) {
    Bars bars = sixty_days();
    for (std::size_t row = 0; row < 60; row += 2) {
        bars.volume[row] = -3;
    }
    const QualityReport report = check_days(bars, {.most_of_a_rule = 10});
    EXPECT_THAT(report.findings, SizeIs(10));
    EXPECT_EQ(report.count(QualityRule::volume), 30U);
    EXPECT_EQ(report.left_out[static_cast<std::size_t>(QualityRule::volume)], 20U);
    EXPECT_EQ(report.worst(), Severity::error);
}

TEST(Quality, RefusesOptionsThatCannotBe) {
    const auto message = [](const QualityOptions& options) {
        const auto report = check_quality(sixty_days(), grid("1d"), options);
        return report ? std::string() : report.error().message;
    };
    EXPECT_THAT(message({.jump = 0}), HasSubstr("jump is 0"));
    EXPECT_THAT(message({.least_jump = nan}), HasSubstr("least_jump is nan"));
    EXPECT_THAT(message({.equal_bars = 1}), HasSubstr("equal_bars is 1"));
    EXPECT_THAT(message({.still_bars = 0}), HasSubstr("still_bars is 0"));
    EXPECT_THAT(message({.stale_bars = 0}), HasSubstr("stale_bars is 0"));
    EXPECT_THAT(message({.most_of_a_rule = 0}), HasSubstr("most_of_a_rule is 0"));
    Bars uneven = sixty_days();
    uneven.high.pop_back();
    EXPECT_FALSE(check_quality(uneven, grid("1d")));
}

TEST(Quality, HasEqualFindingsWhereAllTheirFactsAre) {
    const Finding one{QualityRule::price, Severity::error, 3, 1, at("2024-07-01"), BarColumn::low, nan, "why"};
    EXPECT_EQ(one, one) << "what is no number is like itself";
    Finding other = one;
    other.value = -1;
    EXPECT_FALSE(one == other);
    EXPECT_FALSE(other == one);
    EXPECT_EQ(other, other);
    other = one;
    other.rows = 2;
    EXPECT_FALSE(one == other);
}

TEST(Quality, NamesItsGravestFindingOnly) {
    QualityReport report;
    EXPECT_FALSE(report.worst());
    for (const Severity severity : {Severity::note, Severity::error, Severity::warning}) {
        report.findings.push_back({.severity = severity});
    }
    EXPECT_EQ(report.worst(), Severity::error);
    EXPECT_EQ(to_string(*report.worst()), "error");
    EXPECT_EQ(to_string(Severity::warning), "warning");
    EXPECT_EQ(to_string(Severity::note), "note");
}

}  // namespace
}  // namespace ktrdr
