#include <fmt/format.h>
#include <pybind11/chrono.h>
#include <pybind11/stl.h>

#include <ktrdr/progress/state.hpp>

#include "bind.hpp"
#include "convert.hpp"

namespace ktrdr::bindings {

void bind_progress(py::module_& module) {
    py::class_<ProgressState, std::shared_ptr<ProgressState>>(module, "ProgressState",
                                                              "One immutable picture of an operation's progress.")
        .def_readonly("operation_id", &ProgressState::operation_id)
        .def_readonly("sequence", &ProgressState::sequence)
        .def_readonly("percentage", &ProgressState::percentage)
        .def_readonly("message", &ProgressState::message)
        .def_readonly("current_step", &ProgressState::current_step)
        .def_readonly("total_steps", &ProgressState::total_steps)
        .def_readonly("step_name", &ProgressState::step_name)
        .def_readonly("step_start_percentage", &ProgressState::step_start_percentage)
        .def_readonly("step_end_percentage", &ProgressState::step_end_percentage)
        .def_readonly("step_current", &ProgressState::step_current)
        .def_readonly("step_total", &ProgressState::step_total)
        .def_readonly("items_processed", &ProgressState::items_processed)
        .def_readonly("total_items", &ProgressState::total_items)
        .def_readonly("rate", &ProgressState::rate)
        .def_property_readonly("start_time", [](const ProgressState& self) { return to_python(self.start_time); })
        .def_readonly("estimated_remaining", &ProgressState::estimated_remaining)
        .def_property_readonly("context", [](const ProgressState& self) { return to_python(self.context); })
        .def("__repr__", [](const ProgressState& self) {
            return fmt::format("<ProgressState {:.1f} % {:?}>", self.percentage, self.message);
        });
}

}  // namespace ktrdr::bindings
