#include "convert.hpp"

#include <fmt/format.h>

namespace ktrdr::bindings {
namespace {

py::list to_list(const boost::json::array& array) {
    py::list list(array.size());
    for (std::size_t i = 0; i < array.size(); ++i) {
        list[i] = to_python(array[i]);
    }
    return list;
}

boost::json::value from_sequence(const py::sequence& sequence) {
    boost::json::array array;
    for (const py::handle item : sequence) {
        array.push_back(from_python(item));
    }
    return array;
}

boost::json::value from_dict(const py::dict& dict) {
    boost::json::object object;
    for (const auto& [key, value] : dict) {
        object.emplace(key.cast<std::string>(), from_python(value));
    }
    return object;
}

}  // namespace

py::object to_python(const boost::json::value& value) {
    switch (value.kind()) {
        case boost::json::kind::null: return py::none();
        case boost::json::kind::bool_: return py::bool_(value.get_bool());
        case boost::json::kind::int64: return py::int_(value.get_int64());
        case boost::json::kind::uint64: return py::int_(value.get_uint64());
        case boost::json::kind::double_: return py::float_(value.get_double());
        case boost::json::kind::string: return py::str(value.get_string().data(), value.get_string().size());
        case boost::json::kind::array: return to_list(value.get_array());
        case boost::json::kind::object: return to_python(value.get_object());
    }
    return py::none();
}

py::dict to_python(const boost::json::object& object) {
    py::dict dict;
    for (const auto& [key, value] : object) {
        dict[py::str(key.data(), key.size())] = to_python(value);
    }
    return dict;
}

boost::json::value from_python(const py::handle& object) {
    if (object.is_none()) {
        return nullptr;
    }
    if (py::isinstance<py::bool_>(object)) {
        return object.cast<bool>();
    }
    if (py::isinstance<py::int_>(object)) {
        return object.cast<std::int64_t>();
    }
    if (py::isinstance<py::float_>(object)) {
        return object.cast<double>();
    }
    if (py::isinstance<py::str>(object)) {
        return boost::json::string(object.cast<std::string>());
    }
    if (py::isinstance<py::dict>(object)) {
        return from_dict(object.cast<py::dict>());
    }
    if (py::isinstance<py::list>(object) || py::isinstance<py::tuple>(object)) {
        return from_sequence(object.cast<py::sequence>());
    }
    throw ErrorException(fail(Errc::invalid_argument,
                              fmt::format("{} cannot be sent as JSON: use dict, list, str, int, float, bool or None",
                                          py::type::of(object).attr("__name__").cast<std::string>())));
}

py::object to_python(UtcTime time) {
    const auto datetime = py::module_::import("datetime");
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    const auto epoch = datetime.attr("datetime")(1970, 1, 1, py::arg("tzinfo") = datetime.attr("timezone").attr("utc"));
    return epoch + datetime.attr("timedelta")(py::arg("microseconds") = micros);
}

UtcTime utc_from_python(const py::handle& datetime) {
    const auto module = py::module_::import("datetime");
    if (!py::isinstance(datetime, module.attr("datetime")) || datetime.attr("tzinfo").is_none()) {
        throw py::cast_error("not an aware datetime");
    }
    const auto epoch = module.attr("datetime")(1970, 1, 1, py::arg("tzinfo") = module.attr("timezone").attr("utc"));
    const auto micros = (datetime.attr("__sub__")(epoch)).attr("__floordiv__")(module.attr("timedelta")(0, 0, 1));
    return UtcTime(std::chrono::microseconds(micros.cast<std::int64_t>()));
}

}  // namespace ktrdr::bindings
