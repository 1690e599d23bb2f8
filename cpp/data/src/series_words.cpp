#include <ktrdr/data/series_words.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include <ktrdr/market/symbol.hpp>

#include "series_grid.hpp"

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, 7> instrument_types{"stock",  "etf",   "index", "future",
                                                           "option", "forex", "crypto"};
constexpr std::array<std::string_view, 8> shows{"TRADES",
                                                "MIDPOINT",
                                                "BID",
                                                "ASK",
                                                "BID_ASK",
                                                "ADJUSTED_LAST",
                                                "HISTORICAL_VOLATILITY",
                                                "OPTION_IMPLIED_VOLATILITY"};
/// Of what is only quoted nobody knows trades.
constexpr std::array<std::string_view, 4> shows_of_forex{"MIDPOINT", "BID", "ASK", "BID_ASK"};
constexpr std::array<std::string_view, 2> sessions{"regular", "extended"};

/// A word that no list has: of a person, or of a provider.
constexpr std::size_t longest_word = 32;

Error bad_word(std::string_view field, const std::string& value, std::string_view why) {
    return fail(Errc::invalid_argument, fmt::format("{} {:?} {}", field, value.substr(0, longest_word), why),
                {{"field", field}, {"value", value.substr(0, longest_word)}});
}

Result<void> check_word(std::string_view field, const std::optional<std::string>& value,
                        std::span<const std::string_view> known) {
    if (!value || std::ranges::find(known, *value) != known.end()) {
        return {};
    }
    return bad_word(field, *value, fmt::format("is not known: use one of {}", fmt::join(known, ", ")));
}

Result<void> check_name(std::string_view field, const std::optional<std::string>& value) {
    const auto printable = [](char c) { return c > ' ' && c <= '~'; };
    if (!value || (!value->empty() && value->size() <= longest_word && std::ranges::all_of(*value, printable))) {
        return {};
    }
    return bad_word(
        field, *value,
        fmt::format("must be 1 to {} printable characters without blanks, as the provider names it", longest_word));
}

Error not_of_forex(const std::string& show) {
    return bad_word("what_to_show", show,
                    fmt::format("is nothing that forex has: use one of {}", fmt::join(shows_of_forex, ", ")));
}

bool forex_has(std::string_view show) {
    return std::ranges::find(shows_of_forex, show) != shows_of_forex.end();
}

bool says(const std::optional<std::string>& word, std::string_view part) {
    return !word || part.empty() || *word == part;
}

bool is_usual(const SeriesKey& key) {
    return key.what_to_show == usual_show(key.asset_class) && key.session == sessions.front();
}

/// Whether a stored series may be the one that is meant.
bool is_meant(const SeriesKey& key, const SeriesWords& words, SeriesUse use) {
    // A series of which nobody has said that it is forex may hold what was brought as its trades.
    const std::string_view show = use == SeriesUse::load && key.asset_class.empty() && words.instrument_type == "forex"
                                      ? std::string_view(key.what_to_show)
                                      : usual_show(key.asset_class);
    const bool shown = words.what_to_show ? key.what_to_show == *words.what_to_show
                                          : use == SeriesUse::read || key.what_to_show == show;
    const bool timed =
        words.session ? key.session == *words.session : use == SeriesUse::read || key.session == sessions.front();
    return shown && timed && may_be_same_class(words.instrument_type.value_or(""), key.asset_class) &&
           says(words.exchange, key.exchange) && says(words.currency, key.currency);
}

Error several(const SeriesRequest& request, const std::vector<SeriesKey>& candidates) {
    std::vector<std::string> texts(candidates.size());
    std::ranges::transform(candidates, texts.begin(), [](const SeriesKey& key) { return to_string(key); });
    return fail(Errc::invalid_argument,
                fmt::format("{} {} is stored as {} series: {}. Say which, by instrument_type, what_to_show, session, "
                            "exchange or currency",
                            request.symbol, request.timeframe, candidates.size(), fmt::join(texts, "; ")),
                {{"field", "symbol"}, {"candidates", boost::json::array(texts.begin(), texts.end())}});
}

std::string words_of(const Contract& contract) {
    std::vector<std::string_view> said;
    for (const std::string_view part : {std::string_view(contract.asset_class), std::string_view(contract.exchange),
                                        std::string_view(contract.currency)}) {
        if (!part.empty()) {
            said.push_back(part);
        }
    }
    return fmt::format("{}", fmt::join(said, " "));
}

/// The only contract that a provider told of and that the key may be one of.
Contract contract_of(const SeriesKey& key, const std::vector<Contract>& contracts) {
    std::vector<Contract> fitting;
    std::ranges::copy_if(contracts, std::back_inserter(fitting),
                         [&key](const Contract& one) { return fits(key, one); });
    return fitting.size() == 1 || (!fitting.empty() && !key.asset_class.empty()) ? fitting.front() : Contract{};
}

}  // namespace

Result<void> check_words(const SeriesWords& words) {
    for (const auto& checked :
         {check_word("instrument_type", words.instrument_type, instrument_types),
          check_word("what_to_show", words.what_to_show, shows), check_word("session", words.session, sessions),
          check_name("exchange", words.exchange), check_name("currency", words.currency)}) {
        if (!checked) {
            return checked;
        }
    }
    if (words.instrument_type == "forex" && words.what_to_show && !forex_has(*words.what_to_show)) {
        return not_of_forex(*words.what_to_show);
    }
    return {};
}

SeriesKind kind_of(const SeriesWords& words) {
    const std::string instrument_type = words.instrument_type.value_or("");
    return {instrument_type, words.what_to_show.value_or(std::string(usual_show(instrument_type))),
            words.session.value_or(std::string(sessions.front()))};
}

SeriesKind kind_of(const SeriesKey& key) {
    return {key.asset_class, key.what_to_show, key.session};
}

Result<SeriesKey> check_series(const SeriesRequest& request, const std::string& provider) {
    auto symbol = parse_symbol(request.symbol);
    if (!symbol) {
        return symbol.error();
    }
    const auto timeframe = Timeframe::parse(request.timeframe);
    if (!timeframe) {
        return timeframe.error();
    }
    const SeriesWords& words = request.series;
    if (const auto checked = check_words(words); !checked) {
        return checked.error();
    }
    SeriesKey key{.provider = provider, .symbol = std::move(*symbol), .timeframe = *timeframe};
    key.asset_class = words.instrument_type.value_or("");
    key.what_to_show = words.what_to_show.value_or(std::string(usual_show(key.asset_class)));
    key.session = words.session.value_or(key.session);
    key.exchange = words.exchange.value_or("");
    key.currency = words.currency.value_or("");
    return key;
}

Result<FoundSeries> find_series(const SeriesRequest& request, const std::string& provider, const KnownSeries& known,
                                SeriesUse use, const CalendarRulesPtr& calendars) {
    auto key = check_series(request, provider);
    if (!key) {
        return key.error();
    }
    std::vector<SeriesKey> meant;
    std::ranges::copy_if(known.stored, std::back_inserter(meant),
                         [&](const SeriesKey& one) { return is_meant(one, request.series, use); });
    if (meant.size() > 1 && std::ranges::count_if(meant, is_usual) == 1) {
        meant = {*std::ranges::find_if(meant, is_usual)};
    }
    if (meant.size() > 1) {
        return several(request, meant);
    }
    if (!meant.empty()) {
        *key = meant.front();
    }
    const Contract contract = contract_of(*key, known.contracts);
    if (meant.empty()) {
        if (const auto named = completed(*key, request.series, contract)) {
            *key = *named;
        }
    }
    auto grid = grid_of(*key, contract, calendars);
    if (!grid) {
        return grid.error();
    }
    return FoundSeries{std::move(*key), std::move(*grid)};
}

Result<FoundSeries> find_series(const SeriesRequest& request, const std::string& provider, BarStore& store,
                                SeriesUse use, const CalendarRulesPtr& calendars) {
    const auto key = check_series(request, provider);
    if (!key) {
        return key.error();
    }
    const auto known = store.known(provider, key->symbol, key->timeframe);
    return find_series(request, provider, known ? *known : KnownSeries{}, use, calendars);
}

Result<SeriesKey> exact_key(const SeriesRequest& request, const std::string& provider, const KnownSeries& known) {
    const SeriesWords& words = request.series;
    std::vector<SeriesKey> exact;
    std::ranges::copy_if(known.stored, std::back_inserter(exact), [&words](const SeriesKey& key) {
        const auto is = [](const std::optional<std::string>& word, const std::string& part) {
            return !word || *word == part;
        };
        return is(words.instrument_type, key.asset_class) && is(words.what_to_show, key.what_to_show) &&
               is(words.session, key.session) && is(words.exchange, key.exchange) && is(words.currency, key.currency);
    });
    if (exact.size() > 1) {
        return several(request, exact);
    }
    if (!exact.empty()) {
        return exact.front();
    }
    std::string asked = fmt::format("{} {} {}", provider, request.symbol, request.timeframe);
    for (const auto* const word :
         {&words.what_to_show, &words.session, &words.instrument_type, &words.exchange, &words.currency}) {
        asked += *word ? " " + **word : "";
    }
    return fail(Errc::not_found,
                fmt::format("nothing is deleted: there is no series {}; series() lists those that there are, and each "
                            "part must be given "
                            "as it stands there",
                            asked),
                {{"symbol", request.symbol}, {"timeframe", request.timeframe}});
}

Result<SeriesKey> completed(SeriesKey key, const SeriesWords& words, const Contract& contract) {
    const bool named = says(words.exchange, contract.exchange) && says(words.currency, contract.currency) &&
                       may_be_same_class(words.instrument_type.value_or(""), contract.asset_class);
    if (!named || !fits(key, contract)) {
        return fail(Errc::invalid_argument,
                    fmt::format("{} says that {} is {}, and what is asked for is the series {}: give instrument_type, "
                                "exchange and currency as the provider says them, for a series of their own",
                                key.provider, key.symbol, words_of(contract), to_string(key)),
                    {{"field", named ? "currency" : "instrument_type"}});
    }
    if (contract.asset_class == "forex" && !forex_has(key.what_to_show)) {
        if (words.what_to_show || key.what_to_show != usual_show("")) {
            return not_of_forex(key.what_to_show);
        }
        key.what_to_show = usual_show(contract.asset_class);
    }
    for (const auto& [part, said] :
         {std::pair{&key.asset_class, &contract.asset_class}, std::pair{&key.exchange, &contract.exchange},
          std::pair{&key.currency, &contract.currency}}) {
        if (part->empty()) {
            *part = *said;
        }
    }
    return key;
}

}  // namespace ktrdr
