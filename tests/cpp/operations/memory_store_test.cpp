#include <ktrdr/operations/memory_store.hpp>

#include <gtest/gtest.h>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

class Memory : public testing::Test {
protected:
    void keep(std::string id, OperationStatus status = OperationStatus::completed, std::string type = "load") {
        RecordChange change;
        change.record.id = std::move(id);
        change.record.type = std::move(type);
        change.record.status = status;
        change.record.created = UtcTime{std::chrono::seconds{created_++ / 2}};
        change.events = {{.seq = 1, .kind = OperationEventKind::state},
                         {.seq = 2, .kind = OperationEventKind::metric},
                         {.seq = 3, .kind = OperationEventKind::state}};
        store.write(std::move(change), [](const Result<void>& written) { EXPECT_TRUE(written); });
    }
    std::string listed(const OperationQuery& query = {}) {
        std::string ids;
        const auto page = store.list(query);
        for (const OperationRecord& record : page->records) {
            ids += record.id;
        }
        return ids;
    }
    std::size_t events(const EventQuery& query) { return store.events("a", query)->size(); }

    MemoryStore store{3};
    int created_{0};
};

TEST_F(Memory, KeepsTheNewestThatHaveEnded) {
    keep("a", OperationStatus::running);
    EXPECT_FALSE(store.find("a")->has_value());
    for (const char* const id : {"a", "b", "c", "d"}) {
        keep(id);
    }
    keep("d", OperationStatus::failed);
    EXPECT_FALSE(store.find("a")->has_value());
    EXPECT_EQ(store.find("d")->value().status, OperationStatus::failed);
    EXPECT_FALSE(store.durable());
    EXPECT_EQ(store.owner(), "");
}

TEST_F(Memory, ListsTheNewestFirstInPages) {
    for (const char* const id : {"a", "b", "c"}) {
        keep(id, OperationStatus::completed, id == std::string("b") ? "training" : "load");
    }
    EXPECT_EQ(listed(), "cba") << "of two that were made at once the greater id";
    EXPECT_EQ(listed({.limit = 1, .offset = 1}), "b");
    EXPECT_EQ(listed({.type = "load"}), "ca");
    EXPECT_EQ(store.list({.limit = 1})->total, 3U);
    EXPECT_FALSE(store.list({.limit = 0}));
}

TEST_F(Memory, GivesEventsAfterANumberOfOneKindAndNoMoreThanAsked) {
    keep("a");
    EXPECT_EQ(events({}), 3U);
    EXPECT_EQ(events({.after = 1}), 2U);
    EXPECT_EQ(events({.kind = OperationEventKind::metric}), 1U);
    EXPECT_EQ(events({.limit = 2}), 2U);
    EXPECT_TRUE(store.events("unknown", {})->empty());
    EXPECT_FALSE(store.events("a", {.limit = 0}));
}

TEST_F(Memory, ForgetsTheOldestOfATypeBeyondACount) {
    keep("a");
    keep("b", OperationStatus::completed, "training");
    keep("c");
    EXPECT_EQ(*store.forget({.max_count = 1}, "load"), 1U);
    EXPECT_EQ(listed(), "cb");
    EXPECT_EQ(*store.forget({.max_count = 1}, ""), 1U);
    EXPECT_EQ(listed(), "c");
    EXPECT_FALSE(store.forget({.max_count = 0}, ""));
}

TEST_F(Memory, KnowsOfNoOtherProcess) {
    keep("a");
    store.flush();
    EXPECT_FALSE(*store.request_cancel("a", {}));
    EXPECT_TRUE(store.take_cancel_requests()->empty());
    EXPECT_EQ(store.claim("a").error().code, Errc::not_found);
    EXPECT_EQ(*store.recover(), 0U);
}

}  // namespace
}  // namespace ktrdr
