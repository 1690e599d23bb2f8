// Room market: bars as Python looks at them and hands them in, and the names of timeframes.

#include <pybind11/chrono.h>
#include <pybind11/stl.h>

#include <cmath>
#include <optional>
#include <tuple>
#include <variant>

#include <ktrdr/market/arrow.hpp>
#include <ktrdr/market/bar_columns.hpp>
#include <ktrdr/market/bars_view.hpp>
#include <ktrdr/market/time_text.hpp>
#include <ktrdr/market/timeframe.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"

namespace ktrdr::bindings {
namespace {

/// One column of shared bars, readable through the buffer protocol: numpy looks at it without a copy.
struct Column {
    BarsPtr bars;
    const void* data;
    py::ssize_t size;
    py::ssize_t item_size;
    std::string format;

    template <class T>
    static Column of(const BarsView& view, std::span<const T> column) {
        return {view.bars(), column.data(), static_cast<py::ssize_t>(column.size()), sizeof(T),
                py::format_descriptor<T>::format()};
    }
};

template <class Get>
auto column(Get get) {
    return [get](const BarsView& self) { return Column::of(self, (self.*get)()); };
}

/// An aware datetime, made without the detour over Python's own arithmetic: a long series has many.
py::object datetime_of(std::int64_t stamp) {
    using namespace std::chrono;
    if (PyDateTimeAPI == nullptr) {
        PyDateTime_IMPORT;
    }
    const auto time = floor<microseconds>(UtcTime{nanoseconds{stamp}});
    const auto midnight = floor<days>(time);
    const year_month_day date{midnight};
    const hh_mm_ss clock{time - midnight};
    return py::reinterpret_steal<py::object>(PyDateTimeAPI->DateTime_FromDateAndTime(
        static_cast<int>(date.year()), static_cast<int>(static_cast<unsigned>(date.month())),
        static_cast<int>(static_cast<unsigned>(date.day())), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
        static_cast<int>(clock.subseconds().count()), PyDateTime_TimeZone_UTC, PyDateTimeAPI->DateTimeType));
}

/// Start (an aware datetime), open, high, low, close and volume of rows, volume NaN where there is none.
py::list row_tuples(const BarsView& self, std::size_t first, std::size_t last) {
    const BarsView part = self.rows(first, last);
    py::list rows(part.size());
    const auto time = part.time();
    for (std::size_t i = 0; i < part.size(); ++i) {
        const double volume = part.volume()[i];
        rows[i] = py::make_tuple(datetime_of(time[i]), part.open()[i], part.high()[i], part.low()[i], part.close()[i],
                                 volume == Bars::no_volume ? std::nan("") : volume);
    }
    return rows;
}

BarsView between(const BarsView& self, const std::optional<std::string>& start, const std::optional<std::string>& end) {
    TimeRange range{UtcTime::min(), UtcTime::max()};
    if (start) {
        range.start = unwrap(parse_time("start", *start));
    }
    if (end) {
        range.end = unwrap(parse_end_time("end", *end));
    }
    return self.slice(range);
}

constexpr const char* stream_capsule = "arrow_array_stream";

/// A capsule whose stream is released with it, where nobody has taken it.
py::capsule to_arrow_stream(const BarsView& self) {
    auto stream = std::make_unique<ArrowArrayStream>();
    export_bars(self, *stream);
    py::capsule capsule(stream.get(), stream_capsule, [](void* held) {
        const std::unique_ptr<ArrowArrayStream> owned(static_cast<ArrowArrayStream*>(held));
        release_arrow(*owned);
    });
    stream.release();
    return capsule;
}

using Given = std::tuple<BarsView, std::vector<std::string>>;

Given given(GivenBars read) {
    return {BarsView(std::make_shared<const Bars>(std::move(read.bars))), std::move(read.ignored)};
}

Given from_arrow_stream(const py::capsule& capsule) {
    auto* const stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.ptr(), stream_capsule));
    if (stream == nullptr) {
        throw py::error_already_set();
    }
    const GilReleased released;
    auto read = read_arrow(*stream);
    release_arrow(*stream);
    return given(unwrap(std::move(read)));
}

std::tuple<std::vector<std::optional<std::size_t>>, std::vector<std::string>> plan(
    const std::vector<std::string>& names) {
    auto found = unwrap(plan_frame(names));
    return {std::vector<std::optional<std::size_t>>(found.at.begin(), found.at.end()), std::move(found.ignored)};
}

StampUnit unit_of(const std::string& name) {
    for (const auto& [known, unit] :
         {std::pair{"D", StampUnit::day}, std::pair{"s", StampUnit::second}, std::pair{"ms", StampUnit::milli},
          std::pair{"us", StampUnit::micro}, std::pair{"ns", StampUnit::nano}}) {
        if (name == known) {
            return unit;
        }
    }
    throw ErrorException(fail(Errc::invalid_argument,
                              "column timestamp is in units of " + name + ": give D, s, ms, us or ns",
                              {{"column", "timestamp"}}));
}

GivenValues::Type type_of(const py::buffer_info& info) {
    using Type = GivenValues::Type;
    const auto is = [&info]<class T>(T) { return info.item_type_is_equivalent_to<T>(); };
    const std::array known{std::pair{is(std::int8_t{}), Type::int8},     std::pair{is(std::int16_t{}), Type::int16},
                           std::pair{is(std::int32_t{}), Type::int32},   std::pair{is(std::int64_t{}), Type::int64},
                           std::pair{is(std::uint8_t{}), Type::uint8},   std::pair{is(std::uint16_t{}), Type::uint16},
                           std::pair{is(std::uint32_t{}), Type::uint32}, std::pair{is(std::uint64_t{}), Type::uint64},
                           std::pair{is(float{}), Type::float32},        std::pair{is(double{}), Type::float64}};
    for (const auto& [fits, type] : known) {
        if (fits) {
            return type;
        }
    }
    throw ErrorException(fail(Errc::invalid_argument, "a column has values of the type " + info.format +
                                                          ": give integers or floats of this machine's byte order"));
}

GivenValues values_of(const py::buffer_info& info) {
    if (info.ndim != 1) {
        throw ErrorException(
            fail(Errc::invalid_argument, "a column must have one dimension, not " + std::to_string(info.ndim)));
    }
    return {.type = type_of(info),
            .data = info.ptr,
            .stride = info.strides[0],
            .count = static_cast<std::size_t>(info.size)};
}

/// Stamps as numbers of a unit since 1970, or as text.
using Stamps = std::variant<py::buffer, std::vector<std::optional<std::string>>>;

/// The buffers stay exported while they are read, so nobody can free them meanwhile.
BarsView from_columns(const Stamps& stamps, const std::string& unit,
                      const std::vector<std::optional<py::buffer>>& numbers) {
    std::vector<std::optional<py::buffer_info>> infos;
    for (const auto& one : numbers) {
        infos.push_back(one ? std::optional(one->request()) : std::nullopt);
    }
    const auto* const buffer = std::get_if<py::buffer>(&stamps);
    std::optional<py::buffer_info> stamp_info;
    if (buffer != nullptr) {
        stamp_info = buffer->request();
    }
    std::vector<std::optional<GivenValues>> columns;
    for (const auto& info : infos) {
        columns.push_back(info ? std::optional(values_of(*info)) : std::nullopt);
    }
    const auto given_stamps = stamp_info ? std::optional(values_of(*stamp_info)) : std::nullopt;
    const StampUnit stamp_unit = unit_of(unit);
    const GilReleased released;
    BarsBuilder builder;
    if (given_stamps) {
        unwrap(builder.add_stamps(stamp_unit, *given_stamps));
    } else {
        for (const auto& text : std::get<std::vector<std::optional<std::string>>>(stamps)) {
            unwrap(builder.add_stamp_text(text ? std::optional<std::string_view>(*text) : std::nullopt));
        }
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i]) {
            builder.add_numbers(static_cast<BarColumn>(i + 1), *columns[i]);
        }
    }
    return BarsView(std::make_shared<const Bars>(unwrap(std::move(builder).finish())));
}

BarsView named(const BarsView& self, std::string symbol, std::string timeframe, std::string what_to_show) {
    unwrap(self.bars()->check());
    return BarsView(self.own(), std::move(symbol), std::move(timeframe), std::move(what_to_show));
}

std::vector<std::string> timeframes() {
    const auto names = Timeframe::names();
    return {names.begin(), names.end()};
}

void bind_bars(py::module_& module) {
    py::class_<BarsView>(module, "Bars", "Rows of price bars as shared columns, and the series they are of.")
        .def("__len__", &BarsView::size)
        .def(
            "__eq__", [](const BarsView& self, const BarsView& other) { return self == other; }, py::arg("other"),
            py::is_operator())
        .def_property_readonly("symbol", &BarsView::symbol)
        .def_property_readonly("timeframe", &BarsView::timeframe)
        .def_property_readonly("what_to_show", &BarsView::what_to_show)
        .def_property_readonly("time", column(&BarsView::time))
        .def_property_readonly("open", column(&BarsView::open))
        .def_property_readonly("high", column(&BarsView::high))
        .def_property_readonly("low", column(&BarsView::low))
        .def_property_readonly("close", column(&BarsView::close))
        .def_property_readonly("volume", column(&BarsView::volume))
        .def("rows", &row_tuples, py::arg("first"), py::arg("last"), "Rows as tuples.")
        .def("every", &BarsView::every, py::arg("first"), py::arg("last"), py::arg("step"),
             "Every so manyeth row of some, copied where the step is above 1.")
        .def("between", &between, py::arg("start"), py::arg("end"), "Those that start in a range of time.")
        .def("named", &named, py::arg("symbol"), py::arg("timeframe"), py::arg("what_to_show") = "",
             "The same bars, found in order, as those of a series.")
        .def("to_arrow_stream", &to_arrow_stream, "A capsule with a stream of Arrow's C interface.");
}

}  // namespace

void bind_market(py::module_& module) {
    py::class_<Column>(module, "Column", py::buffer_protocol(), "One read-only column of bars.")
        .def_buffer([](Column& self) {
            return py::buffer_info(const_cast<void*>(self.data), self.item_size, self.format, 1, {self.size},
                                   {self.item_size}, true);
        });
    bind_bars(module);
    module.def("plan_columns", &plan, py::arg("names"), "Where a frame's columns are, and which no bar has.");
    module.def("bars_of_columns", &from_columns, py::arg("stamps"), py::arg("unit"), py::arg("numbers"),
               "Bars of stamps and of open, high, low, close and volume, copied.");
    module.def("bars_of_arrow_stream", &from_arrow_stream, py::arg("capsule"),
               "Bars of an Arrow stream, copied, and the columns that no bar has.");
    module.def("timeframes", &timeframes, "The names of the timeframes there are.");
}

}  // namespace ktrdr::bindings
