// Room operations: one operation, and the listener that puts its news into a mailbox.

#include <fmt/format.h>
#include <pybind11/chrono.h>
#include <pybind11/stl.h>

#include <algorithm>

#include <ktrdr/market/bars_view.hpp>
#include <ktrdr/operations/waiter.hpp>
#include <ktrdr/runtime/mailbox.hpp>
#include <ktrdr/runtime/runtime.hpp>

#include "bind.hpp"
#include "bind_data_face.hpp"
#include "convert.hpp"
#include "gil.hpp"
#include "handle.hpp"
#include "notify.hpp"
#include "request.hpp"
#include "text.hpp"

namespace ktrdr::bindings {
namespace {

/// The value of work done in Python: it stays with the Python side, all but what the record shows of it.
struct PythonValue {
    std::optional<boost::json::value> summary{};
};

/// The kinds of value that an operation of ours can end with.
py::object value_of(const std::any& value) {
    if (const auto* bars = std::any_cast<BarsView>(&value)) {
        return py::cast(*bars);
    }
    if (const auto* loaded = std::any_cast<LoadedMany>(&value)) {
        return to_python(*loaded);
    }
    if (const auto* object = std::any_cast<boost::json::object>(&value)) {
        return to_python(*object);
    }
    if (const auto* plain = std::any_cast<boost::json::value>(&value)) {
        return to_python(*plain);
    }
    if (const auto* python = std::any_cast<PythonValue>(&value); python != nullptr && python->summary) {
        return to_python(*python->summary);
    }
    return py::none();
}

std::shared_ptr<MailboxListener> listen(const Handle& self, std::shared_ptr<Mailbox> mailbox, std::uint64_t key,
                                        bool progress, bool events) {
    auto listener = std::make_shared<MailboxListener>(std::move(mailbox), key, progress, events);
    self->add_listener(listener);
    if (Runtime* const runtime = Runtime::existing(); (progress || events) && runtime != nullptr) {
        runtime->wake_sampler();
    }
    return listener;
}

std::optional<std::chrono::nanoseconds> limit(std::optional<double> seconds) {
    constexpr double longest = 1e9;
    if (!seconds || *seconds > longest) {
        return std::nullopt;
    }
    if (!(*seconds > 0)) {
        // As it was given: a duration has no word for what is no number.
        throw ErrorException(fail(Errc::invalid_argument,
                                  fmt::format("timeout must be positive, not {} s; leave it out for none", *seconds),
                                  {{"field", "timeout"}}));
    }
    return std::max(duration_of(*seconds), std::chrono::nanoseconds{1});
}

void set_parameters(OperationSpec& spec, const py::handle& value) {
    spec.parameters = described(value.cast<py::dict>());
}

void bind_spec(py::module_& module) {
    RequestClass<OperationSpec>(module, "OperationSpec", "What an operation is, for one whose work is done in Python.")
        .field<&OperationSpec::type>("type")
        .field<&OperationSpec::id>("id")
        .field<&OperationSpec::parent_id>("parent_id")
        .field("parameters", &set_parameters)
        .field("name", [](OperationSpec& spec, const py::handle& value) { spec.name = value.cast<Text>().utf8; })
        .field<&OperationSpec::resumable>("resumable")
        .field<&OperationSpec::resume>("resume")
        .done_by_dict();
}

/// An operation whose work is done in Python, and whether it is new.
std::pair<Handle, bool> create(const OperationSpec& spec, std::optional<double> timeout,
                               const std::optional<CancellationToken>& token, const py::dict& context) {
    auto fields = described(context);
    const GilReleased released;
    Runtime* const runtime = unwrap(Runtime::instance());
    auto created = unwrap(runtime->registry().create(spec, token.value_or(CancellationToken{}), limit(timeout)));
    if (created.created) {
        created.operation->progress().set_context(std::move(fields));
        if (created.operation->store()->durable()) {
            runtime->wake_tender();
        }
    }
    return {Handle(std::move(created.operation)), created.created};
}

/// `reply` under `key` once the store has taken the operation: its work may begin. When its id is taken elsewhere it
/// has failed instead, which its listeners hear.
void admit(const Handle& self, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    self->when_admitted(
        [mailbox = std::move(mailbox), key] { mailbox->post(reply_mail<boost::json::value>(key, true)); });
}

void succeed(const Handle& self, const py::object& result) {
    PythonValue value;
    // Of what cannot be described nothing is kept, and None is a value.
    if (auto kept = described(result, "result"); !kept.is_null() || result.is_none()) {
        value.summary = std::move(kept);
    }
    const GilReleased released;
    if (value.summary) {
        self->set_summary(*value.summary);
    }
    self->finish(std::any(std::move(value)));
}

void fail_with(const Handle& self, const std::string& code, Text message, const py::dict& context) {
    auto facts = described(context);
    const GilReleased released;
    self->finish(failed({errc_from(code).value_or(Errc::internal), std::move(message.utf8), std::move(facts)}));
}

void bind_work(py::class_<Handle>& cls) {
    cls.def_property_readonly("admitted", [](const Handle& self) { return self->is_admitted(); })
        .def("admit", &admit, py::arg("mailbox"), py::arg("key"), py::call_guard<GilReleased>(),
             "Answer under key once the work may begin.")
        .def(
            "start", [](const Handle& self) { return self->start().has_value(); }, py::call_guard<GilReleased>(),
            "The work begins; False when it was cancelled or refused before.")
        .def("succeed", &succeed, py::arg("result"), "The work is done; the record keeps the plain form of result.")
        .def(
            "end", [](const Handle& self) { self->finish(std::any(PythonValue{})); }, py::call_guard<GilReleased>(),
            "The work is done; its value is with its caller, and nothing of it is kept.")
        .def("fail", &fail_with, py::arg("code"), py::arg("message"), py::arg("context"), "The work has failed.")
        .def(
            "notify_cancel",
            [](const Handle& self, const std::shared_ptr<Mailbox>& mailbox, std::uint64_t key) {
                return notify(self->token(), mailbox, key);
            },
            py::arg("mailbox"), py::arg("key"), py::call_guard<GilReleased>(),
            "A mail under key when its token is cancelled.")
        .def(
            "add_metric", [](const Handle& self, const py::dict& metric) { self->add_metric(described(metric)); },
            py::arg("metric"))
        .def(
            "add_warning", [](const Handle& self, Text text) { self->add_warning(std::move(text.utf8)); },
            py::arg("message"), py::call_guard<GilReleased>())
        .def(
            "add_log", [](const Handle& self, Text text) { self->add_log(std::move(text.utf8)); }, py::arg("message"),
            py::call_guard<GilReleased>());
}

}  // namespace

void bind_operations(py::module_& module) {
    py::class_<MailboxListener, std::shared_ptr<MailboxListener>>(module, "Listener",
                                                                  "A registration on an operation.");
    py::class_<OperationWaiter>(module, "Waiter",
                                "Somebody for whom an operation runs, until it leaves or is let go of.")
        .def("join", &OperationWaiter::join, "Count again.")
        .def("leave", &OperationWaiter::leave, "Count no more; True for the last one that did.");
    py::class_<Handle> handle(module, "Operation", "The native side of an operation.");
    handle.def_property_readonly("id", [](const Handle& self) { return self->id(); })
        .def_property_readonly("status", [](const Handle& self) { return std::string(to_string(self->status())); })
        .def_property_readonly("done", [](const Handle& self) { return is_terminal(self->status()); })
        .def_property_readonly("token", [](const Handle& self) { return self->token(); })
        .def_property_readonly("type", [](const Handle& self) { return self->record().type; })
        .def_property_readonly("warnings", [](const Handle& self) { return self->record().warnings; })
        .def(
            "progress", [](const Handle& self) { return std::make_shared<ProgressState>(*self->record().progress); },
            py::call_guard<GilReleased>())
        .def(
            "record", [](const Handle& self) { return self->record(); }, py::call_guard<GilReleased>())
        .def(
            "cancel",
            [](const Handle& self, Text reason, const std::string& code) {
                return self->request_cancel({unwrap(cancel_code_from(code)), std::move(reason.utf8), "python"});
            },
            py::arg("reason"), py::arg("code"), py::call_guard<GilReleased>())
        .def(
            "wait",
            [](const Handle& self, double seconds) {
                return self->wait_for(std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9)));
            },
            py::arg("seconds"), py::call_guard<GilReleased>())
        .def(
            "add_waiter", [](const Handle& self) { self->add_waiter(); }, "Count one for whom it runs.")
        .def(
            "remove_waiter", [](const Handle& self) { return self->remove_waiter(); },
            "Count one less; True for the last one that leaves.")
        .def("waiter", [](const Handle& self) { return std::make_unique<OperationWaiter>(self.operation()); })
        .def("result", [](const Handle& self) { return value_of(unwrap(self->result())); })
        .def_property_readonly("first_seq", [](const Handle& self) { return self->first_seq(); })
        .def(
            "events",
            [](const Handle& self, std::uint64_t after, std::size_t limit) {
                return unwrap(OperationRegistry::events(*self.operation(), {after, limit, {}}));
            },
            py::arg("after"), py::arg("limit"), py::call_guard<GilReleased>(),
            "Events of this run after a number, oldest first.")
        .def("listen", &listen, py::arg("mailbox"), py::arg("key"), py::arg("progress"), py::arg("events") = false,
             py::call_guard<GilReleased>())
        .def(
            "unlisten",
            [](const Handle& self, const std::shared_ptr<MailboxListener>& listener) {
                self->remove_listener(listener.get());
            },
            py::arg("listener"), py::call_guard<GilReleased>());
    bind_work(handle);
    bind_spec(module);
    module.def("create_operation", &create, py::arg("spec"), py::arg("timeout") = py::none(),
               py::arg("token") = py::none(), py::arg("context") = py::dict(),
               "An operation whose work is done in Python; and whether it is new.");
}

}  // namespace ktrdr::bindings
