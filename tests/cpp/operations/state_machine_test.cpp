#include <gtest/gtest.h>

#include <array>
#include <random>

#include <ktrdr/operations/operation.hpp>

#include "../soak.hpp"
#include "recorder.hpp"

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

/// One operation to which things happen in a random order, and what must be true whatever the order was.
class RandomLife {
public:
    explicit RandomLife(std::mt19937& random) : random_(random), recorder_(std::make_shared<Recorder>()) {
        operation_->add_listener(recorder_);
    }

    void step() {
        const OperationStatus before = operation_->status();
        const bool cancelled = operation_->token().is_cancelled();
        switch (std::uniform_int_distribution(0, 11)(random_)) {
            case 0: (void)operation_->start(); break;
            case 1: operation_->finish(std::any(1)); break;
            case 2: operation_->finish(failed(fail(Errc::no_data, "none"))); break;
            case 3: (void)operation_->request_cancel({CancelCode::user, "by chance", "test"}); break;
            case 4: parent_.cancel({CancelCode::parent, "the parent", "test"}); break;
            case 5: pass(3s); break;
            case 6: operation_->sample(); break;
            case 7: operation_->progress().outer().store({++work_, 1000, 0, 0, {}}); break;
            case 8: operation_->add_metric({{"work", work_}}); break;
            case 9: operation_->add_listener(std::make_shared<Recorder>()); break;
            case 10: operation_->add_warning("careful"); break;
            default: (void)world_.io.run(); break;
        }
        const OperationStatus after = operation_->status();
        EXPECT_TRUE(after == before || reachable(before, after)) << to_string(before) << " -> " << to_string(after);
        if (is_terminal(before)) {
            EXPECT_EQ(after, before);
        } else if (cancelled) {
            EXPECT_NE(after, OperationStatus::completed);
            EXPECT_NE(after, OperationStatus::failed);
        }
    }

    [[nodiscard]] bool over() const { return is_terminal(operation_->status()); }

    void check() {
        operation_->finish(std::any(2));
        const auto events = operation_->events({0, 10'000, OperationEventKind::state}).value();
        std::optional<OperationStatus> last;
        for (const OperationEvent& event : events) {
            const auto status = status_from(event.data.at("status").as_string()).value();
            EXPECT_TRUE(!last || may_follow(*last, status)) << to_string(*last) << " -> " << to_string(status);
            last = status;
        }
        EXPECT_EQ(last, operation_->status());
        EXPECT_EQ(recorder_->ends(), 1);
        EXPECT_FALSE(recorder_->late());
        EXPECT_EQ(operation_->result().has_value(), operation_->status() == OperationStatus::completed);
        std::uint64_t seq = 0;
        for (const OperationEvent& event : operation_->events({}).value()) {
            EXPECT_EQ(event.seq, ++seq);
        }
    }

private:
    void pass(std::chrono::nanoseconds time) {
        world_.clock.advance(time);
        (void)world_.timers.fire();
    }

    /// By any number of edges: a start may notice a cancel, and one action may be two edges.
    static bool reachable(OperationStatus from, OperationStatus to) {
        using enum OperationStatus;
        for (const auto between : {pending, running, cancelling, completed, failed, cancelled, timed_out}) {
            if (may_follow(from, between) && may_follow(between, to)) {
                return true;
            }
        }
        return may_follow(from, to);
    }

    std::mt19937& random_;
    OperationWorld world_{};
    CancellationToken parent_{world_.root.child()};
    std::shared_ptr<Operation> operation_{world_.make(parent_.child(10s))};
    std::shared_ptr<Recorder> recorder_;
    std::int64_t work_{0};
};

TEST(RandomLife, NeverLeavesTheTable) {
    const int steps = soak_count(50'000, 1'000'000);
    std::mt19937 random(20'260'101);
    int done = 0;
    int lives = 0;
    while (done < steps && !::testing::Test::HasFailure()) {
        RandomLife life(random);
        // Some go on after their end: nothing may change then.
        for (int after = 0; after < 5 && done < steps; ++done) {
            life.step();
            after += life.over() ? 1 : 0;
        }
        life.check();
        ++lives;
    }
    EXPECT_GT(lives, steps / 100);
}

}  // namespace
}  // namespace ktrdr
