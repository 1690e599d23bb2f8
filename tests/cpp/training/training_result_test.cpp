#include <ktrdr/training/training_result.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace ktrdr {
namespace {

TEST(ClassificationFigures, AreThoseWorkedByHand) {
    const ClassificationFigures figures = classification_figures({{2, 1, 0}, {1, 3, 0}, {0, 1, 0}});
    // Columns sum to 3, 5, 0; the third class is never predicted.
    EXPECT_DOUBLE_EQ(figures.accuracy, 5.0 / 8);
    EXPECT_DOUBLE_EQ(figures.precision, 3.0 / 8 * 2 / 3 + 4.0 / 8 * 3 / 5);
    EXPECT_DOUBLE_EQ(figures.recall, 5.0 / 8);
    EXPECT_DOUBLE_EQ(figures.f1, 3.0 / 8 * 4 / 6 + 4.0 / 8 * 6 / 9);
}

TEST(ClassificationFigures, AreMissingWithoutRows) {
    EXPECT_TRUE(std::isnan(classification_figures({}).accuracy));
    EXPECT_TRUE(std::isnan(classification_figures({{0, 0}, {0, 0}}).f1));
}

TEST(ClassPrior, ScoresTheMostFrequentClassOfTheTrainingPart) {
    EXPECT_DOUBLE_EQ(class_prior({0, 1, 1, 2}, {1, 1, 0, 2}), 0.5);
    // The test part's own majority does not count.
    EXPECT_DOUBLE_EQ(class_prior({0, 0, 1}, {1, 1, 1, 0}), 0.25);
    EXPECT_TRUE(std::isnan(class_prior({}, {1})));
    EXPECT_TRUE(std::isnan(class_prior({1}, {})));
}

}  // namespace
}  // namespace ktrdr
