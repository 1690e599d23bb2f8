// What a person is told of the data of a training, word for word where it depends on numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/training/training_data.hpp>

#include "times.hpp"

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const Timeframe warned_day = Timeframe::parse("1d").value();
const Timeframe warned_hour = Timeframe::parse("1h").value();

/// Data that nothing is to be said of.
TrainingData sound_data() {
    TrainingData data;
    SymbolSummary one;
    one.symbol = "AAPL";
    one.bars = 100;
    one.train = one.validation = one.test = 10;
    data.symbols = {one};
    data.rows.train.labels = {0, 1, 2};
    data.cuts = {at("2024-03-01"), at("2024-04-01")};
    return data;
}

TEST(TrainingWarnings, AreNoneOfSoundData) {
    EXPECT_THAT(warnings_of(sound_data()), IsEmpty());
}

TEST(TrainingWarnings, TellWhereTheBasisBreaks) {
    TrainingData data = sound_data();
    data.breaks = {{"AAPL", warned_day, at("2024-02-01"), 0.25}, {"AAPL", warned_day, at("2024-02-09"), 2}};
    const auto warnings = warnings_of(data);
    ASSERT_EQ(warnings.size(), 2U);
    EXPECT_THAT(warnings[0], StartsWith("AAPL 1d: prices from 2024-02-01T00:00:00.000Z on are 0.25 times"));
    EXPECT_THAT(warnings[0], HasSubstr("load the whole range with refresh=True"));
}

TEST(TrainingWarnings, NameTheLongestHoleOfEachSeries) {
    const std::vector<SeriesHole> holes{{"AAPL", warned_day, range("2024-01-10", "2024-01-15"), 3},
                                        {"AAPL", warned_hour, range("2024-01-10", "2024-01-11"), 1},
                                        {"AAPL", warned_day, range("2024-02-10", "2024-02-20"), 6},
                                        {"AAPL", warned_day, range("2024-03-10", "2024-03-11"), 1},
                                        {"MSFT", warned_day, range("2024-01-10", "2024-01-12"), 0}};
    EXPECT_THAT(hole_warnings(holes, "so be it"),
                ElementsAre("AAPL 1d: no bars from 2024-02-10T00:00:00.000Z to 2024-02-20T00:00:00.000Z, 6 sessions, "
                            "the longest of 3 holes; so be it",
                            "AAPL 1h: no bars from 2024-01-10T00:00:00.000Z to 2024-01-11T00:00:00.000Z, 1 session; so "
                            "be it",
                            "MSFT 1d: no bars from 2024-01-10T00:00:00.000Z to 2024-01-12T00:00:00.000Z; so be it"));
    const std::vector<SeriesHole> of_nobody{{"", warned_day, range("2024-01-10", "2024-01-12"), 0}};
    EXPECT_THAT(hole_warnings(of_nobody, "so be it"), ElementsAre(StartsWith("1d: no bars")));
}

TEST(TrainingWarnings, TellOfMissingPricesEmptyPartsAndClassesThatNoRowHas) {
    TrainingData data = sound_data();
    data.symbols[0].dropped.add(DropReason::nan, 7);
    data.symbols[0].validation = 0;
    data.rows.train.labels = {1, 1};
    const auto warnings = warnings_of(data);
    ASSERT_EQ(warnings.size(), 4U);
    EXPECT_THAT(warnings[0], StartsWith("AAPL: 7 of 100 bars have no row"));
    EXPECT_THAT(warnings[1],
                StartsWith("AAPL: no row of it is there to validate: all symbols are split at 2024-03-01"));
    EXPECT_THAT(warnings[2], HasSubstr("labelled 'buy'; lower training.labels.threshold or raise label_lookahead"));
    EXPECT_THAT(warnings[3], HasSubstr("labelled 'sell'; lower training.labels.threshold or raise label_lookahead"));
}

TEST(TrainingWarnings, AdviseAWiderBandWhereNoRowIsInIt) {
    TrainingData data = sound_data();
    data.rows.train.labels = {0, 2};
    const auto warnings = warnings_of(data);
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_THAT(warnings[0], HasSubstr("labelled 'hold'; raise training.labels.threshold or lower label_lookahead"));
}

}  // namespace
}  // namespace ktrdr
