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
#include "text.hpp"
#include "value.hpp"

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

std::shared_ptr<const Error> error_from(const py::handle& given) {
    if (given.is_none()) {
        return nullptr;
    }
    const auto fields = given.cast<py::dict>();
    const auto code = errc_from(fields["code"].cast<std::string>());
    if (!code) {
        throw py::cast_error("no such code");
    }
    return std::make_shared<const Error>(
        Error{*code, fields["message"].cast<std::string>(), object_from(fields["context"])});
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
               std::size_t limit, std::size_t offset, const std::optional<std::string>& cursor) {
    OperationQuery query;
    for (const auto& status : statuses) {
        query.statuses.push_back(status_of(status));
    }
    query.type = std::move(type);
    query.parent_id = std::move(parent_id);
    query.active_only = active_only;
    query.limit = limit;
    query.offset = offset;
    if (cursor) {
        query.cursor = unwrap(cursor_from(*cursor));
    }
    OperationPage page;
    {
        const GilReleased released;
        page = unwrap(registry().list(query));
    }
    const auto next = page.next ? std::optional(to_string(*page.next)) : std::nullopt;
    return py::make_tuple(std::move(page.records), page.total, page.active, next);
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

/// A time that need not be there.
auto time_field(std::optional<UtcTime> OperationRecord::* member) {
    return std::pair([member](const OperationRecord& self) { return or_none(self.*member); },
                     [member](OperationRecord& self, const py::handle& given) {
                         self.*member = given.is_none() ? std::nullopt : std::optional(utc_from_python(given));
                     });
}

void bind_record(py::module_& module) {
    using Record = OperationRecord;
    const auto [get_started, set_started] = time_field(&Record::started);
    const auto [get_requested, set_requested] = time_field(&Record::cancel_requested);
    const auto [get_observed, set_observed] = time_field(&Record::cancel_observed);
    const auto [get_stopped, set_stopped] = time_field(&Record::stopped);
    ValueClass<Record>(module, "OperationRecord", "an OperationRecord",
                       "What is known of an operation, as plain values. Times UTC.")
        .field("id", &Record::id, "``op_<type>_<uuid7>`` or the caller's own.")
        .field("type", &Record::type, "data_load, training, …")
        .field("name", &Record::name, "What a person calls it; may be empty.")
        .field("parent_id", &Record::parent_id, "The operation that it is cancelled with, or empty.")
        .field(
            "parameters", [](const Record& self) { return to_python(self.parameters); },
            [](Record& self, const py::handle& given) { self.parameters = object_from(given); },
            "What was asked for, plain JSON.")
        .field(
            "status", [](const Record& self) { return py::cast(std::string(to_string(self.status))); },
            [](Record& self, const py::handle& given) { self.status = status_of(given.cast<std::string>()); },
            "pending, running, cancelling, completed, failed, cancelled, timed_out, interrupted or resuming.")
        .field("attempt", &Record::attempt, "1, and one more for every resumption.")
        .field("resumable", &Record::resumable, "A run that was interrupted can go on under the same id.")
        .field("durable", &Record::durable, "False while something of it is not in the store: late, or lost.")
        .field("owner", &Record::owner, "The process that runs it, by its name in the store; empty where there is one.")
        .field(
            "created", [](const Record& self) { return to_python(self.created); },
            [](Record& self, const py::handle& given) { self.created = utc_from_python(given); }, "When it was made.")
        .field("started", get_started, set_started, "When its work began, or None.")
        .field("cancel_requested", get_requested, set_requested, "When it was asked to stop, or None.")
        .field("cancel_observed", get_observed, set_observed, "When its work saw that, or None.")
        .field("stopped", get_stopped, set_stopped, "When it ended, or None.")
        .field(
            "reason", [](const Record& self) { return self.reason ? py::cast(*self.reason) : py::object(py::none()); },
            [](Record& self, const py::handle& given) {
                self.reason =
                    given.is_none() ? nullptr : std::make_shared<const CancelReason>(given.cast<CancelReason>());
            },
            "Why it was asked to stop, or None.")
        .field(
            "progress",
            [](const Record& self) {
                return py::cast(self.progress ? std::make_shared<ProgressState>(*self.progress)
                                              : std::make_shared<ProgressState>());
            },
            [](Record& self, const py::handle& given) {
                self.progress = std::make_shared<const ProgressState>(given.cast<ProgressState>());
            },
            "The newest picture of its progress.")
        .field(
            "result", [](const Record& self) { return or_none(self.result); },
            [](Record& self, const py::handle& given) {
                self.result = given.is_none() ? std::nullopt : std::optional(from_python(given));
            },
            "The plain form of its value, parts of it in words; None where it has none.")
        .field(
            "error", &error_of, [](Record& self, const py::handle& given) { self.error = error_from(given); },
            "``code``, ``message``, ``retryable`` and ``context`` of why it failed, or None.")
        .field("warnings", &Record::warnings, "What went less than well, in words.")
        .field("last_seq", &Record::last_seq, "The newest event's number.")
        .field("damage", &Record::damage,
               "What of its row in the store cannot be read, column by column; empty for a sound one.")
        .done()
        .def_property_readonly(
            "active", [](const Record& self) { return is_active(self.status); }, "It runs or is about to.")
        .def("__repr__", [](const Record& self) {
            return fmt::format("<OperationRecord {} {} {:.0f} %>", self.id, to_string(self.status),
                               self.progress ? self.progress->percentage : 0.0);
        });
    ValueClass<OperationEvent>(module, "OperationEvent", "an OperationEvent", "One line of an operation's event log.")
        .field("seq", &OperationEvent::seq, "1, 2, 3, … within the operation, over its attempts too.")
        .field(
            "time", [](const OperationEvent& self) { return to_python(self.time); },
            [](OperationEvent& self, const py::handle& given) { self.time = utc_from_python(given); },
            "When it happened, UTC.")
        .field(
            "kind", [](const OperationEvent& self) { return py::cast(std::string(to_string(self.kind))); },
            [](OperationEvent& self, const py::handle& given) { self.kind = kind_of(given.cast<std::string>()); },
            "state, progress, metric, warning or log.")
        .field(
            "data", [](const OperationEvent& self) { return to_python(event_data(self)); },
            [](OperationEvent& self, const py::handle& given) { self.data = object_from(given); },
            "A fresh dict: of a state `status` and where there is one `reason` or `error`; the names and values of a "
            "metric; the `message` of a warning or log; a progress as its fields.")
        .done()
        .def("__repr__", [](const OperationEvent& self) {
            return fmt::format("<OperationEvent {} {}>", self.seq, to_string(self.kind));
        });
}

}  // namespace

void bind_registry(py::module_& module) {
    bind_record(module);
    module.def("list_operations", &list, py::arg("statuses"), py::arg("type"), py::arg("parent_id"),
               py::arg("active_only"), py::arg("limit"), py::arg("offset"), py::arg("cursor"),
               "Records, how many in all, how many active, and the cursor of the next page.");
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
        [](const std::string& id, Text reason) {
            const bool asked = unwrap(registry().cancel(id, {CancelCode::user, std::move(reason.utf8), "python"}));
            unwrap(Runtime::instance())->wake_tender();
            return asked;
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
