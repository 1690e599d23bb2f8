#pragma once

#include <pybind11/pybind11.h>

/// One function a room; `module.cpp` calls them in the order of the floors.
namespace ktrdr::bindings {

void bind_base(pybind11::module_& module);
void bind_cancellation(pybind11::module_& module);
void bind_progress(pybind11::module_& module);
void bind_market(pybind11::module_& module);
void bind_calendar(pybind11::module_& module);
void bind_quality(pybind11::module_& module);
void bind_features(pybind11::module_& module);
void bind_operations(pybind11::module_& module);
void bind_registry(pybind11::module_& module);
void bind_storage(pybind11::module_& module);
void bind_orchestrator(pybind11::module_& module);
void bind_runtime(pybind11::module_& module);
void bind_http(pybind11::module_& module);
void bind_adapter(pybind11::module_& module);
void bind_data(pybind11::module_& module);
void bind_sources(pybind11::module_& module);
void bind_series_check(pybind11::module_& module);
void bind_sent_requests(pybind11::module_& module);
void bind_training(pybind11::module_& module);
void bind_models(pybind11::module_& module);

}  // namespace ktrdr::bindings
