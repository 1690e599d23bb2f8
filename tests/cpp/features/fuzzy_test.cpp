#include <ktrdr/features/fuzzy.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace ktrdr {
namespace {

FuzzySet make(std::string_view type, const std::vector<double>& parameters) {
    return FuzzySet::make(type, parameters).value();
}

std::string refusal(std::string_view type, const std::vector<double>& parameters) {
    const auto set = FuzzySet::make(type, parameters);
    return set ? "accepted" : set.error().message;
}

TEST(FuzzySet, RisesAndFallsAsATriangle) {
    const FuzzySet set = make("triangular", {20, 30, 50});
    EXPECT_EQ(set.membership(20), 0);
    EXPECT_EQ(set.membership(25), 0.5);
    EXPECT_EQ(set.membership(30), 1);
    EXPECT_EQ(set.membership(40), 0.5);
    EXPECT_EQ(set.membership(50), 0);
    EXPECT_EQ(set.membership(19.9), 0);
    EXPECT_EQ(set.membership(51), 0);
}

TEST(FuzzySet, IsFlatOnTopAsATrapezoid) {
    const FuzzySet set = make("trapezoidal", {0, 10, 20, 40});
    EXPECT_EQ(set.membership(5), 0.5);
    EXPECT_EQ(set.membership(10), 1);
    EXPECT_EQ(set.membership(15), 1);
    EXPECT_EQ(set.membership(20), 1);
    EXPECT_EQ(set.membership(30), 0.5);
}

TEST(FuzzySet, IsABellAsAGaussian) {
    const FuzzySet set = make("gaussian", {50, 10});
    EXPECT_EQ(set.membership(50), 1);
    EXPECT_DOUBLE_EQ(set.membership(60), std::exp(-0.5));
    EXPECT_DOUBLE_EQ(set.membership(40), set.membership(60));
}

TEST(FuzzySet, IsOneAtAShoulder) {
    EXPECT_EQ(make("triangular", {0, 0, 30}).membership(0), 1);
    EXPECT_EQ(make("triangular", {70, 100, 100}).membership(100), 1);
    EXPECT_EQ(make("trapezoidal", {0, 0, 20, 35}).membership(0), 1);
    EXPECT_EQ(make("trapezoidal", {65, 80, 100, 100}).membership(100), 1);
}

TEST(FuzzySet, LeavesNanNan) {
    EXPECT_TRUE(std::isnan(make("triangular", {0, 1, 2}).membership(std::nan(""))));
    EXPECT_TRUE(std::isnan(make("gaussian", {0, 1}).membership(std::nan(""))));
}

TEST(FuzzySet, GivesManyValuesAsItGivesOne) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    std::vector<double> values{std::nan(""), -infinity, infinity, 0.0, -0.0, 1, 2, 3, 4, 1e300, -1e300, 5e-324};
    std::mt19937 generator(1);
    std::uniform_real_distribution<double> any(-1, 6);
    while (values.size() < 1000) {
        values.push_back(any(generator));
    }
    const std::vector<FuzzySet> sets{make("triangular", {1, 2, 4}),
                                     make("triangular", {1, 1, 1}),
                                     make("trapezoidal", {1, 2, 3, 4}),
                                     make("trapezoidal", {1, 1, 4, 4}),
                                     make("trapezoidal", {-1e300, 0, 0, 1e300}),
                                     make("gaussian", {2, 0.5})};
    for (const FuzzySet& set : sets) {
        // Not a multiple of what a vector holds.
        for (const std::size_t count : {0U, 1U, 7U, 999U, 1000U}) {
            std::vector<float> many(count);
            set.memberships(std::span(values).first(count), many);
            for (std::size_t i = 0; i < count; ++i) {
                const auto one = static_cast<float>(set.membership(values[i]));
                EXPECT_TRUE(std::isnan(one) ? std::isnan(many[i]) : one == many[i]) << values[i];
            }
        }
    }
}

TEST(FuzzySet, StaysBetweenZeroAndOne) {
    for (const FuzzySet& set :
         {make("triangular", {-1, 0, 3}), make("trapezoidal", {-2, -1, 1, 2}), make("gaussian", {0, 0.5})}) {
        for (double value = -5; value <= 5; value += 0.01) {
            EXPECT_GE(set.membership(value), 0);
            EXPECT_LE(set.membership(value), 1);
        }
    }
}

TEST(FuzzySet, RefusesParametersThatMakeNoSet) {
    EXPECT_EQ(refusal("triangular", {3, 2, 4}), "the parameters of a triangular set must not fall, but are [3, 2, 4]");
    EXPECT_EQ(refusal("trapezoidal", {1, 2, 3}), "a trapezoidal set takes 4 finite numbers, not [1, 2, 3]");
    EXPECT_EQ(refusal("gaussian", {1, 0}), "a gaussian set is [mean, sigma] with sigma above 0, not 0");
    EXPECT_EQ(refusal("triangle", {1, 2, 3}),
              "there is no fuzzy set type 'triangle'; there are triangular, trapezoidal, gaussian");
    EXPECT_NE(refusal("triangular", {1, std::nan(""), 3}), "accepted");
}

}  // namespace
}  // namespace ktrdr
