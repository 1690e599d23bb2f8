#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// A number that an indicator takes. Allowed: `least` <= value <= `most`, whole where `integer`.
struct IndicatorParameter {
    std::string_view name{};
    double fallback{0};
    double least{0};
    double most{0};
    bool integer{true};
};

/// An indicator as strategies see it. The first output is the one meant where none is named.
struct IndicatorSpec {
    std::string_view name{};
    std::span<const IndicatorParameter> parameters{};
    std::span<const std::string_view> outputs{};
    /// Parameters whose values must rise in this order; may be empty.
    std::span<const std::string_view> rising{};
};

using IndicatorParameters = std::map<std::string, double>;
/// One column a bar for each output, NaN while it warms up, in the order of the outputs.
using IndicatorColumns = std::vector<std::vector<double>>;

[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> indicator_registry() noexcept;
[[nodiscard]] KTRDR_EXPORT std::vector<std::string> indicator_names();
/// The price columns an indicator may read: close, open, high, low.
[[nodiscard]] KTRDR_EXPORT std::span<const std::string_view> price_sources() noexcept;
/// Null for a name that is not in the registry.
[[nodiscard]] KTRDR_EXPORT const IndicatorSpec* find_indicator(std::string_view name) noexcept;
/// The registry as JSON: `{name: {params: {p: {default, min, max, integer}}, outputs: […], rising: […], sources:
/// […]}}`.
[[nodiscard]] KTRDR_EXPORT boost::json::object indicator_specs();

/// An indicator with its numbers, checked. Lifetime: refers to the registry, which is never destroyed.
class KTRDR_EXPORT Indicator final {
public:
    /// Missing parameters take their defaults. `invalid_argument` naming the indicator, the parameter and its range.
    [[nodiscard]] static Result<Indicator> make(std::string_view name, const IndicatorParameters& parameters,
                                                std::string_view source = "close");

    [[nodiscard]] const IndicatorSpec& spec() const noexcept { return *spec_; }
    [[nodiscard]] const IndicatorParameters& parameters() const noexcept { return parameters_; }
    /// How many bars pass before every output has its first value.
    [[nodiscard]] std::size_t warm_up() const;
    [[nodiscard]] IndicatorColumns compute(const Bars& bars) const;

private:
    Indicator(const IndicatorSpec& spec, IndicatorParameters parameters, std::string source)
        : spec_(&spec), parameters_(std::move(parameters)), source_(std::move(source)) {}
    [[nodiscard]] std::size_t whole(const std::string& name) const;

    const IndicatorSpec* spec_;
    IndicatorParameters parameters_;
    std::string source_;
};

}  // namespace ktrdr
