#include <ktrdr/training/judgement.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// A test of one row a day in which `share` of the rows are right and about half would be by always saying one class.
TestedWindow window_of(const char* from, const char* to, std::size_t days, double share, unsigned seed) {
    std::mt19937 random(seed);
    TestedWindow window;
    window.from = parse_time("from", from).value();
    window.to = parse_time("to", to).value();
    window.horizon = 3;
    for (std::size_t day = 0; day < days; ++day) {
        window.outcomes.rows.push_back(1);
        window.outcomes.right.push_back(static_cast<double>(random() % 1000) < 1000 * share ? 1 : 0);
        window.outcomes.always.push_back(static_cast<std::int64_t>(random() % 2));
    }
    return window;
}

boost::json::object told(const TestedWindow& window, boost::json::value walk = nullptr) {
    return {{"test", to_json(window)}, {"random_walk", std::move(walk)}};
}

std::string verdict_of(const boost::json::object& judged) {
    return std::string(judged.at("confidence").at("verdict").as_string());
}

TEST(TestedWindow, IsReadAsItIsWritten) {
    const TestedWindow window = window_of("2020-01-01", "2020-03-31", 60, 0.5, 1);
    const TestedWindow read = read_tested_window(to_json(window)).value();
    EXPECT_EQ(read.outcomes, window.outcomes);
    EXPECT_EQ(read.from, window.from);
    EXPECT_EQ(read.to, window.to);
    EXPECT_EQ(read.horizon, 3u);
    for (const char* const key : {"from", "to", "horizon", "rows", "right", "always"}) {
        boost::json::object odd = to_json(window);
        odd[key] = -1;
        EXPECT_EQ(read_tested_window(odd).error().code, Errc::protocol) << key;
    }
    EXPECT_THAT(read_tested_window(nullptr).error().message, HasSubstr("does not know test_from"));
}

TEST(PooledJudgement, SaysTogetherWhatMostWindowsCannotSayAlone) {
    boost::json::array windows;
    int beat_alone = 0;
    for (unsigned year = 2010; year < 2020; ++year) {
        const std::string from = std::to_string(year) + "-01-01";
        const std::string to = std::to_string(year) + "-12-31";
        const TestedWindow window = window_of(from.c_str(), to.c_str(), 40, 0.62, year);
        beat_alone += judgement(window.outcomes, 3, "saying hold", {})->at("beats_prior").as_bool() ? 1 : 0;
        windows.insert(windows.begin(), told(window));
    }
    EXPECT_LE(beat_alone, 3);
    const auto judged = pooled_judgement(windows).value();
    EXPECT_EQ(judged.at("rows"), 400);
    EXPECT_NEAR(judged.at("test_accuracy").as_double(), 0.62, 0.05);
    EXPECT_NEAR(judged.at("class_prior").as_double(), 0.5, 0.05);
    EXPECT_THAT(verdict_of(judged), HasSubstr("beats always saying what was most frequent before each test"));
    EXPECT_THAT(verdict_of(judged), HasSubstr("no random walk was trained on"));
    std::ranges::reverse(windows);
    EXPECT_EQ(pooled_judgement(windows).value(), judged) << "whatever order they come in";
}

TEST(Judgement, ClaimsNothingOfTooFewRows) {
    // All of them are right, and a label looks as far as the test is long: one answer, or a few.
    for (const std::size_t times : {1u, 4u, 20u, 60u, 159u}) {
        const std::vector<std::int64_t> ones(times, 1);
        const std::vector<std::int64_t> zeros(times, 0);
        const auto judged = judgement({ones, ones, zeros}, 20, "saying hold", WalkGain{0, 0.01}).value();
        EXPECT_TRUE(judged.at("beats_prior").is_null()) << times;
        EXPECT_TRUE(judged.at("beats_random_walk").is_null()) << times;
        EXPECT_TRUE(judged.at("test_accuracy").at(0).is_null()) << times;
        EXPECT_EQ(judged.at("block_rows"), 20) << times;
        EXPECT_THAT(std::string(judged.at("verdict").as_string()),
                    AllOf(HasSubstr("100.0 % of the test rows are right, but too few"),
                          HasSubstr("always saying hold (0.0 %)"), HasSubstr("test on at least 160 bars")));
    }
    const std::vector<std::int64_t> ones(160, 1);
    const std::vector<std::int64_t> zeros(160, 0);
    EXPECT_EQ(judgement({ones, ones, zeros}, 20, "saying hold", {})->at("beats_prior"), true);
    EXPECT_THAT(std::string(judgement({}, 20, "saying hold", {})->at("verdict").as_string()),
                HasSubstr("There are no test rows"));
}

TEST(PooledJudgement, IsOfAllWindowsWhereEachIsTooShort) {
    boost::json::array windows;
    for (unsigned year = 2010; year < 2020; ++year) {
        const std::string from = std::to_string(year) + "-01-01";
        const TestedWindow window = window_of(from.c_str(), from.c_str(), 5, 1, year);
        EXPECT_TRUE(judgement(window.outcomes, 3, "saying hold", {})->at("beats_prior").is_null());
        windows.push_back(told(window));
    }
    EXPECT_EQ(pooled_judgement(windows).value().at("confidence").at("beats_prior"), true);
}

TEST(PooledJudgement, IsHeldAgainstTheWalksOfAllWindowsOrNone) {
    boost::json::array windows;
    for (unsigned year = 2010; year < 2020; ++year) {
        const std::string from = std::to_string(year) + "-01-01";
        const std::string to = std::to_string(year) + "-12-31";
        windows.push_back(told(window_of(from.c_str(), to.c_str(), 40, 0.62, year),
                               to_json(window_of(from.c_str(), to.c_str(), 40, 0.62, year + 100))));
    }
    const auto judged = pooled_judgement(windows).value();
    EXPECT_EQ(judged.at("confidence").at("beats_random_walk"), false);
    EXPECT_THAT(verdict_of(judged), HasSubstr("not by more than the same training does on a random walk"));
    windows[4].as_object()["random_walk"] = nullptr;
    EXPECT_TRUE(pooled_judgement(windows).value().at("confidence").at("beats_random_walk").is_null());
}

TEST(PooledJudgement, CountsNoDayTwice) {
    const boost::json::array windows{told(window_of("2020-01-01", "2020-06-30", 40, 0.5, 1)),
                                     told(window_of("2020-06-30", "2020-12-31", 40, 0.5, 2))};
    const Error error = pooled_judgement(windows).error();
    EXPECT_EQ(error.code, Errc::invalid_argument);
    EXPECT_THAT(error.message, HasSubstr("rows of both would count twice"));
}

TEST(TestedWindow, IsNoneOfCountsThatCannotBe) {
    const TestedWindow window = window_of("2020-01-01", "2020-03-31", 3, 0.5, 1);
    const auto refused = [&window](std::string_view key, boost::json::value column) {
        boost::json::object odd = to_json(window);
        odd[key] = std::move(column);
        const auto read = read_tested_window(odd);
        return !read && read.error().code == Errc::protocol;
    };
    EXPECT_FALSE(refused("rows", {2, 2, 2}));
    EXPECT_TRUE(refused("rows", {2, 2})) << "fewer than the others";
    EXPECT_TRUE(refused("right", {1, 1}));
    EXPECT_TRUE(refused("always", {1, 1}));
    EXPECT_TRUE(refused("rows", {2, "2", 2}));
    EXPECT_TRUE(refused("rows", {2, 2.5, 2}));
    EXPECT_TRUE(refused("right", {0, -1, 0}));
    EXPECT_TRUE(refused("right", {0, 5, 0})) << "more right than there are";
    EXPECT_TRUE(refused("always", {0, 0, 5}));
    EXPECT_TRUE(refused("horizon", 1.5));
    for (const boost::json::value& none :
         {boost::json::value("text"), boost::json::value(7), boost::json::value(boost::json::array{1})}) {
        EXPECT_EQ(read_tested_window(none).error().code, Errc::protocol);
    }
    boost::json::object without = to_json(window);
    without.erase("horizon");
    EXPECT_EQ(read_tested_window(without).error().code, Errc::protocol);
    without = to_json(window);
    without.erase("rows");
    EXPECT_EQ(read_tested_window(without).error().code, Errc::protocol);
}

TEST(Judgement, SaysWhatIsWorseThanAlwaysOneAnswerAndWhatIsNot) {
    const std::vector<std::int64_t> ones(400, 1);
    const std::vector<std::int64_t> zeros(400, 0);
    std::vector<std::int64_t> half(400, 0);
    for (std::size_t i = 0; i < half.size(); i += 2) {
        half[i] = 1;
    }
    const auto verdict_on = [](const TestOutcomes& outcomes, std::optional<WalkGain> walk) {
        return std::string(judgement(outcomes, 3, "saying hold", walk)->at("verdict").as_string());
    };
    EXPECT_THAT(verdict_on({ones, zeros, ones}, {}), HasSubstr("which is worse than always saying hold (100.0 %)"));
    EXPECT_THAT(verdict_on({ones, half, half}, {}), HasSubstr("which does not beat always saying hold (50.0 %)"));
    EXPECT_THAT(verdict_on({ones, ones, half}, {}), HasSubstr("; no random walk was trained on"));
    const std::string beyond = verdict_on({ones, ones, half}, WalkGain{0, 0.01});
    EXPECT_THAT(beyond, HasSubstr("which beats always saying hold (50.0 %) by more than chance gives."));
    EXPECT_EQ(judgement({ones, ones, half}, 3, "saying hold", WalkGain{0, 0.01})->at("beats_random_walk"), true);
}

TEST(Judgement, IsNotMadeWhenNobodyWantsIt) {
    const std::vector<std::int64_t> ones(400, 1);
    const WorkCheck unwanted([](std::string_view) -> Result<void> { return fail(Errc::cancelled, "enough"); });
    EXPECT_EQ(judgement({ones, ones, ones}, 3, "saying hold", {}, unwanted).error().code, Errc::cancelled);
}

TEST(PooledJudgement, NeedsTheOutcomesOfEveryWindow) {
    const boost::json::value good = told(window_of("2020-01-01", "2020-06-30", 40, 0.5, 1));
    for (const boost::json::value& odd :
         {boost::json::value(7), boost::json::value(boost::json::object{}), boost::json::value({{"test", nullptr}}),
          boost::json::value({{"test", "text"}})}) {
        EXPECT_EQ(pooled_judgement({good, odd}).error().code, Errc::protocol) << odd;
    }
}

TEST(PooledJudgement, IsNotHeldAgainstWalksThatAreTooShortToTell) {
    boost::json::array windows;
    for (unsigned year = 2010; year < 2020; ++year) {
        const std::string from = std::to_string(year) + "-01-01";
        windows.push_back(told(window_of(from.c_str(), from.c_str(), 40, 0.62, year),
                               to_json(window_of(from.c_str(), from.c_str(), 1, 0.62, year + 100))));
    }
    EXPECT_TRUE(pooled_judgement(windows).value().at("confidence").at("beats_random_walk").is_null());
}

}  // namespace
}  // namespace ktrdr
