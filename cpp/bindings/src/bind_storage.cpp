// Room storage: a file that keeps operations.

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/runtime/runtime.hpp>
#include <ktrdr/storage/storage.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"

namespace ktrdr::bindings {
namespace {

/// The file's operations are known to this process as long as the object lives.
std::shared_ptr<Storage> open(const std::filesystem::path& file, bool by_default) {
    Runtime* const runtime = unwrap(Runtime::instance());
    auto storage = unwrap(runtime->open_storage(file));
    if (by_default) {
        runtime->registry().set_default_store(storage->operations());
    }
    return storage;
}

Retention retention_of(std::size_t max_count, double max_age_seconds, std::size_t max_bytes) {
    constexpr double hour = 3600;
    Retention retention;
    retention.max_count = max_count;
    retention.max_age = std::chrono::hours(static_cast<std::int64_t>(max_age_seconds / hour));
    retention.max_bytes = max_bytes;
    return retention;
}

std::size_t forget(const Storage& self, std::size_t max_count, double max_age_seconds, std::size_t max_bytes,
                   const std::string& type) {
    return unwrap(self.operations()->forget(retention_of(max_count, max_age_seconds, max_bytes), type));
}

void keep(const Storage& self, std::size_t max_count, double max_age_seconds, std::size_t max_bytes) {
    unwrap(self.operations()->set_retention(retention_of(max_count, max_age_seconds, max_bytes)));
}

}  // namespace

void bind_storage(py::module_& module) {
    py::class_<Storage, std::shared_ptr<Storage>>(module, "Storage", "The SQLite file of a data directory.")
        .def(py::init(&open), py::arg("file"), py::arg("by_default"), py::call_guard<GilReleased>())
        .def("forget", &forget, py::arg("max_count"), py::arg("max_age_seconds"), py::arg("max_bytes"), py::arg("type"),
             py::call_guard<GilReleased>(), "Forget finished operations; how many.")
        .def("keep", &keep, py::arg("max_count"), py::arg("max_age_seconds"), py::arg("max_bytes"),
             py::call_guard<GilReleased>(), "What is kept from now on.");
}

}  // namespace ktrdr::bindings
