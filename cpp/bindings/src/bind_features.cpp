// Rooms features and training: what a strategy may say, for those who check one.

#include <pybind11/stl.h>

#include <ktrdr/features/indicator.hpp>
#include <ktrdr/training/strategy.hpp>
#include <ktrdr/training/strategy_options.hpp>

#include "bind.hpp"
#include "bind_splits.hpp"
#include "convert.hpp"

namespace ktrdr::bindings {

void bind_features(py::module_& module) {
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
    bind_splits(module);
}

}  // namespace ktrdr::bindings
