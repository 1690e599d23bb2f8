// Room data: a manager and its loads.

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <array>

#include <ktrdr/data/data_progress_renderer.hpp>
#include <ktrdr/data/scripted_source.hpp>
#include <ktrdr/runtime/open_data_manager.hpp>
#include <ktrdr/runtime/runtime.hpp>

#include "bind.hpp"
#include "bind_data_face.hpp"
#include "bind_data_jobs.hpp"
#include "bind_keeping.hpp"
#include "bind_pool.hpp"
#include "convert.hpp"
#include "gil.hpp"
#include "handle.hpp"
#include "managers.hpp"
#include "request.hpp"
#include "series_fields.hpp"

namespace ktrdr::bindings {
namespace {

std::shared_ptr<DataManager> make_data(std::filesystem::path data_dir, std::optional<std::string> ib_url,
                                       std::optional<bool> use_ib_host_service,
                                       std::optional<std::size_t> max_connections, std::shared_ptr<BarSource> source,
                                       std::map<std::string, std::string> env,
                                       const std::optional<std::pair<std::string, std::string>>& calendars) {
    const GilReleased released;
    Runtime* const runtime = unwrap(Runtime::instance());
    DataManagerOptions options;
    options.data_dir = std::move(data_dir);
    options.database = runtime->database_options();
    options.host_service = {use_ib_host_service, std::move(ib_url), max_connections};
    options.source = std::move(source);
    if (calendars) {
        options.calendars = unwrap(CalendarRules::read(calendars->first, calendars->second));
    }
    auto manager = unwrap(open_data_manager(runtime->data_services(), options, Env(std::move(env))));
    runtime->watch_owners();
    return manager;
}

void bind_request(py::module_& module) {
    RequestClass<LoadRequest> load(module, "LoadRequest", "What a load asks for, in the caller's own words.");
    load.field<&LoadRequest::symbol>("symbol")
        .field<&LoadRequest::timeframe>("timeframe")
        .field<&LoadRequest::start_date>("start_date")
        .field<&LoadRequest::end_date>("end_date")
        .field<&LoadRequest::mode>("mode")
        .field<&LoadRequest::refresh>("refresh")
        .field<&LoadRequest::priority>("priority")
        .field<&LoadRequest::operation_id>("operation_id")
        .field<&LoadRequest::parent_id>("parent_id")
        .field<&LoadRequest::resume>("resume");
    add_series_fields(load);
    add_check_fields(load);
    load.done();
}

void bind_series_request(py::module_& module) {
    RequestClass<SeriesRequest> series(module, "SeriesRequest", "Which series is meant, in the caller's own words.");
    series.field<&SeriesRequest::symbol>("symbol").field<&SeriesRequest::timeframe>("timeframe");
    add_series_fields(series);
    series.done();
}

void refuse_load(const LoadRequest& request, std::optional<std::string> ib_url, std::map<std::string, std::string> env,
                 bool has_source) {
    const Clock& clock = unwrap(Runtime::instance())->data_services().clock;
    if (has_source) {
        unwrap(check_request(request, {}, clock.utc_now()));
        return;
    }
    DataManagerOptions options;
    options.host_service.url = std::move(ib_url);
    unwrap(check_load(request, options, Env(std::move(env)), clock));
}

Handle load_data(DataManager& self, const LoadRequest& request, const std::optional<CancellationToken>& token) {
    Handle handle(unwrap(self.load_data(request, token.value_or(CancellationToken{}))));
    unwrap(Runtime::instance())->wake_tender();
    return handle;
}

void bind_own_bars(py::module_& module) {
    RequestClass<StoreRequest> store(module, "StoreRequest", "Whose bars somebody brings.");
    store.field<&StoreRequest::symbol>("symbol")
        .field<&StoreRequest::timeframe>("timeframe")
        .field<&StoreRequest::ignored>("ignored")
        .field<&StoreRequest::parent_id>("parent_id");
    add_series_fields(store);
    store.done();
    RequestClass<ImportRequest> imported(module, "ImportRequest", "A CSV file that somebody brings.");
    imported.field<&ImportRequest::file>("file")
        .field<&ImportRequest::symbol>("symbol")
        .field<&ImportRequest::timeframe>("timeframe")
        .field<&ImportRequest::parent_id>("parent_id");
    add_series_fields(imported);
    imported.done();
}

Handle store_bars(DataManager& self, const StoreRequest& request, const BarsView& bars,
                  const std::optional<CancellationToken>& token) {
    return Handle(unwrap(self.store_bars(request, bars, token.value_or(CancellationToken{}))));
}

Handle import_csv(DataManager& self, const ImportRequest& request, const std::optional<CancellationToken>& token) {
    return Handle(unwrap(self.import_csv(request, token.value_or(CancellationToken{}))));
}

/// Provider, symbol, timeframe, bars, first and last start of each, and the other parts of its key.
py::list series(const DataManager& self) {
    std::vector<StoredSeries> stored;
    {
        const GilReleased released;
        stored = unwrap(self.series());
    }
    py::list all;
    for (const StoredSeries& one : stored) {
        all.append(py::make_tuple(one.key.provider, one.key.symbol, one.key.timeframe.name(), one.bars,
                                  to_python(one.first), to_python(one.last), one.key.what_to_show, one.key.session,
                                  one.key.asset_class, one.key.exchange, one.key.currency));
    }
    return all;
}

/// A column of numbers as they lie in memory.
template <class Number>
std::vector<Number> column_of(const py::buffer& buffer) {
    const py::buffer_info info = buffer.request();
    if (info.ndim != 1 || info.itemsize != sizeof(Number) || info.strides[0] != info.itemsize) {
        throw ErrorException(fail(Errc::invalid_argument, "a column must be one contiguous row of 8-byte numbers"));
    }
    const auto* const numbers = static_cast<const Number*>(info.ptr);
    return {numbers, numbers + info.size};
}

void set_bars(ScriptedSource& self, const std::string& symbol, const std::string& timeframe, const py::buffer& time,
              const std::vector<py::buffer>& prices) {
    Bars bars;
    bars.time = column_of<std::int64_t>(time);
    const std::array columns{&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume};
    for (std::size_t i = 0; i < columns.size(); ++i) {
        *columns[i] = column_of<double>(prices.at(i));
    }
    unwrap(self.set_bars(symbol, unwrap(Timeframe::parse(timeframe)), std::move(bars)));
}

void give_bars(ScriptedSource& self, const std::string& symbol, const std::string& timeframe, const BarsView& bars) {
    unwrap(self.set_bars(symbol, unwrap(Timeframe::parse(timeframe)), Bars(*bars.own())));
}

void fail_with(ScriptedSource& self, const std::optional<std::string>& code, std::string message) {
    if (!code) {
        self.fail_with(std::nullopt);
        return;
    }
    const auto known = errc_from(*code);
    if (!known) {
        throw ErrorException(fail(Errc::invalid_argument, "no error has the code " + *code + "; see ktrdr_core.errors",
                                  {{"field", "code"}}));
    }
    self.fail_with(fail(*known, std::move(message)));
}

void bind_scripted_source(py::module_& module) {
    py::class_<BarSource, std::shared_ptr<BarSource>>(module, "BarSource", "Where bars come from.");
    py::class_<ScriptedSource, BarSource, std::shared_ptr<ScriptedSource>>(
        module, "ScriptedSource", "A source of bars for tests, without a service.")
        .def(py::init([](std::string provider) {
                 Runtime* const runtime = unwrap(Runtime::instance());
                 return std::make_shared<ScriptedSource>(runtime->io(), std::move(provider),
                                                         &runtime->data_services().clock);
             }),
             py::arg("provider"))
        .def("set_bars", &set_bars, py::arg("symbol"), py::arg("timeframe"), py::arg("time"), py::arg("prices"))
        .def("give", &give_bars, py::arg("symbol"), py::arg("timeframe"), py::arg("bars"),
             "What it has of a series, in place of what it had.")
        .def("fail_with", &fail_with, py::arg("code"), py::arg("message"))
        .def("hold", &ScriptedSource::hold, py::call_guard<GilReleased>())
        .def("release", &ScriptedSource::release, py::call_guard<GilReleased>())
        .def(
            "wait_until_held",
            [](ScriptedSource& self, double limit) { return self.wait_until_held(duration_of(limit)); },
            py::arg("limit"), py::call_guard<GilReleased>())
        .def_property_readonly("fetches", &ScriptedSource::fetches);
}

}  // namespace

void bind_data(py::module_& module) {
    bind_scripted_source(module);
    bind_request(module);
    bind_series_request(module);
    bind_own_bars(module);
    module.def("check_load", &refuse_load, py::arg("request"), py::arg("ib_url"), py::arg("env"),
               py::arg("has_source") = false,
               "Refuse what a load would refuse at once; nothing is opened, made or asked.");
    DataManagerClass manager(module, "DataManager", "The native side of the data manager.");
    manager
        .def(py::init(&make_data), py::arg("data_dir"), py::arg("ib_url"), py::arg("use_ib_host_service"),
             py::arg("max_connections"), py::arg("source"), py::arg("env"), py::arg("calendars"))
        .def("load_data", &load_data, py::arg("request"), py::arg("token"), py::call_guard<GilReleased>())
        .def("store_bars", &store_bars, py::arg("request"), py::arg("bars"), py::arg("token"),
             py::call_guard<GilReleased>())
        .def("import_csv", &import_csv, py::arg("request"), py::arg("token"), py::call_guard<GilReleased>())
        .def("series", &series,
             "Provider, symbol, timeframe, bars, first, last, what is shown, session, asset class, exchange and "
             "currency of each series.")
        .def_property_readonly("service_names", &service_names<DataManager>)
        .def_property_readonly("service", &service_calls<DataManager>)
        .def_property_readonly("database_path", &DataManager::database_path)
        .def("pool_stats", [](const DataManager& self) { return pool_dict(self.pool_stats()); })
        .def("close", &DataManager::close, py::call_guard<GilReleased>());
    bind_keeping(manager);
    bind_data_jobs(manager);
    bind_data_face(module, manager);
    py::class_<DataProgressRenderer, ProgressRenderer, std::shared_ptr<DataProgressRenderer>>(
        module, "DataProgressRenderer", "Says what a load of bars does.")
        .def(py::init<>());
}

}  // namespace ktrdr::bindings
