// Rooms features and training: what a strategy may say, for those who check one.

#include <map>
#include <optional>
#include <pybind11/stl.h>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/features/indicator.hpp>
#include <ktrdr/market/bars_view.hpp>
#include <ktrdr/training/strategy.hpp>
#include <ktrdr/training/strategy_features.hpp>
#include <ktrdr/training/strategy_options.hpp>

#include "bind.hpp"
#include "bind_splits.hpp"
#include "convert.hpp"
#include "gil.hpp"
#include "numbers.hpp"

namespace ktrdr::bindings {
namespace {

using Columns = std::vector<py::buffer>;

Indicator make_indicator(std::string_view name, const IndicatorParameters& parameters,
                         const std::optional<std::string>& source) {
    return unwrap(source ? Indicator::make(name, parameters, *source) : Indicator::make(name, parameters));
}

/// The buffers of some columns, kept from being freed or resized while they are read or written without Python's lock.
template <class Number>
class Exported final {
public:
    Exported(const Columns& columns, bool writable) {
        for (const py::buffer& column : columns) {
            const py::buffer_info& info = infos_.emplace_back(column.request(writable));
            if (info.ndim != 1 || !info.item_type_is_equivalent_to<double>() ||
                (info.size > 1 && info.strides[0] != info.itemsize)) {
                throw py::type_error("a column is not one contiguous row of float64");
            }
            spans_.emplace_back(static_cast<Number*>(info.ptr), static_cast<std::size_t>(info.size));
        }
    }

    [[nodiscard]] std::span<const std::span<Number>> spans() const { return spans_; }

private:
    std::vector<py::buffer_info> infos_;
    std::vector<std::span<Number>> spans_;
};

void compute(const Indicator& self, const Columns& columns, const Columns& results) {
    const Exported<const double> read(columns, false);
    const Exported<double> written(results, true);
    const auto done = [&] {
        const GilReleased released;
        return self.compute(read.spans(), written.spans());
    }();
    unwrap(done);
}

std::pair<std::size_t, std::optional<std::size_t>> warm_up_of(const Indicator& self) {
    const auto [least, exact] = self.warm_up();
    return {least, exact == WarmUp::never ? std::nullopt : std::optional(exact)};
}

void bind_indicators(py::module_& module) {
    py::class_<IndicatorStream>(module, "IndicatorStream", "An indicator over bars as they come.")
        .def(
            "next", [](IndicatorStream& self, const std::vector<double>& values) { return unwrap(self.next(values)); },
            py::arg("values"), "Take the next bar.");
    py::class_<Indicator>(module, "Indicator", "An indicator with its numbers, checked.")
        .def(py::init(&make_indicator), py::arg("name"), py::arg("parameters"), py::arg("source").none(true))
        .def_property_readonly("inputs", &Indicator::input_names, "The columns it takes, in order.")
        .def_property_readonly(
            "outputs",
            [](const Indicator& self) {
                return std::vector<std::string_view>(self.spec().outputs.begin(), self.spec().outputs.end());
            },
            "The names of what it gives.")
        .def_property_readonly("warm_up", &warm_up_of, "Bars before the first value, and before the first exact one.")
        .def("compute", &compute, py::arg("columns"), py::arg("results"),
             "Compute whole columns into others, without Python's lock.")
        .def("stream", [](const Indicator& self) { return IndicatorStream(self); }, "Begin with bars as they come.");
}

std::map<std::string_view, std::size_t> counts_of(const DroppedRows& dropped) {
    std::map<std::string_view, std::size_t> counts;
    for (std::size_t i = 0; i < drop_reason_count; ++i) {
        const auto reason = static_cast<DropReason>(i);
        if (dropped[reason] > 0) {
            counts[to_string(reason)] = dropped[reason];
        }
    }
    return counts;
}

std::tuple<std::vector<std::string>, Numbers, Numbers, std::map<std::string_view, std::size_t>> features_of(
    const py::handle& strategy, const std::vector<std::pair<BarsView, BarGrid>>& given,
    const std::optional<CancellationToken>& token) {
    const Strategy read = unwrap(Strategy::parse(object_from(strategy)));
    auto made = [&] {
        const GilReleased released;
        std::vector<FeatureSeries> series;
        for (const auto& [bars, grid] : given) {
            series.push_back({grid, bars.own(), {}});
        }
        return strategy_features(read, std::move(series), token.value_or(CancellationToken()));
    }();
    FeatureMatrix matrix = unwrap(std::move(made));
    const py::ssize_t rows = length(matrix.bar.size());
    Numbers values = Numbers::of(std::move(matrix.values), {rows, length(matrix.names.size())});
    return {std::move(matrix.names), rows_of(matrix.bar), std::move(values), counts_of(matrix.dropped)};
}

}  // namespace

void bind_features(py::module_& module) {
    bind_indicators(module);
    module.def(
        "indicator_specs", [] { return to_python(indicator_specs()); },
        "The indicators there are, with their parameters and outputs.");
    module.def(
        "strategy_options", [] { return to_python(strategy_option_specs()); },
        "The options of a strategy file by their path: type, default, range, choices and help.");
    module.def(
        "refuse_strategy_option",
        [](const std::string& path, const py::object& value) -> std::optional<std::string> {
            const StrategyOption* const option = find_strategy_option(path);
            return option == nullptr ? "there is no option " + path : refusal(*option, from_python(value));
        },
        py::arg("path"), py::arg("value"), "What the value of an option must be and is not; None where it is right.");
    module.def(
        "read_strategy",
        [](const py::handle& strategy) { return to_python(unwrap(Strategy::parse(object_from(strategy))).summary()); },
        py::arg("strategy"), "Check a strategy's JSON and tell what a training takes from it.");
    module.def("strategy_features", &features_of, py::arg("strategy"), py::arg("series"), py::arg("token").none(true),
               "Names, the rows' bars and features, and how many bars have no row by reason.");
    bind_splits(module);
}

}  // namespace ktrdr::bindings
