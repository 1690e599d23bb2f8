#include <ktrdr/training/training_queue.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "../soak.hpp"

namespace ktrdr {
namespace {

/// A queue whose trainings last until the test ends them, and that remembers what they were told.
struct Trainings {
    TrainingQueue queue;
    std::vector<std::string> begun{};
    std::map<std::string, std::pair<std::size_t, std::size_t>> told{};
    std::map<std::string, std::string> reasons{};
    std::map<std::string, TrainingQueue::Number> numbers{};

    explicit Trainings(std::size_t sessions, std::uint64_t memory = 0) : queue({sessions, memory}) {}
    void enter(const std::string& id, std::int64_t priority = 0, MemoryNeed memory = {}) {
        numbers[id] = queue.take_number();
        queue.enter(numbers[id], {id, priority,
                                  [this, id] {
                                      begun.push_back(id);
                                      told.erase(id);
                                  },
                                  [this, id](const QueuePlace& place, std::size_t length) {
                                      EXPECT_EQ(place.operation_id, id);
                                      told[id] = {place.place, length};
                                      reasons[id] = place.reason;
                                  },
                                  std::move(memory)});
    }
    void enter_own(const std::string& id, std::uint64_t bytes, std::int64_t priority = 0) {
        enter(id, priority, {bytes, 0, {}});
    }
    bool leave(const std::string& id) {
        told.erase(id);
        return numbers.contains(id) && queue.leave(numbers.at(id));
    }
};

using Ids = std::vector<std::string>;

TEST(TrainingQueue, LetsNoMoreBeginThanMayRun) {
    Trainings all(2);
    for (const char* const id : {"a", "b", "c"}) {
        all.enter(id);
    }
    EXPECT_EQ(all.begun, (Ids{"a", "b"}));
    EXPECT_TRUE(all.leave("a"));
    EXPECT_EQ(all.begun, (Ids{"a", "b", "c"}));
    EXPECT_FALSE(all.leave("a"));
}

TEST(TrainingQueue, BeginsTheHighestPriorityFirstAndWithinOneWhoCameFirst) {
    Trainings all(1);
    all.enter("running");
    all.enter("low", -1);
    all.enter("first");
    all.enter("second");
    all.enter("high", 5);
    const std::string why = "waits for a running training to end";
    EXPECT_EQ(all.queue.places(), (std::vector<QueuePlace>{{"running", 0, 0},
                                                           {"high", 5, 1, 0, why},
                                                           {"first", 0, 2, 0, why},
                                                           {"second", 0, 3, 0, why},
                                                           {"low", -1, 4, 0, why}}));
    for (const char* const id : {"running", "high", "first", "second", "low"}) {
        EXPECT_EQ(all.begun.back(), id);
        all.leave(id);
    }
    EXPECT_TRUE(all.queue.places().empty());
}

TEST(TrainingQueue, TellsThoseBehindWhenOneThatWaitsLeaves) {
    Trainings all(1);
    for (const char* const id : {"running", "a", "b"}) {
        all.enter(id);
    }
    EXPECT_EQ(all.told.at("b"), std::pair(std::size_t{2}, std::size_t{2}));
    all.leave("a");
    EXPECT_EQ(all.told.at("b"), std::pair(std::size_t{1}, std::size_t{1}));
    EXPECT_EQ(all.begun, (Ids{"running"}));
}

TEST(TrainingQueue, GoesOnWhenOneEndsAsItBegins) {
    TrainingQueue queue({1});
    const TrainingQueue::Number first = queue.take_number();
    const TrainingQueue::Number second = queue.take_number();
    bool begun = false;
    queue.enter(first, {"first", 0, [&] { queue.leave(first); }, [](const QueuePlace&, std::size_t) {}});
    queue.enter(second, {"second", 0, [&] { begun = true; }, [](const QueuePlace&, std::size_t) {}});
    EXPECT_TRUE(begun);
    EXPECT_EQ(queue.places(), (std::vector<QueuePlace>{{"second", 0, 0}}));
}

TEST(TrainingQueue, BeginsNobodyBeforeThoseWhoCameEarlierHaveEnteredOrLeft) {
    TrainingQueue queue({1});
    Ids begun;
    const auto entry = [&](const std::string& id) {
        return TrainingQueue::Entry{id, 0, [&begun, id] { begun.push_back(id); },
                                    [](const QueuePlace&, std::size_t) {}};
    };
    const TrainingQueue::Number first = queue.take_number();
    const TrainingQueue::Number second = queue.take_number();
    const TrainingQueue::Number third = queue.take_number();
    queue.enter(third, entry("third"));
    queue.enter(second, entry("second"));
    EXPECT_TRUE(begun.empty());
    EXPECT_TRUE(queue.leave(first));
    EXPECT_EQ(begun, (Ids{"second"}));
    EXPECT_FALSE(queue.leave(first));
    queue.leave(second);
    EXPECT_EQ(begun, (Ids{"second", "third"}));
}

TEST(TrainingQueue, HasRoomForOneAtLeast) {
    EXPECT_THROW(TrainingQueue(QueueLimits{0}), std::invalid_argument);
    TrainingQueue queue({1});
    EXPECT_THROW(queue.set_limits({0}), std::invalid_argument);
}

TEST(TrainingQueue, LetsThoseBeginThatAHigherLimitHasRoomFor) {
    Trainings all(1);
    for (const char* const id : {"a", "b", "c"}) {
        all.enter(id);
    }
    all.queue.set_limits({2});
    EXPECT_EQ(all.begun, (Ids{"a"}));
    all.queue.look_again();
    EXPECT_EQ(all.begun, (Ids{"a", "b"}));
    EXPECT_EQ(all.told.at("c"), std::pair(std::size_t{1}, std::size_t{1}));
    // Those that run go on.
    all.queue.set_limits({1});
    all.queue.look_again();
    EXPECT_EQ(all.queue.places().size(), 3U);
    all.leave("a");
    EXPECT_EQ(all.begun, (Ids{"a", "b"}));
    all.leave("b");
    EXPECT_EQ(all.begun, (Ids{"a", "b", "c"}));
}

TEST(TrainingQueue, HasOneWaitThatDoesNotFitIntoTheMemoryAndSaysSo) {
    Trainings all(10, 100'000'000);
    all.enter_own("large", 70'000'000);
    all.enter_own("second", 50'000'000);
    all.enter_own("small", 30'000'000);
    EXPECT_EQ(all.begun, (Ids{"large", "small"}));
    EXPECT_EQ(all.reasons.at("second"), "waits for memory: with those that run it would take 150 MB of 100 MB");
    EXPECT_EQ(all.queue.places().back(), (QueuePlace{"second", 0, 1, 50'000'000, all.reasons.at("second")}));
    all.leave("small");
    EXPECT_EQ(all.reasons.at("second"), "waits for memory: with those that run it would take 120 MB of 100 MB");
    all.leave("large");
    EXPECT_EQ(all.begun, (Ids{"large", "small", "second"}));
}

TEST(TrainingQueue, CountsOnceWhatTrainingsShare) {
    Trainings all(10, 100);
    all.enter("a", 0, {10, 50, "rows"});
    all.enter("b", 0, {10, 50, "rows"});
    all.enter("c", 0, {10, 50, "others"});
    all.enter("d", 0, {30, 50, "rows"});
    EXPECT_EQ(all.begun, (Ids{"a", "b", "d"}));
    all.leave("a");
    all.leave("b");
    EXPECT_EQ(all.begun, (Ids{"a", "b", "d"}));
    all.leave("d");
    EXPECT_EQ(all.begun, (Ids{"a", "b", "d", "c"}));
}

TEST(TrainingQueue, BeginsOneThatIsTooLargeOnlyAlone) {
    Trainings all(10, 100);
    all.enter_own("running", 10);
    all.enter_own("huge", 1000);
    EXPECT_EQ(all.begun, (Ids{"running"}));
    all.leave("running");
    EXPECT_EQ(all.begun, (Ids{"running", "huge"}));
}

TEST(TrainingQueue, GivesEveryTenthPlaceToTheOneThatHasWaitedLongest) {
    Trainings all(1);
    all.enter("running");
    all.enter("low", -100);
    all.enter("lower", -200);
    std::string last = "running";
    // A flood: there is always a more urgent one.
    for (int turn = 0; turn < 25; ++turn) {
        all.enter("urgent" + std::to_string(turn), 7);
        all.leave(last);
        last = all.begun.back();
    }
    const auto low = std::ranges::find(all.begun, "low") - all.begun.begin();
    const auto lower = std::ranges::find(all.begun, "lower") - all.begun.begin();
    EXPECT_EQ(low, 1 + static_cast<std::ptrdiff_t>(TrainingQueue::turns_before_oldest));
    EXPECT_EQ(lower, low + 1 + static_cast<std::ptrdiff_t>(TrainingQueue::turns_before_oldest));
}

TEST(TrainingQueue, LetsSmallOnesPassALargeOneOnlySoOften) {
    Trainings all(10, 100);
    all.enter_own("first", 60);
    all.enter_own("large", 80);
    for (int turn = 0; turn < 20; ++turn) {
        all.enter_own("small" + std::to_string(turn), 20);
        all.leave("small" + std::to_string(turn - 1));
    }
    // "first" and then as many small ones as may pass.
    EXPECT_EQ(all.begun.size(), 1 + TrainingQueue::turns_before_oldest);
    EXPECT_EQ(all.reasons.at("small19"), "waits for the training that has waited longest");
    all.leave("first");
    EXPECT_EQ(all.begun.at(1 + TrainingQueue::turns_before_oldest), "large");
}

/// The obvious queue: a list, searched anew each time.
struct SlowQueue {
    struct Held {
        std::string id;
        std::int64_t priority;
    };
    std::size_t most;
    /// In the order of arrival.
    std::vector<Held> waiting{};
    std::set<std::string> running{};
    Ids begun{};
    std::size_t passed_over{0};

    void admit() {
        while (running.size() < most && !waiting.empty()) {
            auto best = waiting.begin();
            for (auto it = waiting.begin(); it != waiting.end() && passed_over < 9; ++it) {
                best = it->priority > best->priority ? it : best;
            }
            passed_over = best == waiting.begin() ? 0 : passed_over + 1;
            running.insert(best->id);
            begun.push_back(best->id);
            waiting.erase(best);
        }
    }
    void leave(const std::string& id) {
        running.erase(id);
        std::erase_if(waiting, [&](const Held& held) { return held.id == id; });
        admit();
    }
};

TEST(TrainingQueue, DoesWhatAListSearchedAnewEachTimeDoes) {
    for (int seed = 0; seed < soak_count(100, 5000); ++seed) {
        std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
        const auto below = [&](std::size_t limit) {
            return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
        };
        const std::size_t most = 1 + below(12);
        Trainings all(most);
        SlowQueue slow{most};
        Ids here;
        for (int step = 0; step < 200; ++step) {
            if (here.empty() || below(5) < 3) {
                const std::string id = std::to_string(step);
                const auto priority = static_cast<std::int64_t>(below(4)) - 2;
                here.push_back(id);
                slow.waiting.push_back({id, priority});
                slow.admit();
                all.enter(id, priority);
            } else {
                const auto chosen = here.begin() + static_cast<std::ptrdiff_t>(below(here.size()));
                slow.leave(*chosen);
                ASSERT_TRUE(all.leave(*chosen));
                here.erase(chosen);
            }
            ASSERT_EQ(all.begun, slow.begun) << "seed " << seed << ", step " << step;
            const auto places = all.queue.places();
            const auto running = std::ranges::count(places, std::size_t{0}, &QueuePlace::place);
            ASSERT_LE(static_cast<std::size_t>(running), most);
            // A place is free only where nobody waits.
            ASSERT_TRUE(static_cast<std::size_t>(running) == most ||
                        places.size() == static_cast<std::size_t>(running));
            for (const QueuePlace& place : places) {
                ASSERT_TRUE(place.place == 0 ||
                            all.told.at(place.operation_id) == std::pair(place.place, slow.waiting.size()));
            }
        }
        // Whoever is here comes to its turn once those before it end.
        for (const std::string& id : here) {
            all.leave(id);
        }
        EXPECT_TRUE(all.queue.places().empty());
    }
}

}  // namespace
}  // namespace ktrdr
