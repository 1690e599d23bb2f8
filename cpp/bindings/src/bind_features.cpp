// Room features: the registry of indicators, for those who check strategies.

#include <ktrdr/features/indicator.hpp>

#include "bind.hpp"
#include "convert.hpp"

namespace ktrdr::bindings {

void bind_features(py::module_& module) {
    module.def(
        "indicator_specs", [] { return to_python(indicator_specs()); },
        "The indicators there are, with their parameters and outputs.");
}

}  // namespace ktrdr::bindings
