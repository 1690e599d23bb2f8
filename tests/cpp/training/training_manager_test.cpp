#include <ktrdr/training/training_manager.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include <fstream>

#include <ktrdr/models/safetensors.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::chrono::seconds long_enough{60};

struct TrainingManagerTest : ::testing::Test {
    test::TemporaryFolder folder{};
    ManualClock clock{};
    /// Of the host service's sockets; what opens one runs it.
    boost::asio::io_context sockets{};
    ManualExecutor io{};
    ManualTimerQueue timers{clock};
    OperationRegistry registry{io, timers, clock};
    std::shared_ptr<test::FakeBars> bars = std::make_shared<test::FakeBars>();
    std::shared_ptr<test::FakeTrainer> trainer = std::make_shared<test::FakeTrainer>();
    std::shared_ptr<TrainerSlot> slot = std::make_shared<TrainerSlot>();
    test::ThreadExecutor threads{};

    TrainingManagerTest() {
        bars->add("AAPL", 300, 1);
        bars->add("MSFT", 250, 2);
        slot->fulfil(trainer);
    }
    std::shared_ptr<TrainingManager> manager(TrainingManagerParts parts = {}, Executor* executor = nullptr) {
        if (parts.models_dir.empty()) {
            parts.models_dir = folder.path() / "models";
        }
        parts.bars = bars;
        return TrainingManager::create({io, clock, executor == nullptr ? threads : *executor, registry},
                                       std::move(parts), {})
            .value();
    }
    Result<std::shared_ptr<AsyncServiceAdapter>> host_service(const Env& env, const HostServiceArguments& chosen = {}) {
        return open_host_service({sockets, {io, io}}, TrainingManager::host_service(), env, chosen);
    }
    static TrainingRequest request() {
        TrainingRequest made;
        made.strategy = test::strategy_json();
        made.strategy_path = "small.yaml";
        return made;
    }
    std::shared_ptr<Operation> start(TrainingRequest asked = request(), CancellationToken token = {}) {
        auto operation = manager()->train(std::move(asked), slot, std::move(token)).value();
        io.run();
        return operation;
    }
    Result<std::any> outcome(const std::shared_ptr<Operation>& operation) {
        EXPECT_TRUE(operation->wait_for(long_enough));
        threads.join();
        return operation->result();
    }
    boost::json::object value_of(const std::shared_ptr<Operation>& operation) {
        const auto result = outcome(operation);
        EXPECT_TRUE(result) << result.error().message;
        return std::any_cast<boost::json::object>(*result);
    }
    void expect_no_model() { EXPECT_FALSE(std::filesystem::exists(folder.path() / "models" / "small")); }
};

using TrainingManager_ = TrainingManagerTest;

TEST_F(TrainingManager_, TurnsBarsIntoAModelOnDisk) {
    const boost::json::object result = value_of(start());
    const std::filesystem::path path(std::string(result.at("artifacts").at("model_path").as_string()));
    EXPECT_EQ(path, folder.path() / "models/small/AAPL-MSFT_1d_v1");
    std::ifstream file(path / "model.safetensors", std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(decode_safetensors(content)->tensors[0].name, "0.weight");
    EXPECT_EQ(result.at("model_info").at("model_size_bytes"), content.size());
    EXPECT_EQ(result.at("model_info").at("parameters_count"), 12);
    EXPECT_EQ(result.at("model_info").at("architecture"), "mlp 3-8-4-3");
    EXPECT_EQ(result.at("session_info").at("strategy_name"), "small");
}

TEST_F(TrainingManager_, AnswersInTheOneResultSchema) {
    const boost::json::object result = value_of(start());
    std::vector<std::string> sections;
    for (const auto& member : result) {
        sections.emplace_back(member.key());
    }
    EXPECT_THAT(sections, ::testing::UnorderedElementsAre("training_metrics", "validation_metrics", "test_metrics",
                                                          "baselines", "confidence", "calibration", "per_symbol",
                                                          "feature_importance", "history", "resource_usage",
                                                          "artifacts", "session_info", "model_info"));
    EXPECT_EQ(result.at("training_metrics").at("epochs_completed"), 3);
    EXPECT_EQ(result.at("training_metrics").at("training_time_minutes"), 0.1);
    EXPECT_EQ(result.at("history").as_array().size(), 3u);
    // The fake always says hold, so it scores the share of hold, and so does the prior if hold is the majority.
    EXPECT_EQ(result.at("test_metrics").at("recall"), result.at("test_metrics").at("test_accuracy"));
    EXPECT_TRUE(result.at("baselines").at("class_prior").is_double());
    EXPECT_TRUE(result.at("resource_usage").at("gpu_name").is_null());
    EXPECT_TRUE(result.at("session_info").at("start_date").is_null());
}

TEST_F(TrainingManager_, GivesTheTrainerWhatTheStrategySays) {
    (void)value_of(start());
    const TrainerInput& input = trainer->last;
    EXPECT_EQ(input.model.inputs, 3u);
    EXPECT_EQ(input.model.classes, 3u);
    EXPECT_EQ(input.options.seed, 7u);
    EXPECT_EQ(input.options.batch_size, 16);
    EXPECT_EQ(input.rows->train.values.size(), input.rows->train.rows * 3);
    EXPECT_EQ(input.rows->train.labels.size(), input.rows->train.rows);
    // 300 and 250 bars, less 7 of warm-up and 3 undecided, .6/.2/.2, less 3 purged at each border.
    EXPECT_EQ(input.rows->train.rows, (174u - 3) + (144u - 3));
    EXPECT_EQ(input.rows->validation.rows, (58u - 3) + (48u - 3));
    EXPECT_EQ(input.rows->test.rows, 58u + 48u);
}

TEST_F(TrainingManager_, ReportsItsStepsUpToTheEnd) {
    const auto operation = start();
    (void)value_of(operation);
    const OperationRecord record = operation->record();
    EXPECT_EQ(record.status, OperationStatus::completed);
    EXPECT_EQ(record.type, "training");
    EXPECT_EQ(record.progress->percentage, 100);
    EXPECT_EQ(record.progress->total_steps, 5);
    EXPECT_EQ(record.progress->step_name, "saving");
    EXPECT_EQ(record.parameters.at("strategy_name"), "small");
}

TEST_F(TrainingManager_, GivesModelsOfTheSameStrategyRisingVersions) {
    (void)value_of(start());
    const boost::json::object second = value_of(start());
    EXPECT_THAT(std::string(second.at("artifacts").at("model_path").as_string()), HasSubstr("_v2"));
}

TEST_F(TrainingManager_, AsksForTheBarsOfTheRequestedRange) {
    TrainingRequest asked = request();
    asked.start_date = "2020-02-01";
    asked.end_date = "2020-07-31";
    const auto operation = start(asked);
    (void)outcome(operation);
    ASSERT_FALSE(bars->asked.empty());
    EXPECT_EQ(bars->asked[0].start, UtcTime{std::chrono::sys_days{std::chrono::year{2020} / 2 / 1}});
    EXPECT_EQ(bars->asked[0].end, UtcTime{std::chrono::sys_days{std::chrono::year{2020} / 8 / 1}});
}

TEST_F(TrainingManager_, SaysWhoseBarsAreTooFew) {
    bars->add("MSFT", 40);
    const Error error = outcome(start()).error();
    EXPECT_EQ(error.code, Errc::not_enough_data);
    EXPECT_EQ(error.context.at("symbol"), "MSFT");
    EXPECT_EQ(error.context.at("bars"), 40);
    // 7 warm up, 3 decide the last label, and a fifth of 65 rows is 13: ten after a purge of three.
    EXPECT_EQ(error.context.at("bars_needed"), 75);
    EXPECT_THAT(error.message, HasSubstr("MSFT 1d has 40 bars to train on; 75 are needed"));
    expect_no_model();
}

TEST_F(TrainingManager_, TrainsOnExactlyTheBarsItSaysAreNeeded) {
    bars->add("AAPL", 75);
    TrainingRequest asked = request();
    asked.symbols = {"AAPL"};
    (void)value_of(start(asked));
    EXPECT_GE(trainer->last.rows->validation.rows, 10u);
    EXPECT_GE(trainer->last.rows->test.rows, 10u);
}

TEST_F(TrainingManager_, KeepsToTheHistoryThatTheStrategyRequires) {
    TrainingRequest asked = request();
    asked.strategy.at("training_data").as_object()["history_required"] = 1000;
    EXPECT_EQ(outcome(start(asked)).error().context.at("bars_needed"), 1000);
}

TEST_F(TrainingManager_, PassesOnWhatTheProviderAndTheTrainerSay) {
    TrainingRequest asked = request();
    asked.symbols = {"SPY"};
    EXPECT_EQ(outcome(start(asked)).error().code, Errc::no_data);
    trainer->refuse = [](const TrainerInput&) -> Result<void> {
        return fail(Errc::training, "the loss is not finite in epoch 1, batch 2");
    };
    EXPECT_EQ(outcome(start()).error().code, Errc::training);
    expect_no_model();
}

TEST_F(TrainingManager_, TellsAnExceptionOfTheTrainerAsAnError) {
    trainer->before_batch = [](std::int64_t, std::int64_t) { throw std::runtime_error("out of paper"); };
    const Error error = outcome(start()).error();
    EXPECT_EQ(error.code, Errc::internal);
    EXPECT_THAT(error.message, HasSubstr("out of paper"));
}

TEST_F(TrainingManager_, SaysWhyThereIsNoTrainer) {
    slot = std::make_shared<TrainerSlot>();
    slot->fail({Errc::not_available, "install ktrdr-core[train]", {}});
    EXPECT_EQ(outcome(start()).error().message, "install ktrdr-core[train]");
}

TEST_F(TrainingManager_, StopsWhileItWaitsForItsTrainer) {
    slot = std::make_shared<TrainerSlot>();
    const auto operation = start();
    EXPECT_TRUE(operation->request_cancel({CancelCode::user, "enough", "test"}));
    EXPECT_EQ(outcome(operation).error().code, Errc::cancelled);
}

TEST_F(TrainingManager_, StopsDuringThePreparation) {
    test::Gate loading;
    test::Gate cancelled;
    bars->before = [&](const std::string& symbol) {
        EXPECT_EQ(symbol, "AAPL");
        loading.open();
        cancelled.wait();
    };
    const auto operation = start();
    loading.wait();
    operation->request_cancel({CancelCode::user, "enough", "test"});
    cancelled.open();
    EXPECT_EQ(outcome(operation).error().code, Errc::cancelled);
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    EXPECT_EQ(bars->asked.size(), 1u);
    expect_no_model();
}

TEST_F(TrainingManager_, StopsWithinABatch) {
    std::shared_ptr<Operation> operation;
    test::Gate started;
    std::int64_t last = 0;
    trainer->before_batch = [&](std::int64_t epoch, std::int64_t batch) {
        started.wait();
        last = epoch * 100 + batch;
        if (last == 202) {
            operation->request_cancel({CancelCode::user, "enough", "test"});
        }
    };
    operation = start();
    started.open();
    EXPECT_EQ(outcome(operation).error().code, Errc::cancelled);
    EXPECT_EQ(last, 202);
    expect_no_model();
}

TEST_F(TrainingManager_, StopsWithTheTokenItWasGiven) {
    const CancellationToken token = CancellationToken::create(io, timers, clock);
    test::Gate loading;
    test::Gate cancelled;
    bars->before = [&](const std::string&) {
        loading.open();
        cancelled.wait();
    };
    const auto operation = start(request(), token);
    loading.wait();
    token.cancel({CancelCode::user, "enough", "test"});
    cancelled.open();
    EXPECT_EQ(outcome(operation).error().code, Errc::cancelled);
}

TEST_F(TrainingManager_, EndsATrainingThatStillWaitsForAThreadAtOnce) {
    ManualExecutor queue;
    const auto operation = manager({}, &queue)->train(request(), slot, {}).value();
    io.run();
    operation->request_cancel({CancelCode::user, "enough", "test"});
    io.run();
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    // The thread comes free later and finds nothing to do.
    queue.run();
    EXPECT_TRUE(bars->asked.empty());
}

TEST_F(TrainingManager_, AnswersTheSameRequestWithTheSameOperation) {
    TrainingRequest asked = request();
    asked.operation_id = "mine";
    const auto first = start(asked);
    EXPECT_EQ(start(asked), first);
    (void)outcome(first);
    asked.symbols = {"AAPL"};
    EXPECT_EQ(manager()->train(asked, slot, {}).error().code, Errc::conflict);
}

TEST_F(TrainingManager_, BeginsASessionWhereAHostServiceIsChosenByArgumentOrVariable) {
    const Env by_url(std::map<std::string, std::string>{{"TRAINING_HOST_SERVICE_URL", "http://127.0.0.1:9"}});
    const Env by_flag(std::map<std::string, std::string>{{"USE_TRAINING_HOST_SERVICE", "true"}});
    for (const auto& service : {host_service({}, {.use_host_service = true}).value(), host_service(by_url).value(),
                                host_service(by_flag).value()}) {
        ASSERT_TRUE(service);
        TrainingManagerParts parts;
        parts.service = service;
        parts.means.emplace(HostServiceMeans{sockets, {io, io}});
        const auto there = manager(std::move(parts));
        const auto operation = there->train(request(), nullptr, {}).value();
        io.run();
        EXPECT_EQ(operation->status(), OperationStatus::running);
        there->close();
        EXPECT_EQ(there->train(request(), nullptr, {}).error().code, Errc::client_closed);
        // A session that waits for its sockets ends before they do.
        operation->request_cancel({CancelCode::user, "enough", "test"});
        for (int turn = 0; turn < 1000 && !is_terminal(operation->status()); ++turn) {
            sockets.restart();
            sockets.run_for(std::chrono::milliseconds{20});
            io.run();
        }
    }
    EXPECT_FALSE(host_service(by_flag, {.use_host_service = false}).value());
    expect_no_model();
}

TEST_F(TrainingManager_, RefusesAVariableItCannotRead) {
    const auto service =
        host_service(Env(std::map<std::string, std::string>{{"USE_TRAINING_HOST_SERVICE", "perhaps"}}));
    EXPECT_EQ(service.error().code, Errc::configuration);
    EXPECT_EQ(TrainingManager::create({io, clock, threads, registry}, {.bars = bars}, {}).error().context.at("field"),
              "models_dir");
}

TEST_F(TrainingManager_, KeepsItsPlaceWhenTheProcessGoesElsewhere) {
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    const auto made = manager({.models_dir = "here/models"});
    std::filesystem::current_path(before);
    const auto operation = made->train(request(), slot, {}).value();
    io.run();
    EXPECT_TRUE(outcome(operation));
    EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "here" / "models"));
    EXPECT_FALSE(std::filesystem::exists("here"));
    EXPECT_EQ(TrainingManager::create({io, clock, threads, registry}, {.models_dir = "caf\xe9", .bars = bars}, {})
                  .error()
                  .code,
              Errc::storage);
}

TEST_F(TrainingManager_, BeginsNothingOnABadRequest) {
    TrainingRequest asked = request();
    asked.strategy.at("model").as_object()["type"] = "tree";
    EXPECT_EQ(manager()->train(asked, slot, {}).error().code, Errc::strategy);
    std::ofstream(folder.path() / "file") << "in the way";
    TrainingManagerParts blocked;
    blocked.models_dir = folder.path() / "file";
    EXPECT_EQ(manager(blocked)->train(request(), slot, {}).error().code, Errc::storage);
    EXPECT_TRUE(registry.live().empty());
}

TEST_F(TrainingManager_, WarnsOfAClassThatNoRowHas) {
    TrainingRequest asked = request();
    asked.strategy.at("training").at("labels").as_object()["threshold"] = 0.9;
    const auto operation = start(asked);
    (void)outcome(operation);
    EXPECT_THAT(operation->record().warnings, Contains(HasSubstr("labelled 'buy'")));
}

}  // namespace
}  // namespace ktrdr
