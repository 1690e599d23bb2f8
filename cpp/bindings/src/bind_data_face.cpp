// Room data: what a manager does with bars that are stored.

#include "bind_data_face.hpp"

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <map>

#include <ktrdr/base/env.hpp>
#include <ktrdr/data/check_import.hpp>
#include <ktrdr/runtime/runtime.hpp>

#include "convert.hpp"
#include "gil.hpp"
#include "handle.hpp"
#include "request.hpp"
#include "series_fields.hpp"

namespace ktrdr::bindings {
namespace {

using Token = std::optional<CancellationToken>;

void bind_requests(py::module_& module) {
    RequestClass<ExportRequest> exported(module, "ExportRequest", "Which stored bars are to be written where.");
    exported.field<&ExportRequest::symbol>("symbol")
        .field<&ExportRequest::timeframe>("timeframe")
        .field<&ExportRequest::start_date>("start_date")
        .field<&ExportRequest::end_date>("end_date")
        .field<&ExportRequest::path>("path")
        .field<&ExportRequest::overwrite>("overwrite")
        .field<&ExportRequest::parent_id>("parent_id");
    add_series_fields(exported);
    exported.done();
    RequestClass<ImportFolderRequest>(module, "ImportFolderRequest", "A folder of CSV files that somebody brings.")
        .field<&ImportFolderRequest::folder>("folder")
        .field<&ImportFolderRequest::timeframe>("timeframe")
        .field<&ImportFolderRequest::parent_id>("parent_id")
        .done();
    RequestClass<ResampleRequest> resample(module, "ResampleRequest", "Which stored bars longer ones are made of.");
    resample.field<&ResampleRequest::symbol>("symbol")
        .field<&ResampleRequest::from>("from_timeframe")
        .field<&ResampleRequest::to>("to_timeframe")
        .field<&ResampleRequest::start_date>("start_date")
        .field<&ResampleRequest::end_date>("end_date")
        .field("calendar",
               [](ResampleRequest& request, const py::handle& value) {
                   request.calendar = value.cast<std::shared_ptr<SessionCalendar>>();
               })
        .field("asset_class", [](ResampleRequest& request,
                                 const py::handle& value) { request.grid.asset_class = value.cast<std::string>(); })
        .field("cut",
               [](ResampleRequest& request, const py::handle& value) {
                   request.grid.cut = unwrap(parse_bar_cut(value.cast<std::string>()));
               })
        .field<&ResampleRequest::store>("store")
        .field<&ResampleRequest::parent_id>("parent_id");
    add_series_fields(resample);
    resample.done();
    RequestClass<LoadManyRequest> many(module, "LoadManyRequest", "A watch list.");
    many.field<&LoadManyRequest::symbols>("symbols")
        .field<&LoadManyRequest::timeframes>("timeframes")
        .field<&LoadManyRequest::start_date>("start_date")
        .field<&LoadManyRequest::end_date>("end_date")
        .field<&LoadManyRequest::mode>("mode")
        .field<&LoadManyRequest::at_once>("at_once")
        .field<&LoadManyRequest::priority>("priority")
        .field<&LoadManyRequest::parent_id>("parent_id");
    add_series_fields(many);
    add_check_fields(many);
    many.done();
}

void bind_new_file(py::module_& module) {
    py::class_<NewFile>(module, "NewFile", "A file that nobody sees before it is whole.")
        .def_static(
            "open",
            [](std::filesystem::path path, bool overwrite, std::map<std::string, std::string> env) {
                return unwrap(NewFile::open({std::move(path), overwrite}, system_clock(),
                                            unwrap(file_access(Env(std::move(env))))));
            },
            py::arg("path"), py::arg("overwrite"), py::arg("env"), py::call_guard<GilReleased>(),
            "Begin it; refused where the path holds what is no plain file.")
        .def_property_readonly("hidden", &NewFile::hidden)
        .def_property_readonly("path", &NewFile::path)
        .def(
            "commit",
            [](NewFile& self, const Token& token) {
                unwrap(self.commit([&token] { return token ? token->check("writing a file") : Result<void>{}; }));
            },
            py::arg("token"), py::call_guard<GilReleased>(), "Give it its name, unless the token is cancelled by then.")
        .def("discard", &NewFile::discard, py::call_guard<GilReleased>(), "It goes now, unless it was committed.");
}

template <auto start, class Request>
Handle started(DataManager& self, const Request& request, const Token& token) {
    Handle handle(unwrap((self.*start)(request, token.value_or(CancellationToken{}))));
    unwrap(Runtime::instance())->wake_tender();
    return handle;
}

py::tuple summary(DataManager& self, const SeriesRequest& request) {
    const SeriesSummary known = [&] {
        const GilReleased released;
        return unwrap(self.get_summary(request));
    }();
    py::list ranges;
    for (const TimeRange& range : known.known) {
        ranges.append(py::make_tuple(to_python(range.start), to_python(range.end)));
    }
    const StoredSeries& series = known.series;
    return py::make_tuple(series.key.provider, series.key.symbol, series.key.timeframe.name(), series.bars,
                          to_python(series.first), to_python(series.last), known.lowest, known.highest,
                          known.last_close, known.volume, known.without_volume, ranges, series.key.what_to_show,
                          series.key.session, series.key.asset_class, series.key.exchange, series.key.currency);
}

std::size_t delete_series(DataManager& self, const std::string& provider, const SeriesRequest& request) {
    return unwrap(self.delete_series(unwrap(self.stored_key(provider, request)))).bars;
}

/// Of a file, or of a folder.
template <auto check, class Request>
void refuse_import(const Request& request, const Token& token) {
    unwrap(check(request, unwrap(Runtime::instance())->data_services().clock.utc_now(),
                 token.value_or(CancellationToken{})));
}

}  // namespace

py::list to_python(const LoadedMany& loaded) {
    py::list all;
    for (const LoadedOne& one : loaded) {
        const py::object bars = one.bars ? py::cast(*one.bars) : py::object(py::none());
        const py::object error = one.bars ? py::object(py::none())
                                          : py::make_tuple(to_string(one.bars.error().code), one.bars.error().message,
                                                           to_python(one.bars.error().context));
        all.append(py::make_tuple(one.symbol, one.timeframe, one.operation_id, bars, error));
    }
    return all;
}

void bind_data_face(py::module_& module, DataManagerClass& manager) {
    bind_requests(module);
    bind_new_file(module);
    module.def("check_import", &refuse_import<check_import, ImportRequest>, py::arg("request"), py::arg("token"),
               py::call_guard<GilReleased>(), "Refuse what an import would refuse of the file; nothing is made.");
    module.def("check_import_folder", &refuse_import<check_import_folder, ImportFolderRequest>, py::arg("request"),
               py::arg("token"), py::call_guard<GilReleased>(),
               "Refuse a folder of which an import would store nothing; nothing is made.");
    manager
        .def("export_csv", &started<&DataManager::export_csv, ExportRequest>, py::arg("request"), py::arg("token"),
             py::call_guard<GilReleased>())
        .def(
            "place_of_export",
            [](const DataManager& self, const ExportRequest& request, const std::string& extension) {
                return unwrap(self.place_of_export(request, extension)).path;
            },
            py::arg("request"), py::arg("extension"), "Where an export's file is to be; refused where it cannot.")
        .def(
            "new_file",
            [](const DataManager& self, std::filesystem::path path, bool overwrite) {
                return unwrap(self.new_file({std::move(path), overwrite}));
            },
            py::arg("path"), py::arg("overwrite"), py::call_guard<GilReleased>())
        .def("import_folder", &started<&DataManager::import_folder, ImportFolderRequest>, py::arg("request"),
             py::arg("token"), py::call_guard<GilReleased>())
        .def("resample", &started<&DataManager::resample, ResampleRequest>, py::arg("request"), py::arg("token"),
             py::call_guard<GilReleased>())
        .def("load_many", &started<&DataManager::load_many, LoadManyRequest>, py::arg("request"), py::arg("token"),
             py::call_guard<GilReleased>())
        .def(
            "get_data",
            [](DataManager& self, const LoadRequest& request, std::optional<std::size_t> limit, const Token& token) {
                return unwrap(self.get_data(request, limit, token.value_or(CancellationToken{})));
            },
            py::arg("request"), py::arg("limit"), py::arg("token"), py::call_guard<GilReleased>())
        .def("get_summary", &summary, py::arg("request"),
             "Provider, symbol, timeframe, bars, first, last, lowest, highest, last close, volume, bars without one, "
             "known ranges, what is shown, session, asset class, exchange, currency.")
        .def("delete_series", &delete_series, py::arg("provider"), py::arg("request"), py::call_guard<GilReleased>(),
             "How many bars went.");
}

}  // namespace ktrdr::bindings
