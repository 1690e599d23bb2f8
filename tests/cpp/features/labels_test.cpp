#include <ktrdr/features/labels.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "series.hpp"
#include "soak.hpp"

namespace ktrdr {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

using test::day;

constexpr std::int64_t buy = static_cast<std::int64_t>(Signal::buy);
constexpr std::int64_t hold = static_cast<std::int64_t>(Signal::hold);
constexpr std::int64_t sell = static_cast<std::int64_t>(Signal::sell);
constexpr std::int64_t undecided = Labels::undecided;
constexpr double not_there = std::numeric_limits<double>::quiet_NaN();

Labels labels_of(const std::vector<double>& closes, const LabelRule& rule, const std::vector<Hole>& holes = {}) {
    return make_labels(test::daily(closes), BarGrid(day), rule, holes).value();
}

std::vector<LabelRule> rules() {
    return {{.threshold = 0.01, .lookahead = 3},
            {.threshold = 0.01, .lookahead = 8, .source = LabelSource::zigzag, .zigzag_threshold = 0.03},
            {.threshold = 0.02, .lookahead = 8, .source = LabelSource::triple_barrier, .stop_threshold = 0.01}};
}

TEST(ForwardReturn, SaysWhatTheCloseDoesAfterTheLookahead) {
    const std::vector<double> closes{100, 100, 125, 100, 93, 125};
    // Exactly the threshold is a hold: 125 is 25 % above 100.
    EXPECT_THAT(labels_of(closes, {0.25, 2}).classes, ElementsAre(hold, hold, sell, hold, undecided, undecided));
    EXPECT_EQ(labels_of(closes, {0.24, 2}).classes[0], buy);
}

TEST(ForwardReturn, CarriesTheCloseOfTheLastBarItLooksAt) {
    const Labels labels = labels_of({100, 101, 102, 103}, {0.01, 2});
    EXPECT_EQ(labels.ends[0], UtcTime{std::chrono::sys_days{std::chrono::year{2024} / 1 / 4}});
    EXPECT_EQ(labels.ends[3], UtcTime::max());
    EXPECT_EQ(labels.last[0], 2U);
}

TEST(ForwardReturn, IsAShareOfTheAbsolutePrice) {
    // From -10 to -9 is up, from 10 to -10 down, and from 0 no share of anything.
    const Labels labels = labels_of({-10, -9, 10, -10, 0, 5, 1}, {0.05, 1});
    EXPECT_THAT(labels.classes, ElementsAre(buy, buy, sell, buy, undecided, sell, undecided));
    EXPECT_EQ(labels.reasons[4], DropReason::undecided);
}

TEST(ForwardReturn, NamesThePriceThatIsMissing) {
    const Labels labels = labels_of({1, not_there, 2, 3}, {0.05, 1});
    EXPECT_THAT(labels.reasons, ElementsAre(DropReason::nan, DropReason::nan, DropReason::none, DropReason::undecided));
}

/// `cents` in units of 10^-places, as a person writes it.
double decimal(std::int64_t cents, int places) {
    return std::stod(std::to_string(cents) + "e-" + std::to_string(places));
}

TEST(ForwardReturn, TellsUpAndDownAlikeAtExactlyTheThreshold) {
    EXPECT_THAT(labels_of({100, 102}, {0.02, 1}).classes[0], hold);
    EXPECT_THAT(labels_of({100, 98}, {0.02, 1}).classes[0], hold);
    std::mt19937_64 random(11);
    const auto pick = [&random](std::int64_t low, std::int64_t high) {
        return std::uniform_int_distribution<std::int64_t>(low, high)(random);
    };
    for (int i = 0; i < soak_count(20'000, 2'000'000); ++i) {
        // A base of whole thousands of its last digit, so that every threshold of three digits meets a price exactly.
        const int places = static_cast<int>(pick(0, 9));
        const std::int64_t base = 1000 * pick(1, 1'000'000) * (pick(0, 3) == 0 ? -1 : 1);
        const std::int64_t share = pick(0, 999);
        const std::int64_t move = std::abs(base) / 1000 * share;
        const double threshold = decimal(share, 3);
        const auto label = [&](std::int64_t by) {
            return labels_of({decimal(base, places), decimal(base + by, places)}, {threshold, 1}).classes[0];
        };
        ASSERT_EQ(label(move), hold) << base << " + " << move << ", " << threshold;
        ASSERT_EQ(label(-move), hold) << base << " - " << move << ", " << threshold;
        ASSERT_EQ(label(move + 1), buy) << base << " + " << move + 1 << ", " << threshold;
        ASSERT_EQ(label(-move - 1), sell) << base << " - " << move + 1 << ", " << threshold;
    }
}

TEST(Zigzag, IsTheLegToTheNextTurn) {
    const LabelRule rule{.threshold = 0.02, .lookahead = 100, .source = LabelSource::zigzag, .zigzag_threshold = 0.1};
    //                               low  up       high  down          low  up, not turned yet
    const Labels labels = labels_of({100, 110, 119, 120, 115, 107, 100, 99, 105, 109.5, 111}, rule);
    EXPECT_THAT(labels.classes,
                ElementsAre(buy, buy, hold, sell, sell, sell, hold, undecided, undecided, undecided, undecided));
    // The high of 120 is known with 107, the low of 99 with 109.5.
    EXPECT_THAT(labels.last, ElementsAre(5, 5, 5, 9, 9, 9, 9, 7, 8, 9, 10));
    EXPECT_EQ(labels.reasons[7], DropReason::undecided);
}

TEST(Zigzag, LooksNoFurtherThanTheLookahead) {
    const LabelRule rule{.threshold = 0.05, .lookahead = 1, .source = LabelSource::zigzag, .zigzag_threshold = 0.1};
    const Labels labels = labels_of({100, 102, 110, 111, 90}, rule);
    EXPECT_THAT(labels.classes, ElementsAre(hold, buy, hold, undecided, undecided));
}

TEST(Zigzag, TurnsBelowZeroToo) {
    const LabelRule rule{.threshold = 0.02, .lookahead = 100, .source = LabelSource::zigzag, .zigzag_threshold = 0.1};
    EXPECT_THAT(labels_of({-120, -110, -100, -115, -105}, rule).classes,
                ElementsAre(buy, buy, undecided, undecided, undecided));
}

TEST(TripleBarrier, IsTheFirstThatACloseComesTo) {
    const LabelRule rule{
        .threshold = 0.1, .lookahead = 3, .source = LabelSource::triple_barrier, .stop_threshold = 0.05};
    const Labels labels = labels_of({100, 94, 111, 112, 108, 110, 109, 100, 120, 100}, rule);
    EXPECT_THAT(labels.classes, ElementsAre(sell, buy, hold, hold, sell, sell, sell, buy, sell, undecided));
    EXPECT_THAT(labels.last, ElementsAre(1, 2, 5, 6, 7, 7, 7, 8, 9, 9));
}

TEST(TripleBarrier, FindsABarrierFarAheadAsOneNearIsFound) {
    std::mt19937 random(3);
    for (int round = 0; round < soak_count(40, 2000); ++round) {
        std::vector<double> closes = test::walk(400, static_cast<unsigned>(round));
        closes[random() % closes.size()] = round % 3 == 0 ? not_there : 100;
        const LabelRule rule{.threshold = 0.01 * static_cast<double>(random() % 20),
                             .lookahead = 1 + random() % 300,
                             .source = LabelSource::triple_barrier,
                             .stop_threshold = 0.01 * static_cast<double>(random() % 20)};
        const Labels labels = labels_of(closes, rule);
        for (std::size_t bar = 0; bar < closes.size(); ++bar) {
            std::int64_t wanted = undecided;
            std::size_t at = bar + 1;
            for (; at < closes.size() && at <= bar + rule.lookahead && wanted == undecided; ++at) {
                if (std::isnan(closes[at]) || std::isnan(closes[bar])) {
                    break;
                }
                wanted = has_risen(closes[bar], closes[at], rule.threshold)           ? buy
                         : has_risen(-closes[bar], -closes[at], *rule.stop_threshold) ? sell
                         : at == bar + rule.lookahead                                 ? hold
                                                                                      : undecided;
            }
            ASSERT_EQ(labels.classes[bar], wanted) << "round " << round << ", bar " << bar;
            ASSERT_EQ(labels.last[bar], wanted == undecided ? bar : at - 1);
        }
    }
}

TEST(Labels, DoNotChangeOnceDecidedAndAreKnownAtTheirEnd) {
    const std::vector<double> closes = test::walk(300, 9);
    for (const LabelRule& rule : rules()) {
        const Labels all = labels_of(closes, rule);
        for (std::size_t count = 1; count <= closes.size(); ++count) {
            const Labels early = labels_of({closes.begin(), closes.begin() + static_cast<long>(count)}, rule);
            for (std::size_t bar = 0; bar < count; ++bar) {
                const bool known = all.reasons[bar] == DropReason::none && all.last[bar] < count;
                ASSERT_EQ(early.classes[bar], known ? all.classes[bar] : undecided)
                    << to_string(early.reasons[bar]) << " " << bar << " of " << count;
            }
        }
    }
}

TEST(Labels, LookAcrossNoHole) {
    const std::vector<double> closes = test::walk(60, 4);
    const std::vector<Hole> holes{{25, {}, {}, 1}, {45, {}, {}, 9}};
    for (const LabelRule& rule : rules()) {
        const Labels labels = labels_of(closes, rule, holes);
        for (const auto& [first, last] : stretches_between(holes, closes.size())) {
            const std::vector<double> part(closes.begin() + static_cast<long>(first),
                                           closes.begin() + static_cast<long>(last));
            const Labels alone = labels_of(part, rule);
            for (std::size_t bar = first; bar < last; ++bar) {
                ASSERT_EQ(labels.classes[bar], alone.classes[bar - first]) << bar;
                const bool is_last = last == closes.size() || alone.reasons[bar - first] == DropReason::none;
                ASSERT_EQ(labels.reasons[bar], is_last ? alone.reasons[bar - first] : DropReason::hole) << bar;
            }
        }
    }
}

TEST(Labels, WeighHowMuchOfThemIsTheirOwn) {
    const std::vector<double> closes = test::walk(200, 5);
    for (const LabelRule& rule : rules()) {
        const Labels labels = labels_of(closes, rule, {{90, {}, {}, 1}});
        const auto is_decided = [&](std::size_t bar) { return labels.reasons[bar] == DropReason::none; };
        std::vector<double> wanted(closes.size());
        double sum = 0;
        double decided = 0;
        for (std::size_t bar = 0; bar < closes.size(); ++bar) {
            for (std::size_t at = bar + 1; is_decided(bar) && at <= labels.last[bar]; ++at) {
                double looking = 0;
                for (std::size_t other = 0; other < at; ++other) {
                    looking += is_decided(other) && labels.last[other] >= at ? 1 : 0;
                }
                wanted[bar] += 1 / looking / static_cast<double>(labels.last[bar] - bar);
            }
            sum += wanted[bar];
            decided += is_decided(bar) ? 1 : 0;
        }
        for (std::size_t bar = 0; bar < closes.size(); ++bar) {
            ASSERT_NEAR(labels.weights[bar], wanted[bar] * decided / sum, 1e-9) << bar;
        }
    }
    EXPECT_THAT(labels_of({1, 2, 3, 4}, {0.5, 1}).weights, ElementsAre(1, 1, 1, 0));
    EXPECT_THAT(labels_of({1}, {0.5, 1}).weights, Each(0));
}

TEST(Labels, RefuseARuleThatDecidesNothing) {
    const auto field = [](const LabelRule& rule) {
        return std::string(make_labels({}, BarGrid(day), rule).error().context.at("field").as_string());
    };
    EXPECT_EQ(field({-0.1, 5}), "threshold");
    EXPECT_EQ(field({not_there, 5}), "threshold");
    EXPECT_EQ(field({0.02, 0}), "label_lookahead");
    EXPECT_EQ(field({.zigzag_threshold = 0}), "zigzag_threshold");
    EXPECT_EQ(field({.stop_threshold = 1}), "stop_threshold");
    for (const LabelRule& rule : rules()) {
        EXPECT_TRUE(labels_of({}, rule).classes.empty());
    }
}

}  // namespace
}  // namespace ktrdr
