#include "bind_keeping.hpp"

#include <pybind11/stl.h>

#include <ktrdr/base/text.hpp>

#include "convert.hpp"
#include "gil.hpp"

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

py::tuple verify_bars(const DataManager& self) {
    BarCheck check;
    {
        const GilReleased released;
        check = unwrap(self.verify());
    }
    py::list damage;
    for (const BarDamage& one : check.damage) {
        const bool known = one.series.has_value();
        damage.append(py::make_tuple(
            known ? shown_utf8(one.series->provider) : "", known ? shown_utf8(one.series->symbol) : "",
            known ? std::string(one.series->timeframe.name()) : "", one.chunk, shown_utf8(one.what),
            known ? shown_utf8(one.series->what_to_show) : "", known ? shown_utf8(one.series->session) : ""));
    }
    return py::make_tuple(check.series, check.chunks, check.bars, check.ledger_entries, check.versions, damage);
}

py::tuple compact_bars(DataManager& self) {
    Compacted compacted;
    {
        const GilReleased released;
        compacted = unwrap(self.compact());
    }
    return py::make_tuple(compacted.bytes_before, compacted.bytes_after, compacted.changes_freed);
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
        .def("verify", &verify_bars,
             "Counts of series, chunks, bars, ledger entries and versions, and of each damage its provider, symbol, "
             "timeframe, chunk, words, what is shown and session.")
        .def("compact", &compact_bars, "Bytes before and after, changes freed.");
}

}  // namespace ktrdr::bindings
