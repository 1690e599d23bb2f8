#include <ktrdr/features/indicator.hpp>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <ktrdr/features/bands.hpp>
#include <ktrdr/features/moving_averages.hpp>
#include <ktrdr/features/oscillators.hpp>
#include <ktrdr/features/ranges.hpp>
#include <ktrdr/features/trends.hpp>
#include <ktrdr/features/volumes.hpp>

namespace ktrdr {
namespace {

using Names = std::string_view;

constexpr std::array<Names, 5> column_names{"open", "high", "low", "close", "volume"};
constexpr std::array<Names, 4> sources{"close", "open", "high", "low"};

const std::vector<IndicatorSpec>& registry() {
    static const auto* const specs = [] {
        auto* const all = new std::vector<IndicatorSpec>;
        for (const auto family :
             {oscillator_specs(), moving_average_specs(), band_specs(), range_specs(), trend_specs(), volume_specs()}) {
            all->insert(all->end(), family.begin(), family.end());
        }
        return all;
    }();
    return *specs;
}

boost::json::array to_array(std::span<const Names> names) {
    boost::json::array array;
    for (const Names name : names) {
        array.emplace_back(name);
    }
    return array;
}

std::vector<Names> names_of(std::span<const InputColumn> columns) {
    std::vector<Names> names;
    std::ranges::transform(columns, std::back_inserter(names),
                           [](InputColumn column) { return column_names[static_cast<std::size_t>(column)]; });
    return names;
}

Result<InputColumn> read_source(const IndicatorSpec& spec, std::string_view source) {
    if (!spec.inputs.empty() && source != sources.front()) {
        return fail(Errc::invalid_argument,
                    fmt::format("{} takes {}; leave source out", spec.name, fmt::join(names_of(spec.inputs), ", ")),
                    {{"indicator", spec.name}, {"parameter", "source"}});
    }
    if (std::ranges::find(sources, source) == sources.end()) {
        return fail(
            Errc::invalid_argument,
            fmt::format("{}: source is '{}'; it must be one of {}", spec.name, source, fmt::join(sources, ", ")),
            {{"indicator", spec.name}, {"parameter", "source"}});
    }
    return static_cast<InputColumn>(std::ranges::find(column_names, source) - column_names.begin());
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

}  // namespace

const std::vector<double>& column_of(const Bars& bars, InputColumn column) {
    switch (column) {
        case InputColumn::open: return bars.open;
        case InputColumn::high: return bars.high;
        case InputColumn::low: return bars.low;
        case InputColumn::volume: return bars.volume;
        case InputColumn::close: break;
    }
    return bars.close;
}

std::size_t whole(const IndicatorParameters& parameters, const std::string& name) {
    return static_cast<std::size_t>(parameters.at(name));
}

std::span<const IndicatorSpec> indicator_registry() noexcept {
    return registry();
}

std::vector<std::string> indicator_names() {
    std::vector<std::string> names;
    std::ranges::transform(registry(), std::back_inserter(names),
                           [](const IndicatorSpec& spec) { return std::string(spec.name); });
    return names;
}

std::span<const std::string_view> price_sources() noexcept {
    return sources;
}

const IndicatorSpec* find_indicator(std::string_view name) noexcept {
    const auto found = std::ranges::find(registry(), name, &IndicatorSpec::name);
    return found == registry().end() ? nullptr : &*found;
}

boost::json::object indicator_specs() {
    boost::json::object specs;
    for (const IndicatorSpec& spec : registry()) {
        boost::json::object parameters;
        for (const IndicatorParameter& parameter : spec.parameters) {
            parameters[parameter.name] = {{"default", parameter.fallback},
                                          {"min", parameter.least},
                                          {"max", parameter.most},
                                          {"integer", parameter.integer}};
        }
        specs[spec.name] = {{"params", std::move(parameters)},
                            {"inputs", to_array(names_of(spec.inputs))},
                            {"outputs", to_array(spec.outputs)},
                            {"rising", to_array(spec.rising)},
                            {"sources", spec.inputs.empty() ? to_array(sources) : boost::json::array()}};
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
    return make(*spec, parameters, source);
}

Result<Indicator> Indicator::make(const IndicatorSpec& spec, const IndicatorParameters& parameters,
                                  std::string_view source) {
    const auto column = read_source(spec, source);
    if (!column) {
        return column.error();
    }
    if (auto known = check_known(spec, parameters); !known) {
        return known.error();
    }
    IndicatorParameters complete;
    for (const IndicatorParameter& parameter : spec.parameters) {
        const auto given = parameters.find(std::string(parameter.name));
        auto value = checked(spec, parameter, given == parameters.end() ? parameter.fallback : given->second);
        if (!value) {
            return value.error();
        }
        complete.emplace(parameter.name, *value);
    }
    if (auto rising = check_rising(spec, complete); !rising) {
        return rising.error();
    }
    return Indicator(spec, std::move(complete), *column);
}

WarmUp Indicator::warm_up(std::size_t output) const {
    return spec_->output_warm_up == nullptr ? spec_->warm_up(parameters_) : spec_->output_warm_up(parameters_, output);
}

WarmUp Indicator::warm_up() const {
    WarmUp longest;
    for (std::size_t output = 0; output < spec_->outputs.size(); ++output) {
        const WarmUp one = warm_up(output);
        longest = {std::max(longest.least, one.least), std::max(longest.exact, one.exact)};
    }
    return longest;
}

std::span<const InputColumn> Indicator::inputs() const noexcept {
    return spec_->inputs.empty() ? std::span(&source_, 1) : spec_->inputs;
}

std::vector<std::string_view> Indicator::input_names() const {
    return names_of(inputs());
}

IndicatorColumns Indicator::compute(const Bars& bars) const {
    std::vector<std::span<const double>> taken;
    for (const InputColumn column : inputs()) {
        taken.emplace_back(column_of(bars, column));
    }
    IndicatorColumns columns(spec_->outputs.size());
    std::vector<std::span<double>> given;
    for (std::vector<double>& column : columns) {
        column.resize(bars.size());
        given.emplace_back(column);
    }
    state()->run(taken, given);
    return columns;
}

Result<void> Indicator::compute(std::span<const std::span<const double>> columns,
                                std::span<const std::span<double>> results) const {
    const std::vector<Names> names = input_names();
    if (columns.size() != names.size() || results.size() != spec_->outputs.size()) {
        return fail(Errc::invalid_argument,
                    fmt::format("{} takes {} column{} ({}), not {}", spec_->name, names.size(),
                                names.size() == 1 ? "" : "s", fmt::join(names, ", "), columns.size()),
                    {{"indicator", spec_->name}});
    }
    const std::size_t bars = columns.front().size();
    for (std::size_t i = 1; i < columns.size(); ++i) {
        if (columns[i].size() != bars) {
            return fail(Errc::invalid_argument,
                        fmt::format("{}: {} has {} values and {} {}; give columns of one length", spec_->name, names[0],
                                    bars, names[i], columns[i].size()),
                        {{"indicator", spec_->name}});
        }
    }
    if (std::ranges::any_of(results, [bars](std::span<double> column) { return column.size() != bars; })) {
        return fail(Errc::invalid_argument,
                    fmt::format("{}: a result has not the length of the columns, {}", spec_->name, bars),
                    {{"indicator", spec_->name}});
    }
    state()->run(columns, results);
    return {};
}

Result<std::vector<double>> IndicatorStream::next(std::span<const double> values) {
    const std::vector<Names> names = indicator_.input_names();
    if (values.size() != names.size()) {
        return fail(Errc::invalid_argument,
                    fmt::format("{} takes {} value{} a bar ({}), not {}", indicator_.spec().name, names.size(),
                                names.size() == 1 ? "" : "s", fmt::join(names, ", "), values.size()),
                    {{"indicator", indicator_.spec().name}});
    }
    std::vector<double> results(indicator_.spec().outputs.size());
    state_->next(values, results);
    return results;
}

}  // namespace ktrdr
