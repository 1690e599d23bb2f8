#include <ktrdr/training/training_context.hpp>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include <ktrdr/calendar/request_times.hpp>
#include <ktrdr/market/symbol.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

using std::chrono::sys_days;
using std::chrono::year;

// Far enough for any bar, and with room to add to in nanoseconds.
const TimeRange always{UtcTime{sys_days{year{1900} / 1 / 1}}, UtcTime{sys_days{year{2200} / 1 / 1}}};

Result<void> check_names(std::string_view field, const std::vector<std::string>& names) {
    const bool blank = std::ranges::any_of(names, [](const std::string& name) { return name.empty(); });
    if (names.empty() || blank) {
        return fail(Errc::invalid_argument,
                    fmt::format("{}: at least one is needed, and none may be empty; name them in the call or in the "
                                "strategy's training_data.{}",
                                field, field),
                    {{"field", field}});
    }
    if (std::set<std::string>(names.begin(), names.end()).size() != names.size()) {
        return fail(Errc::invalid_argument, fmt::format("{}: one is named twice", field), {{"field", field}});
    }
    return {};
}

Result<void> set_symbols(TrainingOperationContext& context, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        auto symbol = parse_symbol(name, "symbols");
        if (!symbol) {
            return symbol.error();
        }
        context.symbols.push_back(std::move(*symbol));
    }
    return check_names("symbols", context.symbols);
}

Result<void> set_timeframes(TrainingOperationContext& context, const std::vector<std::string>& names) {
    if (auto checked = check_names("timeframes", names); !checked) {
        return checked;
    }
    for (const std::string& name : names) {
        auto timeframe = Timeframe::parse(name);
        if (!timeframe) {
            return timeframe.error();
        }
        context.timeframes.push_back(*timeframe);
        if (feature_names(context.strategy.features, std::array{*timeframe}).empty()) {
            return fail(Errc::invalid_argument,
                        fmt::format("timeframes: nothing in the strategy's nn_inputs is of {}", timeframe->name()),
                        {{"field", "timeframes"}});
        }
    }
    const auto base = std::ranges::find(names, context.strategy.base_timeframe);
    // Other timeframes than the strategy's: the first one named has the rows.
    context.base = base == names.end() ? 0 : static_cast<std::size_t>(base - names.begin());
    return {};
}

Result<TimeRange> empty_range(const TrainingOperationContext& context) {
    return fail(Errc::invalid_argument,
                fmt::format("start_date ({}) must lie before end_date ({})", context.start_date.value_or("unset"),
                            context.end_date.value_or("unset")),
                {{"field", "start_date"}});
}

/// Whether the order of both is known without anybody's sessions.
bool are_of_one_kind(const TrainingOperationContext& context) {
    return !context.start_date || !context.end_date ||
           is_date_only(*context.start_date) == is_date_only(*context.end_date);
}

Result<void> set_range(TrainingOperationContext& context, const TrainingRequest& request) {
    context.start_date = request.start_date;
    context.end_date = request.end_date;
    const auto range = parse_dates(context.start_date, context.end_date, BarGrid(context.base_timeframe()), always);
    if (!range) {
        return range.error();
    }
    if (range->empty() && are_of_one_kind(context)) {
        return empty_range(context).error();
    }
    return {};
}

Result<void> set_test_from(TrainingOperationContext& context, const TrainingRequest& request) {
    context.test_from = request.test_from;
    const BarGrid days(context.base_timeframe());
    const auto test = context.test_from_in(days);
    if (!test || !*test) {
        return test ? Result<void>{} : test.error();
    }
    const auto range = parse_dates(context.start_date, context.end_date, days, always);
    const auto is_like = [&](const std::optional<std::string>& date) {
        return !date || is_date_only(*date) == is_date_only(*context.test_from);
    };
    const bool between = range && range->start < **test && **test < range->end;
    if (!between && is_like(context.start_date) && is_like(context.end_date)) {
        return fail(
            Errc::invalid_argument,
            fmt::format("test_from ({}) must lie behind start_date ({}) and not behind end_date ({}): what is "
                        "before it trains, the rest tests",
                        *context.test_from, context.start_date.value_or("unset"), context.end_date.value_or("unset")),
            {{"field", "test_from"}});
    }
    return {};
}

Result<void> set_split(TrainingOperationContext& context, std::optional<double> validation) {
    context.split = context.strategy.split;
    // The strategy's own share, as the record of a training has it, changes none of the others: what they lack to 1 by
    // their rounding would go to the training part, and one that goes on would have other rows than it began with.
    if (!validation || *validation == context.split.validation) {
        return {};
    }
    context.split.validation = *validation;
    context.split.train = 1 - context.split.test - *validation;
    if (auto checked = check_shares(context.split); !checked) {
        return fail(Errc::invalid_argument,
                    fmt::format("validation_split is {}; it must be above 0 and below {}, what the strategy's test "
                                "share of {} leaves",
                                *validation, 1 - context.split.test, context.split.test),
                    {{"field", "validation_split"}});
    }
    return {};
}

}  // namespace

Result<TimeRange> TrainingOperationContext::range_in(const BarGrid& grid) const {
    auto range = parse_dates(start_date, end_date, grid, always);
    return range && range->empty() ? empty_range(*this) : range;
}

Result<std::optional<UtcTime>> TrainingOperationContext::test_from_in(const BarGrid& grid) const {
    if (!test_from) {
        return std::optional<UtcTime>{};
    }
    const auto begin = parse_start("test_from", *test_from, grid);
    return begin ? Result<std::optional<UtcTime>>(*begin) : Result<std::optional<UtcTime>>(begin.error());
}

ModelName TrainingOperationContext::model_name() const {
    return {strategy.name, symbols, std::string(base_timeframe().name())};
}

boost::json::object TrainingOperationContext::progress_context() const {
    boost::json::array names;
    for (const Timeframe& timeframe : timeframes) {
        names.emplace_back(timeframe.name());
    }
    return {{"operation", "training"},
            {"model_type", "mlp"},
            {"symbols", boost::json::array(symbols.begin(), symbols.end())},
            {"timeframes", std::move(names)},
            {"total_epochs", strategy.options.epochs}};
}

Result<TrainingOperationContext> build_training_context(const TrainingRequest& request) {
    auto strategy = Strategy::parse(request.strategy);
    if (!strategy) {
        return strategy.error();
    }
    TrainingOperationContext context;
    context.strategy = std::move(*strategy);
    context.strategy_path = request.strategy_path;
    context.series = request.series;
    context.random_walk_baseline = request.random_walk_baseline;
    context.permutation_importance = request.permutation_importance;
    if (auto set = set_symbols(context, request.symbols.value_or(context.strategy.symbols)); !set) {
        return set.error();
    }
    if (auto set = set_timeframes(context, request.timeframes.value_or(context.strategy.timeframes)); !set) {
        return set.error();
    }
    if (auto set = set_range(context, request); !set) {
        return set.error();
    }
    if (auto set = set_test_from(context, request); !set) {
        return set.error();
    }
    if (auto set = set_split(context, request.validation_split); !set) {
        return set.error();
    }
    return context;
}

}  // namespace ktrdr
