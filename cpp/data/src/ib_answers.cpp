#include <ktrdr/data/ib_answers.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

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

bool says_invalid(const json::object& answer) {
    const json::value* const valid = answer.if_contains("is_valid");
    return valid != nullptr && valid->is_bool() && !valid->get_bool();
}

struct Row {
    std::int64_t stamp{0};
    std::array<double, 5> values{};
};

constexpr std::array<std::string_view, 5> fields{"open", "high", "low", "close", "volume"};

Result<Row> read_row(std::string_view stamp, const json::value& value, const std::string& asked) {
    const auto time = parse_time("stamp", stamp);
    if (!time) {
        return broken(asked, fmt::format("has a bar stamped {:?}, which is no time", stamp.substr(0, 64)));
    }
    const json::object* const bar = value.if_object();
    if (bar == nullptr) {
        return broken(asked, fmt::format("has a bar at {} that is not an object", stamp));
    }
    Row row{time->time_since_epoch().count(), {}};
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const json::value* const field = bar->if_contains(fields[i]);
        if (field == nullptr || !field->is_number()) {
            return broken(asked, fmt::format("has a bar at {} without a number `{}`", stamp, fields[i]));
        }
        row.values[i] = field->to_number<double>();
        if (!std::isfinite(row.values[i])) {
            return broken(asked, fmt::format("has a bar at {} whose `{}` is not finite", stamp, fields[i]));
        }
    }
    return row;
}

Result<std::vector<Row>> read_rows(const json::object& data, const std::string& asked, const CancellationToken& token) {
    std::vector<Row> rows;
    rows.reserve(data.size());
    for (const auto& [stamp, value] : data) {
        if (rows.size() % rows_between_polls == 0) {
            if (const auto alive = token.check("reading bars"); !alive) {
                return alive.error();
            }
        }
        const auto row = read_row(stamp, value, asked);
        if (!row) {
            return row.error();
        }
        rows.push_back(*row);
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

/// `rows` beside `data` tells half an answer from a whole one.
Result<void> check_count(const json::object& answer, std::size_t count, const std::string& asked) {
    const json::value* const rows = answer.if_contains("rows");
    if (rows != nullptr && rows->is_int64() && rows->get_int64() > static_cast<std::int64_t>(count)) {
        return broken(asked, fmt::format("says that it has {} rows, and has {}", rows->get_int64(), count));
    }
    return {};
}

Bars cut(std::vector<Row> rows, const BarsWanted& wanted) {
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.stamp < b.stamp; });
    Bars bars;
    bars.reserve(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const UtcTime start{std::chrono::nanoseconds{rows[i].stamp}};
        const bool last_of_its_stamp = i + 1 == rows.size() || rows[i + 1].stamp != rows[i].stamp;
        if (last_of_its_stamp && wanted.segment.contains(start) && wanted.grid.is_closed(start, wanted.now)) {
            const auto& [open, high, low, close, volume] = rows[i].values;
            bars.push_back(rows[i].stamp, open, high, low, close, volume);
        }
    }
    return bars;
}

}  // namespace

Result<void> read_validation(const json::value& answer, const std::string& symbol, const std::string& asked) {
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
    return {};
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

Result<Bars> read_historical(const json::value& answer, const BarsWanted& wanted, const std::string& asked,
                             const CancellationToken& token) {
    const auto object = succeeded(answer, asked);
    if (!object) {
        return object.error();
    }
    const auto table = read_table(**object, asked);
    if (!table) {
        return table.error();
    }
    if (const auto whole = check_count(**object, table->size(), asked); !whole) {
        return whole.error();
    }
    auto rows = read_rows(*table, asked, token);
    if (!rows) {
        return rows.error();
    }
    return cut(std::move(*rows), wanted);
}

}  // namespace ktrdr
