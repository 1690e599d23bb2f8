#pragma once

#include <boost/json/value.hpp>
#include <pybind11/pybind11.h>

#include <chrono>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr::bindings {

namespace py = pybind11;

/// Plain JSON to dict, list, str, int, float, bool, None, and back.
[[nodiscard]] py::object to_python(const boost::json::value& value);
[[nodiscard]] py::dict to_python(const boost::json::object& object);
/// `invalid_argument` for anything that is not plain JSON.
[[nodiscard]] boost::json::value from_python(const py::handle& object);
/// Throws `py::cast_error` for anything but a dict.
[[nodiscard]] boost::json::object object_from(const py::handle& dict);
/// Of any value: plain JSON as it is, what has a plain form in that form, anything else described, by
/// `_bridge/plain.py`. For what work tells of itself: that must never make the work fail.
[[nodiscard]] boost::json::value described(const py::handle& object, const char* how = "plain");
[[nodiscard]] boost::json::object described(const py::dict& dict);

/// An aware `datetime` in UTC, to the microsecond.
[[nodiscard]] py::object to_python(UtcTime time);
/// Throws `py::cast_error` for anything but an aware `datetime`.
[[nodiscard]] UtcTime utc_from_python(const py::handle& datetime);

/// A number of seconds that is not positive, or no number, is no time; the longest is 1e9.
[[nodiscard]] std::chrono::nanoseconds duration_of(double seconds);
/// Rounded up; none for none.
[[nodiscard]] std::optional<std::chrono::milliseconds> milliseconds_of(std::optional<double> seconds);

/// The value, or the Python exception of its error (see the translator in `bind_base.cpp`).
template <class T>
T unwrap(Result<T> result) {
    if (!result) {
        throw ErrorException(result.error());
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(result).value();
    }
}

}  // namespace ktrdr::bindings
