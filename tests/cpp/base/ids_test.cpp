#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <ktrdr/base/ids.hpp>
#include <ktrdr/base/manual.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::MatchesRegex;

TEST(Ids, LookLikeUuidsOfVersionSeven) {
    EXPECT_THAT(make_uuid7(system_clock()),
                MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
}

TEST(Ids, BeginWithTheMillisecond) {
    // Later than any id of the other tests: ids never go back in one process.
    const ManualClock clock(UtcTime{std::chrono::milliseconds{0x0700'0000'0001}});
    EXPECT_EQ(make_uuid7(clock).substr(0, 13), "07000000-0001");
}

TEST(Ids, KeepTheirShapeBefore1970) {
    const ManualClock clock(UtcTime{-std::chrono::hours{24}});
    EXPECT_EQ(make_uuid7(clock).size(), 36U);
}

TEST(Ids, SortInTheOrderTheyWereMade) {
    ManualClock clock;
    std::string last = make_uuid7(clock);
    for (int i = 0; i < 10'000; ++i) {
        if (i % 5000 == 0) {
            clock.advance(-1h);
        }
        std::string next = make_uuid7(clock);
        ASSERT_LT(last, next);
        last = std::move(next);
    }
}

TEST(Ids, AreUniqueAcrossThreads) {
    std::mutex mutex;
    std::set<std::string> all;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int j = 0; j < 1000; ++j) {
                auto id = make_uuid7(system_clock());
                const std::scoped_lock lock(mutex);
                all.insert(std::move(id));
            }
        });
    }
    threads.clear();
    EXPECT_EQ(all.size(), 4000U);
}

TEST(Ids, OfOperationsNameTheirType) {
    const auto id = make_operation_id("data_load", system_clock());
    EXPECT_THAT(id, testing::StartsWith("op_data_load_"));
    EXPECT_TRUE(check_id("operation_id", id));
}

TEST(Ids, AreCheckedLetterByLetter) {
    EXPECT_TRUE(check_id("id", "A-z.0_9:x"));
    EXPECT_TRUE(check_id("id", std::string(128, 'a')));
    for (const auto& bad : {std::string(), std::string(129, 'a'), std::string("a b"), std::string("a/b"),
                            std::string("\xc3\xa9"), std::string("a\0b", 3), std::string("a\n")}) {
        const auto error = check_id("operation_id", bad).error();
        EXPECT_EQ(error.code, Errc::invalid_argument);
        EXPECT_THAT(error.message, HasSubstr("operation_id"));
    }
}

TEST(Uuid7, DiffersInAFork) {
    const ManualClock clock;
    (void)make_uuid7(clock);
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        const std::string id = make_uuid7(clock);
        const auto told = write(ends[1], id.data(), id.size());
        _exit(told == 36 ? 0 : 1);
    }
    std::string theirs(36, ' ');
    EXPECT_EQ(read(ends[0], theirs.data(), theirs.size()), 36);
    waitpid(child, nullptr, 0);
    close(ends[0]);
    close(ends[1]);
    EXPECT_NE(make_uuid7(clock), theirs);
}

}  // namespace
}  // namespace ktrdr
