#include <ktrdr/data/ib_answers.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>

#include <ktrdr/base/json.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

namespace json = boost::json;

constexpr std::size_t rows_between_polls = 100;

Error broken(const std::string& asked, const std::string& how) {
    return fail(Errc::protocol, fmt::format("{}: the answer {}", asked, how), {{"asked", asked}});
}

/// Failures travel as HTTP 200 with `success: false`.
Result<const json::object*> succeeded(const json::value& answer, const std::string& asked) {
    const json::object* const object = answer.if_object();
    if (object == nullptr) {
        return broken(asked, "is not a JSON object");
    }
    const json::value* const success = object->if_contains("success");
    if (success == nullptr || !success->is_bool()) {
        return broken(asked, "has no boolean `success`");
    }
    if (success->get_bool()) {
        return object;
    }
    std::string_view reason = text_or_empty(*object, "error");
    if (reason.empty()) {
        reason = text_or_empty(*object, "error_message");
    }
    return fail(Errc::host_service,
                fmt::format("{}: the service says: {}", asked, reason.empty() ? "failed, without a reason" : reason),
                {{"asked", asked}, {"reason", reason}});
}

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

struct Row {
    std::int64_t stamp{0};
    std::array<double, 5> values{};
};

/// What came, in the order in which it came.
struct Rows {
    std::vector<Row> good{};
    std::vector<SourceAnswer::DroppedRow> dropped{};
    /// A stamp that is no time; nobody knows which bar that was.
    std::string unreadable{};
};

constexpr std::array<std::string_view, 4> prices{"open", "high", "low", "close"};

std::optional<double> number_of(const json::object& bar, std::string_view field) {
    const json::value* const value = bar.if_contains(field);
    return value != nullptr && value->is_number() ? std::optional(value->to_number<double>()) : std::nullopt;
}

/// What is wrong with the row, for a person; nothing for nothing.
std::string read_values(const json::value& value, std::array<double, 5>& values) {
    const json::object* const bar = value.if_object();
    if (bar == nullptr) {
        return "is not an object";
    }
    for (std::size_t i = 0; i < prices.size(); ++i) {
        const auto price = number_of(*bar, prices[i]);
        if (!price || !std::isfinite(*price)) {
            return fmt::format("has no number `{}`", prices[i]);
        }
        values.at(i) = *price;
    }
    const auto volume = number_of(*bar, "volume");
    values.back() = volume && std::isfinite(*volume) ? *volume : Bars::no_volume;
    return {};
}

Result<Rows> read_rows(const json::object& data, const std::string& asked, const CancellationToken& token) {
    Rows rows;
    rows.good.reserve(data.size());
    std::size_t read = 0;
    for (const auto& [stamp, value] : data) {
        if (read++ % rows_between_polls == 0) {
            if (const auto alive = token.check("reading bars"); !alive) {
                return alive.error();
            }
        }
        const auto time = parse_time("stamp", stamp);
        if (!time) {
            rows.unreadable = stamp.substr(0, 64);
            continue;
        }
        Row row{time->time_since_epoch().count(), {}};
        if (std::string wrong = read_values(value, row.values); !wrong.empty()) {
            rows.dropped.push_back({*time, std::move(wrong)});
        } else {
            rows.good.push_back(row);
        }
    }
    if (rows.good.empty() && rows.dropped.empty() && !rows.unreadable.empty()) {
        return broken(asked, fmt::format("has a bar stamped {:?}, which is no time", rows.unreadable));
    }
    return rows;
}

/// The table in the answer's `data`: JSON inside a JSON string, nothing for no bars.
Result<json::object> read_table(const json::object& answer, const std::string& asked) {
    const json::value* const data = answer.if_contains("data");
    if (data == nullptr || data->is_null()) {
        return json::object{};
    }
    if (!data->is_string()) {
        return broken(asked, "has a `data` that is not a string");
    }
    if (data->get_string().empty()) {
        return json::object{};
    }
    boost::system::error_code error;
    json::value table = parse_json(data->get_string(), error);
    if (error || !table.is_object()) {
        return broken(asked, fmt::format("has a `data` that is not JSON of stamps and bars{}{}", error ? ": " : "",
                                         error ? error.message() : ""));
    }
    return std::move(table.get_object());
}

/// Why more may be there than came; nothing for nothing.
std::string shortfall(const json::object& answer, const json::object& table, const Rows& rows) {
    if (const std::string_view said = text_or_empty(answer, "error"); !said.empty()) {
        return fmt::format("the service says: {}", said);
    }
    const json::value* const told = answer.if_contains("rows");
    if (told != nullptr && told->is_int64() && told->get_int64() > static_cast<std::int64_t>(table.size())) {
        return fmt::format("the answer says that it has {} rows, and has {}", told->get_int64(), table.size());
    }
    if (!rows.unreadable.empty()) {
        return fmt::format("the answer has a bar stamped {:?}, which is no time", rows.unreadable);
    }
    return {};
}

/// A failure that only says that there is nothing.
bool says_no_data(const Error& error) {
    const json::value* const reason = error.context.if_contains("reason");
    if (error.code != Errc::host_service || reason == nullptr || !reason->is_string()) {
        return false;
    }
    std::string said(std::string_view(reason->get_string()).substr(0, 256));
    std::transform(said.begin(), said.end(), said.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto has = [&said](std::string_view words) { return said.find(words) != std::string::npos; };
    const bool none = has("no data") || has("no historical data") || has("no bars");
    return none && !has("permission") && !has("subscri") && !has("timeout") && !has("timed out");
}

/// A service that knows only the contract's fields leaves others out, and would bring trades as bids.
Result<void> check_kind(const json::object& answer, const SeriesKind& kind, const std::string& asked) {
    if (kind.usual() || (text_or_empty(answer, "what_to_show") == kind.what_to_show &&
                         text_or_empty(answer, "session") == kind.session)) {
        return {};
    }
    return broken(asked,
                  fmt::format("does not say that its bars are {} of {} hours: the service may know the usual ones "
                              "only; leave what_to_show and session out, or use one that knows them",
                              kind.what_to_show, kind.session));
}

UtcTime start_of(const Row& row) {
    return UtcTime{std::chrono::nanoseconds{row.stamp}};
}

/// Providers that count backwards from the end of a range give the bar before it where it has none.
bool ends_just_before(const Rows& rows, const BarsWanted& wanted) {
    constexpr std::chrono::days longest_break{7};
    const UtcTime newest = start_of(rows.good.back());
    return newest < wanted.segment.start && wanted.segment.start - wanted.grid.end_of(newest) <= longest_break;
}

/// Sorts the rows. Errors: `protocol` where none lies inside the segment, nor any that was dropped.
Result<void> check_range(Rows& rows, const BarsWanted& wanted, const std::string& asked) {
    std::stable_sort(rows.good.begin(), rows.good.end(), [](const Row& a, const Row& b) { return a.stamp < b.stamp; });
    const TimeRange range = wanted.asked.empty() ? wanted.segment : wanted.asked;
    const auto inside = [&range](const auto& start) { return range.contains(start); };
    const bool some =
        std::any_of(rows.good.begin(), rows.good.end(), [&](const Row& row) { return inside(start_of(row)); }) ||
        std::any_of(rows.dropped.begin(), rows.dropped.end(), [&](const auto& row) { return inside(row.start); });
    if (rows.good.empty() || some || ends_just_before(rows, wanted)) {
        return {};
    }
    return broken(asked,
                  fmt::format("has bars from {} to {}, and none of the range that was asked for",
                              format_time(start_of(rows.good.front())), format_time(start_of(rows.good.back()))));
}

SourceAnswer cut(Rows rows, const BarsWanted& wanted) {
    const auto is_wanted = [&wanted](UtcTime start) {
        return wanted.segment.contains(start) && wanted.grid.is_closed(start, wanted.now);
    };
    SourceAnswer answer;
    Bars& bars = answer.bars;
    bars.reserve(rows.good.size());
    for (std::size_t i = 0; i < rows.good.size(); ++i) {
        const Row& row = rows.good[i];
        const bool last_of_its_stamp = i + 1 == rows.good.size() || rows.good[i + 1].stamp != row.stamp;
        if (last_of_its_stamp && is_wanted(start_of(row))) {
            const auto& [open, high, low, close, volume] = row.values;
            bars.push_back(row.stamp, open, high, low, close, volume);
        }
    }
    for (auto& row : rows.dropped) {
        const bool came_too =
            std::binary_search(bars.time.begin(), bars.time.end(), row.start.time_since_epoch().count());
        if (!came_too && is_wanted(row.start)) {
            answer.dropped.push_back(std::move(row));
        }
    }
    return answer;
}

}  // namespace

Result<Contract> read_validation(const json::value& answer, const std::string& symbol, const std::string& asked) {
    const auto object = succeeded(answer, asked);
    if (!object) {
        const bool refused = answer.is_object() && says_invalid(answer.get_object()) &&
                             text_or_empty(answer.get_object(), "error").empty();
        return refused ? unknown_symbol(answer.get_object(), symbol, asked) : object.error();
    }
    const json::value* const valid = (*object)->if_contains("is_valid");
    if (valid == nullptr || !valid->is_bool()) {
        return broken(asked, "has no boolean `is_valid`");
    }
    if (!valid->get_bool()) {
        return unknown_symbol(**object, symbol, asked);
    }
    const json::value* const info = (*object)->if_contains("contract_info");
    return info != nullptr && info->is_object() ? contract_of(info->get_object()) : Contract{};
}

Result<std::optional<UtcTime>> read_head_timestamp(const json::value& answer, const std::string& asked) {
    const auto object = succeeded(answer, asked);
    if (!object) {
        return object.error();
    }
    const json::value* const stamp = (*object)->if_contains("timestamp");
    if (stamp == nullptr || stamp->is_null()) {
        return std::optional<UtcTime>{};
    }
    const auto time = stamp->is_string() ? parse_time("timestamp", std::string_view(stamp->get_string()))
                                         : Result<UtcTime>(fail(Errc::protocol, ""));
    if (!time) {
        return broken(asked, "has a `timestamp` that is no time");
    }
    return std::optional(*time);
}

Result<SourceAnswer> read_historical(const json::value& answer, const BarsWanted& wanted, const std::string& asked,
                                     const CancellationToken& token) {
    const auto object = succeeded(answer, asked);
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
    auto rows = read_rows(*table, asked, token);
    if (!rows) {
        return rows.error();
    }
    std::string partial = shortfall(**object, *table, *rows);
    if (!partial.empty() && rows->good.empty() && rows->dropped.empty()) {
        return broken(asked, fmt::format("has no bars, and may not be whole: {}", partial));
    }
    if (const auto checked = check_range(*rows, wanted, asked); !checked) {
        return checked.error();
    }
    SourceAnswer read = cut(std::move(*rows), wanted);
    read.partial = std::move(partial);
    return read;
}

}  // namespace ktrdr
