#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include <ktrdr/bar_store/bar_store.hpp>

#include "first_files.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Bars some_bars(double price) {
    Bars bars;
    for (int day = 0; day < 5; ++day) {
        bars.push_back((at("2024-01-08") + std::chrono::days{day}).time_since_epoch().count(), price, price + 1,
                       price - 1, price, 100);
    }
    return bars;
}

SeriesKey series_of(std::string symbol, std::string what_to_show = "TRADES", std::string asset_class = "",
                    std::string exchange = "", std::string currency = "") {
    return {.provider = "IB",
            .symbol = std::move(symbol),
            .timeframe = Timeframe::parse("1d").value(),
            .what_to_show = std::move(what_to_show),
            .asset_class = std::move(asset_class),
            .exchange = std::move(exchange),
            .currency = std::move(currency)};
}

class SeriesKeysTest : public testing::Test {
protected:
    [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "ktrdr.db"; }
    static constexpr TimeRange always{UtcTime::min(), UtcTime::max()};
    test::TemporaryFolder folder_{};
};

class OldFile : public SeriesKeysTest, public testing::WithParamInterface<std::size_t> {
protected:
    /// A file with three series as a version wrote it that knew so many migrations.
    void write() const {
        {
            const Schema old{"bar_store", BarStore::schema().migrations.first(GetParam())};
            ASSERT_TRUE(Database::open(file(), {old}));
        }
        for (const char* const symbol : {"AAPL", "EURUSD", "OWN"}) {
            test::write_first_chunks(file(), series_of(symbol), some_bars(10));
        }
        SQLite::Database raw(file().string(), SQLite::OPEN_READWRITE);
        raw.exec("INSERT INTO ledger SELECT id, id, 1000, 2000, 'denied', 9 FROM series");
        raw.exec("INSERT INTO first_timestamp SELECT id, 1000, 9 FROM series");
        if (GetParam() == 1) {
            raw.exec("INSERT INTO symbol_check VALUES ('IB', 'AAPL', 7), ('IB', 'EURUSD', 7)");
        } else {
            raw.exec(
                "INSERT INTO symbol_check VALUES ('IB', 'AAPL', 7, 'stock', 'NASDAQ', 'USD'), "
                "('IB', 'EURUSD', 7, 'forex', 'IDEALPRO', 'USD')");
            raw.exec("INSERT INTO basis_break SELECT id, 1000, 0.25, 9 FROM series");
        }
        if (GetParam() > 2) {
            raw.exec("INSERT INTO change SELECT id, id, 1000, 2000, 'stored', 9, 1, 0, 0, '[]', '[]' FROM series");
        }
        if (GetParam() > 3) {
            raw.exec("INSERT INTO csv_style SELECT id, 3, 1 FROM series");
        }
    }
};

TEST_P(OldFile, KeepsItsSeriesAndAllThatBelongsToThem) {
    write();
    const auto opened = BarStore::open(file());
    ASSERT_TRUE(opened) << opened.error().message;
    BarStore& store = **opened;
    const bool named = GetParam() > 1;
    const std::vector<SeriesKey> keys{
        named ? series_of("AAPL", "TRADES", "stock", "NASDAQ", "USD") : series_of("AAPL"),
        named ? series_of("EURUSD", "MIDPOINT", "forex", "IDEALPRO", "USD") : series_of("EURUSD"), series_of("OWN")};
    std::vector<SeriesKey> listed;
    for (const StoredSeries& one : store.list().value()) {
        listed.push_back(one.key);
    }
    EXPECT_EQ(listed, keys);
    for (const SeriesKey& key : keys) {
        SCOPED_TRACE(to_string(key));
        EXPECT_EQ(store.read(key, always).value(), some_bars(10));
        const SeriesFacts facts = store.facts(key).value();
        EXPECT_THAT(facts.ledger, SizeIs(1));
        EXPECT_TRUE(facts.first_timestamp);
        EXPECT_THAT(facts.breaks, SizeIs(named ? 1 : 0));
        EXPECT_EQ(facts.symbol_checked_at.has_value(), key.symbol != "OWN");
        EXPECT_THAT(store.changes(key).value(), SizeIs(GetParam() > 2 ? 1 : 0));
        EXPECT_EQ(store.csv_style(key).value() != CsvStyle{}, GetParam() > 3);
    }
    const BarCheck check = store.verify().value();
    EXPECT_THAT(check.damage, IsEmpty());
    EXPECT_EQ(check.bars, 15U);
    // What belongs to a series goes with it, as ever.
    ASSERT_TRUE(store.remove(keys[0]));
    EXPECT_EQ(store.verify()->ledger_entries, 2U);
    EXPECT_TRUE(store.read(keys[0], always)->empty());
    EXPECT_EQ(store.read(keys[1], always).value(), some_bars(10));
}

INSTANTIATE_TEST_SUITE_P(OfEachEarlierVersion, OldFile, testing::Values(1, 2, 3, 4, 5));

TEST_F(SeriesKeysTest, AreSeriesOfTheirOwnWhateverPartDiffers) {
    const auto store = BarStore::open(file()).value();
    std::vector<SeriesKey> keys{series_of("EUR"),
                                series_of("EUR", "BID"),
                                series_of("EUR", "ADJUSTED_LAST"),
                                series_of("EUR", "TRADES", "forex"),
                                series_of("EUR", "TRADES", "stock"),
                                series_of("EUR", "TRADES", "stock", "LSE"),
                                series_of("EUR", "TRADES", "stock", "LSE", "GBP")};
    keys.push_back(series_of("EUR"));
    keys.back().session = "extended";
    double price = 10;
    for (const SeriesKey& key : keys) {
        ASSERT_TRUE(store->commit_segment(key, range("2024-01-01", "2024-02-01"), some_bars(price), AskOutcome::bars,
                                          at("2024-06-01")));
        price += 10;
    }
    price = 10;
    for (const SeriesKey& key : keys) {
        SCOPED_TRACE(to_string(key));
        EXPECT_EQ(store->read(key, always).value(), some_bars(price));
        EXPECT_THAT(store->facts(key)->ledger, SizeIs(1));
        price += 10;
    }
    EXPECT_THAT(store->list().value(), SizeIs(keys.size()));
    EXPECT_THAT(store->known("IB", "EUR", keys[0].timeframe)->stored, testing::UnorderedElementsAreArray(keys));
    ASSERT_TRUE(store->remove(keys[1]));
    EXPECT_THAT(store->list().value(), SizeIs(keys.size() - 1));
    EXPECT_FALSE(store->read(keys[0], always)->empty());
}

TEST_F(SeriesKeysTest, AreCompletedByARenameThatKeepsAll) {
    const auto store = BarStore::open(file()).value();
    const SeriesKey before = series_of("EURUSD");
    const SeriesKey after = series_of("EURUSD", "MIDPOINT", "forex", "IDEALPRO", "USD");
    ASSERT_TRUE(store->rename(before, after)) << "nothing is stored, so nothing is done";
    ASSERT_TRUE(store->commit_segment(before, range("2024-01-01", "2024-02-01"), some_bars(10), AskOutcome::bars,
                                      at("2024-06-01")));
    ASSERT_TRUE(store->rename(before, after));
    EXPECT_EQ(store->read(after, always).value(), some_bars(10));
    EXPECT_THAT(store->facts(after)->ledger, SizeIs(1));
    EXPECT_TRUE(store->read(before, always)->empty());
    // Nothing is taken over: a series that goes by that key stays what it is.
    ASSERT_TRUE(store->commit_segment(before, range("2024-01-01", "2024-02-01"), some_bars(20), AskOutcome::bars,
                                      at("2024-06-01")));
    ASSERT_TRUE(store->rename(before, after));
    EXPECT_EQ(store->read(after, always).value(), some_bars(10));
    EXPECT_EQ(store->read(before, always).value(), some_bars(20));
}

TEST_F(SeriesKeysTest, HaveTheContractThatTheirProviderToldOf) {
    const auto store = BarStore::open(file()).value();
    const Contract forex{"forex", "IDEALPRO", "USD"};
    const Contract stock{"stock", "NYSE", "USD"};
    ASSERT_TRUE(store->remember_symbol(series_of("EUR"), at("2024-06-01"), {}));
    ASSERT_TRUE(store->remember_symbol(series_of("EUR"), at("2024-06-02"), forex));
    EXPECT_THAT(store->known("IB", "EUR", series_of("EUR").timeframe)->contracts, ElementsAre(forex));
    EXPECT_EQ(store->facts(series_of("EUR"))->contract, forex);
    ASSERT_TRUE(store->remember_symbol(series_of("EUR"), at("2024-06-03"), stock));
    EXPECT_EQ(store->facts(series_of("EUR", "MIDPOINT", "forex"))->contract, forex);
    EXPECT_EQ(store->facts(series_of("EUR", "MIDPOINT", "forex"))->symbol_checked_at, at("2024-06-02"));
    EXPECT_EQ(store->facts(series_of("EUR", "TRADES", "stock"))->contract, stock);
    EXPECT_EQ(store->facts(series_of("EUR", "TRADES", "etf"))->contract, stock) << "a fund is traded as a stock";
    EXPECT_FALSE(store->facts(series_of("EUR"))->symbol_checked_at) << "which of the two is not known";
    EXPECT_FALSE(store->facts(series_of("EUR", "TRADES", "crypto"))->symbol_checked_at);
}

TEST(SeriesKeys, MayBeOfAContractUnlessEitherSaysOtherwise) {
    EXPECT_TRUE(may_be_same_class("", "forex"));
    EXPECT_TRUE(may_be_same_class("forex", ""));
    EXPECT_TRUE(may_be_same_class("future", "future"));
    EXPECT_TRUE(may_be_same_class("stock", "etf"));
    EXPECT_TRUE(may_be_same_class("etf", "stock"));
    EXPECT_FALSE(may_be_same_class("stock", "future"));
    EXPECT_FALSE(may_be_same_class("future", "etf"));
    const SeriesKey key = series_of("AAPL", "TRADES", "stock", "NASDAQ", "USD");
    EXPECT_TRUE(fits(key, {}));
    EXPECT_TRUE(fits(key, {"etf", "NYSE", "USD"})) << "exchanges are names of one place, or routers";
    EXPECT_FALSE(fits(key, {"stock", "NASDAQ", "EUR"}));
    EXPECT_FALSE(fits(key, {"index", "NASDAQ", "USD"}));
}

TEST_F(SeriesKeysTest, AreNotToldOfAFileThatLacksATable) {
    const auto store = BarStore::open(file()).value();
    const SeriesKey key = series_of("AAPL");
    ASSERT_TRUE(store->commit_segment(key, always, some_bars(10), AskOutcome::bars, at("2024-02-01")));
    SQLite::Database raw(file().string(), SQLite::OPEN_READWRITE);
    raw.exec("DROP TABLE symbol_check");
    raw.exec("DROP TABLE basis_break");
    const auto known = store->known("IB", "AAPL", key.timeframe);
    ASSERT_FALSE(known);
    EXPECT_EQ(known.error().code, Errc::storage);
    EXPECT_FALSE(store->stamp(key, always));
    EXPECT_EQ(store->read(key, always).value(), some_bars(10));
}

}  // namespace
}  // namespace ktrdr
