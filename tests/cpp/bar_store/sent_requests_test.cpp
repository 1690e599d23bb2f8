// What an account was asked lately, counted over processes: the provider counts no request too many.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <deque>
#include <map>
#include <optional>
#include <cmath>
#include <queue>
#include <random>
#include <vector>

#include <ktrdr/bar_store/sent_requests.hpp>

#include "soak.hpp"
#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using Nanos = std::chrono::nanoseconds;

/// The rules as a provider counts them: by when a request reaches it.
class Provider {
public:
    void take(const SentRequests::Request& request, Nanos now) {
        if (const auto last = same_.find(request.request); last != same_.end() && now - last->second < 15s) {
            ++violations;
        }
        same_[request.request] = now;
        auto& burst = series_[request.series];
        std::erase_if(burst, [now](Nanos sent) { return now - sent >= 2s; });
        burst.push_back(now);
        violations += burst.size() >= 6 ? 1 : 0;
        std::erase_if(all_, [now](const auto& sent) { return now - sent.first >= 600s; });
        all_.emplace_back(now, request.weight);
        int weights = 0;
        for (const auto& [sent, weight] : all_) {
            weights += weight;
        }
        violations += weights > 60 ? 1 : 0;
        asked += request.weight;
    }

    int violations{0};
    int asked{0};

private:
    std::map<std::string, Nanos> same_{};
    std::map<std::string, std::deque<Nanos>> series_{};
    std::deque<std::pair<Nanos, int>> all_{};
};

class SentRequestsTest : public testing::Test {
protected:
    /// A process as far as the file sees one.
    [[nodiscard]] std::unique_ptr<SentRequests> open(std::string account = "DU1") {
        auto database = Database::open(file_, {SentRequests::schema()}).value();
        return std::make_unique<SentRequests>(std::move(database), std::move(account),
                                              PacingClock{.boot = boot_, .now = [this] { return now_; }});
    }
    static SentRequests::Turn enter(SentRequests& sent, std::string request, std::string series = "A", int weight = 1) {
        return sent.enter({std::move(request), std::move(series), weight}).value();
    }
    /// Ask for a turn, with the answer a moment later.
    SentRequests::Turn answered(SentRequests& sent, std::string request, std::string series = "A", int weight = 1) {
        const auto turn = enter(sent, std::move(request), std::move(series), weight);
        if (turn.ticket != 0) {
            EXPECT_TRUE(sent.arrived(turn.ticket));
        }
        return turn;
    }

    test::TemporaryFolder folder_{};
    const std::filesystem::path file_ = folder_.path() / "ktrdr.db";
    Nanos now_{1h};
    std::string boot_{"first"};
};

TEST_F(SentRequestsTest, KeepTheSameRequestFifteenSecondsApartFromItsAnswer) {
    const auto mine = open();
    const auto others = open();
    const auto first = enter(*mine, "A 5s");
    EXPECT_NE(first.ticket, 0);
    now_ += 10s;
    // It may have arrived just now.
    EXPECT_GE(enter(*others, "A 5s").wait, 15s);
    ASSERT_TRUE(mine->arrived(first.ticket));
    now_ += 14s;
    const auto waits = enter(*others, "A 5s");
    EXPECT_EQ(waits.ticket, 0);
    EXPECT_FALSE(waits.for_all);
    EXPECT_GT(waits.wait, 1s);
    EXPECT_LT(waits.wait, 1100ms);
    EXPECT_NE(enter(*others, "A 10s").ticket, 0);
    now_ += waits.wait;
    EXPECT_NE(enter(*others, "A 5s").ticket, 0);
}

TEST_F(SentRequestsTest, LetFiveOfASeriesThroughInTwoSeconds) {
    const auto mine = open();
    for (int number = 0; number < 5; ++number) {
        EXPECT_NE(answered(*mine, std::to_string(number)).ticket, 0);
    }
    EXPECT_EQ(answered(*mine, "6").ticket, 0);
    EXPECT_NE(answered(*mine, "other", "B").ticket, 0);
    now_ += 2100ms;
    EXPECT_NE(answered(*mine, "6").ticket, 0);
}

TEST_F(SentRequestsTest, CountWeightsInTheWindowAndSayThatAllWait) {
    const auto mine = open();
    for (int number = 0; number < 29; ++number) {
        EXPECT_NE(answered(*mine, std::to_string(number), std::to_string(number), 2).ticket, 0);
        now_ += 1s;
    }
    EXPECT_NE(answered(*mine, "one", "one").ticket, 0);
    const auto twice = answered(*mine, "two", "two", 2);
    EXPECT_EQ(twice.ticket, 0);
    EXPECT_TRUE(twice.for_all);
    // The first of the window leaves it 600 s after it was made, 29 s ago.
    EXPECT_GT(twice.wait, 571s);
    EXPECT_LT(twice.wait, 572s);
    EXPECT_NE(answered(*mine, "three", "three").ticket, 0);
}

TEST_F(SentRequestsTest, AreOpenTenAtOnceOfAllProcesses) {
    const auto mine = open();
    const auto others = open();
    std::vector<std::int64_t> tickets;
    for (int number = 0; number < 10; ++number) {
        SentRequests& sender = number % 2 == 0 ? *mine : *others;
        tickets.push_back(enter(sender, std::to_string(number), std::to_string(number)).ticket);
        EXPECT_NE(tickets.back(), 0);
    }
    const auto waits = enter(*others, "one more", "one more");
    EXPECT_EQ(waits.ticket, 0);
    EXPECT_TRUE(waits.for_all);
    // Nobody knows how long an answer takes, so it is asked again soon.
    EXPECT_LE(waits.wait, 100ms);
    ASSERT_TRUE(mine->arrived(tickets.front()));
    EXPECT_NE(enter(*others, "one more", "one more").ticket, 0);
    EXPECT_EQ(enter(*mine, "another", "another").ticket, 0);
    // What has had no answer for so long is waited for no more.
    now_ += 61s;
    EXPECT_NE(enter(*mine, "another", "another").ticket, 0);
}

TEST_F(SentRequestsTest, OfAnotherAccountCountApart) {
    const auto mine = open();
    const auto other = open("DU2");
    EXPECT_NE(answered(*mine, "A").ticket, 0);
    EXPECT_NE(answered(*other, "A").ticket, 0);
    EXPECT_EQ(answered(*mine, "A").ticket, 0);
}

TEST_F(SentRequestsTest, ThatWereNotSentCountForNothing) {
    const auto mine = open();
    const auto turn = enter(*mine, "A");
    ASSERT_TRUE(mine->not_sent(turn.ticket));
    EXPECT_NE(enter(*mine, "A").ticket, 0);
}

TEST_F(SentRequestsTest, OfAProcessThatDiedCountAsArrivedAMinuteLater) {
    EXPECT_NE(enter(*open(), "A").ticket, 0);
    const auto mine = open();
    now_ += 74s;
    EXPECT_EQ(enter(*mine, "A").ticket, 0);
    now_ += 2s;
    EXPECT_NE(enter(*mine, "A").ticket, 0);
}

TEST_F(SentRequestsTest, CountFromTheStartOfTheMachineWhereItWasStartedAnew) {
    EXPECT_NE(enter(*open(), "A").ticket, 0);
    boot_ = "second";
    now_ = 10s;
    const auto mine = open();
    const auto waits = enter(*mine, "A");
    EXPECT_EQ(waits.ticket, 0);
    EXPECT_LT(waits.wait, 5100ms);
    now_ += waits.wait;
    EXPECT_NE(enter(*mine, "A").ticket, 0);
}

TEST_F(SentRequestsTest, RefuseWhatCannotBeCounted) {
    const auto mine = open();
    EXPECT_EQ(mine->enter({"A", "A", 0}).error().code, Errc::invalid_argument);
    EXPECT_EQ(mine->enter({"A", "A", 61}).error().code, Errc::invalid_argument);
    EXPECT_EQ(mine->enter({std::string(5000, 'x'), "A", 1}).error().code, Errc::invalid_argument);
    EXPECT_EQ(mine->enter({"A", std::string(5000, 'x'), 1}).error().code, Errc::invalid_argument);
    EXPECT_EQ(open(std::string(5000, 'x'))->enter({"A", "A", 1}).error().code, Errc::invalid_argument);
}

TEST_F(SentRequestsTest, AreNotMadeWhereTheyCannotBeNoted) {
    const auto mine = open();
    SQLite::Database raw(file_.string(), SQLite::OPEN_READWRITE);
    raw.exec("CREATE TRIGGER refuse BEFORE INSERT ON sent_request BEGIN SELECT RAISE(ABORT, 'refused'); END");
    EXPECT_EQ(mine->enter({"A", "A", 1}).error().code, Errc::storage);
    raw.exec("DROP TRIGGER refuse");
    EXPECT_NE(enter(*mine, "A").ticket, 0);
}

TEST_F(SentRequestsTest, WaitForAsManyOfTheOldestAsTheirWeightNeeds) {
    const auto mine = open();
    for (int number = 0; number < 20; ++number) {
        EXPECT_NE(answered(*mine, std::to_string(number), std::to_string(number), 3).ticket, 0);
        now_ += 1s;
    }
    // Ten fit in once four are gone: the fourth was made 17 s ago.
    const auto ten = answered(*mine, "ten", "ten", 10);
    EXPECT_EQ(ten.ticket, 0);
    EXPECT_TRUE(ten.for_all);
    EXPECT_GT(ten.wait, 583s);
    EXPECT_LT(ten.wait, 584s);
}

TEST(PacingClocks, OfOneMachineGoAlikeAndAsFastAsTheyAreTold) {
    const PacingClock clock = PacingClock::of_machine().value();
    const PacingClock fast = PacingClock::of_machine(1000).value();
    EXPECT_FALSE(clock.boot.empty());
    EXPECT_EQ(fast.boot, clock.boot);
    const Nanos before = clock.now();
    const Nanos meanwhile = fast.now();
    const Nanos after = clock.now();
    EXPECT_GT(before, Nanos{0});
    EXPECT_GE(meanwhile, 1000 * before - 1ms);
    EXPECT_LE(meanwhile, 1000 * after + 1ms);
}

/// Processes that ask, hear, forget and die as chance has it, over a provider that requests reach late.
class SentRequestsByChanceTest : public SentRequestsTest {
protected:
    struct Lane {
        std::optional<SentRequests::Request> wanted{};
        std::int64_t ticket{0};
    };
    struct Event {
        Nanos at{0};
        enum class Kind { ask, arrive, answer } kind{Kind::ask};
        std::size_t lane{0};
        std::optional<SentRequests::Request> request{};
        bool operator>(const Event& other) const { return at > other.at; }
    };

    [[nodiscard]] SentRequests::Request any() {
        const auto series = std::to_string(pick(0, 4));
        return {series + "/" + std::to_string(pick(0, 9)), series, pick(0, 3) == 0 ? 2 : 1};
    }
    int pick(int from, int to) { return std::uniform_int_distribution(from, to)(random_); }
    Nanos seconds(double most) {
        return Nanos(static_cast<std::int64_t>(std::uniform_real_distribution(0.0, most)(random_) * 1e9));
    }

    void ask(Lane& lane, std::size_t number) {
        lane.wanted = lane.wanted ? lane.wanted : any();
        const auto turn = processes_.at(number % processes_.size())->enter(*lane.wanted).value();
        if (turn.ticket == 0) {
            events_.push({now_ + turn.wait, Event::Kind::ask, number, {}});
            return;
        }
        lane.ticket = turn.ticket;
        const Nanos there = now_ + seconds(2.0);
        events_.push({there, Event::Kind::arrive, number, lane.wanted});
        events_.push({there + seconds(2.0), Event::Kind::answer, number, {}});
        lane.wanted.reset();
    }

    std::mt19937 random_{7};
    std::vector<std::unique_ptr<SentRequests>> processes_{};
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_{};
};

TEST_F(SentRequestsByChanceTest, AProviderCountsNoneTooManyAndIsAskedNearlyAsOftenAsItAllows) {
    for (int number = 0; number < 3; ++number) {
        processes_.push_back(open());
    }
    std::vector<Lane> lanes(18);
    for (std::size_t number = 0; number < lanes.size(); ++number) {
        events_.push({now_ + seconds(1.0), Event::Kind::ask, number, {}});
    }
    Provider provider;
    const Nanos began = now_;
    // A few windows at least, however slow the build.
    const int requests = std::max(150, soak_count(250, 20'000));
    for (int made = 0; made < requests;) {
        const Event event = events_.top();
        events_.pop();
        now_ = event.at;
        Lane& lane = lanes.at(event.lane);
        if (event.kind == Event::Kind::arrive) {
            provider.take(*event.request, now_);
            ++made;
            continue;
        }
        // One in two hundred dies before it hears the answer, and another takes its place.
        if (event.kind == Event::Kind::answer && pick(0, 199) != 0) {
            ASSERT_TRUE(processes_.at(event.lane % processes_.size())->arrived(lane.ticket));
        } else if (event.kind == Event::Kind::answer) {
            processes_.at(event.lane % processes_.size()) = open();
        }
        ask(lane, event.lane);
    }
    EXPECT_EQ(provider.violations, 0);
    // Sixty at once, and sixty more each ten minutes after.
    const double ideal = (std::ceil(provider.asked / 60.0) - 1) * 600;
    const double took = std::chrono::duration<double>(now_ - began).count();
    EXPECT_GE(ideal / took, 0.95) << provider.asked << " in " << took << " s";
}

}  // namespace
}  // namespace ktrdr
