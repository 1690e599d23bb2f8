#include "value.hpp"

namespace ktrdr::bindings {
namespace {

py::tuple tuple_of(const std::vector<std::string>& names) {
    py::tuple tuple(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        tuple[i] = names[i];
    }
    return tuple;
}

py::tuple contents(const py::object& self, const py::tuple& names) {
    py::tuple values(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        values[i] = self.attr(py::str(names[i]));
    }
    return values;
}

template <class Function>
void method(const py::object& type, const char* name, Function function) {
    py::setattr(type, name, py::cpp_function(function, py::name(name), py::is_method(type)));
}

/// What `dataclasses` asks a class for, made when it is asked: importing that module is not free.
py::object dataclass_fields(const py::object& type, const py::tuple& names) {
    const auto make = py::module_::import("dataclasses").attr("make_dataclass");
    return make(type.attr("__name__"), names, py::arg("init") = false).attr("__dataclass_fields__");
}

}  // namespace

void make_value(const py::object& type, const std::vector<std::string>& fields) {
    const py::tuple names = tuple_of(fields);
    method(type, "__eq__", [names](const py::object& self, const py::object& other) -> py::object {
        if (!py::type::of(self).is(py::type::of(other))) {
            return py::reinterpret_borrow<py::object>(Py_NotImplemented);
        }
        return py::bool_(contents(self, names).equal(contents(other, names)));
    });
    method(type, "__hash__", [names](const py::object& self) { return py::hash(contents(self, names)); });
    method(type, "__copy__", [](const py::object& self) { return self; });
    method(type, "__deepcopy__", [](const py::object& self, const py::object&) { return self; });
    method(type, "__reduce__", [names](const py::object& self) {
        py::dict given;
        for (const py::handle name : names) {
            given[name] = self.attr(py::str(name));
        }
        const auto partial = py::module_::import("functools").attr("partial");
        return py::make_tuple(partial(py::type::of(self), **given), py::tuple());
    });
    py::setattr(type, "__match_args__", names);
    // Of the class: a property of pybind11's own metaclass, which is read there too.
    const auto property = py::reinterpret_borrow<py::object>(
        reinterpret_cast<PyObject*>(py::detail::get_internals().static_property_type));
    const py::cpp_function get([names](const py::object& cls) { return dataclass_fields(cls, names); });
    py::setattr(type, "__dataclass_fields__", property(get, py::none(), py::none(), ""));
}

}  // namespace ktrdr::bindings
