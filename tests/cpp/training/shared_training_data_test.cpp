#include <ktrdr/training/shared_training_data.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include <ktrdr/training/training_data.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using ::testing::HasSubstr;
using RowsResult = Result<SharedTrainingData::Data>;

struct SharedTrainingDataTest : test::TrainingPlace {
    SharedTrainingData shared{};
    std::atomic<int> made{0};
    test::Gate waiting{};

    static SharedTrainingData::Data rows() { return std::make_shared<const TrainingData>(); }
    SharedTrainingData::Make make() {
        return [this]() -> RowsResult {
            ++made;
            return rows();
        };
    }
    static SharedTrainingData::Key key(std::string text = "key") {
        return [text] { return std::optional(text); };
    }
    RowsResult get(const SharedTrainingData::Make& how, const CancellationToken& token = {},
                   const std::string& text = "key") {
        return shared.get(key(text), how, token, [this] { waiting.open(); });
    }
    CancellationToken token() { return CancellationToken::create(io, timers, clock); }
};

using SharedRows = SharedTrainingDataTest;

TEST_F(SharedRows, AreMadeOnceAndLiveAsLongAsSomebodyHoldsThem) {
    auto first = get(make()).value();
    auto second = get(make()).value();
    EXPECT_EQ(first, second);
    EXPECT_EQ(made, 1);
    EXPECT_NE(get(make(), {}, "another").value(), first);
    EXPECT_EQ(made, 2);
    const std::weak_ptr<const TrainingData> watched = first;
    first.reset();
    EXPECT_FALSE(watched.expired());
    second.reset();
    EXPECT_TRUE(watched.expired());
    (void)get(make());
    EXPECT_EQ(made, 3);
}

TEST_F(SharedRows, AreMadeForEachByItselfWhereTheKeyIsNotKnown) {
    const auto unknown = [] { return std::optional<std::string>{}; };
    const auto first = shared.get(unknown, make(), {}, [] {}).value();
    EXPECT_NE(shared.get(unknown, make(), {}, [] {}).value(), first);
    EXPECT_EQ(made, 2);
}

TEST_F(SharedRows, AreNotSharedWhereTheirBarsChangedWhileTheyWereMade) {
    int asked = 0;
    const auto changing = [&] { return std::optional("version " + std::to_string(++asked)); };
    const auto first = shared.get(changing, make(), {}, [] {}).value();
    EXPECT_NE(get(make(), {}, "version 1").value(), first);
    EXPECT_NE(get(make(), {}, "version 2").value(), first);
}

TEST_F(SharedRows, AreKeptForTheNextOneWhileSomebodyAsksForThat) {
    auto kept = shared.keep_last();
    const std::weak_ptr<const TrainingData> first = get(make()).value();
    EXPECT_FALSE(first.expired());
    (void)get(make());
    EXPECT_EQ(made, 1);
    // Of the last ones only.
    (void)get(make(), {}, "another");
    EXPECT_TRUE(first.expired());
    (void)get(make(), {}, "another");
    EXPECT_EQ(made, 2);
    kept.reset();
    (void)get(make(), {}, "another");
    EXPECT_EQ(made, 3);
}

TEST_F(SharedRows, AreKeptWithTheirRandomWalk) {
    const auto kept = shared.keep_last();
    for (int training = 0; training < 3; ++training) {
        (void)get(make());
        (void)get(make(), {}, "key\na random walk");
    }
    EXPECT_EQ(made, 2);
    const std::weak_ptr<const TrainingData> walk = get(make(), {}, "key\na random walk").value();
    (void)get(make(), {}, "another");
    EXPECT_TRUE(walk.expired());
}

TEST_F(SharedRows, AreWaitedForByThoseWhoComeMeanwhile) {
    test::Gate begun;
    test::Gate go;
    auto maker = std::async(std::launch::async, [&] {
        return get([&]() -> RowsResult {
            ++made;
            begun.open();
            go.wait();
            return rows();
        });
    });
    begun.wait();
    std::vector<std::future<RowsResult>> others;
    for (int i = 0; i < 4; ++i) {
        others.push_back(std::async(std::launch::async, [&] { return get(make()); }));
    }
    waiting.wait();
    go.open();
    const auto first = maker.get().value();
    for (auto& other : others) {
        EXPECT_EQ(other.get().value(), first);
    }
    EXPECT_EQ(made, 1);
}

TEST_F(SharedRows, OneThatWaitsIsCancelledAlone) {
    test::Gate begun;
    test::Gate go;
    auto maker = std::async(std::launch::async, [&] {
        return get([&]() -> RowsResult {
            begun.open();
            go.wait();
            return rows();
        });
    });
    begun.wait();
    const CancellationToken own = token();
    auto other = std::async(std::launch::async, [&] { return get(make(), own); });
    waiting.wait();
    own.cancel({CancelCode::user, "enough", "test"});
    const auto ended = other.get();
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Errc::cancelled);
    EXPECT_THAT(ended.error().message, HasSubstr("another training"));
    go.open();
    EXPECT_TRUE(maker.get());
    EXPECT_EQ(made, 0);
}

/// What becomes of those that wait once the maker ends without rows.
void expect_taken_over(SharedRows& test, const std::function<RowsResult()>& end) {
    test::Gate begun;
    test::Gate go;
    auto maker = std::async(std::launch::async, [&] {
        try {
            return test.get([&] {
                begun.open();
                go.wait();
                return end();
            });
        } catch (const std::runtime_error& error) {
            return RowsResult(fail(Errc::internal, error.what()));
        }
    });
    begun.wait();
    std::vector<std::future<RowsResult>> others;
    for (int i = 0; i < 3; ++i) {
        others.push_back(std::async(std::launch::async, [&] { return test.get(test.make()); }));
    }
    test.waiting.wait();
    go.open();
    EXPECT_FALSE(maker.get());
    const auto first = others[0].get().value();
    EXPECT_EQ(others[1].get().value(), first);
    EXPECT_EQ(others[2].get().value(), first);
    EXPECT_EQ(test.made, 1);
}

TEST_F(SharedRows, AreMadeByAnotherWhereTheirMakerIsCancelled) {
    const CancellationToken own = token();
    expect_taken_over(*this, [&]() -> RowsResult {
        own.cancel({CancelCode::user, "enough", "test"});
        return own.check("preparing").error();
    });
}

TEST_F(SharedRows, AreMadeByAnotherWhereTheirMakerFails) {
    expect_taken_over(*this, []() -> RowsResult { return fail(Errc::storage, "the disk is gone"); });
}

TEST_F(SharedRows, AreMadeByAnotherWhereTheirMakerThrows) {
    expect_taken_over(*this, []() -> RowsResult { throw std::runtime_error("out of paper"); });
}

TEST_F(SharedRows, HaveAKeyOfThePlanAndOfWhatIsStored) {
    bars->add("AAPL", 300, 1);
    bars->add("MSFT", 250, 2);
    TrainingRequest asked;
    asked.strategy = test::strategy_json();
    const auto context = build_training_context(asked).value();
    EXPECT_FALSE(data_stamp_of(context, *bars));
    bars->stamps = true;
    const DataStamp before = data_stamp_of(context, *bars).value();
    EXPECT_EQ(before.bars, (std::vector<std::vector<std::size_t>>{{300}, {250}}));
    EXPECT_EQ(data_key_of(context, *bars), before.key);
    bars->add("MSFT", 250, 3);
    EXPECT_NE(data_key_of(context, *bars), before.key);
    bars->add("MSFT", 250, 2);
    EXPECT_EQ(data_key_of(context, *bars), before.key);
    asked.validation_split = 0.3;
    EXPECT_NE(data_key_of(build_training_context(asked).value(), *bars), before.key);
    asked.validation_split.reset();
    asked.test_from = "2020-08-01";
    EXPECT_NE(data_key_of(build_training_context(asked).value(), *bars), before.key);
    asked.test_from.reset();
    asked.strategy.at("training_data").as_object()["history_required"] = 1000;
    EXPECT_NE(data_key_of(build_training_context(asked).value(), *bars), before.key);
    bars->series.erase("MSFT");
    EXPECT_FALSE(data_stamp_of(context, *bars));
}

}  // namespace
}  // namespace ktrdr
