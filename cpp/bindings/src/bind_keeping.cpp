#include "bind_keeping.hpp"

#include <pybind11/stl.h>

#include <ktrdr/runtime/runtime.hpp>

#include "convert.hpp"
#include "gil.hpp"
#include "handle.hpp"

namespace ktrdr::bindings {
namespace {

py::tuple fields_of(const SeriesChange& change) {
    return py::make_tuple(to_python(change.range.start), to_python(change.range.end), to_string(change.cause),
                          to_python(change.changed_at), change.added, change.revised, change.removed);
}

py::tuple undo_change(DataManager& self, const SeriesRequest& request) {
    SeriesChange change;
    {
        const GilReleased released;
        change = unwrap(self.undo(request));
    }
    return fields_of(change);
}

py::list changes_of(const DataManager& self, const SeriesRequest& request) {
    std::vector<SeriesChange> kept;
    {
        const GilReleased released;
        kept = unwrap(self.changes(request));
    }
    py::list all;
    for (const SeriesChange& change : kept) {
        all.append(fields_of(change));
    }
    return all;
}

template <auto start>
Handle started(DataManager& self, std::string parent_id, const std::optional<CancellationToken>& token) {
    Handle handle(unwrap((self.*start)(std::move(parent_id), token.value_or(CancellationToken{}))));
    unwrap(Runtime::instance())->wake_tender();
    return handle;
}

}  // namespace

void bind_keeping(DataManagerClass& manager) {
    manager
        .def("undo", &undo_change, py::arg("request"),
             "Start, end, cause and time of the change that was undone, bars added, revised and removed by it.")
        .def("changes", &changes_of, py::arg("request"), "The same of each that can be undone.")
        .def(
            "forget", [](DataManager& self, const LoadRequest& request) { return unwrap(self.forget(request)); },
            py::arg("request"), py::call_guard<GilReleased>(), "How many bars were dropped.")
        .def("verify", &started<&DataManager::verify>, py::arg("parent_id"), py::arg("token"),
             py::call_guard<GilReleased>())
        .def("compact", &started<&DataManager::compact>, py::arg("parent_id"), py::arg("token"),
             py::call_guard<GilReleased>());
}

}  // namespace ktrdr::bindings
