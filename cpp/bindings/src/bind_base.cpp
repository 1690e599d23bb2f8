// Room base: our errors become the exceptions of `ktrdr_core.errors`; what can be kept as JSON.

#include <pybind11/stl.h>

#include <ktrdr/base/errc.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/base/text.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"

namespace ktrdr::bindings {
namespace {

/// Raise the class that `ktrdr_core.errors` has for the code.
void raise(const Error& error) {
    const auto errors = py::module_::import("ktrdr_core.errors");
    // A path in the message need not be UTF-8.
    const py::object exception = errors.attr("from_record")(py::str(std::string(to_string(error.code))),
                                                            kept_text(error.message), to_python(error.context));
    PyErr_SetObject(py::type::of(exception).ptr(), exception.ptr());
}

std::vector<std::string> error_codes() {
    std::vector<std::string> codes;
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        codes.emplace_back(to_string(static_cast<Errc>(code)));
    }
    return codes;
}

}  // namespace

void bind_base(py::module_& module) {
    py::register_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) {
                std::rethrow_exception(pointer);
            }
        } catch (const ErrorException& exception) {
            raise(exception.error());
        }
    });
    module.def(
        "check_json", [](const py::object& value) { (void)from_python(value); }, py::arg("value"),
        "Raise InvalidArgumentError for what is not plain JSON.");
    module.def("error_codes", &error_codes, "Every error code of the core.");
    module.def("live_objects", &live_objects, "How many objects of each class of the core are alive.");
    module.def(
        "wait_for_live",
        [](const LiveObjects& limits, double seconds) {
            return wait_for_live(limits, std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
        },
        py::arg("limits"), py::arg("seconds"), py::call_guard<GilReleased>(),
        "Block until no class has more live objects than that; what there is too much of then.");
}

}  // namespace ktrdr::bindings
