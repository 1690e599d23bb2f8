#include <gmock/gmock.h>

#include <stdexcept>
#include <thread>

#include "recorder.hpp"

#include <ktrdr/base/log.hpp>

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class Listeners : public testing::Test {
protected:
    Listeners() {
        operation_->progress().set_steps({{"Loading", 1, {}}, {"Storing", 1, {}}});
        (void)operation_->start();
    }
    std::shared_ptr<Recorder> listen(bool wants = true) {
        auto recorder = std::make_shared<Recorder>(wants);
        operation_->add_listener(recorder);
        return recorder;
    }
    void load(std::int64_t current) { operation_->progress().outer().store({current, 4, 0, 0, {}}); }

    OperationWorld world_{};
    std::shared_ptr<Operation> operation_ = world_.make();
};

TEST_F(Listeners, HearTheNewestStateAtOnce) {
    operation_->progress().enter(0);
    load(3);
    EXPECT_THAT(listen()->messages(), ElementsAre("Loading [3/4]"));
}

TEST_F(Listeners, HearEveryEdgeThoughTheSamplerWasSlow) {
    const auto recorder = listen();
    operation_->progress().enter(0);
    load(4);
    operation_->progress().enter(1);
    operation_->sample();
    operation_->finish(std::any(1));
    EXPECT_THAT(recorder->messages(), ElementsAre("Working", "Loading", "Storing", "Storing"));
    EXPECT_EQ(recorder->states().back().percentage, 100);
    EXPECT_EQ(recorder->ends(), 1);
}

TEST_F(Listeners, HearTheEdgesThatNoSamplerSaw) {
    const auto recorder = listen();
    operation_->progress().enter(0);
    operation_->progress().enter(1);
    operation_->finish(failed(fail(Errc::no_data, "no bars")));
    EXPECT_THAT(recorder->messages(), ElementsAre("Working", "Loading", "Storing", "no bars"));
}

TEST_F(Listeners, HearTheLatestValueBetweenEdges) {
    const auto recorder = listen();
    operation_->progress().enter(0);
    operation_->sample();
    load(1);
    load(2);
    operation_->sample();
    operation_->sample();
    EXPECT_THAT(recorder->messages(), ElementsAre("Working", "Loading", "Loading [2/4]"));
}

TEST_F(Listeners, HearRisingSequenceNumbers) {
    const auto early = listen();
    operation_->progress().enter(0);
    const auto late = listen();
    load(1);
    operation_->sample();
    operation_->finish(std::any(1));
    for (const auto& recorder : {early, late}) {
        std::uint64_t last = 0;
        for (const auto& state : recorder->states()) {
            EXPECT_GT(state.sequence, last);
            last = state.sequence;
        }
    }
    EXPECT_THAT(late->messages(), ElementsAre("Loading", "Loading [1/4]", "Loading [1/4]"));
}

TEST_F(Listeners, HearTheLastStateAndTheEndWhenTheyComeLate) {
    operation_->progress().enter(0);
    operation_->finish(std::any(1));
    const auto recorder = listen();
    ASSERT_THAT(recorder->states(), SizeIs(1));
    EXPECT_EQ(recorder->states().front().percentage, 100);
    EXPECT_EQ(recorder->ends(), 1);
}

TEST_F(Listeners, HearNothingOnceTheyAreRemoved) {
    const auto recorder = listen();
    operation_->remove_listener(recorder.get());
    operation_->progress().enter(0);
    operation_->sample();
    operation_->finish(std::any(1));
    EXPECT_THAT(recorder->states(), SizeIs(1));
    EXPECT_EQ(recorder->ends(), 0);
}

TEST_F(Listeners, AreLetGoAtTheEnd) {
    const auto recorder = listen();
    EXPECT_EQ(recorder.use_count(), 2);
    operation_->finish(std::any(1));
    EXPECT_EQ(recorder.use_count(), 1);
    EXPECT_FALSE(operation_->has_listeners());
}

TEST_F(Listeners, MayWaitForTheEndOnly) {
    const auto recorder = listen(false);
    EXPECT_FALSE(operation_->has_listeners());
    operation_->progress().enter(0);
    operation_->sample();
    operation_->finish(std::any(1));
    EXPECT_THAT(recorder->states(), IsEmpty());
    EXPECT_EQ(recorder->ends(), 1);
}

class Throwing final : public OperationListener {
public:
    void on_progress(const ProgressState&) override {
        ++calls;
        throw std::runtime_error("no terminal");
    }
    void on_finished() override { ++ends; }

    int calls{0};
    int ends{0};
};

class Lines final : public LogSink {
public:
    void write(LogRecord record) override { messages.push_back(std::move(record.message)); }
    std::vector<std::string> messages{};
};

TEST_F(Listeners, ThatThrowAreReportedOnceAndStopNothing) {
    Lines lines;
    LogSink* const before = set_log_sink(&lines, LogLevel::warning);
    const auto throwing = std::make_shared<Throwing>();
    operation_->add_listener(throwing);
    const auto recorder = listen();
    operation_->progress().enter(0);
    operation_->sample();
    operation_->finish(std::any(1));
    set_log_sink(before);
    EXPECT_EQ(throwing->calls, 1);
    EXPECT_EQ(throwing->ends, 1);
    EXPECT_THAT(recorder->states(), SizeIs(3));
    EXPECT_THAT(lines.messages, ElementsAre(testing::HasSubstr("no terminal")));
}

/// Calls back into its operation from inside a call.
class Meddling final : public OperationListener {
public:
    explicit Meddling(Operation& operation) : operation_(operation) {}
    void on_progress(const ProgressState& state) override {
        heard.push_back(state.message);
        (void)operation_.status();
        operation_.finish(failed(fail(Errc::no_data, "no bars")));
    }
    void on_finished() override {
        heard.emplace_back(to_string(operation_.status()));
        operation_.remove_listener(this);
    }

    std::vector<std::string> heard{};

private:
    Operation& operation_;
};

TEST_F(Listeners, MayEndTheOperationFromInside) {
    const auto meddling = std::make_shared<Meddling>(*operation_);
    operation_->add_listener(meddling);
    EXPECT_THAT(meddling->heard, ElementsAre("Working", "no bars", "failed"));
}

TEST_F(Listeners, HearTheEndLastWhateverTheThreadsDo) {
    for (int round = 0; round < 100; ++round) {
        OperationWorld world;
        const auto operation = world.make();
        operation->progress().set_steps({{"a", 1, {}}, {"b", 1, {}}, {"c", 1, {}}});
        ASSERT_TRUE(operation->start());
        const auto early = std::make_shared<Recorder>();
        const auto late = std::make_shared<Recorder>();
        operation->add_listener(early);
        std::jthread sampler([&](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                operation->sample();
            }
        });
        std::jthread adder([&] { operation->add_listener(late); });
        for (std::size_t step = 0; step < 3; ++step) {
            operation->progress().enter(step);
            operation->progress().outer().store({1, 2, 0, 0, {}});
        }
        operation->finish(std::any(1));
        early->wait_for_end();
        late->wait_for_end();
        std::vector<std::int64_t> steps;
        for (const auto& state : early->states()) {
            if (steps.empty() || steps.back() != state.current_step) {
                steps.push_back(state.current_step);
            }
        }
        EXPECT_THAT(steps, ElementsAre(0, 1, 2, 3));
        for (const auto& recorder : {early, late}) {
            EXPECT_FALSE(recorder->late());
            EXPECT_EQ(recorder->ends(), 1);
            EXPECT_EQ(recorder->states().back().percentage, 100);
        }
    }
}

}  // namespace
}  // namespace ktrdr
