#include <gmock/gmock.h>

#include <deque>

#include "recorder.hpp"

#include <ktrdr/operations/event_kind.hpp>
#include <ktrdr/operations/event_log.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> words(const std::vector<OperationEvent>& events) {
    std::vector<std::string> all;
    for (const auto& event : events) {
        const auto data = event_data(event);
        const auto* const status = data.if_contains("status");
        all.emplace_back(status != nullptr ? std::string(status->as_string()) : std::string(to_string(event.kind)));
    }
    return all;
}

std::vector<OperationEvent> read(const Operation& operation, std::uint64_t after = 0) {
    return operation.events({.after = after}).value();
}

void expect_no_gap(const std::vector<OperationEvent>& events) {
    for (std::size_t i = 0; i < events.size(); ++i) {
        EXPECT_EQ(events[i].seq, events.front().seq + i);
    }
}

/// A durable store whose writes wait until the test answers them.
class SlowStore final : public OperationStore {
public:
    [[nodiscard]] bool durable() const noexcept override { return true; }
    [[nodiscard]] const std::string& owner() const noexcept override { return owner_; }
    void write(RecordChange step, Done done) override { waiting_.emplace_back(std::move(step), std::move(done)); }
    void flush() override {}
    Result<std::optional<OperationRecord>> find(const std::string&) override {
        return std::optional<OperationRecord>{};
    }
    Result<OperationPage> list(const OperationQuery&) override { return OperationPage{}; }
    Result<std::vector<OperationEvent>> events(const std::string&, const EventQuery&) override {
        return std::vector<OperationEvent>{};
    }
    Result<bool> request_cancel(const std::string&, const CancelReason&) override { return false; }
    Result<std::vector<CancelRequest>> take_cancel_requests() override { return std::vector<CancelRequest>{}; }
    Result<OperationRecord> claim(const std::string& id) override { return fail(Errc::not_found, id); }
    Result<std::size_t> recover() override { return std::size_t{0}; }
    Result<std::size_t> forget(const Retention&, const std::string&) override { return std::size_t{0}; }

    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    RecordChange answer(const Result<void>& result = {}) {
        auto [step, done] = std::move(waiting_.front());
        waiting_.pop_front();
        done(result);
        return step;
    }
    void answer_all() {
        while (!waiting_.empty()) {
            answer();
        }
    }

private:
    const std::string owner_{"me"};
    std::deque<std::pair<RecordChange, Done>> waiting_;
};

class StoredOperation : public testing::Test {
protected:
    std::shared_ptr<Operation> make() {
        OperationSpec spec{"data_load", "op_1", "", {}};
        spec.store = store_;
        return Operation::make(std::move(spec), world_.root.child(), world_.clock);
    }

    OperationWorld world_{};
    std::shared_ptr<SlowStore> store_ = std::make_shared<SlowStore>();
    std::shared_ptr<Operation> operation_ = make();
};

TEST(EventKind, IsReadBackFromItsName) {
    const auto names = event_kind_names();
    EXPECT_THAT(names, ElementsAre("state", "progress", "metric", "warning", "log"));
    for (const auto name : names) {
        EXPECT_EQ(to_string(event_kind_from(name).value()), name);
    }
    EXPECT_FALSE(event_kind_from("noise"));
    EXPECT_FALSE(event_kind_from(""));
}

TEST(EventLog, NumbersWithoutAGapAndReadsByCursor) {
    EventLog log(7);
    for (int i = 0; i < 5; ++i) {
        log.append({0, {}, i % 2 == 0 ? OperationEventKind::metric : OperationEventKind::log, {{"i", i}}, {}});
    }
    EXPECT_EQ(log.last_seq(), 12U);
    EXPECT_EQ(log.first_seq(), 8U);
    EXPECT_THAT(log.read({.after = 9}, 12), SizeIs(3));
    EXPECT_THAT(log.read({.after = 9}, 11), SizeIs(2));
    EXPECT_THAT(log.read({.after = 0, .limit = 2}, 12), SizeIs(2));
    EXPECT_THAT(log.read({.after = 8, .kind = OperationEventKind::metric}, 12), SizeIs(2));
    EXPECT_THAT(log.read({.after = 12}, 12), IsEmpty());
    expect_no_gap(log.read({}, 12));
}

TEST(EventLog, LetsGoOfProgressFirst) {
    EventLog log(0, 100);
    for (int i = 0; i < 10'000; ++i) {
        log.append({0, {}, i % 1000 == 0 ? OperationEventKind::state : OperationEventKind::progress, {}, {}});
    }
    const auto kept = log.read({}, log.last_seq());
    EXPECT_LE(kept.size(), 100U);
    EXPECT_EQ(kept.back().seq, 10'000U);
    EXPECT_EQ(std::count_if(kept.begin(), kept.end(),
                            [](const auto& event) { return event.kind == OperationEventKind::state; }),
              10);
    for (int i = 0; i < 1000; ++i) {
        log.append({0, {}, OperationEventKind::metric, {}, {}});
    }
    EXPECT_LE(log.read({}, log.last_seq()).size(), 100U);
}

TEST(Events, TellTheWholeStory) {
    OperationWorld world;
    const auto operation = world.make();
    ASSERT_TRUE(operation->start());
    operation->progress().enter(0);
    operation->add_metric({{"loss", 0.5}});
    operation->add_warning("3 bars were dropped");
    operation->finish(std::any(1));
    operation->add_log("too late");
    const auto events = read(*operation);
    EXPECT_THAT(words(events),
                ElementsAre("pending", "running", "metric", "warning", "progress", "progress", "completed"));
    expect_no_gap(events);
    EXPECT_EQ(operation->record().last_seq, 7U);
    EXPECT_EQ(event_data(events[5]).at("percentage").as_double(), 100);
}

TEST(Events, NameTheReasonAndTheError) {
    OperationWorld world;
    const auto cancelled = world.make();
    cancelled->request_cancel({CancelCode::user, "enough", "cli"});
    cancelled->finish(std::any(1));
    const auto data = event_data(read(*cancelled).back());
    EXPECT_EQ(data.at("status"), "cancelled");
    EXPECT_EQ(data.at("reason").at("text"), "enough");
    const auto broken = world.make();
    broken->finish(failed(fail(Errc::service_timeout, "no answer")));
    EXPECT_EQ(event_data(read(*broken).back()).at("error").at("retryable"), true);
}

TEST(Events, WakeWhoWantsThem) {
    class Listener final : public OperationListener {
    public:
        explicit Listener(Operation& operation) : operation_(operation) {}
        void on_progress(const ProgressState&) override { FAIL(); }
        [[nodiscard]] bool wants_progress() const override { return false; }
        [[nodiscard]] bool wants_events() const override { return true; }
        void on_events() override {
            for (const auto& event : read(operation_, seen.empty() ? 0 : seen.back().seq)) {
                seen.push_back(event);
            }
        }
        void on_finished() override { at_end = seen.size(); }
        std::vector<OperationEvent> seen{};
        std::size_t at_end{0};

    private:
        Operation& operation_;
    };
    OperationWorld world;
    const auto operation = world.make();
    const auto listener = std::make_shared<Listener>(*operation);
    operation->add_listener(listener);
    EXPECT_TRUE(operation->has_listeners());
    ASSERT_TRUE(operation->start());
    operation->progress().enter(0);
    operation->sample();
    operation->finish(std::any(1));
    EXPECT_THAT(words(listener->seen), ElementsAre("pending", "running", "progress", "progress", "completed"));
    EXPECT_EQ(listener->at_end, 5U);
}

TEST_F(StoredOperation, TellsNobodyBeforeTheStoreHasIt) {
    const auto recorder = std::make_shared<Recorder>();
    operation_->add_listener(recorder);
    bool begun = false;
    operation_->when_admitted([&] { begun = true; });
    EXPECT_FALSE(begun);
    EXPECT_THAT(read(*operation_), IsEmpty());
    EXPECT_TRUE(store_->answer().first);
    EXPECT_TRUE(begun);
    ASSERT_TRUE(operation_->start());
    EXPECT_EQ(operation_->status(), OperationStatus::pending);
    EXPECT_FALSE(store_->answer().first);
    EXPECT_EQ(operation_->status(), OperationStatus::running);
    operation_->finish(std::any(boost::json::object{{"bars", 7}}));
    EXPECT_EQ(operation_->status(), OperationStatus::running);
    EXPECT_EQ(operation_->record().result, std::nullopt);
    EXPECT_EQ(operation_->result().error().code, Errc::conflict);
    EXPECT_FALSE(operation_->wait_for(0s));
    EXPECT_FALSE(operation_->request_cancel({})) << "its end is decided";
    EXPECT_EQ(recorder->ends(), 0);
    const auto step = store_->answer();
    EXPECT_EQ(step.record.status, OperationStatus::completed);
    EXPECT_EQ(step.record.result->at("bars"), 7);
    EXPECT_EQ(step.record.last_seq, step.events.back().seq);
    EXPECT_EQ(operation_->status(), OperationStatus::completed);
    EXPECT_EQ(recorder->ends(), 1);
    EXPECT_THAT(words(read(*operation_)), ElementsAre("pending", "running", "progress", "completed"));
    EXPECT_TRUE(operation_->record().durable);
}

TEST_F(StoredOperation, EndsAllTheSameWhenTheStoreCannotWrite) {
    operation_->when_admitted([] {});
    store_->answer(fail(Errc::storage_full, "no room left"));
    ASSERT_TRUE(operation_->start());
    store_->answer(fail(Errc::storage_full, "no room left"));
    operation_->finish(std::any(1));
    store_->answer(fail(Errc::storage_full, "no room left"));
    const auto record = operation_->record();
    EXPECT_EQ(record.status, OperationStatus::completed);
    EXPECT_FALSE(record.durable);
    EXPECT_THAT(record.warnings, ElementsAre(HasSubstr("no room left")));
    EXPECT_TRUE(operation_->result());
}

TEST_F(StoredOperation, FailsWhenItsIdIsTaken) {
    bool begun = false;
    operation_->when_admitted([&] { begun = true; });
    store_->answer(fail(Errc::conflict, "taken"));
    EXPECT_FALSE(begun);
    EXPECT_EQ(operation_->status(), OperationStatus::failed);
    EXPECT_EQ(operation_->result().error().message, "taken");
    EXPECT_EQ(store_->waiting(), 0U) << "what is there belongs to somebody else";
}

TEST_F(StoredOperation, StaysRefusedWhenItWasCancelledMeanwhile) {
    operation_->when_admitted([] { FAIL(); });
    operation_->request_cancel({});
    store_->answer(fail(Errc::conflict, "taken"));
    while (store_->waiting() > 0) {
        store_->answer(fail(Errc::conflict, "taken"));
    }
    EXPECT_EQ(operation_->status(), OperationStatus::cancelled);
}

TEST_F(StoredOperation, SavesProgressThatIsNew) {
    operation_->when_admitted([] {});
    EXPECT_FALSE(operation_->save_progress()) << "the store does not know it yet";
    store_->answer();
    ASSERT_TRUE(operation_->start());
    store_->answer();
    operation_->progress().enter(0);
    operation_->progress().outer().store({1, 4, 0, 0, {}});
    operation_->add_metric({{"loss", 0.5}});
    EXPECT_TRUE(operation_->save_progress());
    EXPECT_FALSE(operation_->save_progress());
    const auto step = store_->answer();
    EXPECT_DOUBLE_EQ(step.record.progress->percentage, 25);
    EXPECT_THAT(words(step.events), ElementsAre("metric"));
    EXPECT_THAT(words(read(*operation_)), ElementsAre("pending", "running", "metric"));
}

TEST_F(StoredOperation, GoesOnWithItsNumbers) {
    OperationRecord record;
    record.id = "op_1";
    record.type = "data_load";
    record.status = OperationStatus::resuming;
    record.attempt = 2;
    record.last_seq = 41;
    const auto resumed = Operation::make(record, world_.root.child(), world_.clock, store_);
    bool begun = false;
    resumed->when_admitted([&] { begun = true; });
    EXPECT_TRUE(begun);
    ASSERT_TRUE(resumed->start());
    EXPECT_FALSE(store_->answer().first);
    resumed->finish(std::any(1));
    store_->answer_all();
    EXPECT_EQ(read(*resumed, 41).front().seq, 42U);
    EXPECT_EQ(resumed->record().attempt, 2);
    EXPECT_EQ(resumed->status(), OperationStatus::completed);
}

}  // namespace
}  // namespace ktrdr
