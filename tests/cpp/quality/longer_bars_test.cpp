// Shorter bars against longer ones.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/calendar/resample.hpp>
#include <ktrdr/quality/check_quality.hpp>

#include "synthetic.hpp"

namespace ktrdr {
namespace {

using test::complete;
using test::grid;
using test::shipped;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class LongerBarsTest : public testing::Test {
protected:
    const BarGrid minute_ = grid("1m", shipped("XNYS"), {.provider = "IB"});
    const BarGrid hour_ = grid("1h", shipped("XNYS"), {.provider = "IB"});
    Bars minutes_ = complete(minute_, range("2024-07-01", "2024-07-04"));
    Bars hours_ = resample(minutes_, minute_, hour_).value().bars;

    std::vector<Finding> disagreements() const {
        QualityOptions options;
        options.longer = LongerBars{std::make_shared<const Bars>(hours_), hour_};
        auto findings = check_quality(minutes_, minute_, options).value().findings;
        std::erase_if(findings, [](const Finding& one) { return one.rule != QualityRule::disagreement; });
        return findings;
    }
};

TEST_F(LongerBarsTest, AgreeWithWhatTheyAreMadeOf) {
    EXPECT_THAT(disagreements(), IsEmpty());
}

TEST_F(LongerBarsTest, AreNamedByColumnAndByTheRowsThatMakeThem) {
    hours_.close[2] += 0.5;
    hours_.volume[3] *= 2;
    const auto found = disagreements();
    ASSERT_THAT(found, SizeIs(2));
    EXPECT_EQ(found[0].column, BarColumn::close);
    EXPECT_EQ(found[0].index, 90U);
    EXPECT_EQ(found[0].rows, 60U);
    EXPECT_EQ(found[0].severity, Severity::warning);
    EXPECT_THAT(found[0].evidence, HasSubstr("the 1h bar of 2024-07-01T15:00"));
    EXPECT_EQ(found[1].column, BarColumn::volume);
    EXPECT_EQ(found[1].severity, Severity::note);
}

TEST_F(LongerBarsTest, OfWhichMinutesAreMissingMustStillHoldThem) {
    // Without its first minute an hour opens otherwise: no matter. A high above the hour's is one.
    minutes_ = merge(minutes_.rows(0, 30), minutes_.rows(31, minutes_.size()));
    EXPECT_THAT(disagreements(), IsEmpty());
    minutes_.high[40] = hours_.high[1] + 1;
    const auto found = disagreements();
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].column, BarColumn::high);
}

TEST_F(LongerBarsTest, OfAnotherBasisAreOneFinding) {
    for (auto* const column : {&hours_.open, &hours_.high, &hours_.low, &hours_.close}) {
        for (double& price : *column) {
            price /= 4;
        }
    }
    const auto found = disagreements();
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_THAT(found[0].evidence, AllOf(HasSubstr("0.25 times"), HasSubstr("adjusted")));
}

TEST_F(LongerBarsTest, AreFoundInBarsOutOfOrderToo) {
    hours_.close[2] += 0.5;
    std::swap(minutes_.time[5], minutes_.time[6]);
    const auto found = disagreements();
    ASSERT_FALSE(found.empty());
}

TEST_F(LongerBarsTest, MustBeInOrderAndMultiples) {
    QualityOptions options;
    Bars wrong = hours_;
    std::swap(wrong.time[1], wrong.time[2]);
    options.longer = LongerBars{std::make_shared<const Bars>(wrong), hour_};
    EXPECT_FALSE(check_quality(minutes_, minute_, options));
    options.longer = LongerBars{std::make_shared<const Bars>(minutes_), minute_};
    EXPECT_FALSE(check_quality(hours_, hour_, options));
}

TEST_F(LongerBarsTest, AreHeldAgainstTheShorterOnesWhereBothAre) {
    // The fourth hour is not given, nor any behind the tenth.
    hours_ = merge(hours_.rows(0, 3), hours_.rows(4, 10));
    EXPECT_THAT(disagreements(), IsEmpty());
    hours_.close[3] += 0.5;
    const auto found = disagreements();
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].time, at("2024-07-01T17:00"));
    EXPECT_EQ(found[0].index, 210U);
}

TEST_F(LongerBarsTest, OfAnotherBasisAreNotOneFindingWhereFewSaySo) {
    hours_ = hours_.rows(0, 4);
    for (double& price : hours_.close) {
        price *= 4;
    }
    const auto found = disagreements();
    ASSERT_THAT(found, SizeIs(4));
    EXPECT_EQ(found[3].column, BarColumn::close);
}

TEST_F(LongerBarsTest, OfWhichMinutesAreMissingMustNotLieAboveALowOfThem) {
    minutes_ = merge(minutes_.rows(0, 30), minutes_.rows(31, minutes_.size()));
    minutes_.low[40] = hours_.low[1] - 1;
    const auto found = disagreements();
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].column, BarColumn::low);
}

TEST_F(LongerBarsTest, SayNothingOfVolumesThatEitherDoesNotGive) {
    minutes_.volume[95] = Bars::no_volume;
    hours_.volume[4] = Bars::no_volume;
    EXPECT_THAT(disagreements(), IsEmpty());
}

TEST_F(LongerBarsTest, OfNoBarsAreNotLookedAt) {
    minutes_ = {};
    EXPECT_THAT(disagreements(), IsEmpty());
}

TEST(LongerDays, BeginWithTheHourThatTheirOpenIsIn) {
    const BarGrid hour = grid("1h", shipped("XNYS"), {.cut = BarCut::clock});
    const BarGrid day = grid("1d", shipped("XNYS"));
    const Bars hours = complete(hour, range("2024-07-01", "2024-07-04"));
    Bars days = resample(hours, hour, day).value().bars;
    days.close[1] += 0.5;
    const QualityOptions options{.longer = LongerBars{std::make_shared<const Bars>(days), day}};
    auto found = check_quality(hours, hour, options).value().findings;
    std::erase_if(found, [](const Finding& one) { return one.rule != QualityRule::disagreement; });
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].time, at("2024-07-02T13:00"));
    EXPECT_EQ(found[0].index, 7U);
    EXPECT_EQ(found[0].rows, 7U);
}

}  // namespace
}  // namespace ktrdr
