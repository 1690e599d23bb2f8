// Room market: bars whose columns numpy looks at, and the names of timeframes.

#include <pybind11/stl.h>

#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/timeframe.hpp>

#include "bind.hpp"
#include "convert.hpp"

namespace ktrdr::bindings {
namespace {

/// One column of shared bars, readable through the buffer protocol: numpy looks at it without a copy.
struct Column {
    BarsPtr bars;
    const void* data;
    py::ssize_t item_size;
    std::string format;

    template <class T>
    static Column of(const BarsPtr& bars, const std::vector<T>& column) {
        return {bars, column.data(), sizeof(T), py::format_descriptor<T>::format()};
    }
};

auto column(std::vector<double> Bars::* member) {
    return [member](const BarsPtr& self) { return Column::of(self, (*self).*member); };
}

std::vector<std::string> timeframes() {
    const auto names = Timeframe::names();
    return {names.begin(), names.end()};
}

}  // namespace

void bind_market(py::module_& module) {
    py::class_<Column>(module, "Column", py::buffer_protocol(), "One read-only column of bars.")
        .def_buffer([](Column& self) {
            return py::buffer_info(const_cast<void*>(self.data), self.item_size, self.format, 1,
                                   {static_cast<py::ssize_t>(self.bars->size())}, {self.item_size}, true);
        });
    py::class_<Bars, std::shared_ptr<Bars>>(module, "Bars", "Price bars as shared columns.")
        .def("__len__", &Bars::size)
        .def_property_readonly("time", [](const std::shared_ptr<Bars>& self) { return Column::of(self, self->time); })
        .def_property_readonly("open", [](const std::shared_ptr<Bars>& self) { return column(&Bars::open)(self); })
        .def_property_readonly("high", [](const std::shared_ptr<Bars>& self) { return column(&Bars::high)(self); })
        .def_property_readonly("low", [](const std::shared_ptr<Bars>& self) { return column(&Bars::low)(self); })
        .def_property_readonly("close", [](const std::shared_ptr<Bars>& self) { return column(&Bars::close)(self); })
        .def_property_readonly("volume", [](const std::shared_ptr<Bars>& self) { return column(&Bars::volume)(self); });
    module.def("timeframes", &timeframes, "The names of the timeframes there are.");
}

}  // namespace ktrdr::bindings
