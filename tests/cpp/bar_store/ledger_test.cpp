#include <gtest/gtest.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include <ktrdr/bar_store/bar_store.hpp>

#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using std::chrono::hours;

class LedgerTest : public testing::Test {
protected:
    /// An answer of one load, of all of `range`, that brought nothing.
    CommittedSegment nothing_in(TimeRange range, UtcTime asked_at, UtcTime load_began) {
        return store_
            ->commit_segment(key_, {.range = range, .entries = {{range, AskOutcome::silent, asked_at}}}, load_began)
            .value();
    }
    CommittedSegment nothing_in(TimeRange range, UtcTime asked_at) { return nothing_in(range, asked_at, asked_at); }
    [[nodiscard]] std::vector<LedgerEntry> ledger() const { return store_->facts(key_)->ledger; }
    static Bars bar_at(UtcTime start) {
        Bars bars;
        bars.push_back(start.time_since_epoch().count(), 1, 2, 0.5, 1.5, 100);
        return bars;
    }

    test::TemporaryFolder folder_{};
    std::shared_ptr<BarStore> store_ = BarStore::open(folder_.path() / "ktrdr.db").value();
    const SeriesKey key_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1d").value()};
    const TimeRange month_ = range("2020-01-01", "2020-02-01");
    const UtcTime first_load_ = at("2024-06-01");
    const UtcTime second_load_ = at("2024-06-02");
};

TEST_F(LedgerTest, ConfirmsWhatTwoLoadsWereToldAlike) {
    EXPECT_EQ(nothing_in(month_, first_load_).unconfirmed, std::vector{month_});
    EXPECT_EQ(ledger(), (std::vector{LedgerEntry{month_, AskOutcome::silent, first_load_}}));
    EXPECT_TRUE(nothing_in(month_, second_load_).unconfirmed.empty());
    EXPECT_EQ(ledger(), (std::vector{LedgerEntry{month_, AskOutcome::empty, second_load_}}));
}

TEST_F(LedgerTest, DoesNotTakeTwoAnswersOfOneLoadForTwo) {
    nothing_in(month_, first_load_);
    EXPECT_EQ(nothing_in(month_, first_load_ + hours{1}, first_load_).unconfirmed, std::vector{month_});
    EXPECT_TRUE(nothing_in(month_, second_load_).unconfirmed.empty());
}

TEST_F(LedgerTest, ConfirmsNothingBeforeTheRangeIsOverForADay) {
    const TimeRange late = range("2024-05-01", "2024-06-01T12:00");
    nothing_in(late, at("2024-06-01T12:00"));
    EXPECT_EQ(nothing_in(late, at("2024-06-02T11:59")).unconfirmed, std::vector{late});
    EXPECT_EQ(nothing_in(late, at("2024-06-02T12:00")).unconfirmed, std::vector{late}) << "before it was a lag, maybe";
    EXPECT_TRUE(nothing_in(late, at("2024-06-02T12:01")).unconfirmed.empty());
}

TEST_F(LedgerTest, ConfirmsOnlyWhatAnAnswerWasSilentOfWhole) {
    nothing_in(range("2020-01-01", "2020-01-10"), first_load_);
    nothing_in(range("2020-01-11", "2020-02-01"), first_load_);
    EXPECT_EQ(nothing_in(month_, second_load_).unconfirmed, std::vector{month_}) << "nobody asked for the 10th";
    EXPECT_TRUE(nothing_in(month_, second_load_ + hours{1}).unconfirmed.empty());
}

TEST_F(LedgerTest, TakesAdjoiningEntriesForOne) {
    nothing_in(range("2020-01-01", "2020-01-10"), first_load_);
    nothing_in(range("2020-01-10", "2020-02-01"), first_load_);
    EXPECT_TRUE(nothing_in(month_, second_load_).unconfirmed.empty());
}

TEST_F(LedgerTest, ConfirmsNothingByAnAnswerThatMayHaveBeenCutOff) {
    const TimeRange rest = range("2020-01-02", "2020-02-01");
    nothing_in(month_, first_load_);
    const Segment some{.range = month_,
                       .bars = bar_at(month_.start),
                       .entries = {{{month_.start, rest.start}, AskOutcome::bars, second_load_},
                                   {rest, AskOutcome::unconfirmed, second_load_}}};
    EXPECT_EQ(store_->commit_segment(key_, some, second_load_)->unconfirmed, std::vector{rest});
    // Nor by the same answer again, whose bar is stored already.
    EXPECT_EQ(store_->commit_segment(key_, some, second_load_ + hours{1})->unconfirmed, std::vector{rest});
    // What may have been cut off is no silence, neither the first nor the second.
    EXPECT_EQ(nothing_in(rest, second_load_ + hours{2}).unconfirmed, std::vector{rest});
    EXPECT_TRUE(nothing_in(rest, second_load_ + hours{3}).unconfirmed.empty());
}

TEST_F(LedgerTest, LeavesAnswersAloneWhereALaterOneIsUnconfirmed) {
    ASSERT_TRUE(store_->commit_segment(key_, month_, bar_at(month_.start), AskOutcome::bars, first_load_));
    nothing_in(month_, second_load_);
    EXPECT_EQ(ledger().front().outcome, AskOutcome::bars);
    ASSERT_TRUE(store_->commit_segment(key_, month_, {}, AskOutcome::failed, second_load_));
    EXPECT_EQ(ledger(), (std::vector{LedgerEntry{month_, AskOutcome::bars, first_load_},
                                     LedgerEntry{month_, AskOutcome::failed, second_load_}}));
}

TEST_F(LedgerTest, CutsWhatIsNoAnswerWhereSomethingElseIsSaid) {
    nothing_in(month_, first_load_);
    const TimeRange middle = range("2020-01-10", "2020-01-20");
    ASSERT_TRUE(store_->commit_segment(key_, middle, {}, AskOutcome::failed, second_load_));
    EXPECT_EQ(ledger(), (std::vector{LedgerEntry{{month_.start, middle.start}, AskOutcome::silent, first_load_},
                                     LedgerEntry{{middle.end, month_.end}, AskOutcome::silent, first_load_},
                                     LedgerEntry{middle, AskOutcome::failed, second_load_}}));
    // A row that came and could not be used says that there is a bar: silence does not confirm the opposite.
    EXPECT_EQ(nothing_in(middle, second_load_ + hours{1}).unconfirmed, std::vector{middle});
}

TEST_F(LedgerTest, KeepsBreaksOfTheBasisUntilOneAnswerSpansThem) {
    const auto commit = [this](TimeRange one_basis, std::vector<BasisBreak> breaks) {
        return store_->commit_segment(
            key_,
            {.range = month_, .bars = bar_at(month_.start), .one_basis = {one_basis}, .breaks = std::move(breaks)});
    };
    const BasisBreak split{at("2020-01-15"), 0.25, first_load_};
    ASSERT_TRUE(commit({}, {split}));
    EXPECT_EQ(store_->facts(key_)->breaks, std::vector{split});
    ASSERT_TRUE(commit(range("2020-01-01", "2020-01-15"), {}));
    EXPECT_EQ(store_->facts(key_)->breaks, std::vector{split});
    const BasisBreak other{at("2020-02-01"), 0.5, second_load_};
    ASSERT_TRUE(commit(range("2020-01-15", "2020-03-01"), {other}));
    EXPECT_EQ(store_->facts(key_)->breaks, std::vector{other});
}

TEST_F(LedgerTest, RemembersWhatTheSymbolStandsFor) {
    const Contract stock{"stock", "NASDAQ", "USD"};
    ASSERT_TRUE(store_->remember_symbol(key_, first_load_, stock));
    EXPECT_EQ(store_->facts(key_)->contract, stock);
    EXPECT_EQ(store_->facts(key_)->symbol_checked_at, first_load_);
}

/// A file as the first version wrote it.
TEST_F(LedgerTest, AsksAgainForWhatTheFirstVersionCalledCovered) {
    const auto file = folder_.path() / "first.db";
    {
        const Schema first{"bar_store", BarStore::schema().migrations.first(1)};
        const auto database = Database::open(file, {first}).value();
        const auto written = database->write("write as before", [](SQLite::Database& raw) -> Result<void> {
            raw.exec(
                "INSERT INTO series VALUES (1, 'IB', 'AAPL', '1d', 'TRADES', 'regular');"
                "INSERT INTO ledger VALUES (1, 1, 1000, 2000, 'bars', 9), (2, 1, 2000, 3000, 'empty', 9), "
                "(3, 1, 3000, 4000, 'failed', 9), (4, 1, 4000, 5000, 'denied', 9);"
                "INSERT INTO symbol_check VALUES ('IB', 'AAPL', 7)");
            return {};
        });
        ASSERT_TRUE(written);
    }
    const auto opened = BarStore::open(file);
    ASSERT_TRUE(opened) << opened.error().message;
    std::vector<AskOutcome> outcomes;
    const SeriesFacts facts = (*opened)->facts(key_).value();
    for (const LedgerEntry& entry : facts.ledger) {
        outcomes.push_back(entry.outcome);
    }
    EXPECT_EQ(outcomes,
              (std::vector{AskOutcome::unconfirmed, AskOutcome::unconfirmed, AskOutcome::failed, AskOutcome::denied}));
    EXPECT_EQ(facts.contract, Contract{});
    EXPECT_TRUE(facts.symbol_checked_at);
}

}  // namespace
}  // namespace ktrdr
