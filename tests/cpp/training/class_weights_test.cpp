#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/training/trainer.hpp>

namespace ktrdr {
namespace {

using testing::ElementsAre;

TEST(ClassWeights, AreTheLargerTheRarerAClassIs) {
    // 6 rows of two classes that occur: 6 / (2 * 4) and 6 / (2 * 2).
    EXPECT_THAT(balanced_class_weights({0, 2, 0, 0, 2, 0}, 3), ElementsAre(0.75, 1, 1.5));
    EXPECT_THAT(balanced_class_weights({0, 1, 2}, 3), ElementsAre(1, 1, 1));
}

TEST(ClassWeights, OfClassesWithoutRowsAreOne) {
    EXPECT_THAT(balanced_class_weights({}, 3), ElementsAre(1, 1, 1));
    EXPECT_THAT(balanced_class_weights({}, 0), ElementsAre());
}

}  // namespace
}  // namespace ktrdr
