#include <ktrdr/calendar/calendar_rules.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "calendar_table.hpp"

namespace ktrdr {
namespace {

constexpr std::string_view series_row = "series";
constexpr std::string_view calendar_row = "calendar";
constexpr std::size_t most_rules = 10'000;
constexpr std::size_t longest_value = 128;
/// Each takes memory for as many years as it has.
constexpr std::size_t most_calendars = 64;

bool is_row(const std::vector<std::string_view>& fields, std::string_view kind) {
    return !fields.empty() && fields.front() == kind;
}

}  // namespace

/// Parts the text into calendars, which keep the numbers of their lines, and rows about series.
class RulesReader final {
public:
    explicit RulesReader(std::string_view source) : source_(source) {}

    Result<CalendarRulesPtr> read(std::string_view text) {
        if (const auto checked = check_size(text, source_); !checked) {
            return checked.error();
        }
        constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
        text.remove_prefix(text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0);
        while (!text.empty()) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            ++line_;
            if (const auto taken = take(text.substr(0, end)); !taken) {
                return taken.error();
            }
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        if (const auto ended = end_calendar(); !ended) {
            return ended.error();
        }
        for (const SeriesRow& row : rows_) {
            if (const auto added = add_rule(row); !added) {
                return added.error();
            }
        }
        return std::make_shared<const CalendarRules>(std::move(rules_));
    }

private:
    struct SeriesRow {
        std::size_t line{0};
        std::vector<std::string> fields{};
    };

    [[nodiscard]] Error wrong(std::size_t line, std::string_view how) const {
        return fail(Errc::invalid_argument, fmt::format("{}: line {}: {}", source_, line, how),
                    {{"source", source_}, {"line", line}});
    }

    Result<void> take(std::string_view line) {
        const std::string_view row = trimmed(line);
        const bool says = !row.empty() && row.front() != '#';
        const auto fields = says ? fields_of(row) : std::vector<std::string_view>{};
        if (is_row(fields, series_row)) {
            rows_.push_back({line_, {fields.begin(), fields.end()}});
            line = {};
            if (rows_.size() > most_rules) {
                return wrong(line_, fmt::format("more than {} rows about series", most_rules));
            }
        } else if (is_row(fields, calendar_row)) {
            if (const auto ended = end_calendar(); !ended) {
                return ended;
            }
            if (rules_.calendars_.size() == most_calendars) {
                return wrong(line_, fmt::format("more than {} calendars", most_calendars));
            }
            begun_ = true;
            calendar_.assign(line_ - 1, '\n');
        } else if (says && !begun_) {
            return wrong(line_, fmt::format("{} {:?} stands before any calendar: begin with calendar,NAME or "
                                            "series,NAME,exchange=…",
                                            "the row", row.substr(0, 32)));
        }
        if (begun_) {
            calendar_.append(line).append(1, '\n');
        }
        return {};
    }

    /// Read the calendar whose rows have come.
    Result<void> end_calendar() {
        if (!begun_) {
            return {};
        }
        begun_ = false;
        const auto table = read_calendar_table(calendar_, source_);
        if (!table) {
            return table.error();
        }
        if (rules_.calendars_.contains(table->name)) {
            return wrong(first_line(),
                         fmt::format("the calendar {} is there twice: put its rows together", table->name));
        }
        auto made = table->first ? SessionCalendar::read(calendar_, source_) : changed(table->name);
        if (!made) {
            return made.error();
        }
        rules_.calendars_.emplace(table->name, std::move(*made));
        return {};
    }

    [[nodiscard]] std::size_t first_line() const { return calendar_.find_first_not_of('\n') + 1; }

    Result<SessionCalendarPtr> changed(const std::string& name) const {
        const auto shipped = SessionCalendar::shipped(name);
        if (!shipped) {
            return wrong(
                first_line(),
                fmt::format("{} does not ship with the package, so it cannot be changed: use one of {}, or give "
                            "a dates row, and it is a calendar of its own",
                            name, fmt::join(SessionCalendar::shipped_names(), " ")));
        }
        return (*shipped)->with_overrides(calendar_, source_);
    }

    Result<void> add_rule(const SeriesRow& row) {
        constexpr std::string_view form =
            "write series,CALENDAR,exchange=NAME; symbol, asset_class and currency can be "
            "said, too";
        if (row.fields.size() < 3) {
            return wrong(row.line, fmt::format("the row says of no series which: {}", form));
        }
        CalendarRules::Rule rule{.calendar = rules_.find(row.fields[1])};
        if (!rule.calendar) {
            const auto shipped = SessionCalendar::shipped(row.fields[1]);
            if (!shipped) {
                return wrong(
                    row.line,
                    fmt::format("no calendar {:?} is in this file or ships with the package (those are "
                                "{})",
                                row.fields[1].substr(0, 32), fmt::join(SessionCalendar::shipped_names(), " ")));
            }
            rule.calendar = *shipped;
        }
        for (std::size_t i = 2; i < row.fields.size(); ++i) {
            const std::string& field = row.fields[i];
            const std::size_t equals = std::min(field.find('='), field.size());
            const std::string_view name = trimmed(std::string_view(field).substr(0, equals));
            const std::string_view value =
                equals < field.size() ? trimmed(std::string_view(field).substr(equals + 1)) : std::string_view{};
            std::string* const part = name == "symbol"        ? &rule.symbol
                                      : name == "asset_class" ? &rule.asset_class
                                      : name == "exchange"    ? &rule.exchange
                                      : name == "currency"    ? &rule.currency
                                                              : nullptr;
            if (part == nullptr || !part->empty() || value.empty() || value.size() > longest_value) {
                return wrong(row.line, fmt::format("{:?} does not say which series: {}", field.substr(0, 32), form));
            }
            *part = value;
        }
        rules_.rules_.push_back(std::move(rule));
        return {};
    }

    const std::string source_;
    std::size_t line_{0};
    bool begun_{false};
    std::string calendar_{};
    std::vector<SeriesRow> rows_{};
    CalendarRules rules_{};
};

Result<CalendarRulesPtr> CalendarRules::read(std::string_view text, std::string_view source) {
    return RulesReader(source).read(text);
}

SessionCalendarPtr CalendarRules::find(std::string_view name) const {
    const auto found = calendars_.find(name);
    return found == calendars_.end() ? nullptr : found->second;
}

SessionCalendarPtr CalendarRules::calendar_of(const SeriesMarket& market) const {
    const auto is = [](const std::string& asked, std::string_view there) { return asked.empty() || asked == there; };
    const auto found = std::ranges::find_if(rules_, [&](const Rule& rule) {
        return is(rule.symbol, market.symbol) && is(rule.asset_class, market.asset_class) &&
               is(rule.exchange, market.exchange) && is(rule.currency, market.currency);
    });
    return found == rules_.end() ? nullptr : found->calendar;
}

}  // namespace ktrdr
