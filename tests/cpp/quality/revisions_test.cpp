// Findings about other numbers that a provider gave for stored bars.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/quality/check_quality.hpp>

#include "synthetic.hpp"

namespace ktrdr {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RevisionFindings : public testing::Test {
protected:
    [[nodiscard]] BarRevision said(std::size_t row, double close, bool replaced = false) const {
        BarRevision one{bars_.start_of(row), numbers_of(bars_, row), at("2024-08-01T12:00"), replaced};
        one.numbers[3] = close;
        return one;
    }
    [[nodiscard]] std::vector<Finding> findings(const Bars& bars, Revisions told) const {
        QualityOptions options;
        options.revisions = std::move(told);
        auto found = check_quality(bars, grid_, options).value().findings;
        std::erase_if(found, [](const Finding& one) {
            return one.rule != QualityRule::revision && one.rule != QualityRule::basis;
        });
        return found;
    }

    const BarGrid grid_ = test::grid("1h", test::shipped("XNYS"), {.provider = "IB"});
    const Bars bars_ = test::complete(grid_, range("2024-06-03", "2024-07-03"));
};

TEST_F(RevisionFindings, NameWhatIsStoredAndWhatTheProviderGives) {
    const auto found = findings(bars_, {.bars = {said(7, 12.5)}});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].rule, QualityRule::revision);
    EXPECT_EQ(found[0].severity, Severity::warning);
    EXPECT_EQ(found[0].index, 7U);
    EXPECT_EQ(found[0].column, BarColumn::close);
    EXPECT_EQ(found[0].value, 12.5);
    EXPECT_THAT(found[0].evidence, AllOf(HasSubstr("close 12.5 ("), HasSubstr("2024-08-01"), HasSubstr("refresh")));
}

TEST_F(RevisionFindings, AreOneOfRowsThatFollowEachOther) {
    BarRevision whole = said(20, 1);
    whole.numbers = {1, 1, 1, 1, 1};
    // In no order, as nobody promises one.
    const auto found = findings(bars_, {.bars = {whole, said(9, 1), said(7, 1), said(8, 1), said(8, 2, true)}});
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0].rows, 3U);
    EXPECT_EQ(found[1].severity, Severity::note) << "what was replaced is history";
    EXPECT_THAT(found[1].evidence, HasSubstr("until the load of"));
    EXPECT_EQ(found[2].column, std::nullopt);
    EXPECT_THAT(found[2].evidence, AllOf(HasSubstr("open 1 ("), HasSubstr("volume 1 (")));
}

TEST_F(RevisionFindings, SayNothingOfBarsThatAreAbsentOrHaveThoseNumbers) {
    BarRevision between = said(3, 1);
    between.time += std::chrono::minutes{1};
    EXPECT_THAT(findings(bars_, {.bars = {between, said(3, bars_.close[3])}}), IsEmpty());
    EXPECT_THAT(findings(bars_.rows(0, 3), {.bars = {said(3, 1)}}), IsEmpty());
    EXPECT_THAT(findings({}, {.bars = {said(3, 1)}, .rebased = {{bars_.start_of(3), 4}}}), IsEmpty());
}

TEST_F(RevisionFindings, StandWhereTheRowStandsThoughBarsAreOutOfOrder) {
    Bars turned = bars_.rows(5, bars_.size());
    for (std::size_t i = 0; i < 5; ++i) {
        turned.push_back(bars_.time[i], bars_.open[i], bars_.high[i], bars_.low[i], bars_.close[i], bars_.volume[i]);
    }
    const auto found = findings(turned, {.bars = {said(2, 1)}});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(turned.time[found[0].index], bars_.time[2]);
}

TEST_F(RevisionFindings, NameWhereTheBasisChangesInsideOfWhatIsChecked) {
    const Rebase split{bars_.start_of(30), 0.25};
    const auto found = findings(bars_, {.rebased = {split}});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].rule, QualityRule::basis);
    EXPECT_EQ(found[0].index, 30U);
    EXPECT_EQ(found[0].value, 0.25);
    EXPECT_THAT(found[0].evidence, HasSubstr("0.25 times"));
    EXPECT_THAT(findings(bars_.rows(30, 40), {.rebased = {split}}), IsEmpty()) << "all of it is on one basis";
    EXPECT_THAT(findings(bars_.rows(0, 30), {.rebased = {split}}), IsEmpty());
}

}  // namespace
}  // namespace ktrdr
