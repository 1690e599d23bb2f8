// Room progress: the state, the renderers' interface, progress by calls.

#include <fmt/format.h>
#include <pybind11/chrono.h>
#include <pybind11/stl.h>

#include <optional>

#include <ktrdr/progress/generic_progress_manager.hpp>
#include <ktrdr/progress/renderer.hpp>
#include <ktrdr/progress/state.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "handle.hpp"
#include "value.hpp"

namespace ktrdr::bindings {
namespace {

void check(const ProgressState& state) {
    if (!(state.percentage >= 0 && state.percentage <= 100)) {
        throw ErrorException(fail(Errc::invalid_argument,
                                  fmt::format("percentage must be between 0 and 100, not {}", state.percentage)));
    }
}

ProgressState begun_now() {
    ProgressState state;
    state.start_time = system_clock().utc_now();
    return state;
}

void bind_state(py::module_& module) {
    ValueClass<ProgressState, std::shared_ptr<ProgressState>>(
        module, "ProgressState", "a ProgressState",
        "One immutable picture of an operation's progress.\n\n"
        "Percentages are 0..100, rates items a second, times UTC; "
        "a count that is not known is 0.")
        .field("operation_id", &ProgressState::operation_id, "Whose progress it is.")
        .field("sequence", &ProgressState::sequence, "Rises with every state an operation delivers.")
        .field("percentage", &ProgressState::percentage, "0..100; it never goes back.")
        .field("message", &ProgressState::message, "The renderer's sentence.")
        .field("detail", &ProgressState::detail, "What the worker itself says of its step, or empty.")
        .field("current_step", &ProgressState::current_step, "The step in work, from 1; 0 when unknown.")
        .field("total_steps", &ProgressState::total_steps, "How many steps there are; 0 when unknown.")
        .field("step_name", &ProgressState::step_name, "The name of the step in work, or empty.")
        .field("step_start_percentage", &ProgressState::step_start_percentage,
               "Where on the bar the step begins, in percent.")
        .field("step_end_percentage", &ProgressState::step_end_percentage,
               "Where on the bar the step ends, in percent.")
        .field("step_current", &ProgressState::step_current, "Units of the step that are done (segments, epochs).")
        .field("step_total", &ProgressState::step_total, "Units of the step; 0 when unknown.")
        .field("items_processed", &ProgressState::items_processed, "Bars or samples since the operation began.")
        .field("total_items", &ProgressState::total_items, "Bars or samples in all; 0 when unknown.")
        .field("rate", &ProgressState::rate, "Items a second, of the step in work.")
        .field("epoch", &ProgressState::epoch, "The epoch of a training in work, from 1; 0 when unknown.")
        .field("total_epochs", &ProgressState::total_epochs, "Epochs at most; 0 when unknown.")
        .field("batch", &ProgressState::batch, "Batches of the epoch that are done; 0 when unknown.")
        .field("total_batches", &ProgressState::total_batches, "Batches of an epoch; 0 when unknown.")
        .field(
            "start_time", [](const ProgressState& self) { return to_python(self.start_time); },
            [](ProgressState& self, const py::handle& given) { self.start_time = utc_from_python(given); },
            "With its zone, UTC.")
        .field("estimated_remaining", &ProgressState::estimated_remaining,
               "Time left of the step in work; None when nothing can be said.")
        .field(
            "context", [](const ProgressState& self) { return to_python(self.context); },
            [](ProgressState& self, const py::handle& given) { self.context = object_from(given); },
            "What the work says of itself, a fresh dict; `metrics` holds the step's figures by name.")
        .done(&begun_now, &check)
        .def("__repr__", [](const ProgressState& self) {
            return fmt::format("<ProgressState {:.1f} % {:?}>", self.percentage, self.message);
        });
}

void bind_renderers(py::module_& module) {
    py::class_<ProgressRenderer, std::shared_ptr<ProgressRenderer>>(module, "ProgressRenderer",
                                                                    "Turns a state into words.")
        .def("render_message", &ProgressRenderer::render_message, py::arg("state"), "The sentence a person reads.")
        .def("enhance_state", &ProgressRenderer::enhance_state, py::arg("state"),
             "A new state with context derived from its numbers.");
    py::class_<DefaultProgressRenderer, ProgressRenderer, std::shared_ptr<DefaultProgressRenderer>>(
        module, "DefaultProgressRenderer")
        .def(py::init<>());
}

boost::json::object object_of(const std::optional<py::dict>& context) {
    return context ? from_python(*context).as_object() : boost::json::object{};
}

void bind_manager(py::module_& module) {
    using Manager = GenericProgressManager;
    py::class_<Manager>(module, "GenericProgressManager", "Progress by calls; each answers the new picture.")
        .def(py::init([] { return std::make_unique<Manager>(system_clock()); }))
        .def(py::init([](const Handle& operation) {
                 const auto& shared = operation.operation();
                 return std::make_unique<Manager>(std::shared_ptr<ProgressTree>(shared, &shared->progress()),
                                                  system_clock());
             }),
             py::arg("operation"))
        .def(
            "start_operation",
            [](Manager& self, std::string id, std::int64_t total_steps, const std::optional<py::dict>& context) {
                return unwrap(self.start_operation(std::move(id), total_steps, object_of(context)));
            },
            py::arg("operation_id"), py::arg("total_steps"), py::arg("context"))
        .def(
            "start_step",
            [](Manager& self, std::string name, std::int64_t number, std::optional<double> start,
               std::optional<double> end, std::optional<std::int64_t> items) {
                return unwrap(self.start_step({std::move(name), number, start, end, items}));
            },
            py::arg("step_name"), py::arg("step_number"), py::arg("step_percentage"), py::arg("step_end_percentage"),
            py::arg("expected_items"))
        .def(
            "update_step_progress",
            [](Manager& self, std::int64_t current, std::int64_t total, std::int64_t items, const std::string& detail) {
                return unwrap(self.update_step_progress(current, total, items, detail));
            },
            py::arg("current"), py::arg("total"), py::arg("items_processed"), py::arg("detail"))
        .def(
            "update_progress",
            [](Manager& self, std::int64_t step, std::optional<std::string> message, std::int64_t items,
               const std::optional<py::dict>& context) {
                return unwrap(self.update_progress(step, std::move(message), items, object_of(context)));
            },
            py::arg("step"), py::arg("message"), py::arg("items_processed"), py::arg("context"))
        .def("complete_operation", [](Manager& self) { return unwrap(self.complete_operation()); })
        .def("state", &Manager::state);
}

}  // namespace

void bind_progress(py::module_& module) {
    bind_state(module);
    bind_renderers(module);
    bind_manager(module);
}

}  // namespace ktrdr::bindings
