#include <ktrdr/training/training_manager.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include <fstream>
#include <set>
#include <tuple>

#include <ktrdr/models/safetensors.hpp>
#include <ktrdr/training/shared_training_data.hpp>
#include <ktrdr/training/training_memory.hpp>

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
    const Error refused = outcome(start(asked)).error();
    EXPECT_EQ(refused.context.at("bars_needed"), 1000);
    EXPECT_THAT(refused.message, HasSubstr("1000 are needed (training_data.history_required of the strategy)"));
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

/// Two trainings in a queue for one, the first of which waits at `gate` for the test.
struct QueueForOne : TrainingManagerTest {
    std::shared_ptr<TrainingQueue> queue = std::make_shared<TrainingQueue>(QueueLimits{1});
    test::Gate loading{};
    test::Gate gate{};
    std::shared_ptr<TrainingManager> both{};
    std::shared_ptr<Operation> first{};
    std::shared_ptr<Operation> second{};

    QueueForOne() {
        bars->before = [this](const std::string&) {
            loading.open();
            gate.wait();
        };
        TrainingManagerParts parts;
        parts.models_dir = folder.path() / "models";
        parts.bars = bars;
        both = TrainingManager::create({io, clock, threads, registry, queue}, std::move(parts), {}).value();
        first = begin();
        second = begin();
        loading.wait();
    }
    std::shared_ptr<Operation> begin(std::int64_t priority = 0) {
        TrainingRequest asked = request();
        asked.priority = priority;
        auto operation = both->train(std::move(asked), slot, {}).value();
        io.run();
        return operation;
    }
    /// What the queue does when a training has ended is done on the io thread.
    Result<std::any> end_of(const std::shared_ptr<Operation>& operation) {
        EXPECT_TRUE(operation->wait_for(long_enough));
        io.run();
        return operation->result();
    }
};

TEST_F(QueueForOne, SaysThatATrainingIsQueuedAndAtWhichPlace) {
    EXPECT_EQ(second->progress().snapshot().message,
              "Training MLP model on AAPL, MSFT [1d] queued, place 1 of 1: waits for a running training to end");
    const auto third = begin(3);
    EXPECT_THAT(second->progress().snapshot().message, HasSubstr("place 2 of 2"));
    std::vector<std::tuple<std::string, std::int64_t, std::size_t>> places;
    for (const QueuePlace& place : both->queue()) {
        places.emplace_back(place.operation_id, place.priority, place.place);
    }
    EXPECT_THAT(places, ElementsAre(std::tuple(first->id(), 0, 0), std::tuple(third->id(), 3, 1),
                                    std::tuple(second->id(), 0, 2)));
    gate.open();
    EXPECT_TRUE(end_of(first));
    EXPECT_TRUE(end_of(third));
    EXPECT_TRUE(end_of(second));
    EXPECT_THAT(second->progress().snapshot().message, Not(HasSubstr("queued")));
    EXPECT_TRUE(both->queue().empty());
    threads.join();
}

TEST_F(QueueForOne, EndsOneThatWaitsAtOnceAndFreesItsPlace) {
    second->request_cancel({CancelCode::user, "enough", "test"});
    io.run();
    EXPECT_EQ(second->status(), OperationStatus::cancelled);
    EXPECT_EQ(both->queue(), (std::vector<QueuePlace>{{first->id(), 0, 0}}));
    gate.open();
    EXPECT_TRUE(end_of(first));
    threads.join();
}

TEST_F(QueueForOne, GivesThePlaceOfOneThatFailsOrIsCancelledToTheNext) {
    const auto third = begin();
    first->request_cancel({CancelCode::user, "enough", "test"});
    trainer->before_batch = [](std::int64_t, std::int64_t) { throw std::runtime_error("out of paper"); };
    gate.open();
    EXPECT_EQ(end_of(first).error().code, Errc::cancelled);
    EXPECT_EQ(end_of(second).error().code, Errc::internal);
    EXPECT_EQ(end_of(third).error().code, Errc::internal);
    EXPECT_TRUE(both->queue().empty());
    threads.join();
}

/// Many trainings of one manager at once, the first of which waits while it loads.
struct ManyAtOnce : TrainingManagerTest {
    test::Gate loading{};
    test::Gate gate{};
    std::shared_ptr<TrainingManager> all{};

    ManyAtOnce() {
        bars->stamps = true;
        bars->before = [this](const std::string&) {
            loading.open();
            gate.wait();
        };
    }
    std::shared_ptr<Operation> begin(double learning_rate) {
        if (all == nullptr) {
            all = manager();
        }
        TrainingRequest asked = request();
        asked.random_walk_baseline = false;
        asked.strategy["model"].as_object()["training"].as_object()["learning_rate"] = learning_rate;
        auto operation = all->train(std::move(asked), slot, {}).value();
        io.run();
        return operation;
    }
    static std::string rows_of(const boost::json::object& result) {
        return boost::json::serialize(result.at("session_info").at("data_summary"));
    }
};

TEST_F(ManyAtOnce, PrepareTheSameRowsOnce) {
    std::vector<std::shared_ptr<Operation>> operations;
    for (const double rate : {0.1, 0.01, 0.001, 0.0001}) {
        operations.push_back(begin(rate));
    }
    loading.wait();
    gate.open();
    std::set<std::string> rows;
    for (const auto& operation : operations) {
        EXPECT_TRUE(operation->wait_for(long_enough));
        const auto result = operation->result();
        ASSERT_TRUE(result) << result.error().message;
        rows.insert(rows_of(std::any_cast<boost::json::object>(*result)));
    }
    io.run();
    threads.join();
    // Once for each symbol.
    EXPECT_EQ(bars->asked.size(), 2U);
    EXPECT_EQ(rows.size(), 1U);
    // Those that are alone and do not share have the same.
    bars->stamps = false;
    EXPECT_EQ(rows_of(value_of(begin(0.1))), *rows.begin());
}

TEST_F(ManyAtOnce, PrepareThemAnewWhereTheOneThatDoesIsCancelled) {
    const auto first = begin(0.1);
    loading.wait();
    const auto second = begin(0.01);
    first->request_cancel({CancelCode::user, "enough", "test"});
    gate.open();
    EXPECT_TRUE(second->wait_for(long_enough));
    EXPECT_TRUE(second->result());
    threads.join();
    EXPECT_EQ(first->status(), OperationStatus::cancelled);
}

TEST_F(ManyAtOnce, KeepTheRowsForTheNextOneWhereThatIsAskedFor) {
    gate.open();
    all = manager();
    auto kept = all->keep_last_rows();
    for (const double rate : {0.1, 0.01}) {
        (void)value_of(begin(rate));
    }
    EXPECT_EQ(bars->asked.size(), 2U);
    kept.reset();
    trainer->last = {};
    (void)value_of(begin(0.1));
    EXPECT_EQ(bars->asked.size(), 4U);
}

TEST_F(ManyAtOnce, BeginOnlyWhereTheirMemoryFits) {
    TrainingRequest asked = request();
    const auto context = build_training_context(asked).value();
    const std::uint64_t need = estimate_memory(context, data_stamp_of(context, *bars).value().bars).total();
    TrainingManagerParts parts;
    parts.limits.memory_limit = static_cast<std::int64_t>(need + need / 2);
    all = manager(std::move(parts));
    EXPECT_EQ(all->limits(), (QueueLimits{trainings_at_once, need + need / 2}));
    const auto first = all->train(asked, slot, {}).value();
    asked.start_date = "2020-01-10";
    const auto second = all->train(asked, slot, {}).value();
    io.run();
    loading.wait();
    EXPECT_THAT(second->progress().snapshot().message,
                HasSubstr("queued, place 1 of 1: waits for memory: with those that run it would take"));
    EXPECT_EQ(all->queue().front().memory_bytes, need);
    gate.open();
    EXPECT_TRUE(first->wait_for(long_enough));
    io.run();
    EXPECT_TRUE(second->wait_for(long_enough));
    EXPECT_TRUE(second->result());
    threads.join();
}

TEST_F(ManyAtOnce, RefuseOneThatCanNeverFitBeforeItReadsABar) {
    TrainingManagerParts parts;
    parts.limits.memory_limit = 1'000'000;
    all = manager(std::move(parts));
    const auto operation = begin(0.1);
    const Error error = operation->result().error();
    EXPECT_EQ(error.code, Errc::out_of_resources);
    EXPECT_EQ(error.context.at("limit_bytes"), 1'000'000);
    EXPECT_GT(error.context.at("estimate_bytes").to_number<double>(), 1e6);
    EXPECT_THAT(error.message, HasSubstr("training small on AAPL, MSFT takes about "));
    EXPECT_THAT(error.message, HasSubstr("may take 1 MB (memory_limit): train on fewer symbols"));
    EXPECT_TRUE(bars->asked.empty());
    EXPECT_TRUE(all->queue().empty());
}

TEST_F(TrainingManager_, RefusesLimitsOutOfRange) {
    const auto refused = [this](TrainingLimits limits) {
        TrainingManagerParts parts;
        parts.models_dir = folder.path() / "models";
        parts.limits = limits;
        return TrainingManager::create({io, clock, threads, registry}, std::move(parts), {}).error().message;
    };
    EXPECT_EQ(refused({.sessions = 0}), "sessions is 0; it must be 1 to 256");
    EXPECT_EQ(refused({.sessions = 257}), "sessions is 257; it must be 1 to 256");
    EXPECT_EQ(refused({.memory_limit = 0}), "memory_limit is 0; it must be at least 1 byte");
}

TEST_F(TrainingManager_, GivesThePlaceOfOneForWhichThereIsNoThreadToTheNext) {
    struct Full final : Executor {
        void post(Function) override { throw ErrorException(fail(Errc::out_of_resources, "no thread is left")); }
        [[nodiscard]] bool runs_here() const override { return false; }
    } full;
    const auto made = manager({}, &full);
    const auto operation = made->train(request(), slot, {}).value();
    io.run();
    EXPECT_EQ(operation->result().error().code, Errc::out_of_resources);
    EXPECT_TRUE(made->queue().empty());
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
    // Nobody listens, and a stop that is tried again and again would only take its pauses.
    const std::pair<const std::string, std::string> once{"TRAINING_HOST_SERVICE_MAX_RETRIES", "0"};
    const Env unsaid(std::map<std::string, std::string>{once});
    const Env by_url(std::map<std::string, std::string>{{"TRAINING_HOST_SERVICE_URL", "http://127.0.0.1:9"}, once});
    const Env by_flag(std::map<std::string, std::string>{{"USE_TRAINING_HOST_SERVICE", "true"}, once});
    for (const auto& service : {host_service(unsaid, {.use_host_service = true}).value(), host_service(by_url).value(),
                                host_service(by_flag).value()}) {
        ASSERT_TRUE(service);
        TrainingManagerParts parts;
        parts.service = service;
        parts.means.emplace(HostServiceMeans{sockets, {io, io}});
        const auto there = manager(std::move(parts));
        const auto operation = there->train(request(), nullptr, {}).value();
        io.run();
        EXPECT_EQ(operation->status(), OperationStatus::running);
        TrainingRequest urgent = request();
        urgent.priority = 1;
        EXPECT_EQ(there->train(urgent, nullptr, {}).error().context.at("field"), "priority");
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
