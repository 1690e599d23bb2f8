#pragma once

#include <pybind11/stl.h>

#include <optional>
#include <string>

#include <ktrdr/data/load_request.hpp>

#include "request.hpp"

namespace ktrdr::bindings {

/// The words of a request that say which series is meant.
template <class Request>
void add_series_fields(RequestClass<Request>& fields) {
    using Word = std::optional<std::string>;
    fields
        .field("instrument_type",
               [](Request& request, const py::handle& word) { request.series.instrument_type = word.cast<Word>(); })
        .field("what_to_show",
               [](Request& request, const py::handle& word) { request.series.what_to_show = word.cast<Word>(); })
        .field("session", [](Request& request, const py::handle& word) { request.series.session = word.cast<Word>(); })
        .field("exchange",
               [](Request& request, const py::handle& word) { request.series.exchange = word.cast<Word>(); })
        .field("currency",
               [](Request& request, const py::handle& word) { request.series.currency = word.cast<Word>(); });
}

/// Those that say what becomes of the bars before they are handed out.
template <class Request>
void add_check_fields(RequestClass<Request>& fields) {
    fields.field("validate", [](Request& request, const py::handle& is) { request.checks.validate = is.cast<bool>(); })
        .field("repair", [](Request& request, const py::handle& is) { request.checks.repair = is.cast<bool>(); })
        .field("strict", [](Request& request, const py::handle& is) { request.checks.strict = is.cast<bool>(); });
}

}  // namespace ktrdr::bindings
