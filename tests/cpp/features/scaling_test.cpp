#include <ktrdr/features/scaling.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ktrdr {
namespace {

using ::testing::ElementsAre;

TEST(Scaling, MakesColumnsOfTheRowsItWasFittedOnCentredAndAlikeInSpread) {
    std::vector<float> values{1, 1000, 3, 1002, 5, 1004};
    const FeatureScaling scaling = fit_scaling(values, 2);
    EXPECT_THAT(scaling.mean, ElementsAre(3, 1002));
    EXPECT_DOUBLE_EQ(scaling.deviation[0], std::sqrt(8.0 / 3));
    scale(scaling, values);
    for (std::size_t column = 0; column < 2; ++column) {
        EXPECT_FLOAT_EQ(values[column] + values[column + 2] + values[column + 4], 0);
        EXPECT_FLOAT_EQ(values[column + 4], std::sqrt(1.5F));
    }
}

TEST(Scaling, TakesOtherRowsByWhatItWasFittedOn) {
    const FeatureScaling scaling = fit_scaling(std::vector<float>{0, 2}, 1);
    std::vector<float> later{5};
    scale(scaling, later);
    EXPECT_FLOAT_EQ(later[0], 4);
}

TEST(Scaling, MakesAConstantColumnZero) {
    std::vector<float> values(1000, 0.1F);
    const FeatureScaling scaling = fit_scaling(values, 1);
    EXPECT_THAT(scaling.deviation, ElementsAre(1));
    scale(scaling, values);
    EXPECT_THAT(values, ::testing::Each(::testing::FloatNear(0, 1e-7F)));
}

TEST(Scaling, OfNoRowsChangesNothing) {
    std::vector<float> later{5, 6};
    scale(fit_scaling({}, 2), later);
    EXPECT_THAT(later, ElementsAre(5, 6));
}

TEST(Scaling, OfNoColumnsIsNone) {
    const FeatureScaling scaling = fit_scaling({}, 0);
    EXPECT_TRUE(scaling.mean.empty());
    EXPECT_TRUE(scaling.deviation.empty());
    scale(scaling, {});
}

}  // namespace
}  // namespace ktrdr
