// Memory that runs out while operations are written: nobody waits for ever, and what was handed in is written later.

#include <gmock/gmock.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <new>

#include "store_world.hpp"
#include "temporary_folder.hpp"

namespace {

/// Of this thread: allocations until one fails; none does while it is negative.
thread_local long until_failure = -1;
thread_local bool ran_out_here = false;
/// Whether all fail after that one too.
thread_local bool goes_on_failing = false;

bool fails_now() {
    if (until_failure < 0) {
        return false;
    }
    if (until_failure > 0) {
        --until_failure;
        return false;
    }
    ran_out_here = true;
    until_failure = goes_on_failing ? 0 : -1;
    return true;
}

}  // namespace

void* operator new(std::size_t size) {
    void* const memory = fails_now() ? nullptr : std::malloc(size > 0 ? size : 1);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

/// The store's thread, on which memory runs out at the n-th allocation.
class StarvedExecutor final : public Executor {
public:
    void post(Function function) override { queue_.push_back(std::move(function)); }
    [[nodiscard]] bool runs_here() const override { return true; }
    /// Whether memory ran out.
    bool run(long nth, bool for_good) {
        ran_out_here = false;
        while (!queue_.empty()) {
            const Function function = std::move(queue_.front());
            queue_.pop_front();
            until_failure = nth;
            goes_on_failing = for_good;
            try {
                function();
            } catch (const std::bad_alloc&) {
                ADD_FAILURE() << "it escaped";
            }
            until_failure = -1;
        }
        return ran_out_here;
    }

private:
    std::deque<Function> queue_{};
};

class OutOfMemory : public testing::TestWithParam<bool> {
protected:
    OutOfMemory() {
        // The connection, its statements and its owner are there.
        write("warm", OperationStatus::completed);
        executor_.run(-1, false);
    }
    void write(const std::string& id, OperationStatus status = OperationStatus::running, std::uint64_t seq = 1) {
        answers_.try_emplace(id);
        auto record = world_.record(id, status);
        record.owner = store_->owner();
        record.last_seq = seq;
        record.created = UtcTime{};
        std::vector<OperationEvent> events{
            {seq, UtcTime{std::chrono::seconds{seq}}, OperationEventKind::state, {{"n", seq}}, {}}};
        store_->write({record, std::move(events), seq == 1}, [this, id](const Result<void>&) { ++answers_[id]; });
    }

    test::TemporaryFolder folder_{};
    StoreWorld world_{folder_.path() / "ktrdr.db"};
    StarvedExecutor executor_{};
    std::shared_ptr<SqliteStore> store_ = SqliteStore::create(world_.database, executor_, world_.clock);
    std::map<std::string, int> answers_{};
};

TEST_P(OutOfMemory, KeepsNobodyWaitingAndWritesEverythingLater) {
    int runs = 0;
    for (bool ran_out = true; ran_out && runs < 5000; ++runs) {
        const std::string id = "op_" + std::to_string(runs);
        write(id);
        write(id + "_b");
        ran_out = executor_.run(runs, GetParam());
        // Those who were not answered are, as those whose disk is slow.
        world_.clock.advance(2 * SqliteStore::longest_wait);
        store_->answer_late();
        EXPECT_EQ(answers_[id], 1) << runs;
        EXPECT_EQ(answers_[id + "_b"], 1) << runs;
        write(id, OperationStatus::completed, 2);
        executor_.run(-1, false);
        EXPECT_FALSE(store_->write_kept(1s)) << runs;
        for (const std::string& written : {id, id + "_b"}) {
            const auto there = store_->find(written).value();
            ASSERT_TRUE(there) << runs;
            EXPECT_EQ(store_->events(written, {})->size(), written == id ? 2U : 1U) << runs;
        }
        EXPECT_EQ(store_->find(id).value()->status, OperationStatus::completed) << runs;
        store_->flush();
    }
    EXPECT_GT(runs, 5);
    EXPECT_LT(runs, 5000) << "it always runs out";
}

INSTANTIATE_TEST_SUITE_P(OnceAndForGood, OutOfMemory, testing::Bool());

}  // namespace
}  // namespace ktrdr
