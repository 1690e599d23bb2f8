#include <fmt/format.h>
#include <pybind11/chrono.h>
#include <pybind11/stl.h>

#include <ktrdr/market/bars.hpp>
#include <ktrdr/operations/operation.hpp>
#include <ktrdr/runtime/mailbox.hpp>
#include <ktrdr/runtime/runtime.hpp>

#include "bind.hpp"
#include "convert.hpp"

namespace ktrdr::bindings {
namespace {

/// The kinds of value that an operation of ours can end with.
py::object value_of(const std::any& value) {
    if (const auto* bars = std::any_cast<BarsPtr>(&value)) {
        return py::cast(std::const_pointer_cast<Bars>(*bars));
    }
    if (const auto* object = std::any_cast<boost::json::object>(&value)) {
        return to_python(*object);
    }
    return py::none();
}

std::shared_ptr<MailboxListener> listen(const std::shared_ptr<Operation>& operation, std::shared_ptr<Mailbox> mailbox,
                                        std::uint64_t key, bool progress) {
    auto listener = std::make_shared<MailboxListener>(std::move(mailbox), key, progress);
    operation->add_listener(listener);
    if (Runtime* const runtime = Runtime::existing(); progress && runtime != nullptr) {
        runtime->wake_sampler();
    }
    return listener;
}

}  // namespace

void bind_operations(py::module_& module) {
    py::class_<MailboxListener, std::shared_ptr<MailboxListener>>(module, "Listener",
                                                                  "A registration on an operation.");
    py::class_<Operation, std::shared_ptr<Operation>>(module, "Operation", "The native side of an operation.")
        .def_property_readonly("id", &Operation::id)
        .def_property_readonly("status", [](const Operation& self) { return std::string(to_string(self.status())); })
        .def_property_readonly("done", [](const Operation& self) { return is_terminal(self.status()); })
        .def_property_readonly("type", [](Operation& self) { return self.record().type; })
        .def_property_readonly("warnings", [](Operation& self) { return self.record().warnings; })
        .def(
            "progress", [](Operation& self) { return self.record().progress; },
            py::call_guard<py::gil_scoped_release>())
        .def(
            "cancel",
            [](Operation& self, std::string reason) {
                return self.request_cancel({CancelCode::user, std::move(reason), "python"});
            },
            py::arg("reason"), py::call_guard<py::gil_scoped_release>())
        .def(
            "wait",
            [](Operation& self, double seconds) {
                return self.wait_for(std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9)));
            },
            py::arg("seconds"), py::call_guard<py::gil_scoped_release>())
        .def("result", [](const Operation& self) { return value_of(unwrap(self.result())); })
        .def("listen", &listen, py::arg("mailbox"), py::arg("key"), py::arg("progress"),
             py::call_guard<py::gil_scoped_release>())
        .def(
            "unlisten",
            [](Operation& self, const std::shared_ptr<MailboxListener>& listener) {
                self.remove_listener(listener.get());
            },
            py::arg("listener"), py::call_guard<py::gil_scoped_release>());
}

}  // namespace ktrdr::bindings
