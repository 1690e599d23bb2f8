#include "../../../cpp/data/src/seam.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

namespace ktrdr {
namespace {

/// So many bars around a price, to the cent.
Bars walk(std::mt19937& random, double price, std::size_t count, double tick = 0.01) {
    std::uniform_real_distribution step(-0.01, 0.01);
    const auto rounded = [tick](double value) { return std::round(value / tick) * tick; };
    Bars bars;
    for (std::size_t i = 0; i < count; ++i) {
        const double open = price;
        price *= 1 + step(random);
        bars.push_back(static_cast<std::int64_t>(i), rounded(open), rounded(std::max(open, price) * 1.004),
                       rounded(std::min(open, price) * 0.996), rounded(price), 1000);
    }
    return bars;
}

Bars times(const Bars& bars, double ratio, double tick = 0.01) {
    Bars all = bars;
    for (auto* column : {&all.open, &all.high, &all.low, &all.close}) {
        for (double& price : *column) {
            price = std::round(price * ratio / tick) * tick;
        }
    }
    return all;
}

TEST(Seam, IsTheSameWhereNothingDiffers) {
    std::mt19937 random(1);
    const Bars bars = walk(random, 100, 3);
    EXPECT_EQ(compare(bars, bars).kind, Seam::Kind::same);
    EXPECT_EQ(compare(bars, bars.rows(2, 3)).kind, Seam::Kind::same);
    EXPECT_EQ(compare(bars, {}).kind, Seam::Kind::unknown);
    EXPECT_EQ(compare({}, bars).kind, Seam::Kind::unknown);
}

TEST(Seam, FindsEverySplitAndDividendToTheCent) {
    std::mt19937 random(2);
    for (const double ratio : {0.25, 0.5, 0.1, 0.05, 1 / 3.0, 2 / 3.0, 2.0, 4.0, 10.0, 0.995, 0.99, 0.97, 1.05}) {
        for (int i = 0; i < 200; ++i) {
            const Bars stored = walk(random, std::uniform_real_distribution(90.0, 900.0)(random), 3);
            const Seam seam = compare(stored, times(stored, ratio));
            ASSERT_EQ(seam.kind, Seam::Kind::rebased) << ratio;
            EXPECT_NEAR(seam.ratio, ratio, 0.002 * ratio);
        }
    }
}

TEST(Seam, FindsASplitOfPenniesAndOfTinyPrices) {
    std::mt19937 random(3);
    const Bars pennies = walk(random, 2, 3);
    EXPECT_EQ(compare(pennies, times(pennies, 0.25)).kind, Seam::Kind::rebased);
    const Bars tiny = walk(random, 1e-6, 3, 1e-12);
    EXPECT_EQ(compare(tiny, times(tiny, 0.5, 1e-15)).kind, Seam::Kind::rebased);
}

TEST(Seam, TakesNoRevisionForABasis) {
    std::mt19937 random(4);
    for (int i = 0; i < 1000; ++i) {
        const Bars stored = walk(random, std::uniform_real_distribution(20.0, 500.0)(random), 3);
        Bars came = stored;
        const auto row = static_cast<std::size_t>(i % 3);
        switch (i % 4) {
            case 0: came.close[row] += 0.01 * (1 + i % 7); break;
            case 1: came.high[row] *= 1.02; break;
            case 2: came.volume[row] += 1; break;
            // Every bar is another, and by no one ratio.
            default: came = walk(random, stored.open[0], 3);
        }
        const Seam seam = compare(stored, came);
        ASSERT_EQ(seam.kind, Seam::Kind::revised) << i;
        EXPECT_TRUE(seam.different == 1 || i % 4 == 3) << i;
    }
}

TEST(Seam, NeedsTwoPricesToTellARatio) {
    Bars flat;
    flat.push_back(0, 50, 50, 50, 50, 0);
    EXPECT_EQ(compare(flat, times(flat, 0.5)).kind, Seam::Kind::revised);
}

TEST(Seam, TakesNoRatioOfPricesAtOrBelowZero) {
    Bars oil;
    oil.push_back(0, 10, 11, -40, -37, 100);
    EXPECT_EQ(compare(oil, times(oil, 0.5)).kind, Seam::Kind::revised);
}

}  // namespace
}  // namespace ktrdr
