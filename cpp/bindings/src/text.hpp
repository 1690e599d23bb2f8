#pragma once

#include <pybind11/pybind11.h>

#include <string>

namespace ktrdr::bindings {

/// A text for people: a message, a reason, a name. Half of a surrogate pair, as Python has it for a byte of a file's
/// name that is not UTF-8, is taken as it is written in source code (`\udce9`); an id or a path must be exact and is a
/// `std::string`.
struct Text {
    std::string utf8{};
};

/// The text, with every half of a surrogate pair written out.
[[nodiscard]] inline std::string readable(const pybind11::handle& text) {
    Py_ssize_t size = 0;
    if (const char* const utf8 = PyUnicode_AsUTF8AndSize(text.ptr(), &size); utf8 != nullptr) {
        return {utf8, static_cast<std::size_t>(size)};
    }
    PyErr_Clear();
    const auto bytes = pybind11::reinterpret_steal<pybind11::bytes>(
        PyUnicode_AsEncodedString(text.ptr(), "utf-8", "backslashreplace"));
    if (!bytes) {
        throw pybind11::error_already_set();
    }
    return bytes;
}

}  // namespace ktrdr::bindings

template <>
struct pybind11::detail::type_caster<ktrdr::bindings::Text> {
    PYBIND11_TYPE_CASTER(ktrdr::bindings::Text, const_name("str"));

    bool load(handle source, bool) {
        if (!source || PyUnicode_Check(source.ptr()) == 0) {
            return false;
        }
        value.utf8 = ktrdr::bindings::readable(source);
        return true;
    }
    static handle cast(const ktrdr::bindings::Text& text, return_value_policy, handle) {
        return pybind11::str(text.utf8).release();
    }
};
