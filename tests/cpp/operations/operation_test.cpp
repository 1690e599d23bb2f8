#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>
#include <latch>
#include <thread>

#include <ktrdr/base/text.hpp>
#include <ktrdr/operations/event_kind.hpp>

#include "recorder.hpp"

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pointee;

const CancelReason by_user{CancelCode::user, "pressed Ctrl-C", "cli"};

class OneOperation : public testing::Test {
protected:
    OperationWorld world_{};
    std::shared_ptr<Operation> operation_ = world_.make();
};

TEST_F(OneOperation, BeginsPending) {
    const auto record = operation_->record();
    EXPECT_EQ(record.id, "op_1");
    EXPECT_EQ(record.type, "data_load");
    EXPECT_EQ(record.status, OperationStatus::pending);
    EXPECT_EQ(record.created, world_.clock.utc_now());
    EXPECT_EQ(record.started, std::nullopt);
    EXPECT_EQ(record.parameters.at("symbol").as_string(), "AAPL");
}

TEST_F(OneOperation, StartsOnce) {
    EXPECT_TRUE(operation_->start());
    EXPECT_EQ(operation_->start().error().code, Errc::conflict);
    EXPECT_EQ(operation_->status(), OperationStatus::running);
}

TEST_F(OneOperation, TakesItsWaitForNoWork) {
    world_.clock.advance(60s);
    ASSERT_TRUE(operation_->start());
    for (const std::int64_t done : {1, 2}) {
        world_.clock.advance(1500ms);
        if (done == 1) {
            operation_->progress().enter(ProgressRange{});
        }
        operation_->progress().outer().store({.current = done, .total = 10, .items = done});
        EXPECT_NEAR(operation_->record().progress->rate, 1 / 1.5, 1e-9);
    }
    EXPECT_EQ(operation_->record().progress->estimated_remaining, 12s);
}

TEST_F(OneOperation, CompletesWithItsValue) {
    ASSERT_TRUE(operation_->start());
    EXPECT_EQ(operation_->result().error().code, Errc::conflict);
    EXPECT_FALSE(operation_->wait_for(0s));
    world_.clock.advance(3s);
    operation_->finish(std::any(std::string("bars")));
    EXPECT_EQ(std::any_cast<std::string>(operation_->result().value()), "bars");
    EXPECT_TRUE(operation_->wait_for(0s));
    const auto record = operation_->record();
    EXPECT_EQ(record.status, OperationStatus::completed);
    EXPECT_EQ(*record.stopped - *record.started, 3s);
    EXPECT_EQ(record.progress->percentage, 100);
    EXPECT_EQ(record.error, nullptr);
}

TEST_F(OneOperation, FailsWithItsError) {
    ASSERT_TRUE(operation_->start());
    const auto error = fail(Errc::no_data, "no bars", {{"symbol", "AAPL"}});
    operation_->finish(failed(error));
    EXPECT_EQ(operation_->result().error(), error);
    const auto record = operation_->record();
    EXPECT_EQ(record.status, OperationStatus::failed);
    EXPECT_THAT(record.error, Pointee(error));
    EXPECT_EQ(record.progress->message, "no bars");
    EXPECT_LT(record.progress->percentage, 100);
}

TEST_F(OneOperation, KeepsItsFirstOutcome) {
    ASSERT_TRUE(operation_->start());
    operation_->finish(std::any(1));
    operation_->finish(failed(fail(Errc::internal, "later")));
    EXPECT_FALSE(operation_->request_cancel(by_user));
    EXPECT_FALSE(operation_->token().is_cancelled());
    world_.root.cancel(by_user);
    world_.io.run();
    EXPECT_EQ(operation_->status(), OperationStatus::completed);
    EXPECT_EQ(operation_->record().cancel_requested, std::nullopt);
    EXPECT_EQ(std::any_cast<int>(operation_->result().value()), 1);
}

TEST_F(OneOperation, MayEndBeforeItWasStarted) {
    operation_->finish(failed(fail(Errc::shut_down, "closed")));
    EXPECT_EQ(operation_->status(), OperationStatus::failed);
}

TEST_F(OneOperation, ShowsCancellingUntilTheWorkStops) {
    ASSERT_TRUE(operation_->start());
    world_.clock.advance(1s);
    EXPECT_TRUE(operation_->request_cancel(by_user));
    EXPECT_FALSE(operation_->request_cancel(by_user));
    EXPECT_EQ(operation_->status(), OperationStatus::cancelling);
    world_.clock.advance(1s);
    operation_->finish(failed(fail(Errc::cancelled, "stopped")));
    const auto record = operation_->record();
    EXPECT_EQ(record.status, OperationStatus::cancelled);
    EXPECT_THAT(record.reason, Pointee(by_user));
    EXPECT_EQ(*record.cancel_requested - *record.started, 1s);
    EXPECT_EQ(*record.cancel_observed - *record.started, 2s);
}

TEST_F(OneOperation, StaysCancelledWhateverTheWorkSays) {
    for (int what = 0; what < 3; ++what) {
        const auto operation = world_.make();
        ASSERT_TRUE(operation->start());
        operation->request_cancel(by_user);
        operation->finish(what == 0   ? Result<std::any>(std::any(1))
                          : what == 1 ? failed(fail(Errc::storage, "the socket was closed"))
                                      : failed(fail(Errc::timed_out, "own limit")));
        EXPECT_EQ(operation->status(), OperationStatus::cancelled);
        EXPECT_EQ(operation->result().error().code, Errc::cancelled);
        EXPECT_THAT(operation->result().error().message, HasSubstr("pressed Ctrl-C"));
    }
}

TEST_F(OneOperation, IsCancelledBeforeItStarts) {
    EXPECT_TRUE(operation_->request_cancel(by_user));
    EXPECT_EQ(operation_->start().error().code, Errc::conflict);
    operation_->finish(std::any(1));
    EXPECT_EQ(operation_->status(), OperationStatus::cancelled);
}

TEST_F(OneOperation, NoticesACancelThatCameThroughItsParent) {
    ASSERT_TRUE(operation_->start());
    world_.root.cancel(by_user);
    EXPECT_EQ(operation_->status(), OperationStatus::cancelling);
    EXPECT_FALSE(operation_->request_cancel(by_user));
    world_.clock.advance(1s);
    world_.io.run();
    world_.clock.advance(1s);
    operation_->finish(std::any(1));
    const auto record = operation_->record();
    EXPECT_EQ(record.status, OperationStatus::cancelled);
    EXPECT_EQ(record.reason->code, CancelCode::parent);
    EXPECT_EQ(*record.stopped - *record.cancel_requested, 1s);
}

TEST_F(OneOperation, TimesOutWithItsDeadline) {
    const auto operation = world_.make(world_.root.child(2s));
    ASSERT_TRUE(operation->start());
    world_.clock.advance(2s);
    world_.timers.fire();
    EXPECT_EQ(operation->record().status, OperationStatus::cancelling);
    operation->finish(failed(fail(Errc::service_timeout, "no answer")));
    EXPECT_EQ(operation->status(), OperationStatus::timed_out);
    EXPECT_EQ(operation->result().error().code, Errc::timed_out);
}

TEST_F(OneOperation, TakesTheWordOfWorkThatStoppedByItself) {
    operation_->finish(failed(fail(Errc::cancelled, "the manager was closed")));
    EXPECT_EQ(operation_->status(), OperationStatus::cancelled);
    EXPECT_EQ(operation_->result().error().message, "the manager was closed");
}

TEST_F(OneOperation, MayGoWhileItsTokenIsCancelled) {
    for (int round = 0; round < 200; ++round) {
        OperationWorld world;
        auto operation = world.make();
        std::latch together(2);
        std::jthread io([&] {
            together.arrive_and_wait();
            world.root.cancel(by_user);
            world.io.run();
        });
        together.arrive_and_wait();
        operation.reset();
    }
}

TEST_F(OneOperation, EndsCancelledOrCompletedButNeverBetween) {
    for (int round = 0; round < 300; ++round) {
        OperationWorld world;
        const auto operation = world.make();
        ASSERT_TRUE(operation->start());
        std::latch together(2);
        bool asked = false;
        std::jthread canceller([&] {
            together.arrive_and_wait();
            asked = operation->request_cancel(by_user);
        });
        together.arrive_and_wait();
        operation->finish(std::any(round));
        canceller.join();
        EXPECT_EQ(operation->status(), asked ? OperationStatus::cancelled : OperationStatus::completed);
        EXPECT_EQ(operation->result().has_value(), !asked);
        EXPECT_EQ(operation->token().is_cancelled(), asked);
    }
}

TEST_F(OneOperation, WakesWhoWaitsForIt) {
    ASSERT_TRUE(operation_->start());
    std::jthread waiter([this] { EXPECT_TRUE(operation_->wait_for(std::chrono::nanoseconds::max())); });
    operation_->finish(std::any(1));
}

TEST_F(OneOperation, KeepsNoTextWithoutEnd) {
    const std::string large(50'000'000, 'x');
    auto operation = Operation::make(OperationSpec{.type = "data_load", .id = "op_2", .name = large},
                                     world_.root.child(), world_.clock);
    ASSERT_TRUE(operation->start());
    operation->add_warning(large + "\xe9");
    operation->add_warning("caf\xe9.csv");
    operation->add_log(large, {{"fact", large}});
    operation->add_metric({{"loss", 0.5}, {"note", large}});
    ASSERT_TRUE(operation->request_cancel({CancelCode::user, large, large}));
    operation->finish(failed(Error{Errc::internal, large, {{"body", large}}}));
    const auto record = operation->record();
    EXPECT_LE(record.name.size(), longest_name);
    EXPECT_THAT(record.warnings.at(0), HasSubstr("… (cut, 50000001 bytes in all)"));
    EXPECT_EQ(record.warnings.at(1), R"(caf\xe9.csv)");
    EXPECT_LE(record.reason->text.size(), longest_text);
    EXPECT_LE(record.reason->origin.size(), longest_name);
    EXPECT_LE(record.error->message.size(), longest_text);
    EXPECT_LE(record.progress->message.size(), longest_text);
    const auto events = operation->events({}).value();
    for (const auto& event : events) {
        EXPECT_LE(boost::json::serialize(event.data).size(), most_facts) << to_string(event.kind);
    }
    EXPECT_EQ(events.at(5).data.at("loss"), 0.5);
}

TEST_F(OneOperation, KeepsTheErrorOfAFailureWithinBounds) {
    const std::string large(50'000'000, 'x');
    ASSERT_TRUE(operation_->start());
    operation_->finish(failed(Error{Errc::internal, large + "\xe9", {{"body", large}}}));
    EXPECT_LE(operation_->record().error->message.size(), longest_text);
    EXPECT_LE(boost::json::serialize(operation_->record().error->context).size(), most_facts);
    EXPECT_LE(operation_->record().progress->message.size(), longest_text);
}

TEST_F(OneOperation, KeepsAHundredWarningsAndSaysThatThereAreMore) {
    ASSERT_TRUE(operation_->start());
    for (int i = 0; i < 1000; ++i) {
        operation_->add_warning(fmt::format("warning {}", i));
    }
    const auto warnings = operation_->record().warnings;
    ASSERT_EQ(warnings.size(), 101);
    EXPECT_EQ(warnings.at(99), "warning 99");
    EXPECT_THAT(warnings.at(100), HasSubstr("they are in the event log"));
    EXPECT_EQ(operation_->events({.after = 0, .limit = 10'000, .kind = OperationEventKind::warning}).value().size(),
              1000);
}

TEST_F(OneOperation, KeepsWarnings) {
    operation_->add_warning("3 bars were dropped");
    operation_->add_warning("a gap of two days");
    EXPECT_THAT(operation_->record().warnings, ElementsAre("3 bars were dropped", "a gap of two days"));
}

TEST_F(OneOperation, ShowsFreshProgressInItsRecord) {
    ASSERT_TRUE(operation_->start());
    operation_->progress().enter(0);
    operation_->progress().outer().store({1, 4, 0, 0, {}});
    EXPECT_DOUBLE_EQ(operation_->record().progress->percentage, 25);
    operation_->progress().outer().store({2, 4, 0, 0, {}});
    EXPECT_DOUBLE_EQ(operation_->record().progress->percentage, 50);
    operation_->finish(std::any(1));
    const auto last = operation_->record().progress;
    EXPECT_EQ(operation_->record().progress, last);
}

TEST(Failed, IsAnErrorAndNotAValueThatHoldsOne) {
    const auto outcome = failed(fail(Errc::no_data, "no bars"));
    EXPECT_TRUE(outcome.has_error());
    const Result<std::any> copy = outcome;
    EXPECT_TRUE(copy.has_error());
}

}  // namespace
}  // namespace ktrdr
