#include "convert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <ktrdr/base/json.hpp>

namespace ktrdr::bindings {
namespace {

/// A new reference, or the interpreter's error.
py::object owned(PyObject* made) {
    if (made == nullptr) {
        throw py::error_already_set();
    }
    return py::reinterpret_steal<py::object>(made);
}

py::object text(std::string_view utf8) {
    return owned(PyUnicode_DecodeUTF8(utf8.data(), static_cast<Py_ssize_t>(utf8.size()), "backslashreplace"));
}

py::object to_list(const boost::json::array& array) {
    py::object list = owned(PyList_New(static_cast<Py_ssize_t>(array.size())));
    for (std::size_t i = 0; i < array.size(); ++i) {
        PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), to_python(array[i]).release().ptr());
    }
    return list;
}

[[noreturn]] void refuse(const std::string& why) {
    throw ErrorException(fail(Errc::invalid_argument, why));
}

boost::json::value from_python(const py::handle& object, std::size_t depth);

std::string_view text_of(const py::handle& object) {
    Py_ssize_t size = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
    if (text == nullptr) {
        PyErr_Clear();
        refuse("a text holds half of a surrogate pair, which JSON cannot carry");
    }
    return {text, static_cast<std::size_t>(size)};
}

boost::json::value from_sequence(const py::sequence& sequence, std::size_t depth) {
    boost::json::array array;
    for (const py::handle item : sequence) {
        array.push_back(from_python(item, depth + 1));
    }
    return array;
}

boost::json::value from_dict(const py::dict& dict, std::size_t depth) {
    boost::json::object object;
    for (const auto& [key, value] : dict) {
        if (!py::isinstance<py::str>(key)) {
            refuse(fmt::format("a JSON object has only str keys, not {}", py::repr(key).cast<std::string>()));
        }
        object.emplace(text_of(key), from_python(value, depth + 1));
    }
    return object;
}

boost::json::value from_int(const py::handle& object) {
    int beyond = 0;
    const std::int64_t number = PyLong_AsLongLongAndOverflow(object.ptr(), &beyond);
    if (beyond == 0) {
        return number;
    }
    const auto bits = object.attr("bit_length")().cast<std::size_t>();
    if (beyond > 0 && bits <= 64) {
        return std::uint64_t{PyLong_AsUnsignedLongLong(object.ptr())};
    }
    refuse(fmt::format("an int of {} bits{} is no JSON number here: it may have at most 64 in all", bits,
                       beyond < 0 ? " and a sign" : ""));
}

boost::json::value from_float(const py::handle& object) {
    const auto number = object.cast<double>();
    if (!std::isfinite(number)) {
        refuse(fmt::format("{} is no JSON number: use None", number));
    }
    return number;
}

boost::json::value from_python(const py::handle& object, std::size_t depth) {
    // A list may hold itself.
    if (depth > deepest_json) {
        refuse(fmt::format("the value is nested deeper than {} levels, which is more than JSON here may be",
                           deepest_json));
    }
    if (object.is_none()) {
        return nullptr;
    }
    if (py::isinstance<py::bool_>(object)) {
        return object.cast<bool>();
    }
    if (py::isinstance<py::int_>(object)) {
        return from_int(object);
    }
    if (py::isinstance<py::float_>(object)) {
        return from_float(object);
    }
    if (py::isinstance<py::str>(object)) {
        return boost::json::string(text_of(object));
    }
    if (py::isinstance<py::dict>(object)) {
        return from_dict(object.cast<py::dict>(), depth);
    }
    if (py::isinstance<py::list>(object) || py::isinstance<py::tuple>(object)) {
        return from_sequence(object.cast<py::sequence>(), depth);
    }
    refuse(fmt::format("{} cannot be sent as JSON: use dict, list, str, int, float, bool or None",
                       py::type::of(object).attr("__name__").cast<std::string>()));
}

}  // namespace

py::object to_python(const boost::json::value& value) {
    switch (value.kind()) {
        case boost::json::kind::null: return py::none();
        case boost::json::kind::bool_: return py::bool_(value.get_bool());
        case boost::json::kind::int64: return py::int_(value.get_int64());
        case boost::json::kind::uint64: return py::int_(value.get_uint64());
        case boost::json::kind::double_: return py::float_(value.get_double());
        case boost::json::kind::string: return text(value.get_string());
        case boost::json::kind::array: return to_list(value.get_array());
        case boost::json::kind::object: return to_python(value.get_object());
    }
    return py::none();
}

py::dict to_python(const boost::json::object& object) {
    py::dict dict;
    for (const auto& [key, value] : object) {
        if (PyDict_SetItem(dict.ptr(), text(key).ptr(), to_python(value).ptr()) != 0) {
            throw py::error_already_set();
        }
    }
    return dict;
}

boost::json::value from_python(const py::handle& object) {
    return from_python(object, 0);
}

boost::json::object object_from(const py::handle& dict) {
    auto object = from_python(dict);
    if (!object.is_object()) {
        throw py::cast_error("not a dict");
    }
    return std::move(object).as_object();
}

boost::json::value described(const py::handle& object, const char* how) {
    try {
        return from_python(object);
    } catch (const std::exception&) {  // It is not plain JSON, or its own code raised.
    }
    try {
        return from_python(py::module_::import("ktrdr_core._bridge.plain").attr(how)(object));
    } catch (const std::exception&) {  // The stack has no room left, or the interpreter is ending.
        return nullptr;
    }
}

boost::json::object described(const py::dict& dict) {
    auto value = described(py::handle(dict));
    return value.is_object() ? std::move(value).as_object() : boost::json::object{};
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

std::chrono::nanoseconds duration_of(double seconds) {
    constexpr double longest = 1e9;
    return std::chrono::nanoseconds(seconds > 0 ? static_cast<std::int64_t>(std::min(seconds, longest) * 1e9) : 0);
}

std::optional<std::chrono::milliseconds> milliseconds_of(std::optional<double> seconds) {
    return seconds ? std::optional(std::chrono::ceil<std::chrono::milliseconds>(duration_of(*seconds))) : std::nullopt;
}

}  // namespace ktrdr::bindings
