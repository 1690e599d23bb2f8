// Room data: stored series as checks and repairs take them.

#include <pybind11/stl.h>

#include <ktrdr/data/data_manager.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "evidence.hpp"
#include "gil.hpp"

namespace ktrdr::bindings {
namespace {

using Nanos = std::int64_t;

std::tuple<BarsView, std::pair<Nanos, Nanos>, std::vector<EvidenceFacts>, Revisions> series_to_check(
    const DataManager& manager, const SeriesRequest& request, const BarGrid& grid, std::optional<std::string> start,
    std::optional<std::string> end, const std::optional<CancellationToken>& token) {
    const GilReleased released;
    SeriesToCheck found = unwrap(manager.series_to_check(
        {request.symbol, request.series, std::move(start), std::move(end)}, grid, token.value_or(CancellationToken{})));
    return {found.bars,
            {found.range.start.time_since_epoch().count(), found.range.end.time_since_epoch().count()},
            facts_of(found.evidence),
            std::move(found.revisions)};
}

void exchange_rows(const DataManager& manager, const SeriesRequest& request, const BarsView& before,
                   const BarsView& after) {
    const GilReleased released;
    unwrap(manager.exchange_rows(request, *before.own(), *after.own()));
}

BarsView rows_at(const BarsView& bars, const std::vector<std::size_t>& rows) {
    const BarsPtr own = bars.own();
    Bars chosen;
    for (const std::size_t row : rows) {
        if (row >= own->size()) {
            throw ErrorException(fail(Errc::invalid_argument, "there is no row " + std::to_string(row)));
        }
        chosen.push_back(own->time[row], own->open[row], own->high[row], own->low[row], own->close[row],
                         own->volume[row]);
    }
    return BarsView(std::make_shared<const Bars>(std::move(chosen)), bars.symbol(), bars.timeframe());
}

}  // namespace

void bind_series_check(py::module_& module) {
    module.def("series_to_check", &series_to_check, py::arg("manager"), py::arg("request"), py::arg("grid"),
               py::arg("start"), py::arg("end"), py::arg("token"),
               "Stored bars, the range in question, what its provider answered, other numbers that it gave.");
    module.def(
        "grid_of_series",
        [](const DataManager& manager, const SeriesRequest& request) {
            const GilReleased released;
            BarGrid grid = unwrap(manager.grid_of(request));
            auto calendar = std::const_pointer_cast<SessionCalendar>(grid.calendar());
            return std::pair(std::move(grid), std::move(calendar));
        },
        py::arg("manager"), py::arg("request"), "The periods of a series' bars, and the calendar that is known of it.");
    module.def(
        "own_calendar",
        [](const DataManager& manager, const std::string& name) {
            return std::const_pointer_cast<SessionCalendar>(manager.calendar(name));
        },
        py::arg("manager"), py::arg("name"), "One that the user has made or changed; None for none of that name.");
    module.def("exchange_rows", &exchange_rows, py::arg("manager"), py::arg("request"), py::arg("before"),
               py::arg("after"), "Put rows in the place of stored ones, which must be those before.");
    module.def("rows_at", &rows_at, py::arg("bars"), py::arg("rows"), "Some rows, copied.");
}

}  // namespace ktrdr::bindings
