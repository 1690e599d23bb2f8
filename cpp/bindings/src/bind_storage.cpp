// Room storage: a file that keeps operations.

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <map>
#include <tuple>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/runtime/runtime.hpp>
#include <ktrdr/storage/storage.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"

namespace ktrdr::bindings {
namespace {

/// The file's operations are known to this process as long as the object lives.
std::shared_ptr<Storage> open_storage(const std::filesystem::path& file, bool by_default,
                                      std::map<std::string, std::string> env) {
    // Not a guard of the constructor: that also tells pybind11's table of instances, which the lock keeps.
    const GilReleased released;
    Runtime* const runtime = unwrap(Runtime::instance());
    auto storage = unwrap(runtime->open_storage(file, unwrap(file_access(Env(std::move(env))))));
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
    unwrap(Runtime::instance())->wake_tender();
}

std::tuple<std::size_t, std::size_t, std::vector<std::tuple<std::string, std::uint64_t, std::string>>> verify(
    const Storage& self) {
    const GilReleased released;
    StoreCheck check = unwrap(self.operations()->verify());
    std::vector<std::tuple<std::string, std::uint64_t, std::string>> damage;
    for (StoreDamage& one : check.damage) {
        damage.emplace_back(std::move(one.operation_id), one.seq, shown_utf8(one.what));
    }
    return {check.operations, check.events, std::move(damage)};
}

}  // namespace

void bind_storage(py::module_& module) {
    py::class_<Storage, std::shared_ptr<Storage>>(module, "Storage", "The SQLite file of a data directory.")
        .def(py::init(&open_storage), py::arg("file"), py::arg("by_default"), py::arg("env"))
        .def("forget", &forget, py::arg("max_count"), py::arg("max_age_seconds"), py::arg("max_bytes"), py::arg("type"),
             py::call_guard<GilReleased>(), "Forget finished operations; how many.")
        .def("keep", &keep, py::arg("max_count"), py::arg("max_age_seconds"), py::arg("max_bytes"),
             py::call_guard<GilReleased>(), "What is kept from now on.")
        .def("verify", &verify, "Counts of operations and events, and of each damage its operation, event and words.");
}

}  // namespace ktrdr::bindings
