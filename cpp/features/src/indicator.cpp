#include <ktrdr/features/indicator.hpp>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <ktrdr/features/indicators.hpp>

namespace ktrdr {
namespace {

using Names = std::string_view;

constexpr std::array<Names, 4> sources{"close", "open", "high", "low"};

constexpr std::array rsi_parameters{IndicatorParameter{"period", 14, 2, 1000}};
constexpr std::array<Names, 1> rsi_outputs{"rsi"};

constexpr std::array macd_parameters{
    IndicatorParameter{"fast_period", 12, 2, 1000}, IndicatorParameter{"slow_period", 26, 3, 2000},
    IndicatorParameter{"signal_period", 9, 2, 1000},
    // 1: every output in percent of the price, so that a share at 3 and one at 300 read alike.
    IndicatorParameter{"percent", 0, 0, 1}};
constexpr std::array<Names, 3> macd_outputs{"line", "signal", "histogram"};
constexpr std::array<Names, 2> macd_rising{"fast_period", "slow_period"};

constexpr std::array distance_parameters{IndicatorParameter{"period", 20, 2, 2000}};
constexpr std::array<Names, 1> distance_outputs{"distance"};

constexpr std::array registry{
    IndicatorSpec{"rsi", rsi_parameters, rsi_outputs, {}},
    IndicatorSpec{"macd", macd_parameters, macd_outputs, macd_rising},
    IndicatorSpec{"distance_from_ma", distance_parameters, distance_outputs, {}},
};

boost::json::array to_array(std::span<const Names> names) {
    boost::json::array array;
    for (const Names name : names) {
        array.emplace_back(name);
    }
    return array;
}

const std::vector<double>& column_of(const Bars& bars, std::string_view source) {
    if (source == "open") {
        return bars.open;
    }
    if (source == "high") {
        return bars.high;
    }
    return source == "low" ? bars.low : bars.close;
}

Result<void> check_known(const IndicatorSpec& spec, const IndicatorParameters& parameters) {
    for (const auto& [name, value] : parameters) {
        if (std::ranges::find(spec.parameters, name, &IndicatorParameter::name) == spec.parameters.end()) {
            std::vector<Names> known;
            std::ranges::transform(spec.parameters, std::back_inserter(known), &IndicatorParameter::name);
            return fail(Errc::invalid_argument,
                        fmt::format("{} has no parameter '{}'; it takes {}", spec.name, name, fmt::join(known, ", ")),
                        {{"indicator", spec.name}, {"parameter", name}});
        }
    }
    return {};
}

Result<double> checked(const IndicatorSpec& spec, const IndicatorParameter& parameter, double value) {
    const bool whole = !parameter.integer || value == std::floor(value);
    if (!(value >= parameter.least && value <= parameter.most && whole)) {
        return fail(Errc::invalid_argument,
                    fmt::format("{}: {} is {}; it must be {} from {} to {}", spec.name, parameter.name, value,
                                parameter.integer ? "a whole number" : "a number", parameter.least, parameter.most),
                    {{"indicator", spec.name}, {"parameter", parameter.name}});
    }
    return value;
}

Result<void> check_rising(const IndicatorSpec& spec, const IndicatorParameters& parameters) {
    for (std::size_t i = 1; i < spec.rising.size(); ++i) {
        const std::string before(spec.rising[i - 1]);
        const std::string after(spec.rising[i]);
        if (parameters.at(before) >= parameters.at(after)) {
            return fail(Errc::invalid_argument,
                        fmt::format("{}: {} ({}) must be less than {} ({})", spec.name, before, parameters.at(before),
                                    after, parameters.at(after)),
                        {{"indicator", spec.name}, {"parameter", before}});
        }
    }
    return {};
}

void to_percent(Column& column, std::span<const double> prices) {
    std::ranges::transform(column, prices, column.begin(),
                           [](double value, double price) { return price == 0 ? std::nan("") : 100 * value / price; });
}

}  // namespace

std::span<const IndicatorSpec> indicator_registry() noexcept {
    return registry;
}

std::vector<std::string> indicator_names() {
    std::vector<std::string> names;
    std::ranges::transform(registry, std::back_inserter(names),
                           [](const IndicatorSpec& spec) { return std::string(spec.name); });
    return names;
}

std::span<const std::string_view> price_sources() noexcept {
    return sources;
}

const IndicatorSpec* find_indicator(std::string_view name) noexcept {
    const auto found = std::ranges::find(registry, name, &IndicatorSpec::name);
    return found == registry.end() ? nullptr : &*found;
}

boost::json::object indicator_specs() {
    boost::json::object specs;
    for (const IndicatorSpec& spec : registry) {
        boost::json::object parameters;
        for (const IndicatorParameter& parameter : spec.parameters) {
            parameters[parameter.name] = {{"default", parameter.fallback},
                                          {"min", parameter.least},
                                          {"max", parameter.most},
                                          {"integer", parameter.integer}};
        }
        specs[spec.name] = {{"params", std::move(parameters)},
                            {"outputs", to_array(spec.outputs)},
                            {"rising", to_array(spec.rising)},
                            {"sources", to_array(sources)}};
    }
    return specs;
}

Result<Indicator> Indicator::make(std::string_view name, const IndicatorParameters& parameters,
                                  std::string_view source) {
    const IndicatorSpec* const spec = find_indicator(name);
    if (spec == nullptr) {
        return fail(Errc::invalid_argument,
                    fmt::format("there is no indicator '{}'; there are {}", name, fmt::join(indicator_names(), ", ")),
                    {{"indicator", name}});
    }
    if (std::ranges::find(sources, source) == sources.end()) {
        return fail(Errc::invalid_argument,
                    fmt::format("{}: source is '{}'; it must be one of {}", name, source, fmt::join(sources, ", ")),
                    {{"indicator", name}, {"parameter", "source"}});
    }
    if (auto known = check_known(*spec, parameters); !known) {
        return known.error();
    }
    IndicatorParameters complete;
    for (const IndicatorParameter& parameter : spec->parameters) {
        const auto given = parameters.find(std::string(parameter.name));
        auto value = checked(*spec, parameter, given == parameters.end() ? parameter.fallback : given->second);
        if (!value) {
            return value.error();
        }
        complete.emplace(parameter.name, *value);
    }
    if (auto rising = check_rising(*spec, complete); !rising) {
        return rising.error();
    }
    return Indicator(*spec, std::move(complete), std::string(source));
}

std::size_t Indicator::whole(const std::string& name) const {
    return static_cast<std::size_t>(parameters_.at(name));
}

std::size_t Indicator::warm_up() const {
    if (spec_->name == "rsi") {
        return whole("period");
    }
    if (spec_->name == "macd") {
        return whole("slow_period") + whole("signal_period") - 2;
    }
    return whole("period") - 1;
}

IndicatorColumns Indicator::compute(const Bars& bars) const {
    const std::vector<double>& prices = column_of(bars, source_);
    if (spec_->name == "rsi") {
        return {rsi(prices, whole("period"))};
    }
    if (spec_->name == "macd") {
        MacdColumns columns = macd(prices, whole("fast_period"), whole("slow_period"), whole("signal_period"));
        if (parameters_.at("percent") != 0) {
            to_percent(columns.line, prices);
            to_percent(columns.signal, prices);
            to_percent(columns.histogram, prices);
        }
        return {std::move(columns.line), std::move(columns.signal), std::move(columns.histogram)};
    }
    return {distance_from_sma(prices, whole("period"))};
}

}  // namespace ktrdr
