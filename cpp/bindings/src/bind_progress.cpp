// Room progress: the state, the renderers' interface, progress by calls.

#include <fmt/format.h>
#include <pybind11/chrono.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <ktrdr/progress/generic_progress_manager.hpp>
#include <ktrdr/progress/renderer.hpp>
#include <ktrdr/progress/state.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "handle.hpp"
#include "text.hpp"
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

/// Names of a progress dict that readers of older documents use.
constexpr std::array<std::pair<std::string_view, const char*>, 5> dict_names{{
    {"progress_percentage", "percentage"},
    {"steps_completed", "current_step"},
    {"steps_total", "total_steps"},
    {"items_total", "total_items"},
    {"current_item", "detail"},
}};

/// The field of that name, else the fact of the context; null where there is neither.
std::optional<py::object> looked_up(const py::object& self, const py::object& key) {
    if (!py::isinstance<py::str>(key)) {
        return std::nullopt;
    }
    const auto name = readable(key);
    const auto older = std::ranges::find(dict_names, std::string_view(name), &decltype(dict_names)::value_type::first);
    const py::str field(older == dict_names.end() ? name.c_str() : older->second);
    if (self.attr("__match_args__").contains(field)) {
        return self.attr(field);
    }
    const auto& context = self.cast<const ProgressState&>().context;
    const auto* const fact = context.if_contains(name);
    return fact == nullptr ? std::nullopt : std::optional(to_python(*fact));
}

py::list values_of(const py::object& self) {
    py::list values;
    for (const py::handle name : self.attr("__match_args__")) {
        values.append(self.attr(name.cast<py::str>()));
    }
    return values;
}

/// For callbacks that were written for a dict.
void bind_dict_access(py::class_<ProgressState, std::shared_ptr<ProgressState>>& cls) {
    cls.def(
           "__getitem__",
           [](const py::object& self, const py::object& key) {
               const auto found = looked_up(self, key);
               if (!found) {
                   PyErr_SetObject(PyExc_KeyError, key.ptr());
                   throw py::error_already_set();
               }
               return *found;
           },
           py::arg("name"),
           "A field by its name, else a fact of the context; so that a callback may take a state for a dict.")
        .def(
            "get",
            [](const py::object& self, const py::object& key, const py::object& otherwise) {
                return looked_up(self, key).value_or(otherwise);
            },
            py::arg("name"), py::arg("default") = py::none(), "What `state[name]` gives, or `default`.")
        .def(
            "__contains__",
            [](const py::object& self, const py::object& key) { return looked_up(self, key).has_value(); },
            py::arg("name"))
        .def("__iter__", [](const py::object& self) { return py::iter(self.attr("__match_args__")); })
        .def("__len__", [](const py::object& self) { return py::len(self.attr("__match_args__")); })
        .def(
            "keys", [](const py::object& self) { return self.attr("__match_args__"); }, "The names of the fields.")
        .def(
            "values", [](const py::object& self) { return py::tuple(values_of(self)); }, "The fields, in order.")
        .def(
            "items",
            [](const py::object& self) {
                return py::tuple(
                    py::module_::import("builtins").attr("zip")(self.attr("__match_args__"), values_of(self)));
            },
            "The fields with their names, in order.");
}

void bind_state(py::module_& module) {
    ValueClass<ProgressState, std::shared_ptr<ProgressState>> value(
        module, "ProgressState", "a ProgressState",
        "One immutable picture of an operation's progress.\n\n"
        "Percentages are 0..100, rates items a second, times UTC; "
        "a count that is not known is 0.");
    auto& cls =
        value.field("operation_id", &ProgressState::operation_id, "Whose progress it is.")
            .field("sequence", &ProgressState::sequence, "Rises with every state an operation delivers.")
            .field("percentage", &ProgressState::percentage, "0..100; it never goes back.")
            .text("message", &ProgressState::message, "The renderer's sentence.")
            .text("detail", &ProgressState::detail, "What the worker itself says of its step, or empty.")
            .field("current_step", &ProgressState::current_step, "The step in work, from 1; 0 when unknown.")
            .field("total_steps", &ProgressState::total_steps, "How many steps there are; 0 when unknown.")
            .text("step_name", &ProgressState::step_name, "The name of the step in work, or empty.")
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
                [](ProgressState& self, const py::handle& given) {
                    if (!py::isinstance<py::dict>(given)) {
                        throw py::cast_error("not a dict");
                    }
                    self.context = described(py::reinterpret_borrow<py::dict>(given));
                },
                "What the work says of itself, a fresh dict; `metrics` holds the step's figures by name.")
            .done(&begun_now, &check);
    cls.def("__repr__", [](const ProgressState& self) {
        return fmt::format("<ProgressState {:.1f} % {:?}>", self.percentage, self.message);
    });
    bind_dict_access(cls);
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
    return context ? described(*context) : boost::json::object{};
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
            [](Manager& self, Text id, std::int64_t total_steps, const std::optional<py::dict>& context) {
                return unwrap(self.start_operation(std::move(id.utf8), total_steps, object_of(context)));
            },
            py::arg("operation_id"), py::arg("total_steps"), py::arg("context"))
        .def(
            "start_step",
            [](Manager& self, Text name, std::int64_t number, std::optional<double> start, std::optional<double> end,
               std::optional<std::int64_t> items) {
                return unwrap(self.start_step({std::move(name.utf8), number, start, end, items}));
            },
            py::arg("step_name"), py::arg("step_number"), py::arg("step_percentage"), py::arg("step_end_percentage"),
            py::arg("expected_items"))
        .def(
            "update_step_progress",
            [](Manager& self, std::int64_t current, std::int64_t total, std::int64_t items, const Text& detail) {
                return unwrap(self.update_step_progress(current, total, items, detail.utf8));
            },
            py::arg("current"), py::arg("total"), py::arg("items_processed"), py::arg("detail"))
        .def(
            "update_progress",
            [](Manager& self, std::int64_t step, const std::optional<Text>& message, std::int64_t items,
               const std::optional<py::dict>& context) {
                auto words = message ? std::optional(message->utf8) : std::nullopt;
                return unwrap(self.update_progress(step, std::move(words), items, object_of(context)));
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
