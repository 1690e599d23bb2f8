#pragma once

#include <cstdint>
#include <memory>
#include <pybind11/pybind11.h>
#include <string>
#include <utility>
#include <vector>

namespace ktrdr::bindings {

namespace py = pybind11;

inline py::ssize_t length(std::size_t count) {
    return static_cast<py::ssize_t>(count);
}

/// Numbers that C++ made, row by row: numpy looks at them without a copy.
struct Numbers {
    std::shared_ptr<const void> owner;
    const void* data;
    py::ssize_t item_size;
    std::string format;
    std::vector<py::ssize_t> shape;

    template <class T>
    static Numbers of(std::vector<T> values, std::vector<py::ssize_t> shape) {
        auto kept = std::make_shared<const std::vector<T>>(std::move(values));
        const void* const data = kept->data();
        return {std::move(kept), data, sizeof(T), py::format_descriptor<T>::format(), std::move(shape)};
    }
};

/// The places of rows among bars.
inline Numbers rows_of(const std::vector<std::size_t>& bars) {
    return Numbers::of(std::vector<std::int64_t>(bars.begin(), bars.end()), {length(bars.size())});
}

}  // namespace ktrdr::bindings
