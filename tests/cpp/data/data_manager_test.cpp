#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include <data/manager_fixture.hpp>

namespace ktrdr {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class ManagerTest : public ManagerFixture {
protected:
    /// Put a month of bars into the store, as a load would.
    void store_a_month() {
        const TimeRange month = range("2020-01-01", "2020-02-01");
        auto store = BarStore::open(folder_.path() / "data" / "ktrdr.db").value();
        const SeriesKey key{.provider = "IB", .symbol = "AAPL", .timeframe = day_};
        ASSERT_TRUE(store->commit_segment(key, month, daily_bars(month), AskOutcome::bars, clock_.utc_now()));
    }

    const Timeframe day_ = Timeframe::parse("1d").value();
    const LoadRequest local_{.symbol = "AAPL", .timeframe = "1d"};
    const LoadRequest full_{
        .symbol = "AAPL", .timeframe = "1d", .start_date = "2020-01-01", .end_date = "2020-01-31", .mode = "full"};
};

TEST_F(ManagerTest, LoadsWhatIsStored) {
    const auto manager = open();
    EXPECT_EQ(manager->database_path(), folder_.path() / "data" / "ktrdr.db");
    store_a_month();
    const auto operation = manager->load_data(local_, {}).value();
    EXPECT_EQ(operation->record().type, "data_load");
    finish();
    ASSERT_EQ(operation->status(), OperationStatus::completed);
    const auto bars = std::any_cast<BarsView>(operation->result().value());
    EXPECT_EQ(bars.size(), 31U);
    EXPECT_EQ(bars.symbol(), "AAPL");
    EXPECT_EQ(bars.timeframe(), "1d");
    EXPECT_EQ(operation->record().progress->message, "Loading AAPL 1d data (local mode): done");
    EXPECT_EQ(operation->record().progress->context.at("mode"), "local");
}

TEST_F(ManagerTest, LeavesARecordOfAReadInTheFileOnlyWhereItIsNamed) {
    const auto manager = open(std::make_shared<FakeSource>());
    store_a_month();
    const auto read = manager->load_data(local_, {}).value();
    LoadRequest named = local_;
    named.operation_id = "mine";
    const auto recorded = manager->load_data(named, {}).value();
    const auto load = manager->load_data(full_, {}).value();
    finish();
    const auto known_to = [](OperationStore& store, const std::shared_ptr<Operation>& operation) {
        return store.find(operation->id()).value().has_value();
    };
    EXPECT_EQ(read->status(), OperationStatus::completed);
    EXPECT_FALSE(known_to(*manager->operations(), read));
    EXPECT_TRUE(known_to(*registry_.memory(), read));
    EXPECT_TRUE(known_to(*manager->operations(), recorded));
    EXPECT_TRUE(known_to(*manager->operations(), load));
    EXPECT_TRUE(manager->operations()->events(read->id(), {}).value().empty());
    EXPECT_EQ(manager->jobs().get_job_status(read->id())->status, OperationStatus::completed);
    EXPECT_EQ(registry_.list({}).value().total, 3U);
}

TEST_F(ManagerTest, RefusesABadRequestWithoutAnOperation) {
    const auto manager = open();
    LoadRequest request = local_;
    request.timeframe = "1dd";
    EXPECT_EQ(manager->load_data(request, {}).error().code, Errc::invalid_argument);
    request = local_;
    request.operation_id = "a b";
    EXPECT_EQ(manager->load_data(request, {}).error().code, Errc::invalid_argument);
    EXPECT_TRUE(registry_.live().empty());
}

TEST_F(ManagerTest, NamesEveryWayToASourceWhenThereIsNone) {
    const auto load = open()->load_data(full_, {});
    ASSERT_FALSE(load);
    EXPECT_EQ(load.error().code, Errc::configuration);
    for (const char* words :
         {"ib_url=", "USE_IB_HOST_SERVICE", "IB_HOST_SERVICE_URL", "python -m ktrdr_core.hosts.ib"}) {
        EXPECT_THAT(load.error().message, HasSubstr(words));
    }
}

TEST_F(ManagerTest, AsksTheSourceItWasGivenForWhatIsNotStored) {
    const auto source = std::make_shared<FakeSource>();
    const auto manager = open(source);
    const auto operation = manager->load_data(full_, {}).value();
    finish();
    ASSERT_EQ(operation->status(), OperationStatus::completed);
    EXPECT_EQ(std::any_cast<BarsView>(operation->result().value()).size(), 31U);
    EXPECT_THAT(source->fetched, SizeIs(1));
    EXPECT_EQ(manager->service(), nullptr);
}

TEST_F(ManagerTest, CancelsAFullLoadBeforeItAsksAnybody) {
    const auto source = std::make_shared<FakeSource>();
    const auto manager = open(source);
    const auto token = CancellationToken::create(io_executor_, timers_, clock_);
    const auto operation = manager->load_data(full_, token).value();
    token.cancel({.text = "enough"});
    finish();
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    EXPECT_EQ(source->calls(), 0);
}

TEST_F(ManagerTest, TakesAnIdForOneRequest) {
    const auto manager = open();
    LoadRequest request = local_;
    request.operation_id = "mine";
    const auto first = manager->load_data(request, {}).value();
    EXPECT_EQ(manager->load_data(request, {}).value(), first);
    request.symbol = "MSFT";
    EXPECT_EQ(manager->load_data(request, {}).error().code, Errc::conflict);
    finish();
}

TEST_F(ManagerTest, ReadsStoredBarsForATraining) {
    const auto manager = open();
    store_a_month();
    EXPECT_EQ((*manager->read({"AAPL", "1d", {}}, range("2020-01-10", "2020-01-20")))->size(), 10U);
    const auto nothing = manager->read({"MSFT", "1d", {}}, range("2020-01-10", "2020-01-20"));
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().code, Errc::no_data);
    EXPECT_THAT(nothing.error().message, HasSubstr("load_data(\"MSFT\", \"1d\""));
}

TEST_F(ManagerTest, StartsNothingOnceItIsClosed) {
    const auto manager = open(std::make_shared<FakeSource>());
    const auto before = manager->load_data(local_, {}).value();
    manager->close();
    manager->close();
    EXPECT_EQ(manager->load_data(local_, {}).error().code, Errc::client_closed);
    EXPECT_EQ(manager->read({"AAPL", "1d", {}}, range("2020-01-10", "2020-01-20")).error().code, Errc::client_closed);
    finish();
    EXPECT_EQ(before->status(), OperationStatus::completed);
}

TEST_F(ManagerTest, ReadsForATrainingWhileTheThreadThatCommitsIsBusy) {
    const auto manager = open();
    store_a_month();
    // Shared: the thread may still look at it when the test is over.
    const auto busy = std::make_shared<std::latch>(1);
    store_.post([busy] { busy->wait(); });
    EXPECT_EQ((*manager->read({"AAPL", "1d", {}}, range("2020-01-10", "2020-01-20")))->size(), 10U);
    busy->count_down();
}

TEST_F(ManagerTest, LetsALoadEndWhenItGoesBefore) {
    auto manager = open(std::make_shared<FakeSource>());
    const auto local = manager->load_data(local_, {}).value();
    const auto full = manager->load_data(full_, {}).value();
    manager.reset();
    finish();
    EXPECT_EQ(local->status(), OperationStatus::completed);
    EXPECT_EQ(full->status(), OperationStatus::completed);
}

class JobsTest : public ManagerTest {
protected:
    /// A job that ends when the test says so.
    DataJob job(std::string id, std::string symbol = "AAPL") {
        DataJob made;
        made.spec.id = std::move(id);
        made.spec.parameters = {{"symbol", symbol}};
        made.work = [this](std::shared_ptr<Operation>, OperationDone done) { done_ = std::move(done); };
        return made;
    }

    std::shared_ptr<DataManager> manager_ = open();
    OperationDone done_;
};

TEST_F(JobsTest, GoFromCreatedToDone) {
    DataJobManager& jobs = manager_->jobs();
    const std::string id = jobs.create_job(job("")).value();
    EXPECT_EQ(jobs.get_job_status(id)->status, OperationStatus::pending);
    EXPECT_THAT(jobs.list_jobs(), SizeIs(1));
    EXPECT_TRUE(registry_.live().empty());
    const auto operation = jobs.start_job(id).value();
    run_until([this] { return done_ != nullptr; });
    EXPECT_EQ(jobs.get_job_status(id)->status, OperationStatus::running);
    done_(std::any(1));
    finish();
    EXPECT_EQ(jobs.get_job_status(id)->status, OperationStatus::completed);
    EXPECT_EQ(jobs.start_job(id).value(), operation);
    EXPECT_THAT(jobs.list_jobs(), SizeIs(1));
}

TEST_F(JobsTest, CanBeCancelledBeforeAndAfterTheStart) {
    DataJobManager& jobs = manager_->jobs();
    const std::string waiting = jobs.create_job(job("")).value();
    EXPECT_TRUE(jobs.cancel_job(waiting, {}).value());
    EXPECT_EQ(jobs.start_job(waiting).error().code, Errc::not_found);
    const std::string running = jobs.create_job(job("")).value();
    ASSERT_TRUE(jobs.start_job(running));
    run_until([this] { return done_ != nullptr; });
    EXPECT_TRUE(jobs.cancel_job(running, {.text = "enough"}).value());
    EXPECT_FALSE(jobs.cancel_job(running, {}).value());
    EXPECT_EQ(jobs.get_job_status(running)->status, OperationStatus::cancelling);
    done_(std::any(1));
    finish();
    EXPECT_EQ(jobs.get_job_status(running)->status, OperationStatus::cancelled);
}

TEST_F(JobsTest, AreThereForWhoeverAsksWhileTheyStart) {
    DataJobManager& jobs = manager_->jobs();
    for (int round = 0; round < 200; ++round) {
        const std::string id = jobs.create_job(job("")).value();
        std::shared_ptr<Operation> others;
        std::thread second([&] {
            EXPECT_TRUE(jobs.get_job_status(id));
            others = jobs.start_job(id).value();
        });
        const auto mine = jobs.start_job(id).value();
        second.join();
        EXPECT_EQ(mine, others);
        done_ = nullptr;
        run_until([this] { return done_ != nullptr; });
        done_(std::any(1));
        finish();
    }
}

TEST_F(JobsTest, ShareAnIdOnlyForTheSameRequest) {
    DataJobManager& jobs = manager_->jobs();
    EXPECT_TRUE(jobs.create_job(job("mine")));
    EXPECT_TRUE(jobs.create_job(job("mine")));
    EXPECT_EQ(jobs.create_job(job("mine", "MSFT")).error().code, Errc::conflict);
    EXPECT_EQ(jobs.create_job(job("not mine")).error().code, Errc::invalid_argument);
}

TEST_F(JobsTest, HaveNoIdOfWhatHasBegun) {
    DataJobManager& jobs = manager_->jobs();
    const auto operation = jobs.start_job(jobs.create_job(job("mine")).value()).value();
    EXPECT_EQ(jobs.create_job(job("mine", "MSFT")).error().code, Errc::conflict);
    EXPECT_TRUE(jobs.create_job(job("mine"))) << "it is this one";
    EXPECT_THAT(jobs.list_jobs(), SizeIs(1));
    EXPECT_EQ(jobs.start_job("mine").value(), operation);
    run_until([this] { return done_ != nullptr; });
    done_(std::any(1));
    finish();
}

TEST_F(JobsTest, WaitOnWhereTheyCannotBeStarted) {
    DataJobManager& jobs = manager_->jobs();
    DataJob orphan = job("mine");
    orphan.spec.parent_id = "gone";
    ASSERT_TRUE(jobs.create_job(orphan));
    EXPECT_EQ(jobs.start_job("mine").error().code, Errc::not_found);
    EXPECT_EQ(jobs.get_job_status("mine")->status, OperationStatus::pending);
    EXPECT_TRUE(jobs.cancel_job("mine", {}).value());
    EXPECT_FALSE(jobs.run_job(orphan));
    EXPECT_THAT(jobs.list_jobs(), SizeIs(0)) << "what was to run at once waits for nobody";
}

TEST_F(JobsTest, GoWithTheirManagerWhereTheyWait) {
    const auto held = std::make_shared<int>(1);
    DataJob waiting = job("mine");
    waiting.work = [held](const std::shared_ptr<Operation>&, const OperationDone&) {};
    ASSERT_TRUE(manager_->jobs().create_job(std::move(waiting)));
    manager_->close();
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_EQ(manager_->jobs().start_job("mine").error().code, Errc::not_found);
}

TEST_F(JobsTest, AreOnlyTheLoadsOfTheRegistry) {
    const auto training = registry_.create({.type = "training", .id = "op_t"});
    ASSERT_TRUE(training);
    EXPECT_TRUE(manager_->jobs().list_jobs().empty());
    EXPECT_EQ(manager_->jobs().get_job_status("op_t").error().code, Errc::not_found);
    EXPECT_EQ(manager_->jobs().cancel_job("op_t", {}).error().code, Errc::not_found);
    EXPECT_EQ(manager_->jobs().create_job(job("op_t")).error().code, Errc::conflict);
}

}  // namespace
}  // namespace ktrdr
