// Room data: loads as jobs, that wait, run, and go on after a crash.

#include "bind_data_jobs.hpp"

#include <pybind11/stl.h>

#include <ktrdr/runtime/runtime.hpp>

#include "convert.hpp"
#include "gil.hpp"
#include "handle.hpp"

namespace ktrdr::bindings {
namespace {

Handle handle_of(std::shared_ptr<Operation> operation) {
    Handle handle(std::move(operation));
    unwrap(Runtime::instance())->wake_tender();
    return handle;
}

py::tuple resume_loads(DataManager& self) {
    ResumedLoads resumed;
    {
        const GilReleased released;
        resumed = unwrap(self.resume_loads());
    }
    py::list operations;
    for (auto& operation : resumed.operations) {
        operations.append(handle_of(std::move(operation)));
    }
    py::list refused;
    for (const auto& [id, error] : resumed.refused) {
        refused.append(py::make_tuple(id, to_string(error.code), error.message, to_python(error.context)));
    }
    return py::make_tuple(operations, refused);
}

}  // namespace

void bind_data_jobs(DataManagerClass& manager) {
    manager
        .def(
            "create_load",
            [](DataManager& self, const LoadRequest& request, const std::optional<CancellationToken>& token) {
                return unwrap(self.create_load(request, token.value_or(CancellationToken{})));
            },
            py::arg("request"), py::arg("token"), py::call_guard<GilReleased>(), "Its id.")
        .def(
            "start_job",
            [](DataManager& self, const std::string& id) { return handle_of(unwrap(self.jobs().start_job(id))); },
            py::arg("id"), py::call_guard<GilReleased>())
        .def(
            "job_status",
            [](DataManager& self, const std::string& id) { return unwrap(self.jobs().get_job_status(id)); },
            py::arg("id"), py::call_guard<GilReleased>())
        .def(
            "list_jobs", [](DataManager& self) { return self.jobs().list_jobs(); }, py::call_guard<GilReleased>())
        .def(
            "cancel_job",
            [](DataManager& self, const std::string& id, std::string reason) {
                return unwrap(self.jobs().cancel_job(id, {.text = std::move(reason), .origin = "python"}));
            },
            py::arg("id"), py::arg("reason"), py::call_guard<GilReleased>())
        .def("resume_loads", &resume_loads,
             "Operations that go on, and id, code, message and context of each that was refused.");
}

}  // namespace ktrdr::bindings
