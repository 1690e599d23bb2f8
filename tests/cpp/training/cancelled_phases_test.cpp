// Every phase behind the epochs is cut into pieces: wherever its check ends it, nothing more is done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <random>

#include <ktrdr/cancellation/work_check.hpp>
#include <ktrdr/training/evaluation.hpp>
#include <ktrdr/training/judgement.hpp>
#include <ktrdr/training/local_training_runner.hpp>
#include <ktrdr/training/test_figures.hpp>
#include <ktrdr/training/training_data.hpp>
#include <ktrdr/training/training_progress.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t phase_rows = 50'000;
constexpr std::size_t phase_columns = 4;

/// Says no from one of its questions on.
struct Ending {
    std::size_t asked{0};
    /// 0: never.
    std::size_t at{0};

    WorkCheck check() {
        return WorkCheck([this](std::string_view what) -> Result<void> {
            ++asked;
            if (at != 0 && asked >= at) {
                return fail(Errc::cancelled, std::string(what));
            }
            return {};
        });
    }
};

/// What a phase comes to, as no more than its error.
using Work = std::function<std::optional<Error>(const WorkCheck&)>;

template <class Answer>
std::optional<Error> error_of(const Result<Answer>& answer) {
    return answer ? std::nullopt : std::optional(answer.error());
}

std::size_t questions_of(const Work& work) {
    Ending never;
    const auto failed = work(never.check());
    EXPECT_FALSE(failed) << failed->message;
    return never.asked;
}

/// Ends the work at each of some of its questions; behind the one that was answered no there is no other.
void expect_an_end_wherever_it_is_cut(const Work& work, std::size_t questions) {
    for (const std::size_t at : {std::size_t{1}, std::size_t{2}, questions / 2, questions - 1, questions}) {
        Ending ending{.asked = 0, .at = std::max<std::size_t>(at, 1)};
        const auto failed = work(ending.check());
        ASSERT_TRUE(failed) << at << " of " << questions;
        EXPECT_EQ(failed->code, Errc::cancelled);
        EXPECT_EQ(ending.asked, ending.at);
    }
}

struct CancelledPhases : test::TrainingPlace {
    Mlp network =
        Mlp::make(
            std::vector<NamedTensor>{{"0.weight", {3, phase_columns}, std::vector<float>(3 * phase_columns, 0.1F)},
                                     {"0.bias", {3}, {0, 1, 0}}},
            "relu")
            .value();
    LabeledMatrix matrix = [] {
        std::mt19937 random(1);
        LabeledMatrix made{phase_rows, phase_columns, {}, {}};
        for (std::size_t row = 0; row < phase_rows; ++row) {
            made.labels.push_back(static_cast<std::int64_t>(random() % 3));
            for (std::size_t column = 0; column < phase_columns; ++column) {
                made.values.push_back(static_cast<float>(random() % 100));
            }
        }
        return made;
    }();
    Evaluation test = evaluate(network, matrix, {}).value();
    std::vector<UtcTime> starts = [] {
        std::vector<UtcTime> times;
        for (std::size_t row = 0; row < phase_rows; ++row) {
            times.push_back(UtcTime{} + std::chrono::hours{static_cast<int>(row % (phase_rows / 2))});
        }
        return times;
    }();
    std::vector<std::size_t> symbols{phase_rows / 2, phase_rows / 2};
    TestOutcomes outcomes = outcomes_of(matrix.labels, test.predicted, 1, starts).value();

    /// With figures of all that a training is judged by.
    std::optional<Error> figures(const WorkCheck& check) const {
        TrainingRequest asked;
        asked.strategy = test::strategy_json();
        const auto context = build_training_context(asked).value();
        TrainingData data;
        data.rows.train.labels = {0, 1, 1};
        data.rows.test = matrix;
        data.test_starts = starts;
        data.test_closes = starts;
        data.test_known = starts;
        data.symbols = {{.symbol = "AAPL", .test = phase_rows / 2}, {.symbol = "MSFT", .test = phase_rows / 2}};
        const boost::json::object walk;
        return error_of(test_figures({context, data, test, walk}, check));
    }
};

using CancelledPhases_ = CancelledPhases;

TEST_F(CancelledPhases_, AskBehindEveryFewThousandSteps) {
    const std::size_t pieces = phase_rows / WorkPieces::piece;
    const std::vector<std::pair<Work, std::size_t>> works{
        {[&](const WorkCheck& check) { return error_of(evaluate(network, matrix, check)); }, phase_rows / 256},
        {[&](const WorkCheck& check) { return error_of(permutation_importance(network, matrix, check)); },
         phase_columns * (3 * (phase_rows / 256 + pieces) + pieces)},
        {[&](const WorkCheck& check) { return error_of(calibration_of(test, matrix.labels, check)); }, pieces},
        {[&](const WorkCheck& check) {
             return error_of(persistence_of(matrix.labels, {starts, starts}, symbols, check));
         },
         pieces - 1},
        {[&](const WorkCheck& check) { return error_of(outcomes_of(matrix.labels, test.predicted, 1, starts, check)); },
         pieces},
        {[&](const WorkCheck& check) { return error_of(horizon_in_times(starts, symbols, 5, check)); }, pieces},
        // 2,000 times all blocks of the cube root of the times.
        {[&](const WorkCheck& check) { return error_of(confidence_of(outcomes, 1, check)); },
         2000 * (phase_rows / 2 / 30) / WorkPieces::piece},
        {[&](const WorkCheck& check) { return error_of(judgement(outcomes, 1, "saying hold", {}, check)); },
         2000 * (phase_rows / 2 / 30) / WorkPieces::piece},
        {[&](const WorkCheck& check) { return figures(check); },
         // Persistence, order, horizon, calibration, each symbol; and the bootstrap.
         4 * (pieces - 1) + 2 + 2000 * (phase_rows / 2 / 30) / WorkPieces::piece},
    };
    for (std::size_t i = 0; i < works.size(); ++i) {
        const auto& [work, least] = works[i];
        const std::size_t questions = questions_of(work);
        EXPECT_GE(questions, least) << "work " << i;
        expect_an_end_wherever_it_is_cut(work, questions);
    }
}

/// Cancels where a test says, and sees how the training ends.
struct CancelledTraining : test::TrainingPlace {
    std::shared_ptr<test::FakeTrainer> trainer = std::make_shared<test::FakeTrainer>();
    std::shared_ptr<Operation> operation{};
    std::size_t loads{0};

    CancelledTraining() {
        bars->add("AAPL", 20'000, 1);
        bars->add("MSFT", 20'000, 2);
    }
    void cancel() { operation->request_cancel({CancelCode::user, "enough", "test"}); }
    Error ended(bool walk, const Clock& now) {
        TrainingRequest asked;
        asked.strategy = test::strategy_json();
        asked.random_walk_baseline = walk;
        asked.permutation_importance = true;
        const auto context = build_training_context(asked).value();
        const auto slot = std::make_shared<TrainerSlot>();
        slot->fulfil(trainer);
        operation = registry.create({"training", "", "", {}}).value().operation;
        (void)operation->start();
        operation->progress().set_steps(training_steps());
        LocalTrainingRunner runner(context, bars, slot, ModelDirectory(folder.path() / "models", clock), now);
        SharedTrainingData shared;
        const auto result = runner.run(*operation, shared);
        EXPECT_FALSE(result) << "it has completed";
        EXPECT_FALSE(std::filesystem::exists(folder.path() / "models/small"));
        return result ? Error{} : result.error();
    }
};

using CancelledTraining_ = CancelledTraining;

TEST_F(CancelledTraining_, PreparesNoFurtherSymbol) {
    bars->before = [this](const std::string&) {
        ++loads;
        cancel();
    };
    const Error error = ended(false, clock);
    EXPECT_EQ(error.code, Errc::cancelled);
    EXPECT_THAT(error.message, HasSubstr("preparing AAPL"));
    EXPECT_EQ(loads, 1U);
}

TEST_F(CancelledTraining_, IsNotEvaluatedWhenItsEpochsAreOver) {
    trainer->at_end = [this] { cancel(); };
    const Error error = ended(false, clock);
    EXPECT_EQ(error.code, Errc::cancelled);
    EXPECT_THAT(error.message, HasSubstr("evaluating the test rows"));
}

TEST_F(CancelledTraining_, DrawsNoWalkToItsEnd) {
    bars->before = [this](const std::string&) {
        // Two are those of the training itself.
        if (++loads == 3) {
            cancel();
        }
    };
    const Error error = ended(true, clock);
    EXPECT_EQ(error.code, Errc::cancelled) << error.message;
    EXPECT_THAT(error.message, HasSubstr("drawing a random walk"));
    EXPECT_EQ(loads, 3U);
}

TEST_F(CancelledTraining_, LearnsNoFurtherFromAWalk) {
    std::size_t batches = 0;
    trainer->before_batch = [&](std::int64_t, std::int64_t) {
        // Twelve are those of the training itself.
        if (++batches == 14) {
            cancel();
        }
    };
    const Error error = ended(true, clock);
    EXPECT_EQ(error.code, Errc::cancelled) << error.message;
    EXPECT_EQ(batches, 14U);
}

/// The first thing that saving a model needs is the time.
class ClockThatCancels final : public Clock {
public:
    ClockThatCancels(const Clock& clock, std::function<void()> cancel) : clock_(clock), cancel_(std::move(cancel)) {}
    [[nodiscard]] UtcTime utc_now() const override {
        cancel_();
        return clock_.utc_now();
    }
    [[nodiscard]] SteadyTime now() const override { return clock_.now(); }

private:
    const Clock& clock_;
    std::function<void()> cancel_;
};

TEST_F(CancelledTraining_, SavesNothing) {
    const ClockThatCancels now(clock, [this] { cancel(); });
    const Error error = ended(false, now);
    EXPECT_EQ(error.code, Errc::cancelled) << error.message;
    EXPECT_THAT(error.message, HasSubstr("saving the model"));
}

}  // namespace
}  // namespace ktrdr
