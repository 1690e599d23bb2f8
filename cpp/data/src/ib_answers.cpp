#include <ktrdr/data/ib_answers.hpp>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <ktrdr/base/json.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/market/stamp_reader.hpp>
#include <ktrdr/market/time_text.hpp>

#include "bar_answer.hpp"
#include "head_time.hpp"

namespace ktrdr {
namespace {

namespace json = boost::json;

constexpr std::size_t rows_between_polls = 100;

Error unknown_symbol(const json::object& answer, const std::string& symbol, const std::string& asked) {
    const std::string_view reason = text_or_empty(answer, "error_message");
    return fail(Errc::symbol_unknown,
                fmt::format("{}: the provider does not know the symbol {}{}{}", asked, symbol,
                            reason.empty() ? "" : ": ", reason),
                {{"asked", asked}, {"symbol", symbol}});
}

/// IB's names of what is traded; others are ours in small letters, or no name that we know.
std::string asset_class_of(std::string_view kind) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 7> of_ib{{{"STK", "stock"},
                                                                                  {"ETF", "etf"},
                                                                                  {"IND", "index"},
                                                                                  {"CASH", "forex"},
                                                                                  {"CRYPTO", "crypto"},
                                                                                  {"FUT", "future"},
                                                                                  {"OPT", "option"}}};
    const auto* const found =
        std::find_if(of_ib.begin(), of_ib.end(), [kind](const auto& one) { return one.first == kind; });
    return std::string(found == of_ib.end() ? kind.substr(0, 32) : found->second);
}

Contract contract_of(const json::object& info) {
    return {asset_class_of(text_or_empty(info, "asset_type")), std::string(text_or_empty(info, "exchange")),
            std::string(text_or_empty(info, "currency"))};
}

bool says_invalid(const json::object& answer) {
    const json::value* const valid = answer.if_contains("is_valid");
    return valid != nullptr && valid->is_bool() && !valid->get_bool();
}

/// The table of an answer, read.
struct Table {
    AnswerRows rows{};
    /// A stamp that is no time; nobody knows which bar that was.
    std::string unreadable{};
};

constexpr std::array<std::string_view, 4> prices{"open", "high", "low", "close"};

std::optional<double> number_of(const json::object& bar, std::string_view field) {
    const json::value* const value = bar.if_contains(field);
    return value != nullptr && value->is_number() ? std::optional(value->to_number<double>()) : std::nullopt;
}

/// Null, or nothing, where the provider has none. False for anything else that is no number.
bool read_volume(const json::object& bar, double& volume) {
    const auto number = number_of(bar, "volume");
    volume = number && std::isfinite(*number) ? *number : Bars::no_volume;
    const json::value* const told = bar.if_contains("volume");
    return told == nullptr || told->is_null() || (number && std::isfinite(*number));
}

/// What is wrong with the row, for a person; nothing for nothing.
std::string read_values(const json::value& value, std::array<double, 5>& values, std::size_t& odd_volumes) {
    const json::object* const bar = value.if_object();
    if (bar == nullptr) {
        return "is not an object";
    }
    for (std::size_t i = 0; i < prices.size(); ++i) {
        const auto price = number_of(*bar, prices[i]);
        if (!price || !std::isfinite(*price)) {
            return no_price(prices[i]);
        }
        values.at(i) = *price;
    }
    odd_volumes += read_volume(*bar, values.back()) ? 0 : 1;
    return {};
}

Result<Table> read_rows(const json::object& data, const std::string& asked, const CancellationToken& token) {
    Table table;
    AnswerRows& rows = table.rows;
    rows.good.reserve(data.size());
    StampReader stamps;
    std::size_t read = 0;
    for (const auto& [stamp, value] : data) {
        if (read++ % rows_between_polls == 0) {
            if (const auto alive = token.check("reading bars"); !alive) {
                return alive.error();
            }
        }
        const auto time = stamps.read(stamp);
        if (!time) {
            table.unreadable = stamp.substr(0, 64);
            continue;
        }
        AnswerRow row{*time, {}};
        if (std::string wrong = read_values(value, row.values, rows.odd_volumes); !wrong.empty()) {
            rows.dropped.push_back({UtcTime{std::chrono::nanoseconds{*time}}, std::move(wrong)});
        } else {
            rows.good.push_back(row);
        }
    }
    if (rows.good.empty() && rows.dropped.empty() && !table.unreadable.empty()) {
        return broken_answer(asked, fmt::format("has a bar stamped {:?}, which is no time", table.unreadable));
    }
    return table;
}

/// The table in the answer's `data`: JSON inside a JSON string, nothing for no bars.
Result<json::object> read_table(const json::object& answer, const std::string& asked) {
    const json::value* const data = answer.if_contains("data");
    if (data == nullptr || data->is_null()) {
        return json::object{};
    }
    if (!data->is_string()) {
        return broken_answer(asked, "has a `data` that is not a string");
    }
    if (data->get_string().empty()) {
        return json::object{};
    }
    boost::system::error_code error;
    json::value table = parse_json(data->get_string(), error);
    if (error || !table.is_object()) {
        return broken_answer(asked, fmt::format("has a `data` that is not JSON of stamps and bars{}{}",
                                                error ? ": " : "", error ? error.message() : ""));
    }
    return std::move(table.get_object());
}

/// A failure that only says that there is nothing.
bool says_no_data(const Error& error) {
    const json::value* const reason = error.context.if_contains("reason");
    if (error.code != Errc::host_service || reason == nullptr || !reason->is_string()) {
        return false;
    }
    const std::string said = lower_ascii(std::string_view(reason->get_string()).substr(0, 256));
    const auto has = [&said](std::string_view words) { return said.find(words) != std::string::npos; };
    const bool none = has("no data") || has("no historical data") || has("no bars");
    return none && !has("permission") && !has("subscri") && !has("timeout") && !has("timed out");
}

}  // namespace

Result<Contract> read_validation(const json::value& answer, const std::string& symbol, const std::string& asked) {
    const auto object = successful(answer, asked);
    if (!object) {
        const bool refused = answer.is_object() && says_invalid(answer.get_object()) &&
                             text_or_empty(answer.get_object(), "error").empty();
        return refused ? unknown_symbol(answer.get_object(), symbol, asked) : object.error();
    }
    const json::value* const valid = (*object)->if_contains("is_valid");
    if (valid == nullptr || !valid->is_bool()) {
        return broken_answer(asked, "has no boolean `is_valid`");
    }
    if (!valid->get_bool()) {
        return unknown_symbol(**object, symbol, asked);
    }
    const json::value* const info = (*object)->if_contains("contract_info");
    return info != nullptr && info->is_object() ? contract_of(info->get_object()) : Contract{};
}

Result<std::optional<UtcTime>> read_head_timestamp(const json::value& answer, const std::string& asked) {
    const auto object = successful(answer, asked);
    if (!object) {
        return object.error();
    }
    const json::value* const stamp = (*object)->if_contains("timestamp");
    if (stamp == nullptr || stamp->is_null()) {
        return std::optional<UtcTime>{};
    }
    const auto time = read_head_time(*stamp);
    if (!time) {
        return broken_answer(asked, fmt::format("has a `timestamp` that is no time: {}",
                                                std::string_view(json::serialize(*stamp)).substr(0, 64)));
    }
    return std::optional(*time);
}

Result<SourceAnswer> read_historical(const json::value& answer, const BarsWanted& wanted, const std::string& asked,
                                     const CancellationToken& token) {
    const auto object = successful(answer, asked);
    if (!object) {
        return says_no_data(object.error()) ? Result<SourceAnswer>(SourceAnswer{}) : object.error();
    }
    if (const auto brought = check_kind(**object, wanted.kind, asked); !brought) {
        return brought.error();
    }
    const auto table = read_table(**object, asked);
    if (!table) {
        return table.error();
    }
    auto read = read_rows(*table, asked, token);
    if (!read) {
        return read.error();
    }
    std::string partial = shortfall(**object, table->size());
    if (partial.empty() && !read->unreadable.empty()) {
        partial = fmt::format("the answer has a bar stamped {:?}, which is no time", read->unreadable);
    }
    return answer_of(std::move(read->rows), std::move(partial), wanted, asked);
}

}  // namespace ktrdr
