#include <ktrdr/runtime/asked_source.hpp>

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <memory>
#include <optional>
#include <vector>

#include <ktrdr/base/manual.hpp>

#include "executors.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

class AskedSourceTest : public testing::Test {
protected:
    template <class T>
    using Outcome = std::shared_ptr<std::optional<Result<T>>>;

    template <class T>
    Outcome<T> begin(boost::asio::awaitable<Result<T>> call) {
        auto outcome = std::make_shared<std::optional<Result<T>>>();
        boost::asio::co_spawn(io_, std::move(call), [outcome](const std::exception_ptr& thrown, Result<T> result) {
            EXPECT_FALSE(thrown);
            outcome->emplace(std::move(result));
        });
        run();
        return outcome;
    }
    Outcome<SourceAnswer> begin_fetch() { return begin(source_->fetch("AAPL", day_, week_, call_)); }
    void run() {
        io_.restart();
        io_.poll();
    }
    /// The questions that have come since.
    std::vector<std::shared_ptr<SourceAsk>> asked() {
        std::vector<std::shared_ptr<SourceAsk>> questions;
        for (Mail& mail : mailbox_->take()) {
            questions.push_back(std::get<std::shared_ptr<SourceAsk>>(mail.reply->value()));
        }
        return questions;
    }
    static SourceAnswer bars_at(UtcTime start) {
        Bars bars;
        bars.push_back(start.time_since_epoch().count(), 1, 2, 1, 2, 5);
        return SourceAnswer(std::move(bars));
    }
    SourceProfile profile() const {
        return {.provider = "mine",
                .name = "Mine",
                .limits = {{"1d", {.max_span = std::chrono::days{7}, .max_in_flight = 2}}},
                .refused = {{"1m", fail(Errc::configuration, "no minutes")}},
                .patience = 10s};
    }

    ManualClock clock_{at("2024-06-03")};
    boost::asio::io_context io_{1};
    IoExecutor executor_{io_};
    ManualTimerQueue timers_{clock_};
    const SourceCall call_{.token = CancellationToken::create(executor_, timers_, clock_)};
    const Timeframe day_ = Timeframe::parse("1d").value();
    const TimeRange week_ = range("2024-01-08", "2024-01-15");
    std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
    std::optional<AskedSource> source_{std::in_place, profile(), mailbox_, 7, executor_, clock_};
};

TEST_F(AskedSourceTest, SendsEachQuestionAndGivesItsAnswer) {
    const auto fetched = begin_fetch();
    auto questions = asked();
    ASSERT_EQ(questions.size(), 1U);
    const SourceQuestion& question = questions.front()->question();
    EXPECT_EQ(question.kind, SourceQuestion::Kind::fetch);
    EXPECT_EQ(question.symbol, "AAPL");
    EXPECT_EQ(question.segment, week_);
    EXPECT_EQ(question.asked, "Mine.fetch(AAPL, 1d, 2024-01-08T00:00:00.000Z, 2024-01-15T00:00:00.000Z)");
    EXPECT_FALSE(*fetched);
    questions.front()->answer(SourceAsk::Value(bars_at(week_.start)));
    run();
    EXPECT_EQ((*fetched)->value().bars.size(), 1U);

    const auto known = begin(source_->validate_symbol("AAPL", day_, call_));
    asked().front()->answer(SourceAsk::Value(Contract{.asset_class = "etf"}));
    run();
    EXPECT_EQ((*known)->value().asset_class, "etf");

    const auto first = begin(source_->first_timestamp("AAPL", day_, call_));
    asked().front()->answer(SourceAsk::Value(std::optional(week_.start)));
    run();
    EXPECT_EQ((*first)->value(), week_.start);
}

TEST_F(AskedSourceTest, TakesTheFirstAnswerOnly) {
    const auto fetched = begin_fetch();
    const auto question = asked().front();
    question->answer(fail(Errc::host_service, "first"));
    question->answer(SourceAsk::Value(SourceAnswer()));
    run();
    EXPECT_EQ((*fetched)->error().message, "first");
}

TEST_F(AskedSourceTest, RefusesAnAnswerToAnotherQuestionAndBarsThatCannotBe) {
    const auto other = begin_fetch();
    asked().front()->answer(SourceAsk::Value());
    run();
    EXPECT_EQ((*other)->error().code, Errc::protocol);
    const auto outside = begin_fetch();
    asked().front()->answer(SourceAsk::Value(bars_at(week_.end)));
    run();
    EXPECT_EQ((*outside)->error().code, Errc::protocol);
}

TEST_F(AskedSourceTest, TakesABarOfASessionThatIsOverByThePeriodsOfTheSeries) {
    struct Case {
        const char* timeframe;
        const char* stamp;
        const char* now;
        bool taken;
    };
    // The first bar of a session is short, the last one ends with it, a day, week or month with its last session.
    for (const Case& one :
         {Case{"1h", "2024-06-10T13:30", "2024-06-10T13:59", false},
          Case{"1h", "2024-06-10T13:30", "2024-06-10T14:00", true}, Case{"1d", "2024-06-10", "2024-06-10T19:59", false},
          Case{"1d", "2024-06-10", "2024-06-10T20:00", true}, Case{"1d", "2024-06-10T04:00", "2024-06-10T20:00", true},
          Case{"8h", "2024-06-10T13:30", "2024-06-10T20:00", true},
          Case{"1d", "2024-06-10T23:59", "2024-06-10T23:59", true}, Case{"1w", "2024-06-10", "2024-06-14T19:59", false},
          Case{"1w", "2024-06-10", "2024-06-14T20:00", true}}) {
        const Timeframe timeframe = Timeframe::parse(one.timeframe).value();
        clock_.advance(at(one.now) - clock_.utc_now());
        const TimeRange week = range("2024-06-10", "2024-06-17");
        SourceCall call = call_;
        const auto unknown = begin(source_->fetch("AAPL", timeframe, week, call));
        asked().front()->answer(SourceAsk::Value(bars_at(at(one.stamp))));
        run();
        EXPECT_EQ((*unknown)->error().code, Errc::protocol) << one.timeframe << ' ' << one.now;
        call.grid = BarGrid::make(timeframe, SessionCalendar::shipped("XNYS").value(), {.provider = "IB"}).value();
        const auto known = begin(source_->fetch("AAPL", timeframe, week, call));
        asked().front()->answer(SourceAsk::Value(bars_at(at(one.stamp))));
        run();
        EXPECT_EQ((*known)->has_value(), one.taken) << one.timeframe << ' ' << one.stamp << ' ' << one.now;
    }
}

TEST_F(AskedSourceTest, AnswersWithAnErrorWhereTheQuestionIsDropped) {
    const auto taken = begin_fetch();
    asked().clear();
    run();
    EXPECT_EQ((*taken)->error().code, Errc::service_connection);
    EXPECT_NE((*taken)->error().message.find("dropped without an answer"), std::string::npos);
    const auto untaken = begin_fetch();
    // As a loop's does that is gone; the source still holds it.
    EXPECT_EQ(mailbox_->take().size(), 1U);
    run();
    EXPECT_EQ((*untaken)->error().code, Errc::service_connection);
}

TEST_F(AskedSourceTest, EndsAQuestionThatIsCancelledAndSaysSoToWhoAnswers) {
    const auto fetched = begin_fetch();
    const auto question = asked().front();
    call_.token.cancel({.text = "enough"});
    run();
    EXPECT_EQ((*fetched)->error().code, Errc::cancelled);
    EXPECT_TRUE(question->token().is_cancelled());
    question->answer(SourceAsk::Value(SourceAnswer()));
    run();
}

TEST_F(AskedSourceTest, EndsAQuestionAfterItsPatience) {
    const auto fetched = begin_fetch();
    const auto question = asked().front();
    clock_.advance(9s);
    timers_.fire();
    run();
    EXPECT_FALSE(*fetched);
    clock_.advance(2s);
    timers_.fire();
    run();
    ASSERT_TRUE(*fetched);
    EXPECT_EQ((*fetched)->error().code, Errc::service_timeout);
    EXPECT_NE((*fetched)->error().message.find("within 10 s"), std::string::npos) << (*fetched)->error().message;
    EXPECT_TRUE(question->token().is_cancelled());
    EXPECT_FALSE(call_.token.is_cancelled());
}

TEST_F(AskedSourceTest, HasNoMoreQuestionsOnTheirWayThanItsLimitsAllow) {
    std::vector<Outcome<SourceAnswer>> fetched;
    for (int i = 0; i < 5; ++i) {
        fetched.push_back(begin_fetch());
    }
    auto questions = asked();
    EXPECT_EQ(questions.size(), 2U);
    for (std::size_t answered = 0; answered < 5; ++answered) {
        ASSERT_FALSE(questions.empty());
        questions.front()->answer(SourceAsk::Value(SourceAnswer()));
        questions.erase(questions.begin());
        run();
        for (auto& more : asked()) {
            questions.push_back(std::move(more));
        }
        EXPECT_LE(questions.size(), 2U);
    }
    for (const auto& outcome : fetched) {
        EXPECT_TRUE((*outcome)->has_value());
    }
}

TEST_F(AskedSourceTest, RefusesATimeframeThatItDoesNotHaveWithoutAQuestion) {
    const Timeframe minute = Timeframe::parse("1m").value();
    EXPECT_EQ((*begin(source_->fetch("AAPL", minute, week_, call_)))->error().message, "no minutes");
    EXPECT_EQ((*begin(source_->validate_symbol("AAPL", minute, call_)))->error().message, "no minutes");
    EXPECT_TRUE(asked().empty());
    EXPECT_EQ(source_->describe(day_).max_in_flight, 2U);
    EXPECT_EQ(source_->describe(minute).max_in_flight, SourceLimits{}.max_in_flight);
}

TEST_F(AskedSourceTest, SaysThatItIsGone) {
    source_.reset();
    const auto mails = mailbox_->take();
    ASSERT_EQ(mails.size(), 1U);
    EXPECT_EQ(mails.front().kind, Mail::Kind::finished);
    EXPECT_EQ(mails.front().key, 7U);
}

TEST_F(AskedSourceTest, ChecksItsProfile) {
    EXPECT_TRUE(check_profile(profile()));
    const auto refused = [this](auto change, std::string_view field) {
        SourceProfile wrong = profile();
        change(wrong);
        const auto checked = check_profile(wrong);
        ASSERT_FALSE(checked);
        EXPECT_EQ(checked.error().context.at("field").as_string(), field);
    };
    refused([](SourceProfile& wrong) { wrong.provider = ""; }, "provider");
    refused([](SourceProfile& wrong) { wrong.patience = 0s; }, "answer_within");
    refused([](SourceProfile& wrong) { wrong.limits["1d"].max_span = 0s; }, "describe");
    refused([](SourceProfile& wrong) { wrong.limits["1d"].max_in_flight = 0; }, "describe");
}

}  // namespace
}  // namespace ktrdr
