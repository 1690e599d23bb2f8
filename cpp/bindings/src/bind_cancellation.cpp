// Room cancellation: the token, with a plain descriptor for the question that is asked most, and the system.

#include <fmt/format.h>
#include <pybind11/stl.h>

#include <algorithm>

#include <ktrdr/cancellation/system.hpp>
#include <ktrdr/runtime/mailbox.hpp>
#include <ktrdr/runtime/runtime.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"
#include "notify.hpp"
#include "text.hpp"
#include "value.hpp"

namespace ktrdr::bindings {
namespace {

std::optional<std::chrono::nanoseconds> seconds(std::optional<double> value) {
    if (!value) {
        return std::nullopt;
    }
    if (!(*value > 0) || *value > 1e9) {
        throw ErrorException(fail(Errc::invalid_argument,
                                  fmt::format("timeout must be a positive number of seconds, not {}", *value),
                                  {{"field", "timeout"}}));
    }
    return std::max(duration_of(*value), std::chrono::nanoseconds{1});
}

CancelReason reason_of(Text text, const std::string& code) {
    return {unwrap(cancel_code_from(code)), std::move(text.utf8), "python"};
}

/// Work asks in its innermost loop: a plain method descriptor costs a fraction of a bound function's dispatch
/// (docs/decisions/0005).
PyObject* poll(PyObject* self, PyObject*) {
    auto* const instance = reinterpret_cast<py::detail::instance*>(self);
    const auto* const token = static_cast<const CancellationToken*>(instance->get_value_and_holder().value_ptr());
    if (token == nullptr) {
        PyErr_SetString(PyExc_TypeError, "this CancellationToken was not initialised: call super().__init__()");
        return nullptr;
    }
    return PyBool_FromLong(token->is_cancelled() ? 1 : 0);
}

void add_poll(const py::object& type) {
    static PyMethodDef definition{"is_cancelled", &poll, METH_NOARGS,
                                  "is_cancelled($self, /)\n--\n\nTrue once cancelled."};
    auto* const cls = reinterpret_cast<PyTypeObject*>(type.ptr());
    const auto method = py::reinterpret_steal<py::object>(PyDescr_NewMethod(cls, &definition));
    if (!method) {
        throw py::error_already_set();
    }
    type.attr("is_cancelled") = method;
}

CancellationSystem& tokens() {
    return unwrap(Runtime::instance())->registry().tokens();
}

}  // namespace

CancelRegistration notify(const CancellationToken& token, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    return token.on_cancel([mailbox = std::move(mailbox), key](const CancelReason& reason) {
        boost::json::value answer = {
            {"code", to_string(reason.code)}, {"text", reason.text}, {"origin", reason.origin}};
        mailbox->post(reply_mail<boost::json::value>(key, std::move(answer)));
    });
}

void bind_cancellation(py::module_& module) {
    ValueClass<CancelReason>(module, "CancelReason", "a CancelReason", "Why work was asked to stop.")
        .field(
            "code", [](const CancelReason& self) { return py::cast(std::string(to_string(self.code))); },
            [](CancelReason& self, const py::handle& given) {
                self.code = unwrap(cancel_code_from(given.cast<std::string>()));
            },
            "user, timeout, shutdown, parent or error.")
        .text("text", &CancelReason::text, "Free text for a person; may be empty.")
        .text("origin", &CancelReason::origin, "Who asked: python, cli, deadline, an operation's id.")
        .done()
        .def("__repr__", [](const CancelReason& self) {
            return fmt::format("<CancelReason {} {:?} from {:?}>", to_string(self.code), self.text, self.origin);
        });

    py::class_<CancelRegistration>(module, "CancelRegistration", "Keeps a callback registered.")
        .def("close", &CancelRegistration::reset, py::call_guard<GilReleased>(),
             "Forget the callback; it does not run any more.");

    py::class_<CancellationToken> token(module, "CancellationToken", "Asks work to stop; copies mean the same token.");
    token.def(py::init([] { return unwrap(Runtime::instance())->make_token(); }))
        .def(py::init<const CancellationToken&>(), py::arg("same_as"))
        .def(
            "cancel",
            [](const CancellationToken& self, Text reason, const std::string& code) {
                return self.cancel(reason_of(std::move(reason), code));
            },
            py::arg("reason") = "", py::kw_only(), py::arg("code") = "user", py::call_guard<GilReleased>(),
            "Cancel; True for the call that did it, False for later ones.")
        .def_property_readonly("reason", &CancellationToken::reason, "Why, or None.")
        .def(
            "child",
            [](const CancellationToken& self, std::optional<double> timeout) { return self.child(seconds(timeout)); },
            py::arg("timeout") = py::none(), "A token cancelled with this one, or after timeout seconds.")
        .def(
            "check", [](const CancellationToken& self, const Text& context) { unwrap(self.check(context.utf8)); },
            py::arg("context") = "", "Raise OperationCancelledError (or OperationTimeoutError) once cancelled.")
        .def("_notify", &notify, py::arg("mailbox"), py::arg("key"), py::call_guard<GilReleased>(),
             "A mail under key when cancelled.")
        .def("__eq__", [](const CancellationToken& self, const CancellationToken& other) { return self == other; })
        .def("__eq__", [](const CancellationToken&, const py::object&) { return false; })
        .def("__repr__", [](const CancellationToken& self) {
            const auto reason = self.reason();
            return reason ? fmt::format("<CancellationToken cancelled: {} {:?}>", to_string(reason->code), reason->text)
                          : std::string("<CancellationToken>");
        });
    add_poll(token);

    module.def(
        "cancel_token",
        [](const std::string& id, Text reason, const std::string& code) {
            return tokens().cancel(id, reason_of(std::move(reason), code));
        },
        py::arg("id"), py::arg("reason"), py::arg("code"), py::call_guard<GilReleased>(),
        "Cancel what has this id in this process; True for the call that did it.");
    module.def(
        "cancel_all_tokens",
        [](Text reason, const std::string& code) { return tokens().cancel_all(reason_of(std::move(reason), code)); },
        py::arg("reason"), py::arg("code"), py::call_guard<GilReleased>(), "Cancel all; how many.");
    module.def("active_tokens", [] { return tokens().active(); }, "Ids of tokens that are not cancelled.");
    module.def(
        "find_token", [](const std::string& id) { return tokens().find(id); }, py::arg("id"), "The token, or None.");
}

}  // namespace ktrdr::bindings
