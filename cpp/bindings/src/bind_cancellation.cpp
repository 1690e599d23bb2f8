#include <fmt/format.h>
#include <pybind11/stl.h>

#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/runtime/runtime.hpp>

#include "bind.hpp"
#include "convert.hpp"

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
    return std::chrono::nanoseconds(static_cast<std::int64_t>(*value * 1e9));
}

}  // namespace

void bind_cancellation(py::module_& module) {
    py::class_<CancelReason>(module, "CancelReason", "Why work was asked to stop.")
        .def_property_readonly("code", [](const CancelReason& self) { return std::string(to_string(self.code)); })
        .def_readonly("text", &CancelReason::text)
        .def_readonly("origin", &CancelReason::origin)
        .def("__repr__", [](const CancelReason& self) {
            return fmt::format("<CancelReason {} {:?} from {:?}>", to_string(self.code), self.text, self.origin);
        });

    py::class_<CancellationToken>(module, "CancellationToken", "Asks work to stop; copies mean the same token.")
        .def(py::init([] { return unwrap(Runtime::instance())->make_token(); }))
        .def(
            "cancel",
            [](const CancellationToken& self, std::string reason) {
                return self.cancel({CancelCode::user, std::move(reason), "python"});
            },
            py::arg("reason") = "", py::call_guard<py::gil_scoped_release>(),
            "Cancel; True for the call that did it, False for later ones.")
        .def("is_cancelled", &CancellationToken::is_cancelled, "True once cancelled.")
        .def_property_readonly("reason", &CancellationToken::reason, "Why, or None.")
        .def(
            "child",
            [](const CancellationToken& self, std::optional<double> timeout) { return self.child(seconds(timeout)); },
            py::arg("timeout") = py::none(), "A token cancelled with this one, or after timeout seconds.")
        .def(
            "check", [](const CancellationToken& self, const std::string& context) { unwrap(self.check(context)); },
            py::arg("context") = "", "Raise OperationCancelledError (or OperationTimeoutError) once cancelled.")
        .def("__repr__", [](const CancellationToken& self) {
            const auto reason = self.reason();
            return reason ? fmt::format("<CancellationToken cancelled: {} {:?}>", to_string(reason->code), reason->text)
                          : std::string("<CancellationToken>");
        });
}

}  // namespace ktrdr::bindings
