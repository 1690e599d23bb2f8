#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/data/series_words.hpp>

#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;

SeriesKey stored(std::string what_to_show, std::string asset_class = "", std::string currency = "",
                 std::string session = "regular") {
    return {.provider = "IB",
            .symbol = "EUR",
            .timeframe = Timeframe::parse("1h").value(),
            .what_to_show = std::move(what_to_show),
            .session = std::move(session),
            .asset_class = std::move(asset_class),
            .exchange = {},
            .currency = std::move(currency)};
}

Result<FoundSeries> find(const SeriesWords& words, std::vector<SeriesKey> known, SeriesUse use = SeriesUse::read,
                         std::vector<Contract> contracts = {}) {
    return find_series({"EUR", "1h", words}, "IB", {std::move(known), std::move(contracts)}, use);
}

TEST(FindSeries, TakesTheOneThatIsStoredWhateverItShows) {
    for (const SeriesKey& only : {stored("BID", "forex", "USD"), stored("TRADES"), stored("TRADES", "stock", "USD"),
                                  stored("TRADES", "stock", "USD", "extended")}) {
        EXPECT_EQ(find({}, {only})->key, only) << to_string(only);
    }
}

TEST(FindSeries, TakesTheUsualOneOfSeveral) {
    const SeriesKey usual = stored("MIDPOINT", "forex", "USD");
    EXPECT_EQ(find({}, {stored("BID", "forex", "USD"), usual, stored("ASK", "forex", "USD")})->key, usual);
    const SeriesKey trades = stored("TRADES", "stock");
    EXPECT_EQ(find({}, {stored("TRADES", "stock", "", "extended"), stored("ADJUSTED_LAST", "stock"), trades})->key,
              trades);
}

TEST(FindSeries, ListsTheCandidatesWhereSeveralAreMeant) {
    const auto found = find({}, {stored("BID", "forex", "USD"), stored("ASK", "forex", "USD")});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::invalid_argument);
    EXPECT_THAT(found.error().message, HasSubstr("EUR 1h is stored as 2 series: IB EUR 1h BID regular forex USD; "
                                                 "IB EUR 1h ASK regular forex USD. Say which"));
    EXPECT_FALSE(find({}, {stored("TRADES", "stock", "USD"), stored("TRADES", "stock", "GBP")}));
    EXPECT_FALSE(find({}, {stored("TRADES", "stock", "USD"), stored("MIDPOINT", "forex", "USD")}, SeriesUse::load));
}

TEST(FindSeries, TakesThatWhichTheWordsSay) {
    const std::vector<SeriesKey> all{stored("MIDPOINT", "forex", "USD"), stored("BID", "forex", "USD"),
                                     stored("TRADES", "stock", "USD"), stored("TRADES", "stock", "GBP"),
                                     stored("TRADES", "stock", "GBP", "extended")};
    EXPECT_EQ(find({.instrument_type = "forex"}, all)->key, all[0]);
    EXPECT_EQ(find({.what_to_show = "BID"}, all)->key, all[1]);
    EXPECT_EQ(find({.instrument_type = "stock", .currency = "USD"}, all)->key, all[2]);
    EXPECT_EQ(find({.instrument_type = "etf", .currency = "USD"}, all)->key, all[2]);
    EXPECT_EQ(find({.currency = "GBP"}, all)->key, all[3]);
    EXPECT_EQ(find({.session = "extended"}, all)->key, all[4]);
}

TEST(FindSeries, OfALoadIsTheUsualOneWhereNobodySaysOtherwise) {
    const SeriesKey bids = stored("BID", "forex", "USD");
    const std::vector<Contract> forex{{"forex", "IDEALPRO", "USD"}};
    EXPECT_EQ(find({}, {bids}, SeriesUse::read, forex)->key, bids);
    const SeriesKey usual = find({}, {bids}, SeriesUse::load, forex)->key;
    EXPECT_EQ(to_string(usual), "IB EUR 1h MIDPOINT regular forex IDEALPRO USD");
    EXPECT_EQ(find({.session = "extended"}, {}, SeriesUse::load)->key.session, "extended");
}

TEST(FindSeries, KnowsTheCalendarOfTheContract) {
    const auto name = [](const Result<FoundSeries>& found) {
        return found->grid.calendar() ? found->grid.calendar()->name() : "none";
    };
    EXPECT_EQ(name(find({}, {})), "none");
    EXPECT_EQ(name(find({.instrument_type = "forex"}, {})), "FOREX");
    EXPECT_EQ(name(find({}, {}, SeriesUse::read, {{"crypto", "", ""}})), "CRYPTO");
    EXPECT_EQ(name(find({}, {stored("TRADES")}, SeriesUse::read, {{"stock", "NYSE", "USD"}})), "XNYS");
    EXPECT_EQ(name(find({}, {}, SeriesUse::read, {{"stock", "NYSE", "USD"}, {"forex", "", "USD"}})), "none");
}

TEST(SeriesWords, ThatCannotBeAreRefusedWithWhatCan) {
    const auto refused = [](const SeriesWords& words) {
        const auto key = check_series({"EUR", "1h", words}, "IB");
        EXPECT_FALSE(key);
        return key ? "" : key.error().message;
    };
    EXPECT_THAT(refused({.instrument_type = "stonk"}),
                HasSubstr("instrument_type \"stonk\" is not known: use one of stock, etf, index"));
    EXPECT_THAT(refused({.what_to_show = "trades"}),
                HasSubstr("what_to_show \"trades\" is not known: use one of TRADES"));
    EXPECT_THAT(refused({.session = ""}), HasSubstr("use one of regular, extended"));
    EXPECT_THAT(refused({.instrument_type = "forex", .what_to_show = "TRADES"}),
                HasSubstr("is nothing that forex has: use one of MIDPOINT, BID"));
    for (const char* const text : {"", "US D", "U\nSD", "\x01", "caf\xC3\xA9"}) {
        EXPECT_THAT(refused({.currency = text}), HasSubstr("must be 1 to 32 printable characters")) << text;
        EXPECT_THAT(refused({.exchange = text}), HasSubstr("must be 1 to 32 printable characters")) << text;
    }
    EXPECT_THAT(refused({.exchange = std::string(10'000, 'x')}).size(), testing::Lt(300U));
}

TEST(Completed, TakesWhatNobodyHasSaidFromTheContract) {
    const Contract forex{"forex", "IDEALPRO", "USD"};
    EXPECT_EQ(to_string(completed(stored("TRADES"), {}, forex).value()),
              "IB EUR 1h MIDPOINT regular forex IDEALPRO USD");
    EXPECT_EQ(to_string(completed(stored("BID"), {.what_to_show = "BID"}, forex).value()),
              "IB EUR 1h BID regular forex IDEALPRO USD");
    EXPECT_EQ(completed(stored("TRADES"), {}, {}).value(), stored("TRADES"));
    EXPECT_EQ(completed(stored("TRADES", "etf", "USD"), {}, {"stock", "", "USD"})->asset_class, "etf");
}

TEST(Completed, RefusesAnotherContract) {
    const auto refused = [](const SeriesKey& key, const SeriesWords& words, const Contract& contract) {
        const auto named = completed(key, words, contract);
        return named ? "" : named.error().message;
    };
    EXPECT_THAT(refused(stored("TRADES", "stock", "USD"), {}, {"stock", "LSE", "GBP"}),
                HasSubstr("IB says that EUR is stock LSE GBP, and what is asked for is the series IB EUR 1h TRADES"));
    EXPECT_THAT(refused(stored("TRADES"), {.instrument_type = "crypto"}, {"forex", "", ""}), HasSubstr("forex"));
    EXPECT_THAT(refused(stored("TRADES"), {.exchange = "LSE"}, {"stock", "NYSE", ""}), HasSubstr("NYSE"));
    EXPECT_THAT(refused(stored("TRADES"), {.what_to_show = "TRADES"}, {"forex", "", ""}),
                HasSubstr("is nothing that forex has"));
}

TEST(ExactKey, IsGivenByItsPartsAsTheyStand) {
    const KnownSeries known{{stored("MIDPOINT", "forex", "USD"), stored("BID", "forex", "USD")}, {}};
    const auto exact = [&known](const SeriesWords& words) { return exact_key({"EUR", "1h", words}, "IB", known); };
    EXPECT_EQ(exact({.what_to_show = "BID"}).value(), known.stored[1]);
    EXPECT_EQ(exact({}).error().code, Errc::invalid_argument) << "not even the usual one is guessed";
    EXPECT_EQ(exact({.instrument_type = "stock"}).error().code, Errc::not_found);
    EXPECT_THAT(exact({.what_to_show = "bid"}).error().message, HasSubstr("there is no series IB EUR 1h bid"));
}

TEST(FindSeries, TakesNoSeriesOfAnotherSessionOrShowForALoad) {
    const SeriesKey extended = stored("TRADES", "stock", "USD", "extended");
    const SeriesKey adjusted = stored("ADJUSTED_LAST", "stock", "USD");
    const SeriesKey loaded = find({}, {extended, adjusted}, SeriesUse::load)->key;
    EXPECT_EQ(loaded.what_to_show, "TRADES");
    EXPECT_EQ(loaded.session, "regular");
    EXPECT_EQ(find({.session = "extended"}, {extended, adjusted}, SeriesUse::load)->key, extended);
    // What was brought as trades before anybody said that it is forex is that forex.
    const SeriesKey brought = stored("TRADES");
    EXPECT_EQ(find({.instrument_type = "forex"}, {brought}, SeriesUse::load)->key, brought);
    EXPECT_NE(find({.instrument_type = "forex"}, {stored("TRADES", "stock")}, SeriesUse::load)->key.asset_class,
              "stock");
    EXPECT_FALSE(find({.what_to_show = "BID", .exchange = "LSE"}, {stored("BID", "", "USD")})->key.currency.empty());
}

TEST(FindSeries, IsOfTheContractThatFitsWhereTheKeySaysMore) {
    const std::vector<Contract> both{{"stock", "NYSE", "USD"}, {"stock", "LSE", "GBP"}};
    const auto calendar = [](const Result<FoundSeries>& found) { return found->grid.calendar() != nullptr; };
    EXPECT_TRUE(calendar(find({}, {stored("TRADES", "stock", "USD")}, SeriesUse::read, both)));
    EXPECT_FALSE(calendar(find({}, {stored("TRADES", "stock", "GBP")}, SeriesUse::read, both)));
    EXPECT_TRUE(calendar(find({.instrument_type = "etf"}, {}, SeriesUse::read, both))) << "the first of those that fit";
}

TEST(FindSeries, RefusesWhatNoSeriesCanBe) {
    for (const SeriesRequest& odd : {SeriesRequest{"", "1h", {}}, SeriesRequest{"EUR", "7q", {}},
                                     SeriesRequest{"EUR", "1h", {.session = "late"}}}) {
        EXPECT_EQ(check_series(odd, "IB").error().code, Errc::invalid_argument);
        EXPECT_EQ(find_series(odd, "IB", KnownSeries{}, SeriesUse::read).error().code, Errc::invalid_argument);
    }
}

TEST(FindSeries, IsThatOfAStoreAndOfOneThatCannotTellTheOneOfTheWords) {
    const test::TemporaryFolder folder;
    const auto store = BarStore::open(folder.path() / "ktrdr.db").value();
    Bars bars;
    bars.push_back(0, 1, 1, 1, 1, 1);
    const SeriesKey bids = stored("BID", "forex", "USD");
    ASSERT_TRUE(store->store_own(bids, bars, {}, UtcTime{}));
    const auto in_store = [&](std::string symbol) {
        return find_series({std::move(symbol), "1h", {}}, "IB", *store, SeriesUse::read);
    };
    EXPECT_EQ(in_store("EUR")->key, bids);
    EXPECT_EQ(in_store("").error().code, Errc::invalid_argument);
    SQLite::Database((folder.path() / "ktrdr.db").string(), SQLite::OPEN_READWRITE).exec("DROP TABLE symbol_check");
    EXPECT_EQ(in_store("EUR")->key.what_to_show, "TRADES");
}

TEST(SeriesKind, IsTheUsualOneOfItsInstrumentInRegularHours) {
    EXPECT_TRUE(kind_of(SeriesWords{}).usual());
    EXPECT_TRUE(kind_of(SeriesWords{.instrument_type = "forex"}).usual());
    EXPECT_FALSE(kind_of(SeriesWords{.session = "extended"}).usual());
    EXPECT_FALSE(kind_of(SeriesWords{.what_to_show = "BID"}).usual());
    EXPECT_TRUE(kind_of(stored("MIDPOINT", "forex")).usual());
    EXPECT_FALSE(kind_of(stored("TRADES", "forex")).usual());
    EXPECT_EQ(usual_show("forex"), "MIDPOINT");
    EXPECT_EQ(usual_show("stock"), "TRADES");
}

TEST(Completed, RefusesWhatForexHasNotThoughNobodySaidIt) {
    const Contract forex{"forex", "IDEALPRO", "USD"};
    EXPECT_THAT(completed(stored("ADJUSTED_LAST"), {}, forex).error().message, HasSubstr("is nothing that forex has"));
    EXPECT_EQ(completed(stored("MIDPOINT"), {}, forex)->what_to_show, "MIDPOINT");
    EXPECT_THAT(completed(stored("TRADES", "stock"), {}, {"forex", "", ""}).error().message,
                HasSubstr("says that EUR is forex, and"));
    EXPECT_THAT(
        completed(stored("TRADES"), {.currency = "EUR"}, {"", "", "USD"}).error().context.at("field").as_string(),
        testing::StrEq("instrument_type"));
    EXPECT_THAT(completed(stored("TRADES", "", "EUR"), {}, {"", "", "USD"}).error().context.at("field").as_string(),
                testing::StrEq("currency"));
}

TEST(ExactKey, ComparesEveryPartThatIsSaid) {
    SeriesKey listed = stored("BID", "forex", "USD", "extended");
    listed.exchange = "IDEALPRO";
    const KnownSeries known{{listed}, {}};
    const SeriesWords all{.instrument_type = "forex",
                          .what_to_show = "BID",
                          .session = "extended",
                          .exchange = "IDEALPRO",
                          .currency = "USD"};
    const auto exact = [&known](const SeriesWords& words) { return exact_key({"EUR", "1h", words}, "IB", known); };
    EXPECT_EQ(exact(all).value(), listed);
    for (const auto part : {&SeriesWords::instrument_type, &SeriesWords::what_to_show, &SeriesWords::session,
                            &SeriesWords::exchange, &SeriesWords::currency}) {
        SeriesWords other = all;
        other.*part = "other";
        EXPECT_EQ(exact(other).error().code, Errc::not_found);
        EXPECT_THAT(exact(other).error().message, HasSubstr(" other"));
    }
}

}  // namespace
}  // namespace ktrdr
