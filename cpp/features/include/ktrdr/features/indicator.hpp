#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/features/indicator_state.hpp>
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

using IndicatorParameters = std::map<std::string, double>;

/// How much history an indicator needs, in bars.
struct WarmUp {
    /// Bars before the first one at which it has its value; of several outputs, each its own.
    std::size_t least{0};
    /// Bars before the first one whose values no longer depend on where the series begins: what came before has a
    /// weight of no more than 2^-53, less than the last digit of a double. At least `least`; `never` where a value
    /// hangs on the first bar, or on a turn that may lie any number of bars back.
    std::size_t exact{0};

    /// So many that no series has them, and a sum of some of them still fits.
    static constexpr std::size_t never = std::numeric_limits<std::size_t>::max() / 16;
};

/// A column of bars that an indicator reads.
enum class InputColumn : std::uint8_t { open, high, low, close, volume };
[[nodiscard]] KTRDR_EXPORT const std::vector<double>& column_of(const Bars& bars, InputColumn column);

/// A row of the registry: an indicator as strategies see it, and how it is computed. The first output is the one meant
/// where none is named. What it computes, and after whom, stands in the header of its family.
struct IndicatorSpec {
    std::string_view name{};
    std::span<const IndicatorParameter> parameters{};
    /// The columns it takes; empty: the one that a strategy names as its `source`.
    std::span<const InputColumn> inputs{};
    std::span<const std::string_view> outputs{};
    /// Parameters whose values must rise in this order; may be empty.
    std::span<const std::string_view> rising{};
    /// Both take all parameters, checked. Every series begins with a state of its own.
    std::unique_ptr<IndicatorState> (*make_state)(const IndicatorParameters& parameters){nullptr};
    WarmUp (*warm_up)(const IndicatorParameters& parameters){nullptr};
    /// In place of `warm_up` where the outputs do not begin together.
    WarmUp (*output_warm_up)(const IndicatorParameters& parameters, std::size_t output){nullptr};
};

/// A parameter that is a whole number.
[[nodiscard]] KTRDR_EXPORT std::size_t whole(const IndicatorParameters& parameters, const std::string& name);

/// One column a bar for each output, NaN while it warms up, in the order of the outputs.
using IndicatorColumns = std::vector<std::vector<double>>;

[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> indicator_registry() noexcept;
[[nodiscard]] KTRDR_EXPORT std::vector<std::string> indicator_names();
/// What a strategy may name as the source of an indicator: close, open, high, low.
[[nodiscard]] KTRDR_EXPORT std::span<const std::string_view> price_sources() noexcept;
/// Null for a name that is not in the registry.
[[nodiscard]] KTRDR_EXPORT const IndicatorSpec* find_indicator(std::string_view name) noexcept;
/// The registry as JSON: `{name: {params: {p: {default, min, max, integer}}, inputs: […], outputs: […], rising: […],
/// sources: […]}}`. Where `inputs` has names, `sources` has none.
[[nodiscard]] KTRDR_EXPORT boost::json::object indicator_specs();

/// An indicator with its numbers, checked. Lifetime: refers to the registry, which is never destroyed.
class KTRDR_EXPORT Indicator final {
public:
    /// Missing parameters take their defaults. `invalid_argument` naming the indicator, the parameter and its range.
    [[nodiscard]] static Result<Indicator> make(std::string_view name, const IndicatorParameters& parameters,
                                                std::string_view source = "close");
    /// The same of a row that need not be in the registry; `spec` outlives the indicator.
    [[nodiscard]] static Result<Indicator> make(const IndicatorSpec& spec, const IndicatorParameters& parameters,
                                                std::string_view source = "close");

    [[nodiscard]] const IndicatorSpec& spec() const noexcept { return *spec_; }
    [[nodiscard]] const IndicatorParameters& parameters() const noexcept { return parameters_; }
    /// The columns it takes, in the order of a state's inputs.
    [[nodiscard]] std::span<const InputColumn> inputs() const noexcept;
    /// Of one output, by its index in the spec.
    [[nodiscard]] WarmUp warm_up(std::size_t output) const;
    /// Of all of them: that of the one that takes longest.
    [[nodiscard]] WarmUp warm_up() const;
    /// For bars as they come.
    [[nodiscard]] std::unique_ptr<IndicatorState> state() const { return spec_->make_state(parameters_); }
    /// For bars that are all there.
    [[nodiscard]] IndicatorColumns compute(const Bars& bars) const;
    /// The same of columns wherever they lie, into others. `invalid_argument` where there are more or fewer than inputs
    /// and outputs, or one is longer than another; then nothing is written.
    [[nodiscard]] Result<void> compute(std::span<const std::span<const double>> columns,
                                       std::span<const std::span<double>> results) const;
    /// The names of `inputs()`.
    [[nodiscard]] std::vector<std::string_view> input_names() const;

private:
    Indicator(const IndicatorSpec& spec, IndicatorParameters parameters, InputColumn source)
        : spec_(&spec), parameters_(std::move(parameters)), source_(source) {}

    const IndicatorSpec* spec_;
    IndicatorParameters parameters_;
    InputColumn source_;
};

/// An indicator over bars as they come, which checks what it is handed.
///
/// Thread safety: none.
class KTRDR_EXPORT IndicatorStream final {
public:
    explicit IndicatorStream(Indicator indicator) : indicator_(std::move(indicator)), state_(indicator_.state()) {}

    /// A value for each input in, one for each output out. `invalid_argument` for more or fewer.
    [[nodiscard]] Result<std::vector<double>> next(std::span<const double> values);

private:
    Indicator indicator_;
    std::unique_ptr<IndicatorState> state_;
};

}  // namespace ktrdr
