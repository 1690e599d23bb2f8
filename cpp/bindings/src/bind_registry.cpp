// Room operations: the registry; records and events of all operations, looked up, cancelled, tried again.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <ktrdr/operations/event_kind.hpp>
#include <ktrdr/runtime/runtime.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"
#include "handle.hpp"

namespace ktrdr::bindings {
namespace {

OperationRegistry& registry() {
    return unwrap(Runtime::instance())->registry();
}

template <class T>
py::object or_none(const std::optional<T>& value) {
    return value ? py::object(to_python(*value)) : py::none();
}

py::object error_of(const OperationRecord& record) {
    if (!record.error) {
        return py::none();
    }
    py::dict error;
    error["code"] = std::string(to_string(record.error->code));
    error["message"] = record.error->message;
    error["retryable"] = is_retryable(record.error->code);
    error["context"] = to_python(record.error->context);
    return error;
}

OperationStatus status_of(const std::string& text) {
    const auto status = status_from(text);
    if (!status) {
        throw ErrorException(fail(Errc::invalid_argument,
                                  fmt::format("status {:?} is not known: use pending, running, cancelling, completed, "
                                              "failed, cancelled, timed_out, interrupted or resuming",
                                              text),
                                  {{"field", "status"}, {"value", text}}));
    }
    return *status;
}

OperationEventKind kind_of(const std::string& text) {
    const auto kind = event_kind_from(text);
    if (!kind) {
        throw ErrorException(
            fail(Errc::invalid_argument,
                 fmt::format("kind {:?} is not known: use one of {}", text, fmt::join(event_kind_names(), ", ")),
                 {{"field", "kind"}, {"value", text}}));
    }
    return *kind;
}

py::tuple list(const std::vector<std::string>& statuses, std::string type, std::string parent_id, bool active_only,
               std::size_t limit, std::size_t offset) {
    OperationQuery query;
    for (const auto& status : statuses) {
        query.statuses.push_back(status_of(status));
    }
    query.type = std::move(type);
    query.parent_id = std::move(parent_id);
    query.active_only = active_only;
    query.limit = limit;
    query.offset = offset;
    OperationPage page;
    {
        const GilReleased released;
        page = unwrap(registry().list(query));
    }
    return py::make_tuple(std::move(page.records), page.total, page.active);
}

std::vector<OperationEvent> events(const std::string& id, std::uint64_t after, std::size_t limit,
                                   const std::optional<std::string>& kind) {
    EventQuery query{after, limit, {}};
    if (kind) {
        query.kind = kind_of(*kind);
    }
    const GilReleased released;
    return unwrap(registry().events(id, query));
}

std::optional<Handle> find(const std::string& id) {
    auto operation = registry().find(id);
    return operation ? std::optional<Handle>(std::in_place, std::move(operation)) : std::nullopt;
}

std::optional<Handle> handle_of(const std::string& id) {
    auto operation = unwrap(registry().handle(id));
    return operation ? std::optional<Handle>(std::in_place, std::move(operation)) : std::nullopt;
}

void bind_record(py::module_& module) {
    py::class_<OperationRecord>(module, "OperationRecord", "What is known of an operation, as plain values.")
        .def_readonly("id", &OperationRecord::id)
        .def_readonly("type", &OperationRecord::type)
        .def_readonly("name", &OperationRecord::name)
        .def_readonly("parent_id", &OperationRecord::parent_id)
        .def_property_readonly("parameters", [](const OperationRecord& self) { return to_python(self.parameters); })
        .def_property_readonly("status",
                               [](const OperationRecord& self) { return std::string(to_string(self.status)); })
        .def_property_readonly("active", [](const OperationRecord& self) { return is_active(self.status); })
        .def_readonly("attempt", &OperationRecord::attempt)
        .def_readonly("resumable", &OperationRecord::resumable)
        .def_readonly("durable", &OperationRecord::durable)
        .def_readonly("owner", &OperationRecord::owner)
        .def_property_readonly("created", [](const OperationRecord& self) { return to_python(self.created); })
        .def_property_readonly("started", [](const OperationRecord& self) { return or_none(self.started); })
        .def_property_readonly("cancel_requested",
                               [](const OperationRecord& self) { return or_none(self.cancel_requested); })
        .def_property_readonly("cancel_observed",
                               [](const OperationRecord& self) { return or_none(self.cancel_observed); })
        .def_property_readonly("stopped", [](const OperationRecord& self) { return or_none(self.stopped); })
        .def_property_readonly(
            "reason",
            [](const OperationRecord& self) { return self.reason ? std::optional(*self.reason) : std::nullopt; })
        .def_property_readonly(
            "progress", [](const OperationRecord& self) { return std::make_shared<ProgressState>(*self.progress); })
        .def_property_readonly("result", [](const OperationRecord& self) { return or_none(self.result); })
        .def_property_readonly("error", &error_of)
        .def_readonly("warnings", &OperationRecord::warnings)
        .def_readonly("last_seq", &OperationRecord::last_seq)
        .def("__repr__", [](const OperationRecord& self) {
            return fmt::format("<OperationRecord {} {} {:.0f} %>", self.id, to_string(self.status),
                               self.progress->percentage);
        });
    py::class_<OperationEvent>(module, "OperationEvent", "One line of an operation's event log.")
        .def_readonly("seq", &OperationEvent::seq)
        .def_property_readonly("time", [](const OperationEvent& self) { return to_python(self.time); })
        .def_property_readonly("kind", [](const OperationEvent& self) { return std::string(to_string(self.kind)); })
        .def_property_readonly("data", [](const OperationEvent& self) { return to_python(event_data(self)); })
        .def("__repr__", [](const OperationEvent& self) {
            return fmt::format("<OperationEvent {} {}>", self.seq, to_string(self.kind));
        });
}

}  // namespace

void bind_registry(py::module_& module) {
    bind_record(module);
    module.def("list_operations", &list, py::arg("statuses"), py::arg("type"), py::arg("parent_id"),
               py::arg("active_only"), py::arg("limit"), py::arg("offset"),
               "Records, how many in all, how many active.");
    module.def("operation_events", &events, py::arg("id"), py::arg("after"), py::arg("limit"), py::arg("kind"),
               "Events after a number, oldest first.");
    module.def(
        "operation_record", [](const std::string& id) { return unwrap(registry().record(id)); }, py::arg("id"),
        py::call_guard<GilReleased>(), "What is known of an operation.");
    module.def("find_operation", &find, py::arg("id"), "One of this process that is alive or held, or None.");
    module.def("operation_handle", &handle_of, py::arg("id"), py::call_guard<GilReleased>(),
               "One of this process, or one that has ended; None for one that runs elsewhere.");
    module.def(
        "cancel_operation",
        [](const std::string& id, std::string reason) {
            return unwrap(registry().cancel(id, {CancelCode::user, std::move(reason), "python"}));
        },
        py::arg("id"), py::arg("reason"), py::call_guard<GilReleased>(),
        "Cancel one of this or of another process; False when that was asked for before.");
    module.def(
        "check_retry", [](const std::string& id) { return unwrap(registry().check_retry(id)); }, py::arg("id"),
        py::call_guard<GilReleased>(), "The record of one that can be made again.");
    module.def(
        "check_resume", [](const std::string& id) { return unwrap(registry().check_resume(id)); }, py::arg("id"),
        py::call_guard<GilReleased>(), "The record of one that can go on.");
    module.def(
        "retry_operation", [](const std::string& id) { return Handle(unwrap(registry().retry(id))); }, py::arg("id"),
        py::call_guard<GilReleased>(), "The same request once more, for a kind registered in the core.");
    module.def(
        "resume_operation", [](const std::string& id) { return Handle(unwrap(registry().resume(id))); }, py::arg("id"),
        py::call_guard<GilReleased>(), "An interrupted one goes on, for a kind registered in the core.");
}

}  // namespace ktrdr::bindings
