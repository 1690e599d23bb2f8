// The module `_core`: a table of contents, one bind_<room>.cpp for each room.

#include "bind.hpp"

PYBIND11_MODULE(_core, module) {
    using namespace ktrdr::bindings;
    module.doc() = "The C++ core of ktrdr_core. Private: use the names of the package.";
    bind_base(module);
    bind_cancellation(module);
    bind_progress(module);
    bind_market(module);
    bind_calendar(module);
    bind_quality(module);
    bind_features(module);
    bind_operations(module);
    bind_registry(module);
    bind_storage(module);
    bind_orchestrator(module);
    bind_http(module);
    bind_runtime(module);
    bind_adapter(module);
    bind_data(module);
    bind_sources(module);
    bind_series_check(module);
    bind_sent_requests(module);
    bind_training(module);
    bind_models(module);
}
