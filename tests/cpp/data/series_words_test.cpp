#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/data/series_words.hpp>

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

}  // namespace
}  // namespace ktrdr
